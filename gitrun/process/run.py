"""Starts, supervises and ends the user's programs. No other module starts them."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from gitrun.dataclass import dataclass
from gitrun.errors import CannotRun, CannotStart
from gitrun.model.text import shell_word
from gitrun.process.child import Child, subprocess
from gitrun.process.recorder import Recorder
from gitrun.process.signals import INTERRUPTS, MESSAGES, ORDERS, RESIZES
from gitrun.process.streams import open_channels
from gitrun.process.tree import ChildProcesses, adopt_orphans, send_signal, tie_to_parent, with_descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any, NoReturn

    from gitrun.process.recorder import OutputReader
    from gitrun.process.signals import SignalSource
    from gitrun.process.starting import Process, Starter
    from gitrun.process.streams import Channel, Stream

CHUNK = 1 << 16
LINGER = 0.5
"""Seconds to wait for a pipe that a foreign process holds open, or for a reader that does not read."""
LEFT_RUNNING = 2.0
"""Seconds that processes left behind have to end after SIGTERM, if the program ended by itself."""
SHELL_CHARACTERS = frozenset("|&;<>()$`\\\"' \t\n*?[#~=%")
"""Characters for which git starts a pager by a shell. Without them git starts it directly, and notices a missing one."""
LARGEST_PIPE = 1 << 20
"""The most bytes left in a pipe after all its writers ended (Linux's fs.pipe-max-size)."""
DESCRIPTORS = 1 << 16
"""More than the descriptors that a process has open."""


def words_runner() -> tuple[Callable[..., Any], int]:
    """Returns what a worker of a cluster calls, and its value for no input.

    They are of the standard library, so that nothing of gitrun is needed there.
    """
    return subprocess.run, subprocess.DEVNULL


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: words, directory, environment, time limit and grace period in seconds.

    `tag` is in the environment of all its processes, so that no other process is ever signalled. `reader` follows the
    output.
    """

    argv: Sequence[str]
    directory: Path
    environ: Mapping[str, str]
    tag: str
    stop_after: float | None = None
    grace: float = 10.0
    stdin: bool = True
    reader: OutputReader | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a program: exit status as in Python (negative: a signal), UTC times, duration in seconds.

    `stopped_by` is the signal that asked it to end, or 0. `outlived` names processes that had to be ended. `lost` says
    why output could not be recorded.
    """

    exit_status: int
    started: datetime
    stopped: datetime
    duration: float
    stopped_by: int = 0
    timed_out: bool = False
    outlived: tuple[str, ...] = ()
    lost: str = ""


def execute(command: Command, record: Path, stdout: Stream, stderr: Stream, signals: SignalSource) -> Exit:
    """Runs the program to its end. Writes its output to `record` and, at once, to the two streams.

    Forwards our signals to it. Raises CannotRun if it cannot be started.
    """
    # daemons that the program starts become our children, so that they can be found and ended
    with adopt_orphans():
        program = RunningProgram(command, record, (stdout, stderr), signals)
        try:
            program.supervisor.wait_for_exit()
        except BaseException:
            program.kill()
            raise
        return program.finish()


class RunningProgram:
    """A started program with its output and its supervisor. End it by `finish` or `kill`, which close its files.

    `beside` says that this process starts other programs while this one runs, perhaps through a `starter`. Raises CannotRun if
    it cannot be started.
    """

    def __init__(  # noqa: PLR0913 - a program, and what it is connected with
        self,
        command: Command,
        record: Path,
        streams: tuple[Stream, Stream],
        signals: SignalSource,
        *,
        beside: bool = False,
        starter: Starter | None = None,
    ) -> None:
        self._recorder = Recorder(record, command.reader)
        self._channels = open_channels(*streams)
        try:
            self._clock, self._begun = time.monotonic(), datetime.now(timezone.utc)
            self._offspring = ChildProcesses(command.tag, beside=beside)
            self.process = start_program(command, self._channels, signals, starter)
        except BaseException:
            self._close()
            raise
        for channel in self._channels:
            # our copy would keep the pipe open after the program's end
            channel.close_inner()
        self.supervisor = Supervisor(command, self.process, self._recorder, self._channels, signals)

    def finish(self) -> Exit:
        """Ends what the ended program left running, and records the rest of its output."""
        supervisor = self.supervisor
        try:
            # measured here: waiting for the program's leftovers is not its time
            duration = time.monotonic() - self._clock
            outlived = self._offspring.end(supervisor.grace_left(), supervisor.poll_once)
            supervisor.drain()
        except BaseException:
            self.kill()
            raise
        self._close()
        return Exit(
            exit_status=self.process.wait(), started=self._begun, stopped=datetime.now(timezone.utc), duration=duration,
            stopped_by=supervisor.stopped_by, timed_out=supervisor.timed_out, outlived=outlived, lost=self._recorder.lost,
        )  # fmt: skip

    def kill(self) -> None:
        """Kills the program and its processes, because this process cannot go on."""
        try:
            self.process.kill()
            self.process.wait()
            self._offspring.end(0.0, time.sleep)
        finally:
            self._close()

    def _close(self) -> None:
        self._recorder.close()
        for channel in self._channels:
            channel.close()


def prepare_child(signals: SignalSource) -> Callable[[], None]:
    """Returns what a child does before its program starts: it must neither inherit our blocked signals nor outlive us."""
    parent = os.getpid()

    def before() -> None:
        signals.restore_defaults()
        tie_to_parent(parent)

    return before


def start_program(
    command: Command, channels: Sequence[Channel], signals: SignalSource, starter: Starter | None = None
) -> Process:
    """Starts the program, through the starter if there is one. Raises CannotRun."""

    def start(*words: str) -> Process:
        if starter:
            with open(os.devnull, "rb") as nothing:
                streams = (0 if command.stdin else nothing.fileno(), channels[0].inner, channels[-1].inner)
                process = starter.start_program(words, command.directory, command.environ, streams)
            if process:
                return process
        return fork_program(words, command, channels, prepare_child(signals))

    try:
        return start(*command.argv)
    except OSError as error:
        program = command.directory / command.argv[0]
        if error.errno == errno.ENOEXEC and program.is_file():  # a script without #!: shells run it with sh
            return start("/bin/sh", *command.argv)
        raise start_error(command.argv[0], error, there=program.is_file()) from error
    except ValueError as error:  # a word has a NUL
        raise CannotStart(f"cannot start '{command.argv[0]}': {error}") from error


def fork_program(words: Sequence[str], command: Command, channels: Sequence[Channel], before: Callable[[], None]) -> Child:
    """Starts the words in the directory and environment of the command. Raises OSError, ValueError.

    Calls `before` in the child. Inherited descriptors beyond the first three belong to the program; our own are close-on-exec.
    """
    if any("\0" in text for text in (*words, *command.environ, *command.environ.values())):
        raise ValueError("embedded null byte")
    failed, failing = os.pipe()
    with os.fdopen(failed, "rb") as failure:
        try:
            pid = os.fork()
            if not pid:
                become_program(words, command, channels, before, failing)
        finally:
            os.close(failing)
        # closed by the exec, unless that fails
        number = failure.read()
    child = Child(pid)
    if number:
        child.wait()
        raise OSError(int(number), os.strerror(int(number)))
    return child


def become_program(
    words: Sequence[str], command: Command, channels: Sequence[Channel], before: Callable[[], None], failing: int
) -> NoReturn:
    """Turns a forked process into the program. If that fails, writes the error's number to `failing` and ends."""
    try:
        stdin = -1 if command.stdin else os.open(os.devnull, os.O_RDONLY)
        # our own descriptors are above 2, so that none is overwritten before it is copied
        for number, descriptor in enumerate((stdin, channels[0].inner, channels[-1].inner)):
            if descriptor is not None and descriptor >= 0:
                os.dup2(descriptor, number)
        os.chdir(command.directory)
        before()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores both
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(words[0], tuple(words), command.environ)  # noqa: S606 - its words are the user's
    except OSError as error:
        os.write(failing, b"%d" % (error.errno or errno.EIO))
    finally:
        # neither a traceback nor a copy of buffered output may appear in the program's output
        os._exit(127)


def start_error(program: str, error: OSError, *, there: bool) -> CannotRun:
    """Returns the error for a program that cannot be started.

    `there` says that a file of that name exists in the directory.
    """
    if isinstance(error, FileNotFoundError) and there and "/" in program:
        return CannotRun(f"cannot start '{program}': the interpreter in its first line does not exist")
    if isinstance(error, FileNotFoundError):
        hint = "Check that it is installed, and on PATH"
        if " " in program:
            hint = f"To run a line of the shell: git run -- sh -c {shell_word(program)}"
        elif "/" in program and not program.startswith("/"):
            hint = "To copy what an earlier run produced into the working tree: git run checkout RUN"
        return CannotRun(f"no such program: '{program}'", f"To run the file of that name: git run {program}" if there else hint)
    return CannotRun(f"cannot start '{program}': {error.strerror}")


class Supervisor:
    """The supervisor of one program: waits for output, signals, the time limit and the end."""

    def __init__(
        self,
        command: Command,
        process: Process,
        recorder: Recorder,
        channels: Sequence[Channel],
        signals: SignalSource,
    ) -> None:
        self.command, self.process, self.recorder, self.signals = command, process, recorder, signals
        self.channels, self.open = channels, list(channels)
        self.recorded = 0
        self.end = time.monotonic() + command.stop_after if command.stop_after else None
        self.kill_at: float | None = None
        self.stopped_by = 0
        self.timed_out = False

    def wait_for_exit(self) -> None:
        """Handles events until the program has ended."""
        self.forward_signals(is_new=True)
        with watch_exit(self.process.pid) as watch:
            while self.process.poll() is None:
                self.poll_once(self.patience(), watch)

    def grace_left(self) -> float:
        """Returns the grace period in seconds for processes that outlived the program, such as those of a shell.

        After Ctrl-C it is the program's full period. After SIGTERM or SIGHUP it is what remains of it, and else 2 seconds
        at most.
        """
        seconds = self.kill_at - time.monotonic() if self.kill_at is not None else 0.0
        ended_by = self.stopped_by or -(self.process.returncode or 0)  # after Ctrl-C it may end before we read our own signal
        return max(seconds, self.command.grace if ended_by in INTERRUPTS else min(self.command.grace, LEFT_RUNNING))

    def drain(self) -> None:
        """Records and shows what is left in the pipes after the program and its processes ended.

        Waits for a slow reader, unless a signal orders the end.
        """
        # limited, since a process that is not ours may keep writing
        most = self.recorded + LARGEST_PIPE
        while self.open and (self.recorded < most or self.is_behind()):
            if self.poll_once(LINGER):
                continue
            if not self.is_behind():
                return
            if self.stopped_by in ORDERS:
                self.mute()

    def is_behind(self) -> bool:
        """Returns whether recorded output still has to be shown."""
        return any(channel.pending for channel in self.open)

    def patience(self) -> float:
        """Returns the seconds until the next timed event."""
        times = [moment for moment in (self.end, self.kill_at) if moment is not None]
        # without a pidfd (not on Linux) the child's end must be polled for
        most = 60.0 if hasattr(os, "pidfd_open") else 0.05
        if self.recorder.reader:
            most = min(most, self.recorder.reader.patience)
        return min([max(0.0, moment - time.monotonic()) for moment in times] + [most])

    def poll_once(self, patience: float, *others: int) -> bool:
        """Polls once, for at most `patience` seconds, and handles what is ready. Returns whether any descriptor was ready."""
        poll, waiting = select.poll(), self.waits_for()
        for descriptor, event in (*waiting, *((other, select.POLLIN) for other in (self.signals.descriptor, *others))):
            if descriptor >= 0:
                poll.register(descriptor, event)
        ready = {descriptor for descriptor, _ in poll.poll(patience * 1000)}
        if self.signals.descriptor in ready:
            self.forward_signals()
        self.handle(ready)
        return bool(ready)

    def waits_for(self) -> list[tuple[int, int]]:
        """Returns the descriptors, each with its poll event, that the program's output waits for."""
        return [channel.waits_for() for channel in self.open]

    def handle(self, ready: Collection[int]) -> None:
        """Copies output of the descriptors that are ready. Does what is due by the clock."""
        for channel in [channel for channel in self.open if channel.waits_for()[0] in ready]:
            self.copy(channel)
        self.enforce_deadlines()
        self.recorder.poll()

    def copy(self, channel: Channel) -> None:
        """Records and shows the next block of a channel."""
        if not channel.pending:
            data = channel.read(CHUNK)
            if not data:
                self.open.remove(channel)
                return
            self.recorder.write(data, self.channels.index(channel))
            self.recorded += len(data)
            channel.pending = memoryview(data)
        try:
            channel.show()
        except BrokenPipeError:  # nobody reads: the program gets EPIPE too, as without us
            self.open.remove(channel)
            channel.close_outer()

    def forward_signals(self, *, is_new: bool = False) -> None:
        """Forwards signals to the program.

        If it `is_new`, the terminal did not send it the signals that came before it started.
        """
        for number, has_it in self.signals.read():
            if number in RESIZES:
                self.resize()
            elif self.process.returncode is not None:  # the program has ended; only a slow reader keeps us
                self.mute()
            elif number in MESSAGES:
                self.process.send_signal(number)
            else:
                self.ask_to_end(number, has_it=has_it and not is_new)

    def mute(self) -> None:
        """Stops showing output; it is still recorded."""
        for channel in self.open:
            channel.mute()

    def resize(self) -> None:
        """Passes a change of the window's size to the program's terminals, and SIGWINCH to its processes."""
        changed = [channel.resize() for channel in self.open]
        if any(changed):
            for pid in with_descendants(self.process.pid):
                send_signal(pid, signal.SIGWINCH)

    def ask_to_end(self, number: int, *, has_it: bool = False) -> None:
        """Sends the program a signal that asks it to end. SIGTERM and SIGHUP start its grace period; Ctrl-C does not."""
        # SIGTERM outranks an earlier Ctrl-C
        self.stopped_by = number if number in ORDERS else self.stopped_by or number
        if not has_it:
            self.process.send_signal(number)
        if number in ORDERS:
            for pid in with_descendants(self.process.pid):  # a process stopped by Ctrl-Z does not handle signals until SIGCONT
                send_signal(pid, signal.SIGCONT)
        if number in ORDERS and self.kill_at is None:
            self.kill_at = time.monotonic() + self.command.grace

    def enforce_deadlines(self) -> None:
        """Ends the program if its time limit or its grace period is over."""
        now = time.monotonic()
        if self.process.returncode is not None:
            return
        if self.end is not None and now >= self.end:
            self.end, self.timed_out = None, True
            self.ask_to_end(signal.SIGTERM)
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            self.process.kill()


@contextmanager
def watch_exit(pid: int) -> Iterator[int]:
    """Yields a descriptor that becomes readable when the process ends; -1 if the system has none."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield -1
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def capture_output(argv: Sequence[str], environ: Mapping[str, str], directory: Path, timeout: float | None = None) -> bytes:
    """Returns the stdout of a short-lived program. Kills it after `timeout` seconds. Raises CannotRun."""
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(
            # with a time limit it gets a session of its own, so that its children can be killed too
            tuple(argv), env=dict(environ), cwd=directory, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
            start_new_session=timeout is not None,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                (process.kill if timeout is None else lambda: os.killpg(process.pid, signal.SIGKILL))()
                raise
    except subprocess.TimeoutExpired as error:
        raise CannotRun(f"'{argv[0]}' did not answer within {timeout:g} seconds") from error
    except OSError as error:
        raise CannotRun(f"cannot start '{argv[0]}': {error.strerror}") from error
    if process.returncode:
        last = err.decode(errors="replace").strip().splitlines()[-1:]
        raise CannotRun(f"'{argv[0]}' failed: {' '.join(last) or f'it ended with {process.returncode}'}")
    return out


class HelperProcess:
    """A helper program of gitrun that runs beside the user's: reads orders from stdin and writes results to a file."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], directory: Path, path: Path) -> None:
        """Starts the program. Raises CannotRun, OSError."""
        with path.open("wb") as sink:
            try:
                # its own session: Ctrl-C at the terminal must not reach it
                self._process = subprocess.Popen(
                    tuple(argv), env=dict(environ), cwd=directory, stdin=subprocess.PIPE, stdout=sink,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise CannotRun(f"cannot start '{argv[0]}': {error.strerror}") from error

    def send_order(self, line: bytes) -> None:
        """Sends it an order, which must fit into a pipe. Raises OSError if it has ended."""
        assert self._process.stdin is not None  # noqa: S101 - it is PIPE above
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def end(self, patience: float) -> int | None:
        """Closes its stdin and waits for its end. Returns its exit status; None if it was killed after `patience` seconds."""
        try:
            self._process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        return self._process.returncode


@contextmanager
def page_output(program: str, environ: Mapping[str, str], streams: Sequence[int]) -> Iterator[bool]:
    """Sends what is written to the `streams` (descriptors) through a pager; on exit, waits for the pager.

    Yields False if the pager cannot be started; output is shown directly. Starts the program like git: by a shell if its
    command needs one.
    """
    words = ("/bin/sh", "-c", program) if SHELL_CHARACTERS.intersection(program) else (program,)
    try:
        pager = subprocess.Popen(words, env=dict(environ), stdin=subprocess.PIPE)
    except OSError:
        yield False
        return
    assert pager.stdin is not None  # noqa: S101 - it is PIPE above
    before = [os.dup(stream) for stream in streams]
    for stream in streams:
        os.dup2(pager.stdin.fileno(), stream)
    # the streams are now the only writers, so that the pager sees their end
    pager.stdin.close()
    try:
        yield True
    finally:
        for stream, old in zip(streams, before, strict=True):
            os.dup2(old, stream)
            os.close(old)
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pager, which may continue
        pager.wait()
        signal.signal(signal.SIGINT, interrupted)


def run_in_foreground(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs a program on our streams until it ends; SIGINT, SIGTERM and SIGHUP to us end it. Returns its exit status.

    It ends if we are killed. Raises CannotRun.
    """
    parent = os.getpid()
    try:
        program = subprocess.Popen(tuple(argv), env=dict(environ), preexec_fn=lambda: tie_to_parent(parent))
    except OSError as error:
        raise CannotRun(f"cannot start '{argv[0]}': {error.strerror}") from error

    def end(number: int, _: object) -> None:
        # the terminal's Ctrl-C has reached it too
        program.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    handlers = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return program.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        program.kill()
        program.wait()


def detach() -> bool:
    """Forks a process without a terminal into the background. Returns True in the new process, False in the old one.

    Returns after the new process has left the terminal's session, so that closing the terminal does not end it.
    """
    ready, finished = os.pipe()
    if os.fork():
        os.close(finished)
        # returns when the child has left our session and closed its end
        os.read(ready, 1)
        os.close(ready)
        return False
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for descriptor in (nothing, ready, finished):
        os.close(descriptor)
    return True


class SideProcess:
    """A forked process that runs a task until `end` is called or its parent dies. The task opens what it needs.

    Start it before the program, whose supervisor then takes it for no process of the program. It has a process group of its
    own, so that Ctrl-C in the terminal reaches the program alone.
    """

    def __init__(self, task: Callable[[], None]) -> None:
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            os.setpgid(0, 0)
            # a copied descriptor would keep the parent's locks after the parent has given them back
            os.closerange(3, DESCRIPTORS)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            tie_to_parent(parent)
            task()
        finally:
            # neither a traceback nor a copy of buffered output may appear in the program's output
            os._exit(0)

    def end(self) -> None:
        """Ends the process and what it has started, and waits for its end."""
        for kill in (os.killpg, os.kill):
            # the child may not have made its group yet
            with suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
