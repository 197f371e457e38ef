"""Says which trials a batch would start, without writing anything."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from gitrun import lifecycle, views
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, UsageError
from gitrun.git.objects import Objects
from gitrun.lifecycle.decide import decide
from gitrun.lifecycle.trial_queue import TrialQueue
from gitrun.model.batch import GRID, RANDOM, Trial
from gitrun.model.plan import Skip
from gitrun.model.run import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.lifecycle.decide import Decision, LaunchRequest
    from gitrun.lifecycle.trial_queue import Task
    from gitrun.model.flags import Value

EXACT = (GRID, RANDOM, "qmc")
"""Samplers whose proposals do not depend on results."""


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial that a batch would start: its number, the flags that were given or vary, and the run that it continues.

    `commit` is its source, if the batch has several.
    """

    number: int
    flags: Mapping[str, Value]
    run_id: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class TrialPreview:
    """The trials that a batch would start, in order, and the names of their flags, those given first.

    `unset` are flags that were given without a value. `is_exact` says that results change nothing about the trials.
    """

    trials: tuple[PlannedTrial, ...]
    names: tuple[str, ...]
    sampler: str
    unset: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Returns whether the batch starts exactly these trials, whatever becomes of the first ones."""
        return self.sampler in EXACT


def preview_trials(launch: LaunchRequest) -> TrialPreview | None:
    """Returns the trials that a request would start, if it asks for a batch; else None. Raises GitrunError.

    A sampler that learns is asked as if all trials were running already.
    """
    decision = decide(launch)
    if isinstance(decision, Skip) or decision.plan.batch_definition is None:
        return None
    plan, run = decision.plan, decision.run
    recorded = views.batches.read_trials(launch.session.git, run) if run else ()
    queue = TrialQueue(launch.session, plan, launch.request, run.id if run else "", recorded)
    varied = queue.points.names
    names = [name for name in plan.given if name in plan.flags and name not in varied]
    fixed = {name: plan.flags[name] for name in names}
    with decision.reader or nullcontext():
        trials = tuple(
            PlannedTrial(
                task.number, {**fixed, **task.point.flags}, task.run.id if task.run else "",
                task.point.commit.commit if task.point.commit else "",
            )
            for task in list_wanted(launch, decision, queue)
        )  # fmt: skip
    unset = tuple(name for name in plan.given if name not in plan.flags and name not in varied)
    return TrialPreview(trials, (*names, *varied), queue.definition.sampler, unset)


def list_wanted(launch: LaunchRequest, decision: Decision, queue: TrialQueue) -> Iterator[Task]:
    """Yields the trials that would start, without those that `--needed` would skip."""
    for task in queue.list_tasks():
        flags = {**queue.fixed, **task.point.flags}
        tree = task.point.commit.tree if task.point.commit else decision.plan.source.tree
        queue.trials[task.number] = Trial(task.number, flags, RUNNING, attrs=task.point.attrs, tree=tree)
        if not (launch.request.compares and task.run is None and is_covered(launch, decision, task)):
            yield task


def is_covered(launch: LaunchRequest, decision: Decision, task: Task) -> bool:
    """Returns whether a run has the flags of a trial already. False if the trial cannot start."""
    with suppress(UsageError, CannotRun):
        return has_run(launch, decision, task)
    return False


def has_run(launch: LaunchRequest, decision: Decision, task: Task) -> bool:
    """Returns whether a run has the flags of a trial already. Raises UsageError, CannotRun if the trial cannot start."""
    launch = replace(launch, request=decision.request or launch.request)
    if task.point.commit:
        decision = lifecycle.commit_batches.decide_commit_trials(launch, decision, task.point.commit.commit)
    if decision.plan_trial is None:
        return False
    plan = decision.plan_trial(task.point.flags, lifecycle.decide.stamp_now())
    with Objects(launch.session.git) as objects:
        return lifecycle.decide.skip_reason(launch, objects, plan) is not None
