"""Points that are tried several times: with which seeds, and how their trials count as one."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import replace
from gitrun.model.batch import GRID, Proposal, count_trials
from gitrun.model.digest import sha256
from gitrun.model.run import COMPLETED, ERROR, PRUNED, RUNNING
from gitrun.model.sampling import SearchPoints, is_ended
from gitrun.model.space import Choice
from gitrun.model.trial_counts import BestTrial
from gitrun.model.values import identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.batch import BatchDefinition, Sampler, Trial
    from gitrun.model.trial_counts import TrialCounts


class RepeatedSampler:
    """Proposes each point of a sampler `repeat` times in a row. The value of a point is the median of its trials.

    A point that lacks trials, because there are to be more of them or some were deleted, comes before new points.
    """

    def __init__(self, sampler: Sampler, definition: BatchDefinition) -> None:
        self._sampler, self._repeat = sampler, definition.repeat
        self._points = SearchPoints(definition)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`: of a point that lacks trials, or of the next point of the sampler."""
        groups = group_trials((trial for trial in trials if trial.number != number), self._points)
        for group in groups:
            # trials outside of a space that has changed stay as they are
            if len(group) % self._repeat and self._points.contains(group[0].flags, {}):
                return Proposal(self._points.select_flags(group[0].flags), group[0].attrs)
        finished = [trial for trial in trials if trial.number < 1]
        merged = [merge_trials(point, group, self._repeat) for point, group in enumerate(groups, 1)]
        return self._sampler.propose(len(groups) + 1, [*finished, *merged])


def list_seeds(definition: BatchDefinition) -> tuple[int, ...]:
    """Returns the seeds of the trials of a point: that of the batch, and others drawn from it, the same for all points."""
    texts = (f"{definition.seed}:repeat:{again}" for again in range(1, definition.repeat))
    # numpy.random.seed accepts no more than 32 bits
    return (definition.seed, *(int.from_bytes(sha256(text.encode()).digest()[:4], "big") for text in texts))


def has_repeats(definition: BatchDefinition) -> bool:
    """Returns whether points are tried several times: by `--repeat`, or by a list with equal values such as `[1]*3`."""
    if definition.repeat > 1 or definition.sampler != GRID:
        return definition.repeat > 1
    lists: list[Sequence[Any]] = [domain.values for domain in definition.space.values() if isinstance(domain, Choice)]
    lists.append([[[name, row[name]] for name in sorted(row)] for row in definition.points])
    return any(len(set(map(identity, values))) < len(values) for values in lists)


def group_trials(trials: Iterable[Trial], points: SearchPoints) -> list[list[Trial]]:
    """Returns the trials of each point, in the order of the first ones. Knowledge from elsewhere has no number and no point."""
    groups: dict[object, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.number > 0:
            # the same flags at another commit are another point
            groups.setdefault((trial.tree, points.point_key(trial.flags)), []).append(trial)
    return list(groups.values())


def merge_trials(point: int, trials: Sequence[Trial], repeat: int) -> Trial:
    """Returns the trials of a point as one. It runs until all have ended; it completed if one of them did."""
    merged = replace(trials[0], number=point, values=(), series=())
    if len(trials) < repeat or not all(map(is_ended, trials)):
        return replace(merged, status=RUNNING)
    if values := [trial.values for trial in trials if trial.status == COMPLETED and trial.values]:
        return replace(merged, status=COMPLETED, values=tuple(map(statistics.median, zip(*values, strict=True))))
    pruned = [trial for trial in trials if trial.status == PRUNED]
    return replace(pruned[0], number=point) if pruned else replace(merged, status=ERROR)


def count_batch(definition: BatchDefinition, trials: Sequence[Trial], total: int) -> TrialCounts:
    """Counts the trials of a batch. If points are repeated, the best trial is that nearest to the best median of a point."""
    counts = count_trials(trials, total, definition.objectives)
    if counts.best is None or not has_repeats(definition):
        return counts
    sign = 1 if definition.objectives[0].minimize else -1
    points = SearchPoints(definition)
    # of equal medians the first point is best
    value, _, group = min((sign * median_of(group), at, group) for at, group in enumerate(valued_groups(trials, points)))
    nearest = min(group, key=lambda trial: (abs(trial.values[0] - sign * value), trial.number))
    return replace(counts, best=BestTrial(nearest.number, nearest.run_id, sign * value))


def valued_groups(trials: Iterable[Trial], points: SearchPoints) -> list[list[Trial]]:
    """Returns the completed trials with a value of each point that has some."""
    return group_trials((trial for trial in trials if trial.status == COMPLETED and trial.values), points)


def median_of(trials: Sequence[Trial]) -> float:
    """Returns the median of the first values of trials, which all have one."""
    return statistics.median(trial.values[0] for trial in trials)
