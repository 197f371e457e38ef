"""Chooses the sampler of a batch by its name. Optuna is an extra, imported only for a batch that asks for it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import replace
from gitrun.errors import BadValue, MissingPackage
from gitrun.model.batch import GRID, LEARN_BATCH, LEARNS, RANDOM
from gitrun.model.repeats import RepeatedSampler
from gitrun.model.sampling import ALLOW_REPEATS, PRUNER_PREFIX, RandomSampler
from gitrun.model.values import format_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.batch import BatchDefinition, Pruner, Sampler
    from gitrun.model.values import Value

TPE, QMC = "tpe", "qmc"
OPTUNA_PACKAGES: Mapping[str, tuple[str, ...]] = {
    TPE: (), "gp": ("torch", "scipy"), "cmaes": ("cmaes",), "nsga2": (), "qmc": ("scipy",),
}  # fmt: skip
"""Samplers of Optuna, and the packages that each needs beside it."""
OPTIMIZERS = (GRID, RANDOM, *OPTUNA_PACKAGES)
PRUNERS = ("median", "percentile", "halving", "hyperband", "threshold")
OPTUNA_INSTALL = "To install it: pip install 'git-run-tracker[optuna]'"
FOREIGN_NAMES = {"+": GRID, "bayesian": "gp"}
"""Guild's names for what has another name here."""
FORESTS = ("forest", "gbrt")
"""Guild's optimizers that nothing here is equal to."""


def find_sampler_name(name: str) -> str:
    """Returns the name of the sampler that `--optimizer NAME` means. Raises BadValue."""
    sampler_name = FOREIGN_NAMES.get(name, name)
    if sampler_name in FORESTS:
        raise BadValue(f"gitrun does not have Guild's {name}; tpe searches the same spaces", "To use it: --optimizer tpe")
    if sampler_name not in OPTIMIZERS:
        raise BadValue(f"there is no optimizer {name!r}", f"The optimizers are {', '.join(OPTIMIZERS)}")
    return sampler_name


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


def engine_of(definition: BatchDefinition) -> str:
    """Returns the name and version of the library that samples or prunes, such as `optuna 5.0.0`; empty for our own.

    Raises BadValue, MissingPackage.
    """
    name = find_sampler_name(definition.sampler)
    engine: str = load_optuna("optuna").ENGINE if name in OPTUNA_PACKAGES or definition.prune else ""
    return engine


def check_sampler(definition: BatchDefinition) -> None:
    """Checks that a batch can be sampled and pruned, before anything is written. Raises BadValue, MissingPackage."""
    name = find_sampler_name(definition.sampler)
    require_packages(name)
    check_options(name, definition.options)
    if definition.learn not in LEARNS:
        raise BadValue(f"--learn must be one of {', '.join(LEARNS)}, not {definition.learn!r}")
    if definition.learn != LEARN_BATCH and name in {GRID, RANDOM, QMC}:
        raise BadValue(f"--learn needs an optimizer that learns, and {name} does not", "To use one: --optimizer tpe")
    if name == "cmaes" and len(definition.objectives) > 1:
        raise BadValue("--optimizer cmaes takes one metric", "To search for several: --optimizer nsga2")
    check_pruner(definition)


def check_options(name: str, options: Mapping[str, Value]) -> None:
    """Raises BadValue for settings that the sampler does not have. Imports Optuna only for a setting of its samplers."""
    repeats = options.get(ALLOW_REPEATS, False)
    if not isinstance(repeats, bool):
        raise BadValue(f"setting {ALLOW_REPEATS!r} must be yes or no, not {format_value(repeats)}")
    own = {option: value for option, value in options.items() if option != ALLOW_REPEATS and not is_pruner_option(option)}
    if own and name in OPTUNA_PACKAGES:
        load_optuna("optuna").check_options(name, own)
    elif own:
        hint = f"Its one setting is {ALLOW_REPEATS}" if name != GRID else "It has none"
        raise BadValue(f"optimizer {name} has no setting {min(own)!r}", hint)


def check_pruner(definition: BatchDefinition) -> None:
    """Raises BadValue or MissingPackage if the batch cannot be pruned as it says."""
    name = definition.prune
    if not name:
        if option := next(filter(is_pruner_option, definition.options), ""):
            raise BadValue(f"setting {option!r} is for a pruner, and there is none", "To prune trials: --prune median")
        return
    if name not in PRUNERS:
        raise BadValue(f"there is no pruner {name!r}", f"The pruners are {', '.join(PRUNERS)}")
    if not definition.objectives:
        raise BadValue("--prune needs a metric to judge trials by", "For example: --prune median --minimize loss")
    if len(definition.objectives) > 1:
        raise BadValue("a search for several metrics cannot be pruned", "To prune trials: give one metric")
    if not is_installed("optuna"):
        raise MissingPackage(f"--prune {name} needs Optuna", OPTUNA_INSTALL)
    load_optuna("optuna_pruners").check_options(name, definition.options)


def is_pruner_option(option: str) -> bool:
    """Returns whether a setting is one of the pruner, such as `prune_n_startup_trials`."""
    return option.replace("-", "_").startswith(PRUNER_PREFIX)


def make_sampler(definition: BatchDefinition) -> Sampler:
    """Returns the sampler of a batch. Raises BadValue, MissingPackage; the points of a grid need no sampler."""
    definition = replace(definition, sampler=find_sampler_name(definition.sampler))
    if definition.sampler == GRID:
        raise BadValue("a grid has no sampler", f"The optimizers of a search are {', '.join(OPTIMIZERS[1:])}")
    check_sampler(definition)
    is_random = definition.sampler == RANDOM
    sampler: Sampler = RandomSampler(definition) if is_random else load_optuna("optuna").open_sampler(definition)
    return RepeatedSampler(sampler, definition) if definition.repeat > 1 else sampler


def make_pruner(definition: BatchDefinition, batch_id: str) -> Pruner | None:
    """Returns the pruner of the batch with this id; None if no trial is pruned. Raises BadValue, MissingPackage."""
    check_pruner(definition)
    if not definition.prune:
        return None
    pruner: Pruner = load_optuna("optuna_pruners").open_pruner(definition, batch_id)
    return pruner


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


def load_optuna(extra: str) -> Any:  # noqa: ANN401 - a module that the core does not import
    """Returns a module of the extra. Raises MissingPackage."""
    if not is_installed("optuna"):
        raise MissingPackage("Optuna is not installed", OPTUNA_INSTALL)
    return import_module(f"gitrun.extras.{extra}")
