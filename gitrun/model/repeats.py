"""Points that are tried several times: how a sampler sees their trials as one."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun.model.batch import Proposal
from gitrun.model.run import COMPLETED, ERROR, RUNNING
from gitrun.model.sampling import PRUNED, SearchPoints, is_ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.batch import BatchDefinition, Sampler, Trial


class RepeatedSampler:
    """Proposes each point of a sampler `repeat` times in a row. The value of a point is the median of its trials."""

    def __init__(self, sampler: Sampler, definition: BatchDefinition) -> None:
        self._sampler, self._repeat = sampler, definition.repeat
        self._points = SearchPoints(definition)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`: those of its point, which the first of its trials brings in."""
        groups = group_trials([trial for trial in trials if trial.number != number], self._repeat)
        point = (number - 1) // self._repeat + 1
        if point in groups:
            first = groups[point][0]
            return Proposal(self._points.select_flags(first.flags), first.attrs)
        known = [trial for trial in trials if trial.number < 1]
        merged = [merge_trials(point, groups[point], self._repeat) for point in sorted(groups)]
        return self._sampler.propose(point, [*known, *merged])


def group_trials(trials: Sequence[Trial], repeat: int) -> dict[int, list[Trial]]:
    """Returns the trials of each point, by the number of the point. Knowledge from elsewhere has no number and no point."""
    groups: dict[int, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.number > 0:
            groups.setdefault((trial.number - 1) // repeat + 1, []).append(trial)
    return groups


def merge_trials(point: int, trials: Sequence[Trial], repeat: int) -> Trial:
    """Returns the trials of a point as one. It runs until all have ended; it completed if one of them did."""
    merged = replace(trials[0], number=point, values=(), series=())
    if len(trials) < repeat or not all(map(is_ended, trials)):
        return replace(merged, status=RUNNING)
    if values := [trial.values for trial in trials if trial.status == COMPLETED and trial.values]:
        return replace(merged, status=COMPLETED, values=tuple(map(statistics.median, zip(*values, strict=True))))
    pruned = [trial for trial in trials if trial.status == PRUNED]
    return replace(pruned[0], number=point) if pruned else replace(merged, status=ERROR)
