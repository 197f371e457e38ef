"""What runs in a user's own program: `gitrun.log`, and that program's environment."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping

_steps = {"next": 0}


def log(values: Mapping[str, float], step: int | None = None) -> None:
    """Records metrics of the run that this program is: their last values, and each with its step.

    Without `step` the steps count up from 0. Values are numbers (anything that `float` takes); outside a run nothing
    happens. One line of JSON is appended to the file `$GITRUN_METRICS`, whole lines also from several processes.
    """
    path = os.environ.get("GITRUN_METRICS")
    if not path:
        return
    import json

    number = _steps["next"] if step is None else int(step)
    _steps["next"] = number + 1
    line = json.dumps({"step": number, **{str(name): float(value) for name, value in values.items()}})
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def environment() -> dict[str, str]:
    """The environment of the program that uses gitrun as a library."""
    return dict(os.environ)
