"""What runs in a user's own program: `gitrun.log`, and that program's environment."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_steps = {"next": 0}
_said: set[str] = set()


def log(values: Mapping[str, float], step: int | None = None) -> None:
    """Records metrics of the run that this program is: their last values, and each with its step.

    Without `step` the steps count up from 0; one that is not finite is none. Values are numbers (anything that `float`
    takes), others are left out, with a word on stderr; outside a run nothing happens. One line of JSON is appended to the
    file `$GITRUN_METRICS`, whole lines also from several processes.
    """
    path = os.environ.get("GITRUN_METRICS")
    if not path:
        return
    import json

    read = {str(name): as_number(value) for name, value in values.items()}
    told = {name: value for name, value in read.items() if value is not None}
    for name in read.keys() - told.keys():
        say("metrics are numbers", f"{name!r} is left out")
    given = told.get("step") if step is None else as_number(step)
    is_step = given is not None and given - given == 0  # neither nan nor infinite
    number = _steps["next"] if given is None or not is_step else given if step is None else int(given)
    _steps["next"] = int(number) + 1
    try:
        append(path, json.dumps({**told, "step": number}).encode() + b"\n")
    except OSError as error:
        say("metrics cannot be recorded", str(error.strerror))


def as_number(value: Any) -> float | None:  # noqa: ANN401 - whatever a program takes for a number
    """What `float` makes of the value; None if that is nothing."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last one is torch's
        return None


def say(what: str, why: str) -> None:
    """Says it once: hours of work do not end because a number about them finds no place, nor are they drowned in words."""
    if what not in _said:
        _said.add(what)
        print(f"gitrun: {what}: {why}", file=sys.stderr)


def append(path: str, line: bytes) -> None:
    """Appends the line at once, so that nothing another process writes lies within it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, line) < len(line):
            os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)


def environment() -> dict[str, str]:
    """The environment of the program that uses gitrun as a library."""
    return dict(os.environ)
