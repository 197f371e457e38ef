"""An executor is all that a new way to run programs needs: the road records what it hands over."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun import Project
from gitrun.git.objects import Entry
from gitrun.lifecycle.attempt import perform
from gitrun.lifecycle.executor import Execution
from gitrun.model.plan import Outcome, Plan, Request
from gitrun.model.tree import FILE
from gitrun.process.signals import Signals
from gitrun.store.attempts import AttemptHandle, Collected, begin
from gitrun.store.live import ask_to_end, recorded_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Elsewhere:
    """Hands over a file and an outcome that came from another machine, and the signals that arrived here."""

    blob: str
    signals: Signals

    @contextmanager
    def run(self, attempt: AttemptHandle) -> Iterator[Execution]:
        attempt.live.output.write_bytes(b"far away\n")
        ended = Outcome("completed", 0, MOMENT, MOMENT, 1.5)
        yield Execution(ended, self.signals, lambda: Collected(ended, {b"out.txt": Entry(FILE, self.blob)}))


def begun(project: Project) -> AttemptHandle:
    plan = project.plan(Request(operation="echo.py"))
    assert isinstance(plan, Plan)
    return begin(project.git, plan, {})


def test_any_executor_takes_the_same_road(repo):
    project, blob = Project(repo.path), repo.git("hash-object", "-w", "echo.py").strip()
    with begun(project) as attempt:
        outcome = perform(attempt, Elsewhere(blob, Signals()))
    assert (outcome.status, outcome.ordered, recorded_runs(project.git.state)) == ("completed", 0, [])
    assert repo.run("cat", "--output", "1", check=True).stdout == "far away\n"
    assert repo.git("rev-parse", f"refs/runs/{attempt.run_id}:out.txt").strip() == blob


def test_signal_to_gitrun_is_passed_on_to_the_caller(repo):
    project, signals = Project(repo.path), Signals()
    signals.order = signal.SIGTERM
    blob = repo.git("hash-object", "-w", "echo.py").strip()
    with begun(project) as attempt:
        assert perform(attempt, Elsewhere(blob, signals)).ordered == signal.SIGTERM
    with begun(project) as attempt:
        ask_to_end(project.git.state, attempt.run_id)
        # git run stop means the program alone
        assert perform(attempt, Elsewhere(blob, signals)).ordered == 0
