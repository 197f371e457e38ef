"""Reports on stderr what happened to runs, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.refs import short
from gitrun.model.run import BrokenRun
from gitrun.model.text import count_text, label_text, relative_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gitrun.model.run import Run
    from gitrun.project import Project


def tell_runs(project: Project, verb: str, runs: Sequence[Run | BrokenRun], now: datetime | None = None) -> None:
    """Reports what was done to each run, and to how many. With `now`, adds their ages."""
    for run in runs:
        project.say(f"{verb} run {words_of(run, now)}")
    if len(runs) > 1:
        project.say(f"{verb} {count_text(len(runs), 'run')}")


def words_of(run: Run | BrokenRun, now: datetime | None = None) -> str:
    """Identifies a run for people: id, operation, flags."""
    if isinstance(run, BrokenRun):
        return f"{short(run.id)}  (unreadable: {run.reason})"
    age = f"({relative_text(run.attempt.started or run.attempt.created, now)})" if now else ""
    label = f"[{label_text(run.notes.label)}] " if run.notes.label else ""
    return "  ".join(filter(None, (short(run.id), run.operation, label + run.attempt.brief_text, run.status, age)))
