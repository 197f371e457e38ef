"""Describes a batch by what it searches for, and its trials, best first."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.batch import Batch, Trial
from gitrun.model.repeats import has_repeats, valued_groups
from gitrun.model.run import BATCH, COMPLETED, RUNNING, Run, short_id
from gitrun.model.sampling import SearchPoints
from gitrun.model.trial_counts import TrialCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.batch import BatchDefinition, Objective
    from gitrun.store.index import Index


def read_definition(git: Git, batch: Run) -> BatchDefinition:
    """Reads what the last attempt of a batch searches for. Raises BadRun."""
    names = [f"{batch.attempt.id}:{name}" for name in (record_files.BATCH, record_files.POINTS)]
    with Objects(git) as objects:
        data, points = objects.read_many(names, record_files.MAX_BATCH)
    if data is None or data.data is None:
        raise BadRun(f"{record_files.BATCH} is missing")
    return model.batch_record.decode_batch(data.data, points.data if points else None, batch.attempt.params.random_seed or 0)


def read_trials(git: Git, batch: Run) -> tuple[Trial, ...]:
    """Reads the trials that the last result of a batch names; none without a result. Raises BadRun."""
    if not batch.attempt.result:
        return ()
    with Objects(git) as objects:
        data = objects.read(f"{batch.attempt.result}:{record_files.RESULT}", record_files.MAX_RESULT)
    return model.batch_record.read_trials(data.data if data else None)


def list_trials(git: Git, index: Index, batch: Run) -> dict[int, Run]:
    """Returns the runs of a batch's trials that are here, by number, with earlier runs that count as trials. Raises BadRun."""
    runs = {run.attempt.trial or 0: run for run in index.trials_of(batch.id)}
    return dict(sorted((runs | read_reused(git, index, batch)).items()))


def read_reused(git: Git, index: Index, batch: Run) -> dict[int, Run]:
    """Returns the earlier runs that count as trials of a batch and are here, by number. Raises BadRun."""
    counts, own = batch.attempt.counts, index.trials_of(batch.id)
    ended = counts.completed + counts.pruned + counts.error + counts.terminated if counts else 0
    # the list of all trials is long, and nearly always each of them has a run of the batch
    if ended <= sum(run.status != RUNNING for run in own):
        return {}
    there = ((trial.number, index.get(trial.run_id)) for trial in read_trials(git, batch) if trial.reused)
    return {number: run for number, run in there if isinstance(run, Run)}


def shown_trials(git: Git, index: Index, batch: Run) -> list[Run]:
    """Returns the trials of a batch that are here, by number. Earlier runs that count as trials have their number in it.

    Raises BadRun.
    """
    reused = (
        replace(run, attempt=replace(run.attempt, batch=batch.id, trial=number))
        for number, run in read_reused(git, index, batch).items()
    )
    return sorted((*index.trials_of(batch.id), *reused), key=lambda run: run.attempt.trial or 0)


def read_batch(git: Git, index: Index, batch: Run) -> Batch:
    """Returns a batch with its trials that are here. Raises BadRun if the run is no batch."""
    if batch.attempt.kind != BATCH:
        raise BadRun(f"run {short_id(batch.id)} is no batch")
    trials = list_trials(git, index, batch)
    # the index counts the trials of a batch that has not ended
    counts = batch.attempt.counts or TrialCounts(len(trials), pending=len(trials))
    best = index.get(counts.best.run_id) if counts.best else None
    return Batch(batch, tuple(trials.values()), best if isinstance(best, Run) else None, counts)


def best_first(trials: Iterable[Run], objective: Objective) -> list[Run]:
    """Returns the completed trials that have the metric, best first; of equal ones the first trial."""
    sign = 1 if objective.minimize else -1
    values = {run.id: (run, value) for run in trials if (value := run.metrics.ask(objective.metric)) is not None}
    valued = [(run, value) for run, value in values.values() if run.status == COMPLETED and value == value]  # noqa: PLR0124 - nan
    return [run for run, value in sorted(valued, key=lambda pair: (sign * pair[1], pair[0].attempt.trial or 0))]


@dataclass(frozen=True, slots=True)
class RepeatedPoint:
    """A point that a batch tries several times: its completed trials, and median and mean of their values.

    `deviation` is the sample standard deviation of the values; None for one trial.
    """

    trials: tuple[Run, ...]
    median: float
    mean: float
    deviation: float | None

    @property
    def numbers(self) -> str:
        """Returns the numbers of the trials."""
        return ", ".join(f"#{run.attempt.trial}" for run in self.trials)


def summarize_point(trials: tuple[Run, ...], values: Sequence[float]) -> RepeatedPoint:
    """Returns the point that has these trials with these values."""
    deviation = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
    # the last digits of a sum are noise, which a table would show where two points differ in nothing else
    mean, deviation = (None if value is None else float(f"{value:.12g}") for value in (statistics.fmean(values), deviation))
    return RepeatedPoint(trials, statistics.median(values), mean or 0.0, deviation)


def order_by_points(trials: Iterable[Run], points: Sequence[RepeatedPoint]) -> list[Run]:
    """Returns the trials in the order of their points, each by number; those without a value last."""
    positions = {trial.id: position for position, point in enumerate(points) for trial in point.trials}
    return sorted(trials, key=lambda run: (positions.get(run.id, len(points)), run.attempt.trial or 0))


def rank_points(definition: BatchDefinition, trials: Iterable[Run]) -> list[RepeatedPoint]:
    """Returns the points of a batch that repeats them, best first; none for other batches and without a single objective."""
    if len(definition.objectives) != 1 or not has_repeats(definition):
        return []
    objective = definition.objectives[0]
    runs = {run.id: run for run in best_first(trials, objective)}
    valued = (
        Trial(run.attempt.trial or 0, run.flags, COMPLETED, run.id, (value,), tree=run.attempt.source)
        for run in runs.values()
        if (value := run.metrics.ask(objective.metric)) is not None
    )
    points = [
        summarize_point(tuple(runs[trial.run_id] for trial in group), [trial.values[0] for trial in group])
        for group in valued_groups(valued, SearchPoints(definition))
    ]
    return sorted(points, key=lambda point: point.median if objective.minimize else -point.median)


@dataclass(frozen=True, slots=True)
class RankedBatch:
    """A batch in a report: its trials by number, the best of them first in `best`, and the names of the flags that vary.

    `objective` is None unless the batch has exactly one; `metrics` are then those of its trials. `logs` are the flags that are
    searched by their logarithm. `has_commits` says that trials have different commits. `points` are those of a batch that
    tries them several times, best first.
    """

    run: Run
    objective: Objective | None
    trials: tuple[Run, ...]
    best: tuple[Run, ...]
    flags: tuple[str, ...]
    logs: frozenset[str] = frozenset()
    metrics: tuple[str, ...] = ()
    has_commits: bool = False
    points: tuple[RepeatedPoint, ...] = ()

    @property
    def metric(self) -> str:
        """Returns the metric that is drawn: the objective, else the first metric; empty if there is none."""
        return self.objective.metric if self.objective else next(iter(self.metrics), "")

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """Returns the metrics of the table."""
        return (self.objective.metric,) if self.objective else self.metrics

    @property
    def ranked(self) -> tuple[Run, ...]:
        """Returns all trials: the best first, or those of the best point; then those without a value by number."""
        if self.points:
            return tuple(order_by_points(self.trials, self.points))
        ranked_ids = {run.id for run in self.best}
        return (*self.best, *(run for run in self.trials if run.id not in ranked_ids))

    @property
    def milestones(self) -> list[tuple[int, float]]:
        """Returns the values among which the best is looked for, each after the number of the trial that made it known.

        These are the finite values of the trials, or the finite medians of the points.
        """
        if self.points:
            finite = (point for point in self.points if math.isfinite(point.median))
            return sorted((max(run.attempt.trial or 0 for run in point.trials), point.median) for point in finite)
        return sorted((run.attempt.trial or 0, value) for run in self.trials if (value := self.value(run)) is not None)

    @property
    def order(self) -> str:
        """Returns how the trials are ordered."""
        if self.points:
            return "by their points"
        return "best first" if self.objective else "in their order: the batch has no single objective"

    def value(self, trial: Run) -> float | None:
        """Returns the trial's value of the drawn metric; None unless it completed with a finite one."""
        return self.value_of(trial, self.metric)

    def value_of(self, trial: Run, metric: str) -> float | None:
        """Returns the trial's value of a metric; None unless it completed with a finite one."""
        value = trial.metrics.ask(metric) if metric and trial.status == COMPLETED else None
        return value if value is not None and math.isfinite(value) else None


MOST_METRICS = 4
"""Metrics that are shown of a batch without an objective."""


def rank_batch(git: Git, index: Index, batch: Run) -> RankedBatch | None:
    """Returns a batch with its trials that are here; None if it cannot be read, or has none."""
    try:
        definition, trials = read_definition(git, batch), shown_trials(git, index, batch)
    except BadRun:
        return None
    if not trials:
        return None
    names = dict.fromkeys(name for trial in trials for name in trial.flags)
    varied = [name for name in names if any(trial.flags.get(name) != trials[0].flags.get(name) for trial in trials)]
    objective = definition.objectives[0] if len(definition.objectives) == 1 else None
    metrics = [one.metric for one in definition.objectives] or [name for trial in trials for name in trial.metrics]
    return RankedBatch(
        batch, objective, tuple(trials), tuple(best_first(trials, objective)) if objective else (), tuple(varied),
        frozenset(name for name, domain in definition.space.items() if isinstance(domain, model.space.Range) and domain.log),
        tuple(dict.fromkeys(metrics))[:MOST_METRICS], len({trial.attempt.base for trial in trials}) > 1,
        tuple(rank_points(definition, trials)),
    )  # fmt: skip
