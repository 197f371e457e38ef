"""Chooses the sampler of a batch by its name. Optuna is an extra, imported only for a batch that asks for it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gitrun.errors import BadValue, MissingPackage
from gitrun.model.sampling import ALLOW_REPEATS, RandomSampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.batch import BatchDefinition, Sampler
    from gitrun.model.values import Value

GRID, RANDOM, TPE = "grid", "random", "tpe"
OPTUNA_PACKAGES: Mapping[str, tuple[str, ...]] = {
    TPE: (), "gp": ("torch", "scipy"), "cmaes": ("cmaes",), "nsga2": (), "qmc": ("scipy",),
}  # fmt: skip
"""Samplers of Optuna, and the packages that each needs beside it."""
OPTIMIZERS = (GRID, RANDOM, *OPTUNA_PACKAGES)
OPTUNA_INSTALL = "To install it: pip install 'git-run-tracker[optuna]'"
FOREIGN_NAMES = {"+": GRID, "bayesian": "gp"}
"""Guild's names for what has another name here."""
FORESTS = ("forest", "gbrt")
"""Guild's optimizers that nothing here is equal to."""


def find_sampler_name(name: str) -> str:
    """Returns the name of the sampler that `--optimizer NAME` means. Raises BadValue."""
    found = FOREIGN_NAMES.get(name, name)
    if found in FORESTS:
        raise BadValue(f"Guild's {name} is not there; tpe searches the same spaces", "To use it: --optimizer tpe")
    if found not in OPTIMIZERS:
        raise BadValue(f"there is no optimizer {name!r}", f"The optimizers are {', '.join(OPTIMIZERS)}")
    return found


def default_search() -> str:
    """Returns the sampler of a search that names none: tpe if Optuna is installed, else random."""
    return TPE if is_installed("optuna") else RANDOM


def default_search_note() -> str:
    """Returns what to tell the user about the default sampler of a search, if there is a better one."""
    if is_installed("optuna"):
        return ""
    return f"Optuna is not installed, so values are drawn at random. {OPTUNA_INSTALL}"


def is_installed(package: str) -> bool:
    """Returns whether a package can be imported. Does not import it."""
    return find_spec(package) is not None


def check_sampler(definition: BatchDefinition) -> None:
    """Raises BadValue or MissingPackage if the batch cannot be sampled; nothing is written before."""
    require_packages(definition.sampler)
    check_options(definition.sampler, definition.options)


def check_options(name: str, options: Mapping[str, Value]) -> None:
    """Raises BadValue for settings that the sampler does not have. Imports Optuna only for a setting of its samplers."""
    own = {option: value for option, value in options.items() if option != ALLOW_REPEATS}
    repeats = options.get(ALLOW_REPEATS, False)
    if not isinstance(repeats, bool):
        raise BadValue(f"setting {ALLOW_REPEATS!r} must be yes or no, not {repeats!r}", f"--opt-flag {ALLOW_REPEATS}=yes")
    if own and name in OPTUNA_PACKAGES:
        load_optuna().check_options(name, own)
    elif own:
        hint = f"Its settings are {ALLOW_REPEATS}" if name != GRID else "It has none"
        raise BadValue(f"optimizer {name} has no setting {min(own)!r}", hint)


def make_sampler(definition: BatchDefinition) -> Sampler:
    """Returns the sampler of a batch. Raises BadValue, MissingPackage; the points of a grid need no sampler."""
    name = find_sampler_name(definition.sampler)
    if name == GRID:
        raise BadValue("a grid has no sampler", f"The optimizers of a search are {', '.join(OPTIMIZERS[1:])}")
    check_sampler(definition)
    if name == RANDOM:
        return RandomSampler(definition)
    sampler: Sampler = load_optuna().OptunaSampler(definition)
    return sampler


def require_packages(name: str) -> None:
    """Raises MissingPackage if a sampler needs packages that are not installed."""
    if name not in OPTUNA_PACKAGES:
        return
    if not is_installed("optuna"):
        raise MissingPackage(f"--optimizer {name} needs Optuna", OPTUNA_INSTALL)
    packages = OPTUNA_PACKAGES[name]
    if missing := [package for package in packages if not is_installed(package)]:
        other = "" if name == TPE else ". Or use --optimizer tpe"
        raise MissingPackage(
            f"--optimizer {name} needs {' and '.join(missing)} beside Optuna",
            f"To install {'them' if len(packages) > 1 else 'it'}: pip install {' '.join(packages)}{other}",
        )


def load_optuna() -> Any:  # noqa: ANN401 - a module that the core does not import
    """Returns the extra. Raises MissingPackage."""
    extra = "optuna"
    if not is_installed(extra):
        raise MissingPackage("Optuna is not installed", OPTUNA_INSTALL)
    return import_module(f"gitrun.extras.{extra}")
