"""Code that runs inside the user's own program: `gitrun.log`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing for its constant takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_steps = {"next": 0}
_said: set[str] = set()


def log(values: Mapping[str, float], step: int | None = None) -> None:
    """Records metrics of the current run: the last value of each, and each value with its step.

    Without `step`, steps count up from 0, or from the last step given. A step that is not finite counts as missing. Values are
    whatever `float` accepts; others are dropped with a warning on stderr. Does nothing outside a run. Appends one line of JSON
    to the file `$GITRUN_METRICS`; lines of several processes do not mix.
    """
    path = os.environ.get("GITRUN_METRICS")
    if not path:
        return
    # the caller may never log: programs outside a run do not pay for json
    import json

    numbers = {str(name): as_number(value) for name, value in values.items()}
    metrics = {name: value for name, value in numbers.items() if value is not None}
    for name in numbers.keys() - metrics.keys():
        warn_once("metrics must be numbers", f"{name!r} is left out")
    step_number = metrics.get("step") if step is None else as_number(step)
    is_step = step_number is not None and step_number - step_number == 0  # neither nan nor infinite
    number = _steps["next"] if step_number is None or not is_step else step_number if step is None else int(step_number)
    _steps["next"] = int(number) + 1
    try:
        append_line(path, json.dumps({**metrics, "step": number}).encode() + b"\n")
    except OSError as error:
        warn_once("gitrun cannot record metrics", str(error.strerror))


def as_number(value: Any) -> float | None:  # noqa: ANN401 - whatever a program takes for a number
    """Returns the value as a float, or None if `float` does not accept it."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # torch raises RuntimeError
        return None


def warn_once(what: str, why: str) -> None:
    """Warns once on stderr. A metric that cannot be kept must neither end hours of work nor flood its output."""
    if what not in _said:
        _said.add(what)
        print(f"gitrun: warning: {what}: {why}", file=sys.stderr)


def append_line(path: str, line: bytes) -> None:
    """Appends the line in one write, so that lines of other processes do not mix with it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # a short write (full disk) would join the next line to this one: end it here
        if os.write(descriptor, line) < len(line):
            os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)
