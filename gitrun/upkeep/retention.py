"""Retention rules by age, number and status. Marked, labelled and unfinished runs are always kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.model.status import PENDING, RUNNING, STAGED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.run import Run


@dataclass(frozen=True, slots=True)
class Retention:
    """Rules for runs to delete; a run must match all given rules. Without rules, no run matches.

    `before` is in seconds since 1970 and compares with the creation of the last attempt. `keep` spares the newest runs of each
    operation. `statuses` limits deletion to runs with one of them.
    """

    before: float | None = None
    keep: int | None = None
    statuses: tuple[str, ...] = ()

    @property
    def keeps_all(self) -> bool:
        """Returns whether there are no rules."""
        return self == Retention()


def superfluous(runs: Iterable[Run], retention: Retention) -> list[Run]:
    """Returns the runs to delete; `runs` are newest attempt first."""
    if retention.keeps_all:
        return []
    newer: Counter[str] = Counter()
    found = []
    for run in runs:
        # counts runs that are kept for another reason, too
        newer[run.operation] += 1
        if not is_held_dear(run, retention.statuses) and is_over(run, newer[run.operation], retention):
            found.append(run)
    return found


def is_held_dear(run: Run, statuses: tuple[str, ...]) -> bool:
    """Returns whether a run must be kept: it is marked, labelled, running, staged or pending.

    Staged and pending runs may be deleted if `statuses` names their status.
    """
    waits = run.status == RUNNING or (run.status in {STAGED, PENDING} and run.status not in statuses)
    return run.notes.marked or bool(run.notes.label) or waits


def is_over(run: Run, place: int, retention: Retention) -> bool:
    """Returns whether a run matches all rules; `place` is its rank among its operation's runs, 1 for the newest."""
    return (
        (retention.before is None or run.attempt.created.timestamp() < retention.before)
        and (retention.keep is None or place > retention.keep)
        and (not retention.statuses or run.status in retention.statuses)
    )
