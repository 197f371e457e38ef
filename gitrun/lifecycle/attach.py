"""Running runs seen from another process: follow their output, stop them, wait for their end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import NotRunning, UsageError
from gitrun.model.run import BATCH, STEPS, short_id
from gitrun.process.signals import ignore_signal
from gitrun.process.tree import send_signal_if
from gitrun.store.live import OUTPUT, ask_to_end, ask_to_end_softly, directory_of, is_live, owner_of, process_birth

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.process.streams import Stream

PAUSE = 0.05
READ_SIZE = 1 << 16
STOP_SIGNALS = (signal.SIGTERM, signal.SIGCONT)
"""Signals that make a supervisor stop its program. One suspended by Ctrl-Z handles SIGTERM only after SIGCONT."""


class LiveOutput:
    """The output of a running run, read while it is written. Use it in a `with`."""

    def __init__(self, state: Path, run_id: str) -> None:
        self._path = directory_of(state, run_id) / OUTPUT
        self._source: int | None = None

    def __enter__(self) -> LiveOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Returns whether the output was there. It stays readable after the run has ended."""
        return self._source is not None

    def read(self) -> bytes:
        """Returns the next bytes; none if nothing is new."""
        if self._source is None:
            # the run is recorded before its program starts, and its live record goes with its end
            with suppress(FileNotFoundError):
                self._source = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return b"" if self._source is None else os.read(self._source, READ_SIZE)

    def close(self) -> None:
        """Closes the output."""
        if self._source is not None:
            os.close(self._source)
            self._source = None


def follow_output(git: Git, run_id: str, stream: Stream) -> bool:
    """Copies the output of a running run to `stream` until the run ends. Returns false if it was not running."""
    with LiveOutput(git.state, run_id) as output:
        while True:
            # asked before reading, so that output written just before the end is not missed
            alive = is_live(git.state, run_id)
            while data := output.read():
                stream.write(data)
            if not alive:
                return output.is_open
            time.sleep(PAUSE)


def stop_run(git: Git, run_id: str) -> None:
    """Asks the supervisor of a running run to stop its program. Raises CannotRun if no supervisor can be reached."""
    owner = owner_of(git.state, run_id)
    for _ in range(100):  # the owner is recorded a moment after the run
        if owner is not None or not is_live(git.state, run_id):
            break
        time.sleep(PAUSE)
        owner = owner_of(git.state, run_id)
    if not is_live(git.state, run_id) or owner is None:
        raise NotRunning(f"run {short_id(run_id)} is not running on this machine")
    pid, birth = owner.pid, owner.birth
    if pid == os.getpid() and signal.getsignal(signal.SIGTERM) is not ignore_signal:
        raise NotRunning(f"a thread of this program runs {short_id(run_id)}, and signals do not reach threads")
    ask_to_end(git.state, run_id)
    # the lock proves that its holder lives, but the recorded owner may be an earlier one whose pid was reused
    signalled = [send_signal_if(pid, number, lambda: bool(birth) and process_birth(pid) == birth) for number in STOP_SIGNALS]
    if not signalled[0] and is_live(git.state, run_id):
        raise NotRunning(f"gitrun cannot identify the process of run {short_id(run_id)}")


def stop_softly(git: Git, run: Run) -> None:
    """Asks a running batch or pipeline to start nothing more. Raises UsageError, NotRunning."""
    name = short_id(run.id)
    if run.attempt.kind not in {BATCH, STEPS}:
        raise UsageError(
            f"run {name} has no trials or steps, so it cannot be stopped softly", f"To stop it: git run stop {name}"
        )
    if not is_live(git.state, run.id):
        raise NotRunning(f"run {name} is not running on this machine")
    ask_to_end_softly(git.state, run.id)


def wait_for_end(git: Git, run_id: str) -> None:
    """Waits until the run has ended."""
    while is_live(git.state, run_id):
        time.sleep(PAUSE)
