"""A run tracker inside git: each run is a hidden branch with its source, flags, output and files."""

from __future__ import annotations

# not lazy: importing the module gitrun.log later would replace the function of that name; its imports are cheap
from gitrun.log import log

TYPE_CHECKING = False  # importing typing for its constant takes longer than all the rest
if TYPE_CHECKING:
    from gitrun import errors
    from gitrun.model.batch import Batch
    from gitrun.model.flags import Flags, parse_flags
    from gitrun.model.run import Attempt, Run, restart_needed, run_params_for_restart
    from gitrun.model.space import choice, loguniform, range_, uniform
    from gitrun.project import Project

_PLACES = {
    "Project": "gitrun.project",
    "Run": "gitrun.model.run",
    "Attempt": "gitrun.model.run",
    "Batch": "gitrun.model.batch",
    "Flags": "gitrun.model.flags",
    "parse_flags": "gitrun.model.flags",
    "restart_needed": "gitrun.model.run",
    "run_params_for_restart": "gitrun.model.run",
    "choice": "gitrun.model.space",
    "loguniform": "gitrun.model.space",
    "range_": "gitrun.model.space",
    "uniform": "gitrun.model.space",
}

__all__ = [
    "Attempt",
    "Batch",
    "Flags",
    "Project",
    "Run",
    "choice",
    "errors",
    "log",
    "loguniform",
    "parse_flags",
    "range_",
    "restart_needed",
    "run_params_for_restart",
    "uniform",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Imports a public name on first use. Raises AttributeError."""
    # a training loop that only logs does not pay for it
    from importlib import import_module

    if name == "errors":
        return import_module("gitrun.errors")  # the module itself is the public name
    if name not in _PLACES:
        raise AttributeError(f"module 'gitrun' has no attribute {name!r}")
    value: object = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
