"""Formats: a line a run in the words of `git for-each-ref`: `%(id:short) %(status) %(flag:lr) %(metric:loss)`."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from gitrun.errors import UsageError
from gitrun.model.filters import look_up
from gitrun.model.flags import format_value
from gitrun.model.refs import short
from gitrun.model.run import rfc3339
from gitrun.model.text import relative_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.model.run import Run

Line: TypeAlias = "Callable[[Run, datetime], str]"

PIECE = re.compile(r"%\((?P<atom>[^()]*)\)|%(?P<byte>[0-9a-fA-F]{2})|%(?P<percent>%)|(?P<text>[^%]+|%)")
ATOMS = (
    "id", "operation", "status", "flags", "metrics", "label", "tags", "marked", "branch", "base", "source", "batch", "started",
    "stopped", "duration", "exit_status", "comments",
)  # fmt: skip
TIMES = ("started", "stopped")
TIME_FORMS = ("", "relative", "unix", "local")


def read_format(text: str) -> Line:
    """The format as a function of a run and of now: its text for a person or a program. Raises UsageError.

    Atoms are the keys of a run's JSON, `flag:<name>` and `metric:<name>`; `id:short`, and of times `:relative` (to now),
    `:local` and `:unix`; a plain time is RFC 3339 in UTC. `%%` is a percent sign, `%00` the byte of that hex value.
    """
    pieces = [piece(match) for match in PIECE.finditer(text)]
    return lambda run, now: "".join(one(run, now) for one in pieces)


def piece(match: re.Match[str]) -> Line:
    """One piece of a format."""
    if match["atom"] is not None:
        return atom(match["atom"])
    plain = chr(int(match["byte"], 16)) if match["byte"] else match["percent"] or match["text"]
    return lambda _run, _now: plain


def atom(name: str) -> Line:
    """What an atom says of a run. Raises UsageError for one that there is not."""
    head, _, form = name.partition(":")
    if head in {"flag", "metric"} and form:
        return lambda run, _: value_text(look_up(run, name))
    if head in TIMES and form in TIME_FORMS:
        return lambda run, now: moment_text(getattr(run.attempt, head), form, now)
    if head not in ATOMS or (form and (head, form) != ("id", "short")):
        raise UsageError(f"there is no %({name})", f"there are {', '.join(ATOMS)}, flag:<name>, metric:<name>")
    if form:
        return lambda run, _: short(run.id)
    return lambda run, _: plain_text(run, head)


def column(name: str) -> Line:
    """What a run has under the name: an atom of formats, or as filters name flags and metrics."""
    head = name.partition(":")[0]
    return atom(name) if head in {*ATOMS, "flag", "metric"} else lambda run, _: value_text(look_up(run, name))


def plain_text(run: Run, name: str) -> str:
    """A key of a run as text."""
    if name == "flags":
        return run.flags.text()
    if name == "metrics":
        return " ".join(f"{key}={value:g}" for key, value in run.metrics.items())
    return value_text(run.get(name))


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a run has
    """A value as a person types it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(item["text"] if isinstance(item, dict) else value_text(item) for item in value)
    return value if isinstance(value, str) else format_value(value)


def moment_text(time: datetime | None, form: str, now: datetime) -> str:
    """A time in one of its forms; nothing for None."""
    if time is None:
        return ""
    if form == "relative":
        return relative_text(time, now)
    if form == "unix":
        return str(int(time.astimezone(timezone.utc).timestamp()))
    return time_text(time) if form == "local" else rfc3339(time) or ""
