"""Runs as values, for the rules that need no repository."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from gitrun.model.flags import Flags
from gitrun.model.run import Attempt, Notes, Params, Run

WHEN = datetime(2026, 11, 22, 10, 14, 3, 123456, timezone.utc)


def made_up(name: str = "3fa2c1d8" * 5, operation: str = "echo.py", *, flags=None, source: str = "5" * 40, **more) -> Run:
    """A run; of `more`, `label` and `marked` are annotations, the rest belongs to its attempt."""
    notes = Notes(label=more.pop("label", None), marked=more.pop("marked", False))
    attempt = Attempt(
        id=name, operation=operation, kind="script", command=("{python}", operation), cwd="", flags=Flags(flags or {}),
        params=Params(random_seed=1), status="completed", created=WHEN, source=source, started=WHEN, stopped=WHEN,
        duration=0.5, exit_status=0,
    )  # fmt: skip
    return Run(name, name, replace(attempt, **more), notes)
