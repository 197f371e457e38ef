"""Runs the trials of a batch on a cluster: the loop is that of any batch, and what runs the trials is a `ClusterPool`."""

from __future__ import annotations

import signal
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from gitrun import lifecycle, workspace
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun, GitFailed, GitrunError
from gitrun.git.objects import Objects
from gitrun.lifecycle.batch import BatchExecutor, BatchRunner
from gitrun.lifecycle.cluster import read_amounts
from gitrun.lifecycle.cluster_pool import ClusterPool, ClusterTask, read_tail, warn_of_resources
from gitrun.lifecycle.trial_queue import COUNTED, Task
from gitrun.lifecycle.trial_states import EndedTrial
from gitrun.model.batch import Proposal
from gitrun.model.batch_events import TRIAL_HANDED_OUT
from gitrun.model.plan import Outcome, Skip
from gitrun.model.run import COMPLETED, ERROR, PENDING, RUNNING, STAGED, TERMINATED, Run, short_id
from gitrun.model.text import count_text
from gitrun.sharing.transfer import FetchRequest, Sharing
from gitrun.store import claims, trust
from gitrun.store.index import Index

if TYPE_CHECKING:
    from contextlib import ExitStack

    from gitrun.lifecycle.cluster_pool import Arrival, Place
    from gitrun.lifecycle.decide import Decision
    from gitrun.lifecycle.trial_states import BegunTrial
    from gitrun.process.signals import Signals
    from gitrun.process.status_line import StatusLine
    from gitrun.store.attempts import AttemptHandle

MOST_DEATHS = 6
"""Workers that may die while they execute a trial, before it counts as one that nobody can execute."""
DEFAULT_JOBS = 16
"""Trials that are handed out at a time while the cluster has no worker yet."""


@dataclass(frozen=True, slots=True)
class ClusterBatchExecutor(BatchExecutor):
    """Runs the trials of a batch at a place elsewhere."""

    place: Place

    def make_runner(self, attempt: AttemptHandle, signals: Signals, line: StatusLine | None) -> BatchRunner:
        """Returns the loop of the batch. Takes what workers have ended since a driver of the batch died."""
        fetch_open_trials(self, attempt)
        return ClusterBatchRunner(self, attempt, signals, line)


class ClusterBatchRunner(BatchRunner):
    """The loop of one batch on a cluster."""

    STARTED = TRIAL_HANDED_OUT

    def __init__(
        self, executor: ClusterBatchExecutor, attempt: AttemptHandle, signals: Signals, line: StatusLine | None = None
    ) -> None:
        super().__init__(executor, attempt, signals, line)
        self.place = executor.place
        self.handed_out = ClusterPool(self.session, signals, executor.place)
        self.pool = self.handed_out
        self.jobs = self.launch.request.jobs or executor.place.cluster.threads or DEFAULT_JOBS
        # Dask places trials by their resources, and a GPU of the driver is none of a worker
        self.gpus = None
        self.where = f" on {self.launch.request.on}"
        self.by_task: dict[ClusterTask, Task] = {}
        self.begun: list[ClusterTask] = []
        """Trials that are recorded and not handed out yet."""
        self.deaths: Counter[int] = Counter()
        self.avoid: dict[int, set[str]] = {}
        """Trials that are handed out again, each with the workers that did not end it."""
        self.unplaced: list[int] = []
        self.lost = ""
        self.watch_claims()

    def watch_claims(self) -> None:
        """Waits for the trials that workers are executing for a driver that died."""
        claimed = {number: run for number, run in self.queue.runs.items() if run.status in {RUNNING, PENDING}}
        alive = self.handed_out.find_running() if claimed else frozenset()
        for number, run in claimed.items():
            trial = self.trials[number]
            if run.id not in alive:
                continue
            self.trials[number] = replace(trial, status=RUNNING)
            point = Proposal(self.queue.points.select_flags(trial.flags), trial.attrs, self.queue.commits.get(trial.tree))
            handed = ClusterTask(run.id, run.attempt.id, run.tip, {})
            self.by_task[handed] = Task(number, point, run)
            self.handed_out.watch(handed)

    def count_running(self) -> int:
        """Returns the number of trials that were handed out and have not ended."""
        return len(self.by_task)

    def start_trials(self) -> bool:
        """Hands trials out while there is room, all in one push."""
        super().start_trials()
        begun, self.begun = self.begun, []
        try:
            self.handed_out.hand_out(begun)
        except GitFailed as error:
            numbers = [self.by_task.pop(task).number for task in begun]
            self.leave_staged(*numbers)
            self.end_batch(numbers[0], "cannot be handed out", error)
        return False

    def decide_trial(self, task: Task, gpus: str) -> Decision | Skip:
        """Returns the decision to hand a trial out. Raises GitrunError."""
        decision = super().decide_trial(task, gpus)
        if isinstance(decision, Skip):
            return decision
        plan, run = decision.plan, decision.run
        # a worker may have left files that nobody vouches for
        is_foreign = run is not None and bool(run.attempt.result) and not trust.is_trusted(self.session.git, run)
        return replace(decision, plan=replace(plan, clean=is_foreign, params=replace(plan.params, gpus=None)))

    def start_program(self, task: Task, begun: BegunTrial, stack: ExitStack) -> None:
        """Has a recorded trial handed out with the next push."""
        attempt = begun.attempt
        if attempt.inherited:
            # the start on the worker must find the earlier files
            workspace.outputs.link_kept_files(attempt.inherited, attempt.kept)
        attempt.close()
        stack.close()
        resources = read_amounts(attempt.plan.params.resources) if attempt.plan else {}
        before = task.run.tip if task.run else None
        handed = ClusterTask(attempt.run_id, attempt.id, before, resources, avoid=self.avoid.get(task.number, set()))
        self.by_task[handed] = task
        self.begun.append(handed)

    def await_trials(self) -> None:
        """Waits until something happens, and notes the trials that are over."""
        for arrival in self.handed_out.wait(self.patience):
            self.note_arrival(self.by_task.pop(arrival.task), arrival)

    def note_arrival(self, task: Task, arrival: Arrival) -> None:
        """Notes a trial that is over: its result, or that it must be handed out again, or why it cannot be."""
        number, run = task.number, arrival.run
        if run and arrival.is_ended:
            self.note_end(EndedTrial(task, run.id, run.attempt.worker), outcome_of_run(run))
            if run.attempt.status == ERROR:
                self.show_tail(number, run)
            return
        self.leave_staged(number)
        if arrival.is_cluster_gone:
            self.lost = arrival.problem
        elif arrival.problem:
            if not self.pool.ends:
                self.unplaced.append(number)
                self.session.say(f"error: trial {number} cannot be executed: {arrival.problem}")
        elif run:
            self.hand_out_again(task, arrival, run)

    def hand_out_again(self, task: Task, arrival: Arrival, run: Run) -> None:
        """Has a trial handed out once more whose worker died or was told to end."""
        number = task.number
        self.deaths[number] += 1
        self.avoid[number] = arrival.task.avoid
        host = arrival.host or "its worker"
        if self.deaths[number] >= MOST_DEATHS:
            self.unplaced.append(number)
            self.session.say(f"error: trial {number} cannot be executed: {MOST_DEATHS} workers ended before it did")
            return
        self.session.say(f"note: trial {number} did not end on {host}. gitrun hands it out again")
        self.tasks = chain([replace(task, run=run)], self.tasks)

    def leave_staged(self, *numbers: int) -> None:
        """Notes that trials wait for a restart of the batch."""
        for number in numbers:
            self.trials[number] = replace(self.trials[number], status=STAGED)

    @property
    def is_stopping(self) -> bool:
        """Returns whether no other trial is to be handed out."""
        return bool(self.lost) or super().is_stopping

    def show_tail(self, number: int, run: Run) -> None:
        """Shows the last lines that a failed trial wrote."""
        for text in read_tail(self.session, run):
            self.session.say(f"#{number} {text}")

    def finish_batch(self, outcome: Outcome) -> Outcome:
        """Returns the outcome of the batch if trials are left that nobody executed."""
        if self.pool.ends:
            return outcome
        if self.lost:
            self.session.say(f"error: {self.lost}. To go on: git run --restart {short_id(self.attempt.run_id)} --on ADDRESS")
            return replace(outcome, status=TERMINATED, exit_status=-signal.SIGTERM, reason=self.lost)
        if self.unplaced and outcome.status == COMPLETED:
            words = f"{count_text(len(self.unplaced), 'trial')} could not be executed"
            return replace(outcome, status=ERROR, exit_status=1, reason=words)
        return outcome

    def run(self) -> Outcome:
        """Hands trials out until there are no more, a fault ends the batch, or a signal asks to stop. Returns the outcome."""
        try:
            warn_of_resources(self.place, read_amounts(self.decision.plan.params.resources), self.session.say)
        except GitrunError as error:
            self.fault = error.message
            self.session.say(f"error: {error}")
        return self.finish_batch(super().run())


def outcome_of_run(run: Run) -> Outcome:
    """Returns the outcome of a run that ended elsewhere."""
    attempt = run.attempt
    started, stopped = attempt.started or attempt.created, attempt.stopped or attempt.created
    return Outcome(
        attempt.status, attempt.exit_status or 0, started, stopped, attempt.duration or 0.0, reason=attempt.reason,
        metrics=attempt.metrics, files=attempt.files, pruned=attempt.pruned,
    )  # fmt: skip


def fetch_open_trials(executor: ClusterBatchExecutor, attempt: AttemptHandle) -> None:
    """Fetches the trials of a batch that have no result here: workers may have ended them while no driver was there.

    Raises GitFailed.
    """
    session, place = executor.launch.session, executor.place
    if executor.decision.run is None:
        return
    runs = lifecycle.batch_trials.trials_of(session, attempt.run_id)
    still_open = [run.id for run in runs if run.attempt.shown_status not in COUNTED]
    if not still_open:
        return
    Sharing(session.git, session.settings).fetch(place.remote, FetchRequest(tuple(still_open), lenient=True))
    with Index(session.git) as index, Objects(session.git) as objects:
        for run_id in still_open:
            run = index.get(run_id)
            if not isinstance(run, Run):
                continue
            if run.attempt.shown_status in COUNTED:
                session.say(f"note: trial {run.attempt.trial} has {run.attempt.shown_status} on {run.attempt.worker}")
                continue
            try:
                claims.trust_claim(session.git, objects, run)
            except BadRun as error:
                session.say(f"warning: run {short_id(run_id)} cannot be read: {error.message}")
