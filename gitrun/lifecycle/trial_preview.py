"""Says which trials a batch would start, without writing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun import lifecycle, views
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
    """A trial that a batch would start: its number, the flags that were given or vary, and the run that it continues."""

    number: int
    flags: Mapping[str, Value]
    run_id: str = ""


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
    given = [name for name in plan.given if name in plan.flags and name not in varied]
    fixed = {name: plan.flags[name] for name in given}
    trials = tuple(
        PlannedTrial(task.number, {**fixed, **task.point.flags}, task.run.id if task.run else "")
        for task in list_wanted(launch, decision, queue)
    )
    unset = tuple(name for name in plan.given if name not in plan.flags and name not in varied)
    return TrialPreview(trials, (*given, *varied), queue.definition.sampler, unset)


def list_wanted(launch: LaunchRequest, decision: Decision, queue: TrialQueue) -> Iterator[Task]:
    """Yields the trials that would start, without those that `--needed` would skip."""
    for task in queue.list_tasks():
        flags = {**queue.fixed, **task.point.flags}
        queue.trials[task.number] = Trial(task.number, flags, RUNNING, attrs=task.point.attrs)
        if not (launch.request.compares and task.run is None and is_covered(launch, decision, task)):
            yield task


def is_covered(launch: LaunchRequest, decision: Decision, task: Task) -> bool:
    """Returns whether a run has the flags of a trial already."""
    if decision.plan_trial is None:
        return False
    plan = decision.plan_trial(task.point.flags, lifecycle.decide.stamp_now())
    with Objects(launch.session.git) as objects:
        return lifecycle.decide.skip_reason(launch, objects, plan) is not None
