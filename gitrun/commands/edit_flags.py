"""Edits the flags of a start in an editor, as TOML with a comment for each flag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gitrun.commands.ops import describe_flag
from gitrun.dataclass import replace
from gitrun.errors import BadValue, GitrunError, UsageError
from gitrun.model.batch import PLUS
from gitrun.model.encode import dump_toml, format_inline
from gitrun.model.flags import Flag, Typed, copy_value, default_values, resolve_flags
from gitrun.model.plan import Skip
from gitrun.model.text import safe_text
from gitrun.model.toml import load_toml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.model.plan import Request
    from gitrun.project import Project

HEAD = "# Flags of {}. To leave a flag as it is, delete its line. To run nothing, delete all lines.\n"


def edit_flags(project: Project, request: Request) -> Request:
    """Returns the request with the flags as saved in git's editor. Raises UsageError."""
    operation, flags_given, space = flags_before(project, request)
    by_name = {flag.name: flag for flag in list_known_flags(project, operation, request.at)}
    # declared flags in the order of the script, then given ones that it does not declare
    flags = [*by_name.values(), *(Flag(name) for name in flags_given if name not in by_name)]
    if not flags:
        raise UsageError(f"{operation} has no flags to edit", "To give flags: NAME=VALUE")
    sheet = format_sheet(operation, flags, flags_given)
    # editors choose the highlighting by the suffix
    text = project.edit_text("RUN_FLAGS.toml", sheet)
    values = parse_sheet(text)
    # as git commit does for an empty message: it is how a user cancels
    if not values:
        raise UsageError("nothing was run: the list of flags is empty", "To run: save it with flags")
    # lists and ranges of a batch are read as typed words are, and only where they were changed
    searched = {name: values.pop(name) for name in space if name in values}
    values |= {name: Typed(format_words(value)) for name, value in searched.items() if value != flags_given.get(name)}
    # one flag at a time, so that the error can name its line
    for name, value in values.items():
        if name in space:
            continue
        check_line(text, by_name.get(name), operation, (name, value))
    return replace(request, flags={**request.flags, **values})


def format_words(value: object) -> str:
    """Returns a value of a batch as it is typed: a range is a text already."""
    return value if isinstance(value, str) else format_inline(copy_value("", value))


def flags_before(project: Project, request: Request) -> tuple[str, Mapping[str, Value], Collection[str]]:
    """Returns the operation, the flags that it would get, and the names of those that a batch varies. Raises GitrunError."""
    try:
        # with --needed the plan could be an earlier run instead of the flags
        plan = project.plan(replace(request, needed=False, needed_source=False))
    except UsageError:
        flags = list_known_flags(project, request.operation or "", request.at)
        if not any(flag.required and flag.default is None for flag in flags):
            raise
        # required flags may be missing: the user fills them in
        return request.operation or "", default_values(flags), ()
    if isinstance(plan, Skip):
        return "", {}, ()
    space = plan.batch_definition.space if plan.batch_definition else ()
    return plan.operation.removesuffix(PLUS), plan.flags, space


def list_known_flags(project: Project, operation: str, commit: str | None) -> tuple[Flag, ...]:
    """Returns the declared flags of the operation in the working tree or the commit; empty if it is unknown there."""
    try:
        return project.list_operations([operation], from_top=True, at=commit)[0].flags or ()
    except GitrunError:
        return ()


def format_sheet(operation: str, flags: Sequence[Flag], values: Mapping[str, Value]) -> str:
    """Builds the TOML: a line for each flag, under a comment that describes it."""
    lines = [HEAD.format(safe_text(operation))]
    for flag in flags:
        about = safe_text(describe_flag(flag))
        lines += [f"# {about}"] if about else []
        # `lr = 0` and a line end, without the last five characters: the writer quotes keys that need it
        key = dump_toml({flag.name: 0})[:-5] if "." not in flag.name else f'"{flag.name}"'
        lines.append(f"{key} = {format_inline(values[flag.name])}" if flag.name in values else f"# {key} =")
    return "\n".join(lines) + "\n"


def parse_sheet(text: str) -> dict[str, Any]:
    """Parses the edited TOML. Raises UsageError with the line number."""
    try:
        table = load_toml(text)
    except (ValueError, RecursionError) as error:
        # a list can be nested deeper than the parser recurses
        raise BadValue(f"nothing was run: the list of flags is not TOML: {error}") from error
    return table


def check_line(text: str, flag: Flag | None, operation: str, entry: tuple[str, Any]) -> None:
    """Raises UsageError with the line number if the flag does not accept the value."""
    name, value = entry
    try:
        resolve_flags([flag] if flag else None, {name: copy_value(name, value)}, operation=operation)
    except UsageError as error:
        # a key may be quoted: "batch.size" = 8
        pattern = rf"""^\s*["']?{re.escape(name)}["']?\s*="""
        lines = [number for number, line in enumerate(text.split("\n"), start=1) if re.match(pattern, line)]
        raise BadValue(f"line {lines[0] if lines else 1}: {error.message}", "Nothing was run") from error
