"""Plans the trials of a batch that are recorded without being started: `--stage-trials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import replace
from gitrun.errors import CannotRun
from gitrun.git.objects import Objects
from gitrun.lifecycle.batch_trials import recorded_trials
from gitrun.lifecycle.decide import stamp_now
from gitrun.lifecycle.trial_preview import list_wanted
from gitrun.lifecycle.trial_queue import TrialQueue

if TYPE_CHECKING:
    from gitrun.lifecycle.decide import Decision, LaunchRequest
    from gitrun.lifecycle.trial_queue import Task
    from gitrun.model.plan import Plan
    from gitrun.store.attempts import AttemptHandle


def plan_trials(launch: LaunchRequest, decision: Decision, attempt: AttemptHandle) -> list[Plan]:
    """Returns the plans of all trials of a begun batch that have no run yet. Raises GitrunError."""
    session, request = launch.session, launch.request
    queue = TrialQueue(session, decision.plan, request, attempt.run_id, recorded_trials(session, attempt.id))
    with Objects(session.git) as objects:
        return [
            lifecycle.decide.with_needs(session, objects, request, plan_task(decision, attempt.run_id, task))
            for task in list_wanted(launch, decision, queue)
            if task.run is None
        ]


def plan_task(decision: Decision, batch_id: str, task: Task) -> Plan:
    """Returns the plan of a trial that is recorded without being started."""
    if decision.plan_trial is None:
        raise CannotRun("the run is no batch")
    plan = decision.plan_trial(task.point.flags, stamp_now())
    seed = plan.params.random_seed if task.seed is None else task.seed
    return replace(
        plan, batch=batch_id, trial=task.number, sampler=task.point.attrs, given=decision.plan.given, clean=False, staged=True,
        params=replace(plan.params, random_seed=seed),
    )  # fmt: skip
