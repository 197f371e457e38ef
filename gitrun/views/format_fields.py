"""Atoms of formats: the text of `%(id:short=12)` or `%(started:iso)` for a run."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from gitrun.errors import UsageError
from gitrun.model.filters import look_up
from gitrun.model.flags import format_value
from gitrun.model.refs import run_ref, short
from gitrun.model.run import rfc3339
from gitrun.model.text import is_text, number_text, relative_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.model.run import Run

Line: TypeAlias = "Callable[[Run, datetime], str]"

ATOMS = (
    "id", "operation", "status", "flags", "metrics", "label", "tags", "marked", "branch", "base", "source", "batch", "started",
    "stopped", "duration", "exit_status", "comments", "refname",
)  # fmt: skip
IDS = ("id", "base", "source")
TIMES = ("started", "stopped")
TIME_FORMS: dict[str, Callable[[datetime, datetime], str]] = {
    "": lambda time, _: rfc3339(time) or "",
    "relative": relative_text,
    "local": lambda time, _: time_text(time),
    "unix": lambda time, _: str(int(time.astimezone(timezone.utc).timestamp())),
    "short": lambda time, _: time.astimezone().strftime("%Y-%m-%d"),
    "iso": lambda time, _: time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z"),
    "iso-strict": lambda time, _: time.astimezone().isoformat(timespec="seconds"),
    "rfc": lambda time, _: time.astimezone().strftime("%a, %-d %b %Y %H:%M:%S %z"),
}
"""Forms of dates by git's names, in the user's time zone; the empty form is RFC 3339 in UTC.

`format:<strftime>` is accepted too (see `time_form`).
"""
THERE_ARE = (
    f"there are {', '.join(ATOMS)}, flag:<name>, metric:<name>; :short and :short=<n> of ids, :short of refname; "
    f"of times :{', :'.join(filter(None, TIME_FORMS))}, :format:<text>"
)
SHORTEST = 4
"""Fewest digits that git abbreviates an object id to."""


def atom(name: str) -> Line:
    """Returns the function that renders an atom for a run. Raises UsageError for an unknown atom."""
    head, _, form = name.partition(":")
    if head in {"flag", "metric"} and form:
        return lambda run, _: value_text(look_up(run, name))
    if head in TIMES:
        tell = time_form(name, form)
        return lambda run, now: tell(time, now) if (time := getattr(run.attempt, head)) else ""
    if head in IDS and form:
        digits = digits_of(name, form)
        return lambda run, _: id_text(run.get(head), digits)
    if head == "refname" and form in {"", "short"}:
        return lambda run, _: run_ref(run.id).removeprefix("refs/" if form else "")
    if head not in ATOMS or form:
        raise unknown(name)
    return lambda run, _: plain_text(run, head)


def column(name: str) -> Line:
    """Returns the function that renders a column: an atom, or a flag or metric named as in filters."""
    head = name.partition(":")[0]
    return atom(name) if head in {*ATOMS, "flag", "metric"} else lambda run, _: value_text(look_up(run, name))


def unknown(name: str) -> UsageError:
    """Returns the error for an unknown atom; its hint lists all atoms."""
    return UsageError(f"there is no %({name})", THERE_ARE)


def time_form(name: str, form: str) -> Callable[[datetime, datetime], str]:
    """Returns the function that renders a time in this form. Raises UsageError."""
    if form.startswith("format:") and is_text(form):
        return lambda time, _: time.astimezone().strftime(form.removeprefix("format:"))
    if form not in TIME_FORMS:
        raise unknown(name)
    return TIME_FORMS[form]


def digits_of(name: str, form: str) -> int:
    """Returns how many digits of an id the form asks for; 0 means the usual short id. Raises UsageError."""
    words, _, number = form.partition("=")
    if words != "short" or (form != words and not (number.isascii() and number.isdecimal() and int(number))):
        raise unknown(name)
    return max(int(number), SHORTEST) if number else 0


def id_text(name: str | None, digits: int) -> str:
    """Returns an object id cut to `digits` (0: the usual short id); empty for None."""
    return "" if name is None else name[:digits] if digits else short(name)


def plain_text(run: Run, name: str) -> str:
    """Returns a key of a run as text."""
    if name == "flags":
        return run.attempt.flags_text
    if name == "metrics":
        return " ".join(f"{key}={number_text(value)}" for key, value in run.metrics.items())
    return value_text(run.get(name))


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a run has
    """Returns a value as a person types it; empty for None. Items of a list are joined by commas."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(item["text"] if isinstance(item, dict) else value_text(item) for item in value)
    # texts stay as they are: format_value would quote some
    return value if isinstance(value, str) else format_value(value)
