"""A search that a Python program steers: it asks for a trial, and runs it or computes its value itself.

The search is a batch like any other, whose supervisor is that program. Each trial is recorded when it has ended, so the batch
can be left or killed at any point, and a restart goes on with it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

from gitrun import lifecycle, workspace
from gitrun.dataclass import replace
from gitrun.errors import BadValue, CannotRun, CannotStart, UsageError
from gitrun.lifecycle.attempt import record_end
from gitrun.lifecycle.batch import BatchExecutor
from gitrun.lifecycle.batch_trials import objective_values
from gitrun.lifecycle.decide import Decision, Prompts, stamp_now
from gitrun.lifecycle.executor import Execution, interrupted_before_start
from gitrun.log import append_line
from gitrun.model.batch import Trial
from gitrun.model.plan import Outcome, Request
from gitrun.model.run import COMPLETED, RUNNING, TERMINATED, VALUE, short_id
from gitrun.model.text import number_text
from gitrun.model.values import format_value
from gitrun.process.signals import Signals, handle_order
from gitrun.store.attempts import Collected
from gitrun.store.live import Owner, process_birth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import TypeAlias

    from gitrun.lifecycle.batch import BatchRunner
    from gitrun.lifecycle.trial_queue import Task
    from gitrun.model.batch import Batch
    from gitrun.model.flags import Flags
    from gitrun.model.plan import Plan
    from gitrun.model.run import Run
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.session import Session

    GivenValue: TypeAlias = "float | Sequence[float] | Mapping[str, float]"

LEFT = "the search was left before its last trial"


class SearchedProject(Protocol):
    """The project that a search belongs to: what a search needs of `Project`."""

    def recover(self) -> None:
        """Finishes runs whose supervisor died."""

    def session(self) -> Session:
        """Returns the session of one command."""

    def find(self, name: str) -> Run:
        """Returns the run of that name. Raises UnknownRun."""

    def read_batch(self, run: Run) -> Batch:
        """Returns a batch, given by its own run. Raises BadRun."""


class SearchTrial:
    """A trial that a search proposes. `number` counts from 1 and stays for life; `flags` are all flags of its run.

    Evaluate it once: by `run`, or by `tell`.
    """

    def __init__(self, search: Search, task: Task, flags: Flags) -> None:
        self.number, self.flags = task.number, flags
        self._search, self._task, self._asked = search, task, datetime.now(timezone.utc)

    def __repr__(self) -> str:
        return f"SearchTrial(number={self.number}, flags={dict(self.flags)!r})"

    def run(self) -> Run:
        """Runs the trial to its end, as a run of the batch, and tells the search its result. Returns the run.

        A failing program raises nothing: see `status`. Raises and handles signals as `Project.run` does.
        """
        return self._search.run_trial(self._task)

    def tell(self, value: GivenValue) -> Run:
        """Records a value that the caller has computed for these flags, and tells the search. Returns the run.

        `value` is a number, a number for each metric that the search is after, or a mapping from names of metrics to numbers.
        NaN says that there is no value. The run has kind `value`, operation `<operation> (value)` and no exit status: nothing
        was run for it, so it cannot be restarted or verified, and `needed` never counts it. Raises UsageError.
        """
        return self._search.record_value(self._task, value, self._asked)


class Search:
    """A batch whose trials the caller asks for one at a time: a `for` loop, or `ask` in the cells of a notebook.

    Leaving the loop, or the `with`, records the batch. Asking again goes on with it, as a restart does.
    """

    def __init__(self, project: SearchedProject, request: Request) -> None:
        self._project, self._request = project, request
        self._runner: BatchRunner | None = None
        self._attempt: AttemptHandle | None = None
        self._stack = ExitStack()
        self._is_done = False
        self._stopped = 0
        self._begun, self._clock = datetime.now(timezone.utc), 0.0
        self._waiting: dict[int, Trial | None] = {}
        """Trials that were asked for and not evaluated, with what they were before."""
        self.id = ""
        """The id of the batch; empty before the first trial was asked for."""

    def __iter__(self) -> Iterator[SearchTrial]:
        try:
            while (trial := self.ask()) is not None:
                yield trial
        finally:
            self.close()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def batch(self) -> Batch:
        """Returns the batch with its trials so far. Raises UsageError before the first trial was asked for."""
        if not self.id:
            raise UsageError("the search has not begun", "To begin it: search.ask()")
        return self._project.read_batch(self._project.find(self.id))

    def ask(self) -> SearchTrial | None:
        """Returns the next trial. None if there are no more, or `git run stop` ended the search. Raises GitrunError."""
        if self._is_done:
            return None
        runner = self._runner or self._begin()
        task = None if runner.is_stopping or self._stopped else next(runner.tasks, None)
        if task is None:
            self._is_done = True
            self.close()
            return None
        flags = decide_task(runner, task).plan.flags
        self._waiting[task.number] = runner.trials.get(task.number)
        # what is evaluated at the moment counts for the next proposal
        runner.trials[task.number] = Trial(task.number, flags, RUNNING, task.run.id if task.run else "", attrs=task.point.attrs)
        return SearchTrial(self, task, flags)

    def close(self) -> None:
        """Records the end of the batch. Trials that were not evaluated are no part of it. A second call does nothing."""
        runner, attempt = self._runner, self._attempt
        if runner is None or attempt is None:
            return
        self._runner = self._attempt = None
        for number, before in self._waiting.items():
            runner.trials.pop(number)
            runner.trials |= {number: before} if before else {}
        self._waiting.clear()
        if self._stopped:
            runner.pool.ends.append(self._stopped)
        with self._stack:
            outcome = runner.conclude(self._begun, time.monotonic() - self._clock)
            if outcome.status == COMPLETED and outcome.counts and outcome.counts.pending and not self._is_done:
                # like a program that SIGTERM ended
                outcome = replace(outcome, status=TERMINATED, exit_status=-signal.SIGTERM, reason=LEFT)
            record_end(attempt, Execution(outcome, runner.signals, lambda: Collected(outcome, {})))

    def run_trial(self, task: Task) -> Run:
        """Runs a trial, as `SearchTrial.run` does."""
        runner = self._take(task)
        rest, runner.tasks = runner.tasks, iter((task,))
        with runner.signals:
            runner.run_trials()
        runner.tasks = rest
        if runner.pool.ends and self._is_asked_to_end and not runner.trials[task.number].run_id:
            record_unstarted(runner, task)
        trial = runner.trials[task.number]
        if runner.pool.ends:
            self._end_caller(runner.pool.ends[-1])
        if not trial.run_id:
            raise CannotStart(runner.fault or f"trial {task.number} did not start")
        return self._project.find(trial.run_id)

    def record_value(self, task: Task, value: GivenValue, asked_at: datetime) -> Run:
        """Records the value of a trial, as `SearchTrial.tell` does. `asked_at` is the time at which the trial was proposed."""
        runner = self._runner
        metrics = read_metrics(value, [one.metric for one in runner.definition.objectives] if runner else [])
        runner = self._take(task)
        decision = decide_task(runner, task)
        plan = value_plan(decision.plan)
        begun = lifecycle.launch.begin_trial(runner.launch, replace(decision, plan=plan))
        with begun.attempt as attempt:
            outcome = record_metrics(runner, attempt, metrics, asked_at)
        values = objective_values(outcome.metrics, runner.definition.objectives)
        runner.trials[task.number] = Trial(task.number, plan.flags, COMPLETED, attempt.run_id, values, attrs=task.point.attrs)
        space = " ".join(f"{name}={format_value(plan.flags[name])}" for name in sorted(task.point.flags))
        text = "  ".join(f"{name}={number_text(number)}" for name, number in metrics.items())
        runner.session.say(f"#{task.number}  {short_id(attempt.run_id)}  {space}  value given  {text}")
        return self._project.find(attempt.run_id)

    def _begin(self) -> BatchRunner:
        """Begins the batch, or goes on with it. Raises GitrunError."""
        self._project.recover()
        request = Request(restart=self.id, needs_batch=True) if self.id else self._request
        with ExitStack() as stack:
            begun = stack.enter_context(lifecycle.launch.begin_request(self._project.session(), request, Prompts()))
            if not isinstance(begun, lifecycle.launch.BegunAttempt):
                raise CannotRun("the search is not needed")
            attempt = stack.enter_context(begun.attempt)
            self.id = attempt.run_id
            lifecycle.launch.introduce(begun)
            executor = lifecycle.launch.executor_for(begun)
            if not isinstance(executor, BatchExecutor):
                raise CannotRun("the run is no batch")
            runner = stack.enter_context(executor.open_runner(attempt, Signals()))
            stack.enter_context(handle_order(lambda number: self._keep_order(attempt, number)))
            self._stack = stack.pop_all()
        self._begun, self._clock = datetime.now(timezone.utc), time.monotonic()
        self._runner, self._attempt = runner, attempt
        runner.announce()
        return runner

    def _take(self, task: Task) -> BatchRunner:
        """Returns the runner, and removes the trial from those that wait. Raises UsageError unless the trial waits."""
        if self._runner is None or task.number not in self._waiting:
            reason = "has ended already" if self._runner else "belongs to a search that has ended"
            raise UsageError(f"trial {task.number} {reason}", "To get the next trial: search.ask()")
        del self._waiting[task.number]
        return self._runner

    def _keep_order(self, attempt: AttemptHandle, number: int) -> bool:
        """Notes that `git run stop` asked the batch to end. Returns whether it did: any other order is for the caller."""
        if attempt.live.is_asked_to_end:
            self._stopped = number
        return bool(self._stopped)

    @property
    def _is_asked_to_end(self) -> bool:
        """Returns whether `git run stop` asked this search to end, and not its caller."""
        return self._attempt is not None and self._attempt.live.is_asked_to_end

    def _end_caller(self, number: int) -> None:
        """Records the batch, and gives a signal that ended a trial its usual effect on this process."""
        is_ours = self._is_asked_to_end
        self._is_done = True
        self.close()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if not is_ours:
            signal.raise_signal(number)


def decide_task(runner: BatchRunner, task: Task) -> Decision:
    """Returns the plan of a trial with its source. Raises GitrunError."""
    decision = runner.decide_commit(task.point.commit.commit) if task.point.commit else runner.decision
    if decision.plan_trial is None:
        raise CannotRun("the run is no batch")
    plan = replace(
        decision.plan_trial(task.point.flags, stamp_now()), batch=runner.attempt.run_id, trial=task.number,
        sampler=task.point.attrs, given=decision.plan.given, clean=False,
    )  # fmt: skip
    return Decision(plan, decision.snapshot, task.run)


def record_unstarted(runner: BatchRunner, task: Task) -> None:
    """Records a trial that `git run stop` came before: its caller waits for a run."""
    begun = lifecycle.launch.begin_trial(runner.launch, decide_task(runner, task))
    outcome = replace(interrupted_before_start(), exit_status=-runner.pool.ends[-1])
    with begun.attempt as attempt:
        record_end(attempt, Execution(outcome, runner.signals, lambda: Collected(outcome, {})))
    runner.trials[task.number] = replace(runner.trials[task.number], run_id=attempt.run_id, status=outcome.status)


def value_plan(plan: Plan) -> Plan:
    """Returns the plan of a trial whose value is given: it has the flags and the source, and nothing that would run."""
    return replace(
        plan, operation=f"{plan.operation} (value)", kind=VALUE, command=(), arguments=(), positions=(), constants={},
        config_values={}, notices=(), definition=None, basis=None, clean=True,
    )  # fmt: skip


def read_metrics(value: object, objectives: Sequence[str]) -> dict[str, float]:
    """Returns the metrics that a value gives: a number, one for each objective, or a mapping. Raises BadValue, UsageError."""
    if not isinstance(value, dict):
        numbers = list(value) if isinstance(value, list | tuple) else [value]
        if not objectives:
            raise UsageError("the search is after no metric, so the value has no name", 'To name it: tell({"loss": 0.3})')
        if len(numbers) != len(objectives):
            raise BadValue(f"the search needs {len(objectives)} numbers: {', '.join(objectives)}")
        value = dict(zip(objectives, numbers, strict=True))
    # numbers of numpy and torch give a float, a bool is none
    values: dict[str, Any] = {str(name): one for name, one in value.items()}
    metrics = {name: float(one) for name, one in values.items() if is_number(one)}
    if missing := next((name for name in (*values, *objectives) if name not in metrics), None):
        raise BadValue(f"the value of {missing} must be a number, not {values.get(missing)!r:.60}", 'No value: float("nan")')
    return metrics


def is_number(value: object) -> bool:
    """Returns whether a value is a number, also one of numpy or torch."""
    if isinstance(value, bool | str | bytes):
        return False
    return isinstance(value, Real) or hasattr(value, "__float__")


def record_metrics(runner: BatchRunner, attempt: AttemptHandle, metrics: Mapping[str, float], asked_at: datetime) -> Outcome:
    """Records the given metrics as the result of the attempt, as a program's own log of them. Returns the outcome."""
    session, pid = runner.session, os.getpid()
    owner = Owner(pid, process_birth(pid), attempt.id, str(session.git.worktree or ""), in_place=True, started=time.time())
    attempt.live.record(owner)
    append_line(str(attempt.live.metrics), json.dumps({**metrics, "step": 0}).encode() + b"\n")
    now = datetime.now(timezone.utc)
    outcome = Outcome(
        COMPLETED, 0, asked_at, now, (now - asked_at).total_seconds(), reason="its caller computed the value", is_value=True
    )
    collected = workspace.metrics.collect_metrics(attempt.live, outcome, None, session.say)
    return record_end(attempt, Execution(outcome, runner.signals, lambda: Collected(replace(outcome, metrics=collected), {})))
