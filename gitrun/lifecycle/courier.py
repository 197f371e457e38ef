"""Connects a run that a worker executes with its remote: reports its output there, and stops it when somebody asks."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed, NotRunning
from gitrun.process.run import SideProcess
from gitrun.sharing.progress import is_asked_to_stop, publish_progress, read_end, remove_reports

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.sharing.progress import Progress


@dataclass(frozen=True, slots=True)
class Route:
    """The run to connect: its attempt, the file of its output, and the remote that it was claimed on."""

    git: Git
    remote: str
    run_id: str
    attempt: str
    output: Path


class Courier:
    """A process beside the run, which visits the remote every `interval` seconds."""

    def __init__(self, route: Route, interval: float) -> None:
        self.route, self.interval = route, interval
        self.started = time.monotonic()
        self.process = SideProcess(self.visit_remote)

    def visit_remote(self) -> None:
        """Visits the remote until this process is ended."""
        route, last = self.route, None
        while True:
            time.sleep(self.interval)
            with suppress(GitFailed, OSError):  # the remote may be away for a while
                last = self.report(last)
                if is_asked_to_stop(route.git, route.remote, route.run_id, route.attempt):
                    with suppress(NotRunning):
                        lifecycle.attach.stop_run(route.git, route.run_id)

    def report(self, last: Progress | None) -> Progress:
        """Publishes the output so far, unless it is what `last` reported. Returns the report. Raises GitFailed, OSError."""
        progress = read_end(self.route.output, self.route.attempt)
        if progress != last:
            publish_progress(self.route.git, self.route.remote, self.route.run_id, progress)
        return progress

    def end(self) -> None:
        """Ends the process, and removes its reports from the remote."""
        self.process.end()
        if time.monotonic() - self.started >= self.interval:
            with suppress(GitFailed):  # the next worker of the run replaces them
                remove_reports(self.route.git, self.route.remote, self.route.run_id)
