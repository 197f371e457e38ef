"""Decides which runs `git run gc` moves into the archive: old ones that have ended, if there are many refs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.run import COMPLETED, ERROR, RUNS, TERMINATED
from gitrun.store.archive_writer import move_to_archive
from gitrun.store.archives import PRIVATE, PUBLIC
from gitrun.store.refs import archive_heads, list_refs
from gitrun.store.trust import trusted_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run

AT_REST = frozenset({COMPLETED, ERROR, TERMINATED})


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """Rules for archiving: of the runs created before a time (None: at any), the oldest beyond a number of refs.

    `before` is in seconds since 1970.
    """

    before: float | None = None
    beyond: int = 0


NEVER = ArchiveRules(before=0.0)
"""Rules that no run matches."""


def is_due(git: Git, rules: ArchiveRules) -> bool:
    """Returns whether there are so many refs of runs that some may have to be archived."""
    return rules != NEVER and len(list_refs(git, RUNS)) > rules.beyond


def runs_to_archive(git: Git, runs: Iterable[Run], rules: ArchiveRules) -> list[Run]:
    """Returns the runs to archive, oldest first; `runs` are newest attempt first."""
    refs = list_refs(git, RUNS)
    if len(refs) <= rules.beyond or rules == NEVER:
        return []
    old = [run for run in runs if RUNS + run.id in refs and may_be_archived(run, rules.before)]
    return old[::-1][: len(refs) - rules.beyond]


def may_be_archived(run: Run, before: float | None) -> bool:
    """Returns whether the run has ended, was created before the time, and nobody gave it a label or a mark."""
    is_noted = run.notes.marked or run.notes.label
    return run.status in AT_REST and not is_noted and (before is None or run.attempt.created.timestamp() < before)


def archive_runs(git: Git, runs: Sequence[Run]) -> None:
    """Moves the runs into archives: those that a push does not send by itself into one of their own. Raises GitFailed."""
    own = trusted_ids(git)
    public = {run.id: run.tip for run in runs if not run.attempt.content and not own.isdisjoint((run.id, run.attempt.id))}
    private = {run.id: run.tip for run in runs if run.id not in public}
    for content, some in ((PUBLIC, public), (PRIVATE, private)):
        if some:
            move_to_archive(git, some, content)


def has_archive(git: Git) -> bool:
    """Returns whether runs have been archived here before."""
    return bool(archive_heads(git))
