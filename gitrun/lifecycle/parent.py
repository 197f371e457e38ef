"""The inheritance of a step from the run of its pipeline, and the journal of the steps that ran."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.model.provenance import StepRun
from gitrun.model.run import RUNNING, TERMINATED
from gitrun.process.signals import INTERRUPTS, ORDERS, Signals

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.source.snapshot import Snapshot


class StepSignals(Signals):
    """Signals that remember requests to end: a program may survive one, but its pipeline stops."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[int] = []

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that have arrived."""
        arrived = super().read()
        self.ends += [number for number, _ in arrived if number in (*INTERRUPTS, *ORDERS)]
        return arrived


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The inheritance of a step from the run it is a part of: the source, the run's id, and its signals.

    `runs` maps operations to the runs of the steps so far. `journal` is the file that records them in case gitrun dies.
    `given` names the flags of the whole that the user typed. `operation` is that of the step, as its pipeline names it.
    `deadline` is the moment of the monotonic clock at which the time of the whole ends (None: never).
    """

    snapshot: Snapshot
    run_id: str
    signals: StepSignals
    runs: dict[str, str]
    journal: Path
    given: tuple[str, ...] = ()
    operation: str = ""
    deadline: float | None = None

    def record_begin(self, run_id: str) -> None:
        """Records that the run of the step has begun."""
        self.record(StepRun(self.operation, run_id, RUNNING))

    def record(self, step: StepRun) -> None:
        """Appends the state of a step to the journal."""
        with self.journal.open("a") as file:
            # a line: ["train", "<run id>", "completed"]
            file.write(json.dumps([step.operation, step.run_id, step.status]) + "\n")


def read_journal(journal: Path) -> tuple[StepRun, ...]:
    """Returns the steps that a pipeline recorded before it died. An unfinished step counts as terminated."""
    steps: dict[str, StepRun] = {}
    # a kill may leave half a line at the end; the lines before it count
    with suppress(OSError, ValueError, TypeError):
        for line in journal.read_text().splitlines():
            step = StepRun(*json.loads(line))
            # a later line about the same run wins
            steps[step.run_id] = replace(step, status=TERMINATED) if step.status == RUNNING else step
    return tuple(steps.values())
