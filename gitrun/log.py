"""What runs in a user's own program: `gitrun.log`, and that program's environment."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping

_steps = {"next": 0}
_lost: list[str] = []


def log(values: Mapping[str, float], step: int | None = None) -> None:
    """Records metrics of the run that this program is: their last values, and each with its step.

    Without `step` the steps count up from 0. Values are numbers (anything that `float` takes); outside a run nothing
    happens. One line of JSON is appended to the file `$GITRUN_METRICS`, whole lines also from several processes.
    """
    path = os.environ.get("GITRUN_METRICS")
    if not path:
        return
    import json

    told: dict[str, float] = {str(name): float(value) for name, value in values.items()}
    number = told.get("step", _steps["next"]) if step is None else int(step)
    _steps["next"] = int(number) + 1
    try:
        append(path, json.dumps({**told, "step": number}).encode() + b"\n")
    except OSError as error:  # hours of work do not end because a number about them finds no place
        if not _lost:
            _lost.append(path)
            print(f"gitrun: metrics cannot be recorded: {error.strerror}", file=sys.stderr)


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
