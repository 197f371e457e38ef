"""The trials that a batch has, and those to start. Writes nothing."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun
from gitrun.lifecycle.batch_trials import (
    count_wanted,
    find_outdated,
    read_knowledge,
    reused_runs,
    reused_trial,
    trial_of,
    trials_of,
)
from gitrun.model.batch import GRID, LEARN_NONE, LEARN_OPERATION, LEARN_SOURCE, Proposal
from gitrun.model.grid import lay_grid, sample_points
from gitrun.model.repeats import list_seeds
from gitrun.model.run import COMPLETED, ERROR, PRUNED, RUNNING
from gitrun.model.sampling import SearchPoints
from gitrun.model.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.model.batch import BatchDefinition, Sampler, Trial
    from gitrun.model.flags import Value
    from gitrun.model.plan import Plan, Request
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session

COUNTED = frozenset({COMPLETED, PRUNED, ERROR})
"""Statuses of trials that count towards --max-trials, and that a restart leaves as they are."""


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to start: its number, its point of the space, and the run to continue, if any.

    `seed` is what its program gets, if the trials of the batch differ in that.
    """

    number: int
    point: Proposal
    run: Run | None = None
    seed: int | None = None


class TrialQueue:
    """The trials of a batch by number, and what is to be started of it.

    `plan` is that of the batch, `batch` its id (empty: it does not exist yet). `recorded` are the trials that its last
    result names. A batch that `is_new` has no trials. Whoever starts a trial puts it into `trials`: the next task depends on
    it.
    """

    def __init__(  # noqa: PLR0913 - what a batch is, and what is known of it
        self, session: Session, plan: Plan, request: Request, batch_id: str, recorded: Sequence[Trial], *, is_new: bool = False
    ) -> None:
        if plan.batch_definition is None:
            raise CannotRun("the run is no batch")
        self.session, self.request, self.definition = session, request, plan.batch_definition
        self.commits = {one.tree: one for one in self.definition.commits}
        # each commit has defaults of its own
        names = plan.given if self.commits else tuple(plan.flags)
        self.fixed = {name: plan.flags[name] for name in names if name in plan.flags and name not in self.definition.space}
        runs = trials_of(session, batch_id) if batch_id and not is_new else []
        self.runs = {run.attempt.trial or 0: run for run in runs}
        reused = reused_runs(session, recorded)
        self.outdated = find_outdated(session, plan, {**self.runs, **reused})
        self.trials = self.read_trials({number: run for number, run in reused.items() if number not in self.outdated})
        # those that could not be planned have no run
        self.trials |= {trial.number: trial for trial in recorded if trial.reason and trial.number not in self.trials}
        # a number is never given again, even if its trial was deleted
        self.last_number = max((*self.trials, *(trial.number for trial in recorded)), default=0)
        self.total = count_wanted(self.definition)
        self.points = SearchPoints(self.definition)
        self.plan, self.batch = plan, batch_id
        self.repeat_seeds = list_seeds(self.definition) if self.definition.repeat > 1 else ()
        seeds = {number: run.attempt.params.random_seed for number, run in self.runs.items()} if self.repeat_seeds else {}
        self.seeds = {number: seed for number, seed in seeds.items() if seed is not None}

    def read_trials(self, reused: Mapping[int, Run]) -> dict[int, Trial]:
        """Returns the trials so far, by number. `reused` are runs from before the batch."""
        objectives = self.definition.objectives
        pairs = [(trial_of(run, objectives), run) for run in self.runs.values()]
        pairs += [(reused_trial(number, run, objectives), run) for number, run in reused.items()]
        if self.definition.learns:
            return {trial.number: trial for trial in read_knowledge(self.session, pairs, self.definition)}
        return {trial.number: trial for trial, _ in pairs}

    def list_tasks(self) -> Iterator[Task]:
        """Yields the trials to start: first those to continue, then points without a trial."""
        request = self.request
        again = {ERROR} if request.retry_failed else set()
        again |= {COMPLETED, PRUNED, ERROR} if request.all_trials else set()
        number = self.last_number
        for other_number, trial in sorted(self.trials.items()):
            if trial.reused or trial.status == RUNNING or not self.is_wanted(trial):
                continue
            if trial.status not in COUNTED or trial.status in again or other_number in self.outdated:
                point = Proposal(self.points.select_flags(trial.flags), trial.attrs, self.commits.get(trial.tree))
                yield Task(other_number, point, self.runs.get(other_number), self.seeds.get(other_number))
        for proposal, seed in self.list_points() if self.definition.sampler == GRID else self.list_proposals(number):
            number += 1
            if seed is not None:
                self.seeds[number] = seed
            yield Task(number, proposal, seed=seed)

    def is_wanted(self, trial: Trial) -> bool:
        """Returns whether the trial is a point of the batch as it is now, after a restart with other flags."""
        if self.commits and trial.tree not in self.commits:
            return False
        # a trial without a run has no other flags than those of its point
        return self.points.contains(trial.flags, {} if trial.reason else self.fixed)

    def list_points(self) -> Iterator[tuple[Proposal, int | None]]:
        """Yields the points of a grid that no trial has, with the seeds of their programs if each point is repeated."""
        definition, seeds = self.definition, self.repeat_seeds
        counts = Counter(
            (self.point_key(trial.flags, trial.tree), self.seeds.get(trial.number, definition.seed) if seeds else None)
            for trial in self.trials.values()
            if self.is_wanted(trial)
        )
        for at, proposal in enumerate(lay_points(definition)):
            seed = seeds[at % definition.repeat] if seeds else None
            key = (self.point_key(proposal.flags, proposal.commit.tree if proposal.commit else ""), seed)
            if counts[key]:
                counts[key] -= 1
            else:
                yield proposal, seed

    def list_proposals(self, number: int) -> Iterator[tuple[Proposal, int | None]]:
        """Yields what the sampler proposes for trials after `number`, while more trials are to come. Seeds as above."""
        definition = self.definition
        sampler: Sampler = lifecycle.samplers.make_sampler(definition)
        earlier = lifecycle.batch_trials.read_earlier(self.session, self.plan, definition, self.batch, self.fixed)
        if definition.learn in {LEARN_SOURCE, LEARN_OPERATION}:
            self.session.say(f"note: {definition.sampler} learns from {count_text(len(earlier), 'earlier run')}")
        while sum(self.is_wanted(one) for one in self.trials.values() if one.status in {*COUNTED, RUNNING}) < self.total:
            number += 1
            proposal = sampler.propose(number, [*earlier, *self.list_known()])
            if proposal is None:
                self.session.say("note: the space is exhausted: every proposal has a trial")
                return
            yield proposal, self.next_seed(proposal.flags)

    def list_known(self) -> list[Trial]:
        """Returns the trials so far as the sampler is to see them. With `--learn none` it knows only where they are."""
        trials = [self.trials[key] for key in sorted(self.trials)]
        if self.definition.learn != LEARN_NONE:
            return trials
        return [replace(trial, status=ERROR, values=(), series=()) for trial in trials]

    def next_seed(self, flags: Mapping[str, Value]) -> int | None:
        """Returns the first seed that no trial of this point has; None if points are not repeated."""
        key = self.points.point_key(flags)
        trials = (
            [trial for trial in self.trials.values() if self.points.point_key(trial.flags) == key] if self.repeat_seeds else []
        )
        used = Counter(self.seeds.get(trial.number, self.definition.seed) for trial in trials)
        return min(self.repeat_seeds, key=lambda seed: used[seed], default=None)

    def point_key(self, flags: Mapping[str, Value], tree: str) -> object:
        """Returns a key that is equal for trials of the same point, and of the same source if the batch has several."""
        return (tree if self.commits else "", self.points.point_key(flags))


def lay_points(definition: BatchDefinition) -> Iterator[Proposal]:
    """Yields the points of a grid in the order of their trials: at each commit, the oldest first, all points."""
    grid = lay_grid(definition.space, definition.points, definition.repeat)
    commits = definition.commits or (None,)
    count = grid.count * len(commits)
    # whole points: of the last one not all repeats may fit
    most = definition.max_trials and -(-definition.max_trials // definition.repeat)
    points = sample_points(count // definition.repeat, most, definition.seed)
    repeats = (point * definition.repeat + again for point in points for again in range(definition.repeat))
    for at in islice(repeats, definition.max_trials):
        position, index = divmod(at, grid.count)
        yield Proposal(grid.at(index), commit=commits[position])
