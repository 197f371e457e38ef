"""Runs batches and single runs on a cluster in this process (`--on local:N`).

The cluster grants permits, and each program starts with one. Everything else happens as for other runs on this machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, GitrunError
from gitrun.lifecycle.batch import BatchExecutor, BatchRunner
from gitrun.lifecycle.cluster import open_local, read_amounts
from gitrun.model.plan import Skip, StartedRun
from gitrun.model.run import BATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.lifecycle.cluster import Permits
    from gitrun.lifecycle.decide import Prompts
    from gitrun.model.plan import Outcome, Request
    from gitrun.process.signals import Signals
    from gitrun.process.status_line import StatusLine
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.session import Session

PAUSE = 0.01
"""Seconds between two looks for the permit of a single run."""


def start(session: Session, request: Request, prompts: Prompts) -> StartedRun | Skip:
    """Starts a run with permits of a cluster in this process, and waits for its end. Returns Skip if nothing has to run.

    Raises GitrunError if nothing could be run or recorded.
    """
    permits = open_local(request.on or "")
    try:
        require_resources(permits, read_amounts(request.resources or ()))
        with lifecycle.launch.begin_request(session, request, prompts) as begun:
            if isinstance(begun, Skip):
                return begun
            with begun.attempt as attempt:
                if begun.decision.plan.kind != BATCH:
                    await_permit(permits, read_amounts(begun.decision.plan.params.resources))
                    return StartedRun(attempt.run_id, lifecycle.launch.run_attempt(begun))
                lifecycle.launch.introduce(begun)
                executor = LocalClusterExecutor(begun.launch, begun.decision, lifecycle.launch.start_trial, permits)
                outcome = lifecycle.attempt.perform(attempt, executor)
                lifecycle.launch.pack_many_refs(session.git)
                return StartedRun(attempt.run_id, outcome)
    finally:
        permits.close()


def await_permit(permits: Permits, resources: Mapping[str, str]) -> None:
    """Waits for the permit of a single run. Raises CannotRun, BadValue."""
    require_resources(permits, resources)
    permits.request(resources)
    while not permits.count_granted():
        time.sleep(PAUSE)


def require_resources(permits: Permits, resources: Mapping[str, str]) -> None:
    """Raises CannotRun if this machine does not offer the resources: no other worker will come. Raises BadValue."""
    if permits.lacks(resources):
        names = ", ".join(f"{name}={value}" for name, value in resources.items())
        raise CannotRun(f"no worker has {names}", lifecycle.cluster.RESOURCES_HINT)


@dataclass(frozen=True, slots=True)
class LocalClusterExecutor(BatchExecutor):
    """Runs the trials of a batch with permits of a cluster in this process."""

    permits: Permits

    def make_runner(self, attempt: AttemptHandle, signals: Signals, line: StatusLine | None) -> BatchRunner:
        """Returns the loop of the batch."""
        request = self.launch.request
        # GPUs are dealt out by the number of trials at a time
        launch = replace(self.launch, request=replace(request, jobs=request.jobs or self.permits.threads))
        return LocalClusterRunner(replace(self, launch=launch), attempt, signals, line)


class LocalClusterRunner(BatchRunner):
    """The loop of a batch whose trials start with permits. Each trial gives its permit back and the next one needs another."""

    def __init__(
        self, executor: LocalClusterExecutor, attempt: AttemptHandle, signals: Signals, line: StatusLine | None = None
    ) -> None:
        super().__init__(executor, attempt, signals, line)
        self.permits = executor.permits
        self.programs.wakers = (self.permits.descriptor,)
        self.where = f" on {self.launch.request.on}"
        self.resources = read_amounts(self.decision.plan.params.resources)
        self.requested = self.unused = self.used = 0
        """Permits that were asked for, that no trial has taken yet, and that trials hold."""

    @property
    def room(self) -> int:
        """Returns the number of trials that may run now."""
        return self.used + self.unused

    def start_trials(self) -> bool:
        """Starts trials with the permits there are, and asks for more. Returns whether a trial waits for a permit or a GPU."""
        for _ in range(self.used - self.count_running()):
            self.permits.release()
            self.used -= 1
        granted = self.permits.count_granted()
        self.requested, self.unused = self.requested - granted, self.unused + granted
        is_waiting = super().start_trials()
        self.unused -= self.count_running() - self.used
        self.used = self.count_running()
        if self.is_stopping or (self.unused and not is_waiting):
            # there is no other trial: what was asked for is not needed
            return False
        for _ in range(self.jobs - self.room - self.requested):
            self.permits.request(self.resources)
            self.requested += 1
        return True

    def run(self) -> Outcome:
        """Runs the trials. Returns the outcome of the batch, an error if this machine lacks what they need."""
        try:
            require_resources(self.permits, self.resources)
        except GitrunError as error:
            self.fault = error.message
            self.session.say(f"error: {error}")
        return super().run()
