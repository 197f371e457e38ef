"""Runs the steps of an operation in order. Each step is a run of its own, with the source and the flags of the whole."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, Protocol

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitrunError
from gitrun.git.objects import Objects
from gitrun.lifecycle.decide import Prompts
from gitrun.lifecycle.executor import Execution
from gitrun.lifecycle.parent import ParentRun, StepSignals
from gitrun.lifecycle.step_checks import varies
from gitrun.model import record_files
from gitrun.model.plan import Outcome, Request, Skip, StartedRun
from gitrun.model.provenance import StepRun, read_steps
from gitrun.model.run import BATCH, COMPLETED, ERROR, TERMINATED, Run, short_id
from gitrun.model.text import ending_text
from gitrun.source.declared_flags import read_declaration
from gitrun.source.operations import step_operation
from gitrun.source.source_tree import open_source
from gitrun.store.attempts import Collected
from gitrun.store.index import Index
from gitrun.store.live import Owner, process_birth
from gitrun.store.refs import tip_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from gitrun.git.exe import Git
    from gitrun.lifecycle.decide import Decision, LaunchRequest
    from gitrun.model.entry import Step
    from gitrun.process.streams import Stream
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.session import Session

SKIPPED = "skipped"


class StartStep(Protocol):
    """Starts a run, as `launch.start` does."""

    def __call__(self, session: Session, request: Request, prompts: Prompts, parent: ParentRun) -> StartedRun | Skip:
        """Returns the run with its outcome, or the reason to skip it. Raises GitrunError."""


class Tee:
    """A stream that also writes to a file what it shows."""

    def __init__(self, stream: Stream, file: BinaryIO) -> None:
        self._stream, self._file = stream, file

    def write(self, data: bytes) -> None:
        """Writes the bytes to both. Raises BrokenPipeError if the stream has no reader left."""
        self._file.write(data)
        self._stream.write(data)

    def offer(self, data: bytes | memoryview) -> int:
        """Writes what the stream accepts without blocking, to both. Returns the number of bytes."""
        # the caller offers the rest again, so the file gets each byte once
        taken_bytes = self._stream.offer(data)
        self._file.write(data[:taken_bytes])
        return taken_bytes

    def descriptor(self) -> int | None:
        """Returns the stream's descriptor."""
        return self._stream.descriptor()


@dataclass(frozen=True, slots=True)
class StepsExecutor:
    """Runs the steps of a pipeline, each as a run of its own, in place of a program. `start` starts a step."""

    launch: LaunchRequest
    decision: Decision
    start: StartStep

    @contextmanager
    def run(self, attempt: AttemptHandle) -> Iterator[Execution]:
        """Runs the steps. Records their output as the output of the whole."""
        launch, session, outer = self.launch, self.launch.session, self.launch.parent
        pid, worktree = os.getpid(), str(session.git.worktree or "")
        attempt.live.record(Owner(pid, process_birth(pid), attempt.id, worktree, in_place=True, started=time.time()))
        signals, runs = (outer.signals, outer.runs) if outer else (StepSignals(), dict[str, str]())
        names = self.decision.plan.given
        parent = ParentRun(self.decision.snapshot, attempt.run_id, signals, runs, attempt.live.journal, names)
        with nullcontext() if outer else signals, attempt.live.output.open("ab", buffering=0) as output:
            # steps are named relative to the top
            git = replace(session.git, prefix="")
            # steps have records of their own output; this one has all of it
            both = replace(session, git=git, stdout=Tee(session.stdout, output), stderr=Tee(session.stderr, output))
            outcome = replace(self, launch=replace(launch, session=both)).run_steps(attempt, parent)
            yield Execution(outcome, signals, lambda: Collected(outcome, {}))

    def run_steps(self, attempt: AttemptHandle, parent: ParentRun) -> Outcome:
        """Runs the steps until one fails, the time limit ends, or a signal asks to stop. Returns the outcome of the whole."""
        session, definition = self.launch.session, self.decision.plan.definition
        steps = definition.steps if definition else ()
        begun, clock = datetime.now(timezone.utc), time.monotonic()
        limit = self.launch.request.stop_after or (definition.stop_after if definition else None)
        runs_done: list[StepRun] = []
        earlier = earlier_steps(session, attempt)
        status, code, reason = COMPLETED, 0, ""
        for number, step in enumerate(steps):
            # a step may survive a Ctrl-C, but no other step must follow it
            parent.signals.read()
            if parent.signals.ends or attempt.live.is_asked_to_end_softly:
                status, code, reason = TERMINATED, -next(iter(parent.signals.ends), SIGTERM), "stopped"
                break
            session.say(f"step {number + 1} of {len(steps)}: {step.operation}")
            before = earlier[number] if number < len(earlier) and earlier[number].operation == step.operation else None
            seconds_left = limit - (time.monotonic() - clock) if limit else None
            try:
                request = self.step_request(step, before, parent.runs, seconds_left)
                deadline = clock + limit if limit else None
                run = self.run_step(request, replace(parent, operation=step.operation, deadline=deadline))
            except GitrunError as error:
                session.say(f"error: {error}")
                status, code, reason = ERROR, error.exit_code, f"step {step.operation}: {error.message}"
                break
            attempt.renew()  # a step may have removed what the journal is written into
            runs_done.append(StepRun(step.operation, run.run_id, run.outcome.status if run.outcome else SKIPPED))
            parent.record(runs_done[-1])
            parent.runs[step.operation] = run.run_id
            if run.outcome and (run.outcome.status != COMPLETED or run.outcome.exit_status):
                # a batch of which no trial completed has an exit status, too
                status, code = run.outcome.status if run.outcome.status != COMPLETED else ERROR, run.outcome.exit_status
                reason = f"step {step.operation}: {run.outcome.reason if run.outcome.status == COMPLETED else status}"
                break
            if seconds_left is not None and seconds_left <= 0 and number + 1 < len(steps):
                # like a program that SIGTERM ended at its time limit
                status, code, reason = TERMINATED, -15, "it ran longer than --stop-after"
                break
        stopped = datetime.now(timezone.utc)
        return Outcome(status, code, begun, stopped, time.monotonic() - clock, reason=reason, steps=tuple(runs_done))

    def run_step(self, request: Request, parent: ParentRun) -> StartedRun:
        """Starts the run of a step. A step that is not needed has its earlier run, and no outcome. Raises GitrunError."""
        session = self.launch.session
        started = self.start(session, request, Prompts(self.launch.prompts.confirm), parent)
        if isinstance(started, Skip):
            session.say(f"skipped: run {short_id(started.run.id)} has these flags")
            return StartedRun(started.run.id, None)
        if outcome := started.outcome:
            session.say(f"run {short_id(started.run_id)} {ending_text(outcome.status, outcome.exit_status, outcome.duration)}")
        return started

    def step_request(self, step: Step, before: StepRun | None, runs: Mapping[str, str], seconds_left: float | None) -> Request:
        """Builds the request for a step: its own flags, the flags of the whole that it accepts, and the runs of earlier steps.

        `before` is the step's run in the previous attempt, which is restarted. `runs` maps operations to the runs so far.
        `seconds_left` is the time left in seconds.
        """
        request, plan, git = self.launch.request, self.decision.plan, self.launch.session.git
        with Objects(git) as objects:
            tree = open_source(objects, plan.source.whole)
            operation = step_operation(tree, step.operation)
            declaration = read_declaration(tree, operation)
            is_batch = varies(git, declaration, step, force=plan.params.force_flags)
            declared = declaration.with_values()
        names = {flag.name for flag in declared.flags or ()}
        flags: dict[str, object] = {name: value for name, value in plan.flags.items() if name in names}
        needs = {need.operation for need in operation.definition.needs} if operation.definition else set()
        flags |= {name: run_id for name, run_id in runs.items() if name in needs}
        options: dict[str, Any] = dict(step.options)
        # flags of the step win over those of the whole
        flags |= dict(step.flags)
        own = operation.definition.stop_after if operation.definition else None
        limit = min((one for one in (seconds_left, own) if one), default=None) if seconds_left is not None else None
        # a skipped step used another run, which gets no new attempt; a deleted run has no ref
        again = before.run_id if before and before.status != SKIPPED and is_restartable(git, before.run_id, is_batch) else None
        return Request(
            operation=None if again else step.operation, restart=again, flags=flags, needed=request.needed,
            needed_source=request.needed_source,
            force_sourcecode=bool(again) and request.force_sourcecode, clean=bool(again) and request.clean,
            in_place=request.in_place, no_link=request.no_link, outputs=plan.params.output,
            # zero would mean no limit
            stop_after=max(limit, 0.01) if limit is not None else None,
            background=request.background, force_flags=request.force_flags, gpus=plan.params.gpus,
            no_gpus=plan.params.no_gpus or None, random_seed=plan.params.random_seed,
            metrics=plan.params.metrics or None, at=None if again else request.at, **options,
        )  # fmt: skip


def is_restartable(git: Git, run_id: str, is_batch: bool) -> bool:  # noqa: FBT001 - what the step is now
    """Returns whether the run of a step is still there, and is a batch exactly if the step is one now."""
    if tip_of(git, run_id) is None:
        return False
    with Index(git) as index:
        run = index.get(run_id)
    return isinstance(run, Run) and (run.attempt.kind == BATCH) == is_batch


def earlier_steps(session: Session, attempt: AttemptHandle) -> tuple[StepRun, ...]:
    """Returns the steps that the previous attempt ran."""
    if not attempt.earlier:
        return ()
    with Objects(session.git) as objects:
        results = (objects.read(f"{attempt.id}^{number}:{record_files.RESULT}") for number in (2, 1))
        result = next((one for one in results if one), None)
    return read_steps(result.data) if result and result.data is not None else ()
