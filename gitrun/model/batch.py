"""Values of a batch: what it searches for and how, and what became of its trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitrun.dataclass import dataclass, field
from gitrun.model.run import COMPLETED, ENDINGS
from gitrun.model.space import Choice
from gitrun.model.trial_counts import BestTrial, TrialCounts
from gitrun.model.values import same_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.run import Run
    from gitrun.model.space import Domain, Space
    from gitrun.model.values import Value

LEARN_BATCH, LEARN_SOURCE, LEARN_OPERATION, LEARN_NONE = LEARNS = ("batch", "source", "operation", "none")
"""A sampler learns from the trials of its batch; also from earlier runs of the same source, or of the operation; from none."""
GRID, RANDOM = "grid", "random"
"""Samplers of our own: every combination of the values, and values drawn at random."""
PLUS = "+"
"""Ends the operation of a batch, so that no batch is ever the latest run of its operation."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric that a search is after, as `select` names it (`loss`, `loss:min`), and whether the smallest value is best."""

    metric: str
    minimize: bool = True


@dataclass(frozen=True, slots=True)
class CommitTree:
    """A commit, and the tree of its files without records of runs."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class BatchDefinition:
    """The contents of `.gitrun/batch.toml`: what a batch searches for, and how.

    `sampler` is grid, random, or the name of an optimizer. `points` are the rows of a file (`@points.csv`), each a trial;
    they are crossed with the lists of `space`. `max_trials` counts all trials of the batch, over all restarts (None: as many
    as there are). `prune` names a pruner, or is empty. `engine` is the name and version of the library that samples, empty for
    our own. `seed` is the seed of the batch. `options` are the settings of the optimizer. `kind` is the kind
    of operation of the trials. `gpus_per_trial` is the number of GPUs that a trial gets of those listed for the batch.
    `commits` are the sources of the trials, crossed with the points; empty if all have the source of the batch.
    """

    sampler: str
    space: Space
    points: tuple[Mapping[str, Value], ...] = ()
    objectives: tuple[Objective, ...] = ()
    max_trials: int | None = None
    seed: int = 0
    prune: str = ""
    learn: str = "batch"
    repeat: int = 1
    engine: str = ""
    kind: str = "script"
    gpus_per_trial: int | None = None
    options: Mapping[str, Value] = field(default_factory=dict)
    commits: tuple[CommitTree, ...] = ()

    @property
    def learns(self) -> bool:
        """Returns whether what the next trial is, or when one ends, depends on how others went."""
        return bool(self.prune) or self.sampler not in {GRID, RANDOM}


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a batch, as a sampler sees it.

    `number` counts from 1 and stays for life. `flags` are all flags of its run. `status` is that of the run, or `pruned`.
    `values` are the values of the objectives, empty unless it completed with all of them. `series` are steps and values of
    the first objective. `attrs` is what the sampler asked to keep with the trial. `reused` says that the run existed before.
    `tree` is the source of its run. A trial that could not be planned has no run, and `reason` says why. `tip` is the commit of
    its run when the batch ended, which proves its attempts and results; empty while the batch runs.
    """

    number: int
    flags: Mapping[str, Value]
    status: str
    run_id: str = ""
    values: tuple[float, ...] = ()
    series: tuple[tuple[int, float], ...] = ()
    attrs: Mapping[str, Value] = field(default_factory=dict)
    reused: bool = False
    tree: str = ""
    reason: str = ""
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and its trials, as they were when they were read; holds no repository, and can be pickled.

    `run` is the run of the batch itself, of operation `<operation>+`. `trials` are the runs of its trials by number, and with
    `needed` also the earlier runs that count as trials. `best` is the completed trial with the best value of the metric that
    the batch searches for; None without such a trial, without a metric, or with several metrics. `counts` has the numbers of
    trials by how they ended: total, completed, pruned, error, terminated, pending.
    """

    run: Run
    trials: tuple[Run, ...]
    best: Run | None
    counts: TrialCounts

    @property
    def id(self) -> str:
        """Returns the id of the batch: the object id of its first attempt, in hex. `restart=batch.id` goes on with it."""
        return self.run.id

    @property
    def status(self) -> str:
        """Returns the status of the batch: completed once all its trials have ended, however they ended."""
        return self.run.status


def count_trials(trials: Sequence[Trial], total: int, objectives: Sequence[Objective]) -> TrialCounts:
    """Counts the trials by status and finds the best of those that completed. Trials that have not started are pending.

    Of equal values, that of the first trial is best.
    """
    counts = dict.fromkeys(ENDINGS, 0)
    for trial in trials:
        if trial.status in counts:
            counts[trial.status] += 1
    valued = [trial for trial in trials if trial.status == COMPLETED and trial.values] if len(objectives) == 1 else []
    sign = 1 if objectives and objectives[0].minimize else -1
    best = min(valued, key=lambda trial: (sign * trial.values[0], trial.number), default=None)
    return TrialCounts(
        total, **counts, pending=max(total - sum(counts.values()), 0),
        best=BestTrial(best.number, best.run_id, best.values[0]) if best else None,
    )  # fmt: skip


def has_value(domain: Domain, value: Value) -> bool:
    """Returns whether the domain has this value."""
    if isinstance(domain, Choice):
        return any(same_value(value, one) for one in domain.values)
    return isinstance(value, int | float) and not isinstance(value, bool) and domain.low <= value <= domain.high


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sampler's proposal for a trial: the values of the space's flags, and what to keep with the trial.

    `commit` is the source of the trial, if not that of the batch.
    """

    flags: Mapping[str, Value]
    attrs: Mapping[str, Value] = field(default_factory=dict)
    commit: CommitTree | None = None


class Sampler(Protocol):
    """Chooses the flags of trials. Keeps nothing: a proposal follows from the definition, its number, and the trials so far."""

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`, given all trials so far, running ones too; None if the space is exhausted."""


class Pruner(Protocol):
    """Decides while a trial runs whether it is worth going on."""

    def should_stop(self, trial: Trial, trials: Sequence[Trial]) -> bool:
        """Returns whether to stop the running trial, whose `series` has what it logged so far."""
