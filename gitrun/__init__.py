"""A run tracker that lives in git: every run is a small hidden branch of its source, flags, output and files."""

from __future__ import annotations

# not lazy: importing the module later would put it in the place of the function; it imports next to nothing
from gitrun.log import log

TYPE_CHECKING = False  # typing's own takes longer to import than all the rest
if TYPE_CHECKING:
    from gitrun import errors
    from gitrun.model.flags import Flags, parse_flags
    from gitrun.model.run import Attempt, Run, restart_needed, run_params_for_restart
    from gitrun.project import Project

_PLACES = {
    "Project": "gitrun.project",
    "Run": "gitrun.model.run",
    "Attempt": "gitrun.model.run",
    "Flags": "gitrun.model.flags",
    "parse_flags": "gitrun.model.flags",
    "restart_needed": "gitrun.model.run",
    "run_params_for_restart": "gitrun.model.run",
}

__all__ = [
    "Attempt",
    "Flags",
    "Project",
    "Run",
    "errors",
    "log",
    "parse_flags",
    "restart_needed",
    "run_params_for_restart",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Imports a public name when it is first asked for: a training loop that logs pays for nothing else."""
    from importlib import import_module

    if name == "errors":
        return import_module("gitrun.errors")
    if name not in _PLACES:
        raise AttributeError(f"module 'gitrun' has no attribute {name!r}")
    found: object = getattr(import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
