"""Runs the steps of an operation in order. Each step is a run of its own, with the source and the flags of the whole."""

from __future__ import annotations

import json
import os
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun import lifecycle, source
from gitrun.errors import GitrunError
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.flags import Flags, resolve_flags
from gitrun.model.plan import Outcome, Request, Skip
from gitrun.model.provenance import StepRun, read_steps
from gitrun.model.run import COMPLETED, ERROR, RUNNING, TERMINATED, short_id
from gitrun.model.text import ending_text
from gitrun.process.signals import INTERRUPTS, ORDERS, Signals
from gitrun.source.declared_flags import read_declaration
from gitrun.source.operations import step_operation
from gitrun.source.reach import find_lost_flags, require_reach
from gitrun.source.source_tree import open_source
from gitrun.store.attempts import Collected
from gitrun.store.live import Owner, birth_of
from gitrun.store.refs import tip_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from gitrun.lifecycle.decide import Decision, LaunchRequest
    from gitrun.model.entry import Definition, Step
    from gitrun.model.plan import Plan
    from gitrun.process.streams import Stream
    from gitrun.source.snapshot import Snapshot
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.session import Session

SKIPPED = "skipped"
JOURNAL = "steps.jsonl"


class StepSignals(Signals):
    """Signals that remember requests to end: a program may survive one, but its pipeline stops."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[int] = []

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that have arrived."""
        found = super().read()
        self.ends += [number for number, _ in found if number in (*INTERRUPTS, *ORDERS)]
        return found


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The inheritance of a step from the run it is a part of: the source, the id of the run, and its signals.

    `made` maps operations to the runs of the steps so far. `journal` is the file that records them in case gitrun dies.
    `given` names the flags of the whole that the user typed.
    """

    snapshot: Snapshot
    parent: str
    signals: StepSignals
    made: dict[str, str]
    journal: Path
    given: tuple[str, ...] = ()

    def begins(self, operation: str, run: str) -> None:
        """Records that the run of a step has begun."""
        self.note(StepRun(operation, run, RUNNING))

    def note(self, step: StepRun) -> None:
        """Records the state of a step in the journal."""
        with self.journal.open("a") as file:
            file.write(json.dumps([step.operation, step.run_id, step.status]) + "\n")


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
        taken = self._stream.offer(data)
        self._file.write(data[:taken])
        return taken

    def descriptor(self) -> int | None:
        """Returns the stream's descriptor."""
        return self._stream.descriptor()


def perform_steps(launch: LaunchRequest, ready: Decision, started: AttemptHandle) -> Outcome:
    """Runs the steps of an attempt and records its result. Raises GitrunError if recording fails.

    The caller holds the lock of the attempt.
    """
    session, pid, begun = launch.session, os.getpid(), time.time()
    owner = Owner(pid, birth_of(pid), started.id, str(session.git.worktree or ""), in_place=True, started=begun)
    started.live.record(owner)
    heard = launch.within.signals if launch.within else StepSignals()
    made = launch.within.made if launch.within else {}
    within = ParentRun(ready.snapshot, started.run_id, heard, made, started.live.directory / JOURNAL, ready.plan.given)
    with nullcontext() if launch.within else heard, started.live.output.open("ab", buffering=0) as output:
        # steps are named relative to the top
        git = replace(session.git, prefix="")
        # steps have records of their own output; this one has all of it
        both = replace(session, git=git, stdout=Tee(session.stdout, output), stderr=Tee(session.stderr, output))
        outcome = run_steps(replace(launch, session=both), ready, started, within)
        started.live.record_end(outcome)

        def release(_: Outcome) -> None:
            # git run stop meant this run alone, not what its supervisor does next
            if started.live.is_asked_to_end:
                heard.order = 0

        started.finish(lambda: Collected(outcome, {}), release)
    return replace(outcome, ordered=heard.order)


def run_steps(launch: LaunchRequest, ready: Decision, started: AttemptHandle, within: ParentRun) -> Outcome:
    """Runs the steps until one fails, the time limit ends, or a signal asks to stop. Returns the outcome of the whole."""
    definition = ready.plan.definition
    steps = definition.steps if definition else ()
    begun, clock = datetime.now(timezone.utc), time.monotonic()
    limit = launch.request.stop_after or (definition.stop_after if definition else None)
    done: list[StepRun] = []
    earlier = earlier_steps(launch.session, started)
    status, code, reason = COMPLETED, 0, ""
    for place, step in enumerate(steps):
        # a step may survive a Ctrl-C, but no other step must follow it
        within.signals.read()
        if within.signals.ends:
            status, code, reason = TERMINATED, -within.signals.ends[0], "stopped"
            break
        launch.session.say(f"step {place + 1} of {len(steps)}: {step.operation}")
        before = earlier[place] if place < len(earlier) and earlier[place].operation == step.operation else None
        left = limit - (time.monotonic() - clock) if limit else None
        try:
            request = step_request(launch, ready, step, (before, within.made, left))
            found = run_step(launch, request, within)
        except GitrunError as error:
            launch.session.say(error.message + (f"; {error.hint}" if error.hint else ""))
            status, code, reason = ERROR, error.exit_code, f"step {step.operation}: {error.message}"
            break
        started.renew()  # a step may have removed what the journal is written into
        done.append(StepRun(step.operation, found[0], found[1].status if found[1] else SKIPPED))
        within.note(done[-1])
        within.made[step.operation] = found[0]
        if found[1] and found[1].status != COMPLETED:
            status, code, reason = found[1].status, found[1].exit_status, f"step {step.operation}: {found[1].status}"
            break
        if left is not None and left <= 0 and place + 1 < len(steps):
            status, code, reason = TERMINATED, -15, "it ran longer than --stop-after"
            break
    stopped = datetime.now(timezone.utc)
    return Outcome(status, code, begun, stopped, time.monotonic() - clock, reason=reason, steps=tuple(done))


def run_step(launch: LaunchRequest, request: Request, within: ParentRun) -> tuple[str, Outcome | None]:
    """Starts the run of a step. Returns its id and its outcome (None: the step was not needed). Raises GitrunError."""
    # imported late: starting imports this module
    found = lifecycle.launch.start(launch.session, request, lifecycle.decide.Prompts(launch.prompts.confirm), within)
    if isinstance(found, Skip):
        launch.session.say(f"skipped: run {short_id(found.run.id)} has these flags")
        return found.run.id, None
    run, outcome = found
    if outcome:
        launch.session.say(f"run {short_id(run)} {ending_text(outcome.status, outcome.exit_status, outcome.duration)}")
    return found


def step_request(
    launch: LaunchRequest, ready: Decision, step: Step, state: tuple[StepRun | None, Mapping[str, str], float | None]
) -> Request:
    """Builds the request for a step: its own flags, the flags of the whole that it accepts, and the runs of earlier steps.

    `state` has the step's run in the previous attempt, the runs so far by operation, and the seconds left. A step that
    ran in the previous attempt is restarted.
    """
    before, made, left = state
    asked, plan = launch.request, ready.plan
    with Objects(launch.session.git) as objects:
        tree = open_source(objects, plan.source.whole)
        operation = step_operation(tree, step.operation)
        declared = read_declaration(tree, operation).with_values()
    names = {flag.name for flag in declared.flags or ()}
    flags: dict[str, object] = {name: value for name, value in plan.flags.items() if name in names}
    needs = {need.operation for need in operation.definition.needs} if operation.definition else set()
    flags |= {name: run for name, run in made.items() if name in needs}
    flags |= dict(step.flags)
    own = operation.definition.stop_after if operation.definition else None
    limit = least(left, own) if left is not None else None
    again = before.run_id if before and before.status != SKIPPED and tip_of(launch.session.git, before.run_id) else None
    return Request(
        operation=None if again else step.operation, restart=again, flags=flags, needed=asked.needed,
        needed_source=asked.needed_source,
        force_sourcecode=bool(again) and asked.force_sourcecode, clean=bool(again) and asked.clean,
        in_place=asked.in_place, no_link=asked.no_link, outputs=plan.params.output,
        # zero would mean no limit
        stop_after=max(limit, 0.01) if limit is not None else None,
        background=asked.background, force_flags=asked.force_flags, gpus=plan.params.gpus,
        no_gpus=plan.params.no_gpus or None, random_seed=plan.params.random_seed,
        metrics=plan.params.metrics or None,
    )  # fmt: skip


def earlier_steps(session: Session, started: AttemptHandle) -> tuple[StepRun, ...]:
    """Returns the steps that the previous attempt ran."""
    if not started.earlier:
        return ()
    with Objects(session.git) as objects:
        found = objects.read(f"{started.id}^2:{record_files.RESULT}") or objects.read(f"{started.id}^1:{record_files.RESULT}")
    return read_steps(found.data) if found and found.data is not None else ()


def least(*limits: float | None) -> float | None:
    """Returns the shortest of the given limits, or None."""
    return min((limit for limit in limits if limit), default=None)


def check_steps(session: Session, objects: Objects, request: Request, plan: Plan) -> None:
    """Raises GitrunError if a step, or a step inside it, cannot run. The caller checks this before it starts anything."""
    definition = plan.definition
    if definition:
        Check(session, objects, request, plan, set()).steps(definition)


@dataclass(frozen=True, slots=True)
class Check:
    """The context in which a plan's steps are checked. `made` are the operations that earlier steps will have run."""

    session: Session
    objects: Objects
    request: Request
    plan: Plan
    made: set[str]

    def steps(self, definition: Definition) -> None:
        """Raises GitrunError if a step lacks something it needs, or gets a flag that it does not take."""
        tree = open_source(self.objects, self.plan.source.whole)
        for step in definition.steps:
            operation = step_operation(tree, step.operation)
            if operation.definition:
                self.entry(operation.definition, step)
            needed = {need.operation for need in operation.definition.needs} if operation.definition else set()
            own: dict[str, Any] = {name: value for name, value in step.flags if name not in needed}
            declared = read_declaration(tree, operation).with_values()
            found = resolve_flags(declared.flags, own, operation=operation.name, force=self.plan.params.force_flags)
            flags = Flags(found)
            lost = find_lost_flags(tree, operation, declared, flags)
            require_reach(operation, declared, lost, flags)
            self.made.add(step.operation)

    def entry(self, definition: Definition, step: Step) -> None:
        """Raises GitrunError if a step's entry lacks a needed run or an input file, or cannot run in place."""
        if self.request.in_place:
            lifecycle.launch.in_place_allowed(definition)
        for need in definition.needs:
            if need.operation not in self.made:
                source.dependencies.find_need(
                    self.session.git, self.objects, need, definition.name, dict(step.flags).get(need.operation)
                )
        for one in definition.inputs:
            source.dependencies.find_input(self.session, self.objects, one, self.plan.source.whole, definition.name)
        self.steps(definition)


def noted_steps(directory: Path) -> tuple[StepRun, ...]:
    """Returns the steps that a pipeline recorded before it died. An unfinished step counts as terminated."""
    found: dict[str, StepRun] = {}
    with suppress(OSError, ValueError, TypeError):
        for line in (directory / JOURNAL).read_text().splitlines():
            step = StepRun(*json.loads(line))
            # a later line about the same run wins
            found[step.run_id] = replace(step, status=TERMINATED) if step.status == RUNNING else step
    return tuple(found.values())
