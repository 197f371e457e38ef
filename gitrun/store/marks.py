"""Marks: at most one run of each operation is marked, and the operation's name means that run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.model.text import safe_text
from gitrun.store.annotations import Edit, annotate_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index

SET = Edit(lambda notes: replace(notes, marked=True), "mark")
CLEAR = Edit(lambda notes: replace(notes, marked=False), "clear the mark")


def mark(git: Git, index: Index, runs: Sequence[Run]) -> tuple[list[str], list[Run]]:
    """Marks the runs and unmarks others of the same operations, in one step.

    Returns the ids of newly marked runs, and the unmarked runs. Raises UsageError if two runs are of one operation,
    UnknownRun, StaleRun.
    """
    often = [name for name, count in Counter(run.operation for run in runs).items() if count > 1]
    if often:
        raise UsageError(
            f"only one run of '{safe_text(often[0])}' can be marked: its name means that run",
            "git run tag puts a word on many",
        )
    meant = {run.id for run in runs}
    earlier = [other for run in runs for other in index.marked(run.operation) if other.id not in meant]
    edits = {**dict.fromkeys(meant, SET), **{run.id: CLEAR for run in earlier}}
    changed = annotate_each(git, edits)
    return [run for run in changed if run in meant], [run for run in earlier if run.id in changed]


def unmark(git: Git, runs: Sequence[Run]) -> list[str]:
    """Unmarks the runs. Returns the ids of those that were marked. Raises UnknownRun, StaleRun."""
    return annotate_each(git, {run.id: CLEAR for run in runs})
