"""Flags of a script that are values in files it loads, such as `params.yaml`, read from a tree."""

from __future__ import annotations

import os

from gitrun import source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, UsageError
from gitrun.scripts.discover import BESIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flag, Value
    from gitrun.model.tree import Tree
    from gitrun.scripts.discover import ParameterFile, Script
    from gitrun.source.operations import Operation

MOST = 300
"""The most values of a parameter file; a file with more holds data."""


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """The values of a parameter file as flags. `advice` says how to read the file if they cannot be read here."""

    file: ParameterFile
    flags: tuple[Flag, ...] = ()
    advice: str = ""


def read_parameters(tree: Tree, operation: Operation, script: Script) -> tuple[ParameterValues, ...]:
    """Reads the files whose values the script loads, in their order. Leaves out those outside the repository."""
    paths = [(file, parameter_path(file, operation)) for file in script.files]
    # files outside the repository are not recorded, so their values are no flags
    return tuple(read_values(tree, file, path) for file, path in paths if not path.startswith("../"))


def read_values(tree: Tree, file: ParameterFile, path: str) -> ParameterValues:
    """Reads one parameter file. A file that is missing, too large or broken has no values."""
    data = tree.read(path, source.config_files.LARGEST)
    try:
        flags = source.config_files.read_flags(data, path) if data else ()
    except CannotRun as error:
        return ParameterValues(file, advice=f"note: flags in {path} are not read: {error.message}. {error.hint}")
    except UsageError:
        return ParameterValues(file)
    # the script picks one table of the file, and the values outside it change nothing
    section = file.section
    own = [flag for flag in flags if not section or f"{flag.name}.".startswith(f"{section}.")]
    return ParameterValues(file, tuple(replace(flag, file=path) for flag in own) if len(own) <= MOST else ())


def with_parameters(script: Script, files: Sequence[ParameterValues], params: Mapping[str, object] | None = None) -> Script:
    """Returns the script with the values of its parameter files as flags. Its own flags win.

    Skips a file if the user gave another path for it.
    """
    flags = {flag.name: flag for flag in script.flags}
    advice = script.advice
    for values in files:
        # --config other.yaml: the values of the default file are not loaded
        if values.file.constant not in (params or {}):
            for flag in values.flags:
                # an option of the same name decides in the program too
                flags.setdefault(flag.name, flag)
            advice = advice or values.advice
    return replace(script, flags=tuple(flags.values()), advice=advice) if files else script


def parameter_path(file: ParameterFile, operation: Operation) -> str:
    """Returns the path of a parameter file below the top."""
    directory = os.path.dirname(operation.script) if file.path.startswith(BESIDE) else operation.cwd
    return os.path.normpath(os.path.join(directory, file.path.removeprefix(BESIDE).lstrip("/")))


def values_to_write(flags: Mapping[str, Value], script: Script | None) -> dict[str, dict[str, Value | None]]:
    """Returns the values that differ from the script's parameter files, by path. None marks a key to delete."""
    by_path: dict[str, list[Flag]] = {}
    for flag in script.flags if script else ():
        if flag.file:
            by_path.setdefault(flag.file, []).append(flag)
    if not by_path:
        return {}

    own = {
        path: source.config_files.find_changes(
            {flag.name: flags[flag.name] for flag in values if flag.name in flags}, tuple(values)
        )
        for path, values in by_path.items()
    }
    return {path: values for path, values in own.items() if values}
