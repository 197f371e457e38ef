"""Runs a batch: starts its trials, watches all of them in one loop, and records what became of each.

The truth about trials is in git: which trials there are, and how they ended, is read from their runs, so that a batch can
be interrupted anywhere and goes on where it was.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from functools import lru_cache, partial
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from gitrun import lifecycle, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, GitFailed, GitrunError, OptimizerFailed, StaleRun, UsageError
from gitrun.git.objects import Objects
from gitrun.git.pack import keep_packs, merge_packs
from gitrun.lifecycle.attempt import end_recorded, prepare_end, record_end, record_prepared
from gitrun.lifecycle.batch_progress import Pace, describe_end, describe_trial, explain_no_value, progress_parts
from gitrun.lifecycle.batch_trials import (
    append_reused,
    objective_values,
    read_knowledge,
    read_series,
    recorded_trials,
    reused_trial,
    with_tips,
)
from gitrun.lifecycle.decide import Decision, stamp_now
from gitrun.lifecycle.executor import Execution, failed_to_start, interrupted_before_start
from gitrun.lifecycle.steps import Tee
from gitrun.lifecycle.trial_queue import COUNTED, TrialQueue
from gitrun.lifecycle.trial_states import EndedTrial, HeldTrial, RunningTrial
from gitrun.model.batch import PLUS, Trial
from gitrun.model.batch_events import (
    BATCH_STARTED,
    TRIAL_ENDED,
    TRIAL_REFUSED,
    TRIAL_REUSED,
    TRIAL_STARTED,
    BatchEvent,
)
from gitrun.model.plan import Outcome, Skip
from gitrun.model.provenance import NO_BASIS
from gitrun.model.repeats import count_batch
from gitrun.model.run import COMPLETED, ERROR, PRUNED, RUNNING, TERMINATED, run_ref, short_id
from gitrun.model.text import count_text
from gitrun.process.pool import ProgramPool
from gitrun.process.signals import Signals
from gitrun.process.status_line import open_status_line
from gitrun.process.streams import NoStream, PrefixedStream
from gitrun.store.attempts import Collected
from gitrun.store.live import Owner, process_birth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitrun.lifecycle.decide import LaunchRequest
    from gitrun.lifecycle.trial_queue import Task
    from gitrun.lifecycle.trial_states import BeginTrial, BegunTrial, TrialPool
    from gitrun.process.run import RunningProgram
    from gitrun.process.status_line import StatusLine
    from gitrun.process.streams import Stream
    from gitrun.store.attempts import AttemptHandle, PreparedResult
    from gitrun.workspace.metrics import Meter

FIRST_TRIALS = 3
"""Number of failed trials after which the user gets a warning, if no trial has completed."""
PAUSE, GPU_PAUSE = 60.0, 1.0
"""Seconds between two looks at the whole batch; while a trial waits for a GPU of another batch."""


@dataclass(frozen=True, slots=True)
class BatchExecutor:
    """Runs the trials of a batch, each as a run of its own, in place of a program. `begin_trial` begins one."""

    launch: LaunchRequest
    decision: Decision
    begin_trial: BeginTrial

    @contextmanager
    def run(self, attempt: AttemptHandle) -> Iterator[Execution]:
        """Runs the trials."""
        outer = self.launch.parent.signals if self.launch.parent else None
        before = list(outer.ends) if outer else []
        with nullcontext(outer) if outer else Signals() as signals, self.open_runner(attempt, signals) as runner:
            outcome = runner.run()
            if outer:
                # an order for a single trial is none for the pipeline
                outer.ends[:] = [*before, *runner.pool.ends]
            yield Execution(outcome, signals, lambda: Collected(outcome, {}))

    @contextmanager
    def open_runner(self, attempt: AttemptHandle, signals: Signals) -> Iterator[BatchRunner]:
        """Records this process as the supervisor of the batch. Yields the runner, whose output is that of the batch."""
        session = self.launch.session
        pid, worktree = os.getpid(), str(session.git.worktree or "")
        attempt.live.record(Owner(pid, process_birth(pid), attempt.id, worktree, in_place=True, started=time.time()))
        line = open_status_line(session.stdout, session.stderr, session.git.environ)
        if line:
            session = replace(
                session, stdout=line.wrap(session.stdout), stderr=line.wrap(session.stderr), say=line.wrap_say(session.say)
            )
        with self.decision.reader or nullcontext(), attempt.live.output.open("ab", buffering=0) as output, ExitStack() as stack:
            stack.enter_context(keep_packs(session.git))
            if session.git.processes:
                stack.enter_context(session.git.processes.remembering(together=True))
            if line:
                stack.callback(line.erase)
            # trials have records of their own output; this one has what the terminal showed
            both = replace(session, stdout=Tee(session.stdout, output), stderr=Tee(session.stderr, output))
            yield replace(self, launch=replace(self.launch, session=both)).make_runner(attempt, signals, line)

    def make_runner(self, attempt: AttemptHandle, signals: Signals, line: StatusLine | None) -> BatchRunner:
        """Returns the loop of the batch."""
        return BatchRunner(self, attempt, signals, line)


class BatchRunner:
    """The loop of one batch: starts trials while there are any and there is room, and records those that end."""

    STARTED = TRIAL_STARTED
    """The event of a trial that begins."""

    def __init__(
        self, executor: BatchExecutor, attempt: AttemptHandle, signals: Signals, line: StatusLine | None = None
    ) -> None:
        self.launch, self.decision, self.begin_trial = executor.launch, executor.decision, executor.begin_trial
        self.session, self.attempt, self.signals = executor.launch.session, attempt, signals
        self.programs = ProgramPool(signals, self.find_targets)
        self.pool: TrialPool = self.programs
        # commits vary slowest: the last one is enough
        decide_commit = partial(lifecycle.commit_batches.decide_commit_trials, self.launch, self.decision)
        self.decide_commit = lru_cache(maxsize=1)(decide_commit)
        # the first attempt begins without trials, so that nothing has to look for them among all runs
        is_new = attempt.id == attempt.run_id
        recorded = () if is_new else recorded_trials(self.session, attempt.id)
        plan, request = self.decision.plan, self.launch.request
        self.queue = queue = TrialQueue(self.session, plan, request, attempt.run_id, recorded, is_new=is_new)
        self.definition, self.trials, self.total = queue.definition, queue.trials, queue.total
        self.jobs = self.launch.request.jobs or 1
        self.gpus = lifecycle.gpus.make_pool(
            self.decision.plan.params, self.definition.gpus_per_trial, self.jobs, self.session.git.environ
        )
        self.running: dict[RunningProgram, RunningTrial] = {}
        self.watch = lifecycle.pruning.TrialWatch(self.definition, attempt.run_id)
        self.held: HeldTrial | None = None
        """The last trial that has ended, until the next one begins."""
        self.pruned: dict[int, int] = {}
        """Trials that were asked to end because they are not worth going on, each with its last step."""
        self.fault = ""
        self.tasks = queue.list_tasks()
        self.waiting: Task | None = None
        """A trial for which no GPU is free."""
        self.has_waited = False
        self.line, self.pace = line, Pace(time.monotonic())
        self.where = ""
        """Words about the cluster that runs the trials."""

    @property
    def operation(self) -> str:
        """Returns the operation of the trials."""
        return self.decision.plan.operation.removesuffix(PLUS)

    def run(self) -> Outcome:
        """Runs trials until there are no more, a fault ends the batch, or a signal asks to stop. Returns the outcome."""
        begun, clock = datetime.now(timezone.utc), time.monotonic()
        self.announce()
        self.run_trials()
        return self.conclude(begun, time.monotonic() - clock)

    def announce(self) -> None:
        """Tells the user how many trials there are to be."""
        at_a_time = (f", {self.jobs} at a time" if self.jobs > 1 else "") + self.where
        words = f"{count_text(self.total, 'trial')} of {self.operation}{at_a_time}"
        self.session.say(f"batch {short_id(self.attempt.run_id)}: {words}")
        self.report(BATCH_STARTED, total=self.total)
        if self.gpus and (limit := lifecycle.gpus.describe_limit(self.gpus, self.jobs)):
            self.session.say(limit)
            self.jobs = self.gpus.most_trials

    def run_trials(self) -> None:
        """Runs the trials of `tasks` and waits for them."""
        # an error leaves the records of running trials to the next command, without our locks on them
        with ExitStack() as stack, self.pool:
            stack.callback(self.leave)
            while self.start_trials() or self.count_running():
                self.show_progress()
                self.await_trials()
                self.prune()
                store.notes.add_waiting_notes(self.session.git)
                merge_packs(self.session.git)
        self.pool.read_signals()

    def count_running(self) -> int:
        """Returns the number of trials that have been started and have not ended."""
        return len(self.running)

    def await_trials(self) -> None:
        """Waits until something happens, and records the trials that have ended."""
        for program in self.programs.wait(self.patience):
            trial = self.running.pop(program)
            try:
                self.record(trial, program)
            except (GitFailed, StaleRun) as error:  # its live record stays, for the next command to record it
                self.end_batch(trial.task.number, "cannot be recorded", error)

    def end_batch(self, number: int, what: str, error: GitrunError) -> None:
        """Starts no other trial because of an error with this one, which is no result of it. Tells the user."""
        self.session.say(f"error: trial {number} {what}: {error}")
        self.fault = f"trial {number} {what}: {error.message}"

    def leave(self) -> None:
        """Gives back what trials hold that have not ended."""
        for trial in (*self.running.values(), *((self.held.trial,) if self.held else ())):
            trial.stack.close()

    def start_trials(self) -> bool:
        """Starts trials while there is room, and records the one that is held. Returns whether a trial waits for a GPU."""
        is_waiting = self.start_while_room()
        self.record_held()
        return is_waiting

    def start_while_room(self) -> bool:
        """Starts trials while there is room. Returns whether one waits for a GPU."""
        while self.count_running() < self.room and not self.is_stopping:
            try:
                task, self.waiting = self.waiting or next(self.tasks, None), None
            except OptimizerFailed as error:  # trials that run still end, and a restart goes on with another optimizer
                self.session.say(f"error: {error}")
                self.fault = error.message
                return False
            if task is None:
                return False
            if not self.start(task):
                self.waiting = task
                return True
        return False

    @property
    def room(self) -> int:
        """Returns the number of trials that may run now."""
        return self.jobs

    @property
    def patience(self) -> float:
        """Returns the seconds until there is something to do even if nothing happens."""
        pause = min(GPU_PAUSE if self.waiting else PAUSE, self.watch.patience(self.meters))
        return min(pause, self.line.patience) if self.line else pause

    def show_progress(self) -> None:
        """Draws the line that tells how far the batch is, if there is one and it is due."""
        if self.line and not self.line.patience:
            trials, now = list(self.trials.values()), time.monotonic()
            self.line.draw(progress_parts(trials, max(self.total, len(trials)), self.definition.objectives, self.pace, now))

    @property
    def meters(self) -> dict[int, Meter]:
        """Returns the readers of the metrics of running trials that were not asked to end."""
        return {
            trial.task.number: trial.prepared.meter
            for program, trial in self.running.items()
            if trial.prepared.meter and not program.supervisor.stopped_by
        }

    def prune(self) -> None:
        """Asks the running trials to end that are not worth going on."""
        if self.pool.ends or not self.watch.is_active:
            return
        programs = {trial.task.number: program for program, trial in self.running.items()}
        for number, step in self.watch.find_hopeless(self.meters, self.trials):
            # a program that ended by itself keeps its own end
            if programs[number].process.poll() is None:
                programs[number].supervisor.ask_to_end(SIGTERM)
                self.pruned[number] = step

    @property
    def is_stopping(self) -> bool:
        """Returns whether no other trial is to be started."""
        self.pool.read_signals()
        is_over = self.time_left is not None and self.time_left <= 0
        return bool(self.pool.ends or self.fault or is_over or self.attempt.live.is_asked_to_end_softly)

    @property
    def time_left(self) -> float | None:
        """Returns the seconds until the time of the pipeline ends; None without a limit."""
        deadline = self.launch.parent.deadline if self.launch.parent else None
        return None if deadline is None else deadline - time.monotonic()

    @property
    def trial_launch(self) -> LaunchRequest:
        """Returns the request for a trial that starts now: it ends when the time of the pipeline does."""
        if self.time_left is None:
            return self.launch
        own = self.launch.request.stop_after
        # zero would mean no limit
        limit = max(min(self.time_left, own if own is not None else self.time_left), 0.01)
        return replace(self.launch, request=replace(self.launch.request, stop_after=limit))

    def start(self, task: Task) -> bool:
        """Begins a trial and starts its program, or records why that is not possible. Returns false if it cannot begin now."""
        with ExitStack() as stack:
            try:
                gpus = self.gpus.acquire(stack) if self.gpus else ""
                if gpus is None:
                    self.report_wait()
                    return False
                decision = self.decide_trial(task, gpus)
                if isinstance(decision, Skip):
                    self.reuse(task, decision)
                    return True
                begun = self.begin(decision)
            except GitrunError as error:
                self.refuse(task, error)
                return True
            if begun is None:
                return False
            stack.enter_context(begun.attempt)
            self.trials[task.number] = Trial(
                task.number, decision.plan.flags, RUNNING, begun.attempt.run_id, attrs=task.point.attrs,
                tree=decision.plan.source.tree,
            )  # fmt: skip
            self.report(self.STARTED, self.trials[task.number])
            self.start_program(task, begun, stack)
        return True

    def start_program(self, task: Task, begun: BegunTrial, stack: ExitStack) -> None:
        """Starts the program of a trial, or records why that is not possible. Takes what the stack holds."""
        attempt, streams = begun.attempt, self.streams_of(task)
        executor = replace(begun.executor, signals=self.signals)
        if streams:
            executor = replace(executor, session=replace(executor.session, stdout=streams[0], stderr=streams[1]))
        prepared = executor.prepare(attempt, stack)
        trial = RunningTrial(task, attempt, executor, prepared, streams, stack.pop_all())
        if prepared.command is None:
            self.finish_unstarted(trial, prepared.failed or interrupted_before_start(), is_lost=prepared.is_lost)
            return
        self.watch.begin(task.number, prepared.meter)
        both = (executor.session.stdout, executor.session.stderr)
        try:
            self.running[self.programs.start(prepared.command, attempt.live.output, both)] = trial
        except (CannotRun, OSError) as error:
            self.finish_unstarted(trial, failed_to_start(executor.session, error), is_lost=isinstance(error, OSError))

    def finish_unstarted(self, trial: RunningTrial, failed: Outcome, *, is_lost: bool) -> None:
        """Records a trial whose program did not start. If the program is not to blame, ends the batch.

        A restart then runs the trial: it is interrupted, and has not failed.
        """
        if is_lost:
            self.fault = f"trial {trial.task.number} cannot start: {failed.reason}"
            failed = replace(failed, status=TERMINATED)
        try:
            self.finish(trial, failed)
        except (GitFailed, StaleRun) as error:
            self.end_batch(trial.task.number, "cannot be recorded", error)

    def streams_of(self, task: Task) -> tuple[Stream, Stream] | None:
        """Returns the streams that show the output of a trial; None for those of the batch."""
        # stdout has the events then
        if self.launch.request.quiet_trials or self.launch.prompts.report:
            return NoStream(), NoStream()
        if self.jobs == 1:
            return None
        prefix = f"#{task.number} "
        return PrefixedStream(self.session.stdout, prefix), PrefixedStream(self.session.stderr, prefix)

    def report_wait(self) -> None:
        """Tells the user, once, that a trial waits for a GPU."""
        if self.gpus and not self.has_waited:
            self.has_waited = True
            self.session.say(f"note: waiting for a free GPU of {','.join(self.gpus.names)}: other batches use them")

    def decide_trial(self, task: Task, gpus: str) -> Decision | Skip:
        """Returns the decision to run a trial, or to skip it because a run has these flags. Raises GitrunError."""
        launch, decision = self.launch, self.decision
        if task.point.commit:
            decision = self.decide_commit(task.point.commit.commit)
        if decision.plan_trial is None:
            raise CannotRun("the run is no batch")
        plan = decision.plan_trial(task.point.flags, stamp_now())
        seed = plan.params.random_seed if task.seed is None else task.seed
        plan = replace(
            plan, batch=self.attempt.run_id, trial=task.number, sampler=task.point.attrs, given=decision.plan.given,
            clean=False, params=replace(plan.params, gpus=gpus or plan.params.gpus, random_seed=seed),
        )  # fmt: skip
        if decision.plan.basis and task.point.commit is None:
            # all trials use the same runs, whatever runs appear while the batch runs
            plan = replace(plan, basis=replace(plan.basis or NO_BASIS, needs=decision.plan.basis.needs))
        with Objects(self.session.git) as objects:
            if task.run is None and not launch.parent and (skip := lifecycle.decide.skip_reason(launch, objects, plan)):
                return skip
            plan = lifecycle.decide.with_needs(self.session, objects, launch.request, plan)
            if task.run is None and launch.parent and (skip := lifecycle.decide.step_skip_reason(launch, objects, plan)):
                return skip
        return Decision(plan, decision.snapshot, task.run, decision.locks)

    def refuse(self, task: Task, error: GitrunError) -> None:
        """Says why a trial cannot start. That ends the batch, unless only the commit of this trial is the reason."""
        where = f" at commit {short_id(task.point.commit.commit)}" if task.point.commit else ""
        self.session.say(f"error: trial {task.number}{where} cannot start: {error}")
        if task.point.commit is None or not isinstance(error, UsageError | CannotRun):
            self.fault = f"trial {task.number}: {error.message}"
            return
        if task.run is None:
            tree = task.point.commit.tree
            self.trials[task.number] = Trial(task.number, task.point.flags, ERROR, tree=tree, reason=error.message)
            self.report(TRIAL_REFUSED, self.trials[task.number], reason=error.message)
        for words in self.check_failures():
            self.session.say(words)

    def reuse(self, task: Task, skip: Skip) -> None:
        """Counts an earlier run as this trial."""
        trial = reused_trial(task.number, skip.run, self.definition.objectives)
        if self.definition.prune:
            trial = next(read_knowledge(self.session, [(trial, skip.run)], self.definition))
        self.trials[task.number] = trial
        append_reused(self.attempt.live.trials, task.number, skip.run.id)
        self.session.say(f"#{task.number} skipped: run {short_id(skip.run.id)} has these flags")
        self.report(TRIAL_REUSED, trial)

    def record(self, trial: RunningTrial, program: RunningProgram) -> None:
        """Records a trial whose program has ended."""
        self.finish(trial, trial.executor.report_end(program.finish()))

    def finish(self, trial: RunningTrial, ended: Outcome) -> None:
        """Records the end of a trial, gives its slot back, and tells the user; or holds all this until the next one begins.

        Raises GitFailed or StaleRun.
        """
        for stream in trial.streams or ():
            if isinstance(stream, PrefixedStream):
                stream.close()
        step = self.pruned.pop(trial.task.number, None)
        if step is not None and ended.status == TERMINATED:
            ended = replace(ended, pruned=step, reason=f"pruned at step {step}")
        self.record_held()
        with trial.stack as stack:
            execution = trial.executor.conclude(trial.prepared, trial.attempt, ended, self.signals)
            if result := self.prepare(trial.attempt, execution):
                self.hold(HeldTrial(replace(trial, stack=stack.pop_all()), execution, result))
                return
            outcome = record_end(trial.attempt, execution)
        self.note_end(EndedTrial(trial.task, trial.attempt.run_id), outcome)

    def prepare(self, attempt: AttemptHandle, execution: Execution) -> PreparedResult | None:
        """Returns the result of a trial, for the begin of the next one to record it too; None if it is to be recorded now."""
        request = self.launch.request
        # the next trial needs this one, or takes a while to be proposed, or is labelled in a step of its own
        needs_it = request.compares or self.launch.parent or self.gpus or self.definition.learns
        if needs_it or request.has_annotations or self.is_stopping:
            return None
        try:
            return prepare_end(attempt, execution)
        except (GitFailed, StaleRun, OSError):  # what is recorded alone is tried again
            return None

    def hold(self, held: HeldTrial) -> None:
        """Notes how a trial has ended that is not recorded yet."""
        self.held = replace(held, words=self.note_outcome(held.trial.task.number, held.result.collected.outcome))

    def record_held(self) -> None:
        """Records the trial that is held, if there is one, and tells the user."""
        if self.held:
            self.end_held(record_prepared)

    def end_held(self, end: Callable[[PreparedResult, Execution], Outcome]) -> None:
        """Ends the trial that is held with this function, and tells the user. Ends the batch if that is not possible."""
        held, self.held = self.held, None
        if held is None:
            return
        task, attempt = held.trial.task, held.trial.attempt
        try:
            with held.trial.stack:
                outcome = end(held.result, held.execution)
        except (GitFailed, StaleRun) as error:  # its live record stays, for the next command to record it
            self.trials[task.number] = replace(self.trials[task.number], status=RUNNING, values=())
            self.end_batch(task.number, "cannot be recorded", error)
        else:
            self.announce_end(EndedTrial(task, attempt.run_id), outcome, held.words)

    def begin(self, decision: Decision) -> BegunTrial | None:
        """Begins a trial, and records the one that is held with it. None if that ends the batch. Raises GitrunError."""
        if self.held and decision.run is None:
            with suppress(GitFailed, StaleRun):  # either of them may be the reason: both are tried again, one by one
                begun = self.begin_trial(replace(self.trial_launch, ended=self.held.result), decision)
                self.end_held(end_recorded)
                return begun
        self.record_held()
        return None if self.is_stopping else self.begin_trial(self.trial_launch, decision)

    def note_end(self, trial: EndedTrial, outcome: Outcome) -> None:
        """Notes how a recorded trial has ended, tells the user, and ends the batch if it cannot succeed."""
        self.announce_end(trial, outcome, self.note_outcome(trial.task.number, outcome))

    def note_outcome(self, number: int, outcome: Outcome) -> list[str]:
        """Notes how a trial has ended, and ends the batch if it cannot succeed. Returns what the user must know."""
        before = self.trials[number]
        values = objective_values(outcome.metrics, self.definition.objectives) if outcome.status == COMPLETED else ()
        status = outcome.status if outcome.pruned is None else PRUNED
        self.trials[number] = replace(before, status=status, values=values)
        if self.watch.is_active:
            # as a restart reads it: the same trials must be pruned then
            with Objects(self.session.git) as objects:
                series = read_series(objects, run_ref(before.run_id), self.definition.objectives[0].metric)
            self.trials[number] = replace(self.trials[number], series=series)
        self.pace.note_end(time.monotonic())
        return self.check(number, outcome)

    def announce_end(self, trial: EndedTrial, outcome: Outcome, words: Sequence[str]) -> None:
        """Tells the user, and a program that drives the batch, about a trial that has ended."""
        now = self.trials[trial.task.number]
        self.session.say(describe_trial(now, trial, outcome, self.definition, self.queue.points.names))
        self.report(TRIAL_ENDED, now, outcome=outcome, host=trial.host)
        for line in words:
            self.session.say(line)

    def report(self, name: str, trial: Trial | None = None, **details: Any) -> None:  # noqa: ANN401 - fields of an event
        """Tells a program that drives the batch what happened, if there is one."""
        if self.launch.prompts.report:
            self.launch.prompts.report(BatchEvent(name, self.attempt.run_id, datetime.now(timezone.utc), trial, **details))

    def check(self, number: int, outcome: Outcome) -> list[str]:
        """Ends the batch if the trial shows that it cannot succeed. Returns what the user must know."""
        if outcome.status == ERROR:
            return self.check_failures()
        if outcome.status != COMPLETED or not self.definition.objectives or self.trials[number].values:
            return []
        # an older commit may have other metrics
        completed = sum(trial.status == COMPLETED for trial in self.trials.values())
        is_first = completed == 1 and not self.definition.commits
        words, fault = explain_no_value(number, outcome, self.definition.objectives, self.attempt.run_id if is_first else "")
        self.fault = fault or self.fault
        return words

    def check_failures(self) -> list[str]:
        """Ends the batch after a failed trial if the user wants that. Returns a warning if the first trials failed."""
        ended = [trial for trial in self.trials.values() if trial.status in COUNTED]
        if self.launch.request.fail_fast:
            self.fault = "a trial failed"
        if len(ended) != FIRST_TRIALS or any(trial.status == COMPLETED for trial in ended):
            return []
        return [
            f"warning: the first {FIRST_TRIALS} trials failed. To stop the batch: git run stop {short_id(self.attempt.run_id)}"
        ]

    def find_targets(self) -> list[RunningProgram] | None:
        """Returns the programs of trials that `git run stop` was asked to end; None if the whole batch is to end."""
        if self.attempt.live.is_asked_to_end:
            return None
        programs = [program for program, trial in self.running.items() if trial.attempt.live.is_asked_to_end]
        # a trial that has just ended may be meant
        return programs if self.held and self.held.trial.attempt.live.is_asked_to_end else programs or None

    def conclude(self, begun: datetime, duration: float) -> Outcome:
        """Returns the outcome of the batch."""
        trials = tuple(self.trials[number] for number in sorted(self.trials))
        objectives = self.definition.objectives
        counts = count_batch(self.definition, trials, max(self.total, len(trials)))
        status, code, reason = COMPLETED, 0, ""
        if self.pool.ends:
            status, code, reason = TERMINATED, -self.pool.ends[0], "stopped"
        elif self.fault:
            status, code, reason = ERROR, 1, self.fault
        elif counts.pending and self.time_left is not None and self.time_left <= 0:
            # like a program that SIGTERM ended at its time limit
            status, code, reason = TERMINATED, -SIGTERM, "it ran longer than --stop-after"
        elif counts.pending and self.attempt.live.is_asked_to_end_softly:
            # what has no trial left to start is complete
            status, code, reason = TERMINATED, -SIGTERM, "stopped"
        elif self.definition.commits and objectives and counts.completed and not any(trial.values for trial in trials):
            status, code, reason = ERROR, 1, f"no trial has the metric '{objectives[0].metric}'"
            self.session.say(f"error: {reason}")
        elif trials and not counts.completed:
            code, reason = 1, "no trial completed"
        words = describe_end(counts, self.definition)
        if status == TERMINATED and (counts.pending or counts.terminated):
            words += f". To go on: git run --restart {short_id(self.attempt.run_id)}"
        self.session.say(words)
        trials, stopped = with_tips(self.session, trials), datetime.now(timezone.utc)
        return Outcome(status, code, begun, stopped, duration, reason=reason, counts=counts, trials=trials)
