"""The flags of a start as a sheet to be filled in with an editor: TOML, with what is known of each flag as comments."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitrun.commands.ops import words_about
from gitrun.errors import GitrunError, UsageError
from gitrun.model.flags import Flag, copy_value, defaults, settle
from gitrun.model.plan import Skip
from gitrun.model.record import inline, literal
from gitrun.model.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.model.request import Request
    from gitrun.project import Project

HEAD = "# Flags of {}. A line that is taken away leaves its flag as it is; an empty sheet runs nothing.\n"


def edited(project: Project, request: Request) -> Request:
    """The request with the flags that were saved in the editor that git would use. Raises UsageError."""
    from gitrun.git.exe import edit

    operation, given = before_editing(project, request)
    by_name = {flag.name: flag for flag in known_flags(project, operation)}
    flags = [*by_name.values(), *(Flag(name) for name in given if name not in by_name)]
    if not flags:
        raise UsageError(f"{operation} has no flags to edit", "give them as name=value")
    sheet = sheet_of(operation, flags, given)
    text = edit(project.git, "RUN_FLAGS.toml", sheet)
    values = values_in(text)
    if not values:
        raise UsageError("nothing was run: the sheet of flags is empty", "save it with flags to run it")
    for name, value in values.items():
        check_line(text, by_name.get(name), operation, (name, value))
    return replace(request, flags={**request.flags, **values})


def before_editing(project: Project, request: Request) -> tuple[str, Mapping[str, Value]]:
    """The operation and its flags as they would be. Raises GitrunError."""
    try:
        plan = project.plan(replace(request, needed=False, needed_source=False))
    except UsageError:
        known = known_flags(project, request.operation or "")
        if not any(flag.required and flag.default is None for flag in known):
            raise
        # what is missing is to be filled in
        return request.operation or "", defaults(known)
    return ("", {}) if isinstance(plan, Skip) else (plan.operation, plan.flags)


def known_flags(project: Project, operation: str) -> tuple[Flag, ...]:
    """What the working tree says of the operation's flags; nothing if it has no such operation."""
    from gitrun.engine.offers import offers

    try:
        return offers(replace(project.git, prefix=""), [operation])[0].flags or ()
    except GitrunError:
        return ()


def sheet_of(operation: str, flags: Sequence[Flag], values: Mapping[str, Value]) -> str:
    """The sheet: a line a flag, below what there is to say of it."""
    lines = [HEAD.format(safe_text(operation))]
    for flag in flags:
        about = safe_text(words_about(flag))
        lines += [f"# {about}"] if about else []
        key = literal({flag.name: 0})[:-5] if "." not in flag.name else f'"{flag.name}"'
        lines.append(f"{key} = {inline(values[flag.name])}" if flag.name in values else f"# {key} =")
    return "\n".join(lines) + "\n"


def values_in(text: str) -> dict[str, Any]:
    """The values that a sheet has. Raises UsageError that names the line."""
    import tomli

    try:
        found = tomli.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"nothing was run: the sheet of flags is not TOML: {error}") from error
    return found


def check_line(text: str, flag: Flag | None, operation: str, given: tuple[str, Any]) -> None:
    """Raises UsageError, naming the line, if a value is none that the flag takes."""
    name, value = given
    try:
        settle([flag] if flag else None, {name: copy_value(name, value)}, operation=operation)
    except UsageError as error:
        pattern = rf"""^\s*["']?{re.escape(name)}["']?\s*="""
        lines = [number for number, line in enumerate(text.split("\n"), start=1) if re.match(pattern, line)]
        raise UsageError(f"line {lines[0] if lines else 1}: {error.message}", "nothing was run") from error
