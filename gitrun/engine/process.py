"""Programs of the user: the only place where they are started, followed and ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from gitrun.engine.offspring import adopt_orphans, end_all, tie_to_parent
from gitrun.engine.terminal import Channel, open_channels
from gitrun.engine.watchman import Signals
from gitrun.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

CHUNK = 1 << 16
LINGER = 0.2
"""Seconds that output may still come after the program has ended, before what keeps its pipes open is ended too."""


class Stream(Protocol):
    """Where output is shown."""

    def write(self, data: bytes) -> None:
        """Shows the bytes at once. Raises BrokenPipeError if nobody reads any more."""

    def terminal(self) -> int | None:
        """The descriptor of the terminal behind it, if there is one."""


@dataclass(frozen=True, slots=True)
class Call:
    """A program to start: words, directory, environment, how long it may run and how long it has to end (seconds).

    `guarded`: signals to this process are for the program (they are handed on, and the outcome is still recorded).
    `tag` is in the environment of all its processes, so that none but them is ever signalled.
    """

    argv: Sequence[str]
    directory: Path
    environ: Mapping[str, str]
    tag: str
    stop_after: float | None = None
    grace: float = 10.0
    guarded: bool = True
    stdin: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: exit status as in Python (minus a signal's number), UTC times, seconds it took.

    `stopped_by` is the signal that it was asked to end with, `outlived` names processes of it that had to be ended.
    """

    exit_status: int
    started: datetime
    stopped: datetime
    duration: float
    stopped_by: int = 0
    timed_out: bool = False
    outlived: tuple[str, ...] = ()
    lost: str = ""


class Recorder:
    """Writes output to a file; a full disk loses the rest of the record, never the program."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.lost = ""

    def write(self, data: bytes) -> None:
        """Appends the bytes, unless an earlier write failed."""
        rest = memoryview(data)
        while rest and not self.lost:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                self.lost = error.strerror or str(error)

    def close(self) -> None:
        """No more output."""
        os.close(self._file)


def execute(call: Call, record: Path, stdout: Stream, stderr: Stream) -> Ended:
    """Runs the program to its end; all it writes goes to `record` and, at once, to the two streams.

    Raises CannotRun if it cannot be started.
    """
    recorder = Recorder(record)
    channels = open_channels(stdout, stderr)
    try:
        with Signals(guarded=call.guarded) as signals, adopt_orphans():
            return follow(call, recorder, channels, signals)
    finally:
        recorder.close()
        for channel in channels:
            channel.close()


def follow(call: Call, recorder: Recorder, channels: Sequence[Channel], signals: Signals) -> Ended:
    """Starts the program and follows it until it, its output and its children have ended."""
    clock, begun = time.monotonic(), datetime.now(timezone.utc)
    process = start(call, channels, signals)
    for channel in channels:
        channel.close_inner()
    loop = Loop(call, process, recorder, channels, signals)
    try:
        loop.until_ended()
        duration = time.monotonic() - clock
        outlived = end_all(call.tag, call.grace)
        loop.drain()
    except BaseException:
        process.kill()
        process.wait()
        end_all(call.tag, 0.0)
        raise
    return Ended(
        exit_status=process.returncode, started=begun, stopped=datetime.now(timezone.utc), duration=duration,
        stopped_by=loop.stopped_by, timed_out=loop.timed_out, outlived=outlived, lost=recorder.lost,
    )  # fmt: skip


def start(call: Call, channels: Sequence[Channel], signals: Signals) -> subprocess.Popen[bytes]:
    """The started program. Raises CannotRun."""
    outs = [channel.inner for channel in channels]
    parent = os.getpid()

    def before() -> None:  # runs in the child: it must not inherit our blocked signals, nor outlive us
        signals.give_back()
        tie_to_parent(parent)

    try:
        return subprocess.Popen(
            tuple(call.argv), cwd=call.directory, env=dict(call.environ), preexec_fn=before,
            stdin=None if call.stdin else subprocess.DEVNULL, stdout=outs[0], stderr=outs[-1],
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CannotRun(f"no such program: '{call.argv[0]}'", "is it installed, and on PATH?") from error
    except OSError as error:
        raise CannotRun(f"cannot start '{call.argv[0]}': {error.strerror}") from error


class Loop:
    """Waits for output, for signals, for the time limit and for the end of one program."""

    def __init__(
        self,
        call: Call,
        process: subprocess.Popen[bytes],
        recorder: Recorder,
        channels: Sequence[Channel],
        signals: Signals,
    ) -> None:
        self.call, self.process, self.recorder, self.signals = call, process, recorder, signals
        self.open = {channel.outer: channel for channel in channels}
        self.end = time.monotonic() + call.stop_after if call.stop_after else None
        self.kill_at: float | None = None
        self.stopped_by = 0
        self.timed_out = False

    def until_ended(self) -> None:
        """Returns when the program has ended."""
        with exit_watch(self.process.pid) as watch:
            while self.process.poll() is None:
                self.turn([*self.open, self.signals.descriptor, watch], self.patience())

    def drain(self) -> None:
        """Takes what is still in the pipes; gives up on pipes that somebody we may not end holds open."""
        end = time.monotonic() + 10 * LINGER
        while self.open and self.turn(list(self.open), LINGER) and time.monotonic() < end:
            pass

    def patience(self) -> float:
        """Seconds until something must happen even if nothing comes."""
        times = [moment for moment in (self.end, self.kill_at) if moment is not None]
        # without a descriptor for the child's end (not on Linux) we look now and then
        return min([max(0.0, moment - time.monotonic()) for moment in times] + [60.0 if hasattr(os, "pidfd_open") else 0.05])

    def turn(self, descriptors: list[int], patience: float) -> bool:
        """One look at all that may have something for us; whether anything had."""
        poll = select.poll()
        for descriptor in descriptors:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(patience * 1000)]
        for descriptor in ready:
            if descriptor in self.open:
                self.copy(self.open[descriptor])
        if self.signals.descriptor in ready:
            self.obey()
        self.keep_time()
        return bool(ready)

    def copy(self, channel: Channel) -> None:
        """What has come through the channel is recorded, then shown."""
        data = channel.read(CHUNK)
        if not data:
            del self.open[channel.outer]
            return
        self.recorder.write(data)
        try:
            channel.stream.write(data)
        except BrokenPipeError:  # nobody reads: the program meets that as it would without us
            del self.open[channel.outer]
            channel.close_outer()

    def obey(self) -> None:
        """Hands signals on to the program."""
        for number, from_terminal in self.signals.read():
            if number == signal.SIGWINCH:
                for channel in self.open.values():
                    channel.resize()
            elif number == signal.SIGINT:
                self.stopped_by = self.stopped_by or number
                if not from_terminal:  # the terminal sends it to the program itself
                    self.process.send_signal(number)
            else:
                self.ask_to_end(number)

    def ask_to_end(self, number: int) -> None:
        """Asks the program to end, and sees to it when its time is over."""
        self.stopped_by = number
        self.process.send_signal(number)
        if self.kill_at is None:
            self.kill_at = time.monotonic() + self.call.grace

    def keep_time(self) -> None:
        """Ends a program whose time is over."""
        now = time.monotonic()
        if self.end is not None and now >= self.end:
            self.end, self.timed_out = None, True
            self.ask_to_end(signal.SIGTERM)
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            self.process.kill()


@contextmanager
def exit_watch(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when the process ends; -1 where there is none."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield -1
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def ask(argv: Sequence[str], environ: Mapping[str, str], directory: Path) -> bytes:
    """What a short-lived program writes to stdout. Raises CannotRun."""
    try:
        done = subprocess.run(
            tuple(argv),
            env=dict(environ),
            cwd=directory,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise CannotRun(f"cannot start '{argv[0]}': {error.strerror}") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CannotRun(f"'{argv[0]}' failed: {' '.join(last)}")
    return done.stdout


def detach() -> bool:
    """Splits off a process without a terminal that goes on in the background; true in that process, false in ours."""
    if os.fork():
        return False
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    return True
