"""Which runs nobody keeps: by age, number and status, and never one that somebody marked, labelled or waits for."""

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
    """What is superfluous: all that is given must hold; where nothing is given, nothing is.

    Runs whose last attempt was made `before` (seconds since 1970), that are not among the newest `keep` of their
    operation, and that are of one of the `statuses`.
    """

    before: float | None = None
    keep: int | None = None
    statuses: tuple[str, ...] = ()

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is superfluous."""
        return self == Retention()


def superfluous(runs: Iterable[Run], retention: Retention) -> list[Run]:
    """The runs, of all that are given newest attempt first, that are not to be kept."""
    if retention.keeps_all:
        return []
    newer: Counter[str] = Counter()
    found = []
    for run in runs:
        newer[run.operation] += 1
        if not is_held_dear(run, retention.statuses) and is_over(run, newer[run.operation], retention):
            found.append(run)
    return found


def is_held_dear(run: Run, statuses: tuple[str, ...]) -> bool:
    """Whether somebody marked or labelled the run, or it is yet to end; one that waits may be asked for by its status."""
    waits = run.status == RUNNING or (run.status in {STAGED, PENDING} and run.status not in statuses)
    return run.notes.marked or bool(run.notes.label) or waits


def is_over(run: Run, place: int, retention: Retention) -> bool:
    """Whether all that the retention asks for holds of the run, which is the `place`th newest of its operation."""
    return (
        (retention.before is None or run.attempt.created.timestamp() < retention.before)
        and (retention.keep is None or place > retention.keep)
        and (not retention.statuses or run.status in retention.statuses)
    )
