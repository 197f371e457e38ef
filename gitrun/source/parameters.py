"""Flags of a script that are values in files it loads, such as `params.yaml`, read from a tree."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun import source
from gitrun.errors import CannotRun, UsageError
from gitrun.git.objects import EXECUTABLE, FILE, entry_at
from gitrun.scripts.discover import BESIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.git.objects import Objects
    from gitrun.model.flags import Flag, Value
    from gitrun.scripts.discover import ParameterFile, Script
    from gitrun.source.operations import Operation

MOST = 300
"""The most values of a parameter file; a file with more holds data."""


def with_parameters(
    objects: Objects, operation: Operation, script: Script, tree: str, given: Mapping[str, object] | None
) -> Script:
    """Returns the script with the values of the files that it loads as flags. Its own flags win.

    Skips a file if the user gave another path for it. Skips it also if the tree lacks it or it cannot be read.
    """
    flags = {flag.name: flag for flag in script.flags}
    advice = script.advice
    for one in script.files:
        path = place_of(one, operation)
        # files outside the repository are not recorded, so their values are no flags
        if one.named in (given or {}) or path.startswith("../"):
            continue
        entry = entry_at(objects, tree, os.fsencode(path))
        found = objects.read(entry.id) if entry and entry.mode in {FILE, EXECUTABLE} else None
        try:
            for flag in values_in(found.data, path, one.section) if found and found.data else ():
                flags.setdefault(flag.name, flag)
        except CannotRun as error:
            advice = advice or f"flags in {path} are not read: {error.message}. To read them: {error.hint}"
        except UsageError:
            continue
    return replace(script, flags=tuple(flags.values()), advice=advice) if script.files else script


def place_of(one: ParameterFile, operation: Operation) -> str:
    """Returns the path of the file below the top."""
    folder = os.path.dirname(operation.script) if one.path.startswith(BESIDE) else operation.cwd
    return os.path.normpath(os.path.join(folder, one.path.removeprefix(BESIDE).lstrip("/")))


def values_in(data: bytes, path: str, section: str) -> Sequence[Flag]:
    """Returns the values of the file as flags, or none if there are too many. Raises UsageError.

    Raises CannotRun if the library that reads the format is not installed.
    """
    found = source.config_files.read_flags(data, path)
    found = tuple(flag for flag in found if not section or f"{flag.name}.".startswith(f"{section}."))
    return [replace(flag, file=path) for flag in found] if len(found) <= MOST else []


def values_to_write(flags: Mapping[str, Value], script: Script | None) -> dict[str, dict[str, Value | None]]:
    """Returns the values that differ from the script's files, by path. None marks a key to delete."""
    by_path: dict[str, list[Flag]] = {}
    for flag in script.flags if script else ():
        if flag.file:
            by_path.setdefault(flag.file, []).append(flag)
    if not by_path:
        return {}

    own = {
        path: source.config_files.changed({flag.name: flags[flag.name] for flag in found if flag.name in flags}, tuple(found))
        for path, found in by_path.items()
    }
    return {path: values for path, values in own.items() if values}
