"""The steps of an operation, run in order: each its own run, of the source and with the flags of the one they belong to."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.engine.attempt import birth_of
from gitrun.engine.operations import declared_by, definition_of, step_operation
from gitrun.engine.watchman import Signals
from gitrun.errors import GitrunError
from gitrun.git.objects import Objects
from gitrun.model import record
from gitrun.model.basis import read_steps
from gitrun.model.needed import Skip
from gitrun.model.plan import Outcome, StepRun
from gitrun.model.refs import short
from gitrun.model.request import Request
from gitrun.model.run import COMPLETED, ERROR, TERMINATED
from gitrun.store import notes
from gitrun.store.index import Index
from gitrun.store.live import Owner
from gitrun.store.results import finish
from gitrun.store.tips import tip_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from gitrun.engine.process import Stream
    from gitrun.engine.road import Road
    from gitrun.engine.snapshot import Snapshot
    from gitrun.engine.starting import Launch, Ready
    from gitrun.model.definitions import Step
    from gitrun.store.attempts import Started

SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Within:
    """What a step has of the run that it is a part of: the source, the run's id, and the signals to it."""

    snapshot: Snapshot
    parent: str
    signals: Signals


class Tee:
    """A stream that also writes to a file what it shows."""

    def __init__(self, stream: Stream, file: BinaryIO) -> None:
        self._stream, self._file = stream, file

    def write(self, data: bytes) -> None:
        """Writes the bytes to both. Raises BrokenPipeError if nobody reads the stream any more."""
        self._file.write(data)
        self._stream.write(data)

    def offer(self, data: bytes | memoryview) -> int:
        """Writes to both what the stream takes without making us wait; how many bytes that was."""
        taken = self._stream.offer(data)
        self._file.write(data[:taken])
        return taken

    def descriptor(self) -> int | None:
        """The stream's descriptor."""
        return self._stream.descriptor()


def perform_steps(launch: Launch, ready: Ready, started: Started) -> Outcome:
    """Runs the steps of an attempt that is held, and records its result. Raises GitrunError if that could not be recorded."""
    road, pid, begun = launch.road, os.getpid(), time.time()
    owner = Owner(pid, birth_of(pid), started.attempt, str(road.git.worktree or ""), in_place=True, started=begun)
    started.live.record(owner)
    signals = nullcontext(launch.within.signals) if launch.within else Signals()
    with signals as held, started.live.output.open("ab", buffering=0) as output:
        both = replace(road, stdout=Tee(road.stdout, output), stderr=Tee(road.stderr, output))
        whole = replace(launch, road=both)
        outcome = run_steps(whole, ready, started, Within(ready.snapshot, started.run, held))
        started.live.record_end(outcome)
        finish(road.git, started, lambda: (outcome, {}), started.live.directory)
        started.live.close()
    notes.add(road.git, started.run)
    return outcome


def run_steps(launch: Launch, ready: Ready, started: Started, within: Within) -> Outcome:
    """What came of the steps; the first that fails is the last."""
    definition = ready.plan.definition
    steps = definition.steps if definition else ()
    begun, clock = datetime.now(timezone.utc), time.monotonic()
    limit = launch.request.stop_after or (definition.stop_after if definition else None)
    done: list[StepRun] = []
    earlier = earlier_steps(launch.road, started)
    status, code, reason = COMPLETED, 0, ""
    for place, step in enumerate(steps):
        launch.road.say(f"step {place + 1} of {len(steps)}: {step.operation}")
        before = earlier[place] if place < len(earlier) and earlier[place].operation == step.operation else None
        left = limit - (time.monotonic() - clock) if limit else None
        request = step_request(launch, ready, step, (before, done, left))
        try:
            found = run_step(launch, request, within)
        except GitrunError as error:
            launch.road.say(error.message + (f"; {error.hint}" if error.hint else ""))
            status, code, reason = ERROR, error.exit_code, f"step {step.operation}: {error.message}"
            break
        done.append(StepRun(step.operation, found[0], found[1].status if found[1] else SKIPPED))
        if found[1] and found[1].status != COMPLETED:
            status, code, reason = found[1].status, found[1].exit_status, f"step {step.operation}: {found[1].status}"
            break
        if left is not None and left <= 0 and place + 1 < len(steps):
            status, code, reason = TERMINATED, -15, "its time was over"
            break
    stopped = datetime.now(timezone.utc)
    return Outcome(status, code, begun, stopped, time.monotonic() - clock, reason=reason, steps=tuple(done))


def run_step(launch: Launch, request: Request, within: Within) -> tuple[str, Outcome | None]:
    """The step's run and how it ended; None if it was not needed. Raises GitrunError."""
    from gitrun.engine.starting import Manners, start

    found = start(launch.road, request, Manners(launch.manners.confirm), within)
    if isinstance(found, Skip):
        launch.road.say(f"not needed: run {short(found.run.id)} has these flags")
        return found.run.id, None
    run, outcome = found
    if outcome:
        launch.road.say(f"run {short(run)}: {outcome.status} in {outcome.duration:.1f}s")
    return found


def step_request(
    launch: Launch, ready: Ready, step: Step, state: tuple[StepRun | None, list[StepRun], float | None]
) -> Request:
    """What is asked for of a step: its own flags, those of the whole that it has too, and the runs of the steps before."""
    before, done, left = state
    asked, plan = launch.request, ready.plan
    with Objects(launch.road.git) as objects:
        operation = step_operation(objects, step.operation, plan.source.tree)
        declared = declared_by(objects, operation, plan.source.tree)
    names = {flag.name for flag in declared.flags or ()}
    flags: dict[str, object] = {name: value for name, value in plan.flags.items() if name in names}
    flags |= dict(step.flags)
    needs = {need.operation for need in operation.definition.needs} if operation.definition else set()
    flags |= {one.operation: one.run for one in done if one.operation in needs}
    again = before.run if before and before.status != SKIPPED and tip_of(launch.road.git, before.run) else None
    return Request(
        operation=None if again else step.operation, restart=again, flags=flags, needed=asked.needed,
        needed_source=asked.needed_source,
        force_sourcecode=bool(again) and asked.force_sourcecode, clean=bool(again) and asked.clean,
        in_place=asked.in_place, no_link=asked.no_link, stop_after=max(left, 0.01) if left is not None else None,
        background=asked.background, force_flags=asked.force_flags, gpus=plan.params.gpus,
        no_gpus=plan.params.no_gpus or None, random_seed=plan.params.random_seed,
    )  # fmt: skip


def earlier_steps(road: Road, started: Started) -> tuple[StepRun, ...]:
    """The steps that the attempt before this one has run."""
    if not started.earlier:
        return ()
    with Objects(road.git) as objects:
        found = objects.read(f"{started.attempt}^2:{record.RESULT}") or objects.read(f"{started.attempt}^1:{record.RESULT}")
    return read_steps(found.data) if found and found.data is not None else ()


def require_needs(road: Road, objects: Objects, steps: Iterable[Step], tree: str) -> None:
    """Raises CannotRun if a step needs a run that is not there and that no step before it makes."""
    from gitrun.engine.dependencies import run_for

    made: set[str] = set()
    with Index(road.git) as index:
        for step in steps:
            definition = definition_of(objects, tree, step.operation)
            for need in definition.needs if definition else ():
                if need.operation not in made:
                    run_for(index, need, dict(step.flags).get(need.operation), step.operation, "")
            made.add(step.operation)
