"""Starts child processes without the standard library's `subprocess`, whose import takes as long as three gits.

`git/exe.py` starts git by it, and `run.py` the user's program. Descriptors that we inherited reach only the latter.
"""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress
from signal import SIGKILL, SIGPIPE, SIGXFSZ

from gitrun.dataclass import dataclass
from gitrun.lazy import LateModule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import IO

    from typing_extensions import Self

if TYPE_CHECKING:
    import subprocess as subprocess  # noqa: PLC0414 - a name for the two doors
else:
    subprocess = LateModule("subprocess")
    """For what is rare: timeouts, sessions, two gits in a row."""
CHUNK = 1 << 16
BUFFER = 1 << 16
"""Bytes that a stream to or from a child buffers."""


class Child:
    """A child process; a context manager, which closes its streams and waits for its end. `returncode` is as in Python."""

    def __init__(self, pid: int, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.stdout:
            self.stdout.close()
        with suppress(BrokenPipeError):  # what is still buffered has no reader
            if self.stdin:
                self.stdin.close()
        self.wait()

    def poll(self) -> int | None:
        """Returns the exit status; None while the process runs."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Waits for the end. Returns the exit status."""
        while (status := self._reap(0)) is None:
            pass
        return status

    def _reap(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # somebody else has reaped it
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid == self.pid else None
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Sends a signal, unless the process has ended."""
        # a process that has ended but was not reaped keeps its id
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        """Kills the process."""
        self.send_signal(SIGKILL)


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended: exit status, and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_child(argv: Sequence[str], environ: Mapping[str, str], stdin: bytes = b"", held_files: Sequence[int] = ()) -> Ended:
    """Runs a program to its end, with `stdin` as its input. It inherits the descriptors `held_files`. Raises OSError."""
    out, err, pipes = os.pipe(), os.pipe(), [os.pipe()] if stdin else []
    ours = [out[0], err[0], *(pipe[1] for pipe in pipes)]
    try:
        try:
            child = Child(spawn(argv, environ, (pipes[0][0] if pipes else -1, out[1], err[1]), held_files))
        finally:
            for descriptor in (out[1], err[1], *(pipe[0] for pipe in pipes)):
                os.close(descriptor)
        try:
            written = exchange(ours, stdin)
        except BaseException:
            child.kill()
            child.wait()
            raise
    finally:
        for descriptor in ours:
            os.close(descriptor)
    return Ended(child.wait(), *written)


def exchange(descriptors: list[int], stdin: bytes) -> tuple[bytes, bytes]:
    """Reads the pipes for stdout and stderr to their ends while `stdin` is written. Closes what has ended."""
    poll, rest = select.poll(), memoryview(stdin)
    out, err = descriptors[:2]
    pieces: dict[int, list[bytes]] = {out: [], err: []}
    for descriptor in pieces:
        poll.register(descriptor, select.POLLIN)
    for descriptor in descriptors[2:]:
        os.set_blocking(descriptor, False)
        poll.register(descriptor, select.POLLOUT)
    while descriptors:
        for descriptor, _ in poll.poll():
            if descriptor in pieces:
                piece = os.read(descriptor, CHUNK)
                pieces[descriptor].append(piece)
                is_done = not piece
            else:
                try:
                    rest = rest[os.write(descriptor, rest[:CHUNK]) :]
                    is_done = not rest
                except BrokenPipeError:  # it does not want the rest
                    is_done = True
            if is_done:
                poll.unregister(descriptor)
                descriptors.remove(descriptor)
                os.close(descriptor)
    return b"".join(pieces[out]), b"".join(pieces[err])


def start_talker(argv: Sequence[str], environ: Mapping[str, str]) -> Child:
    """Starts a program to talk to over pipes. Its stderr goes nowhere. Raises OSError."""
    questions, answers = os.pipe(), os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        pid = spawn(argv, environ, (questions[0], answers[1], nowhere))
    except BaseException:
        os.close(questions[1])
        os.close(answers[0])
        raise
    finally:
        for descriptor in (questions[0], answers[1], nowhere):
            os.close(descriptor)
    return Child(pid, open(questions[1], "wb", BUFFER), open(answers[0], "rb", BUFFER))


def spawn(
    argv: Sequence[str], environ: Mapping[str, str], streams: tuple[int, int, int], held_files: Sequence[int] = ()
) -> int:
    """Starts a program with these standard streams (-1: the null device). Returns its process id. Raises OSError.

    It inherits the descriptors `held_files`, but no others.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
    for number, descriptor in enumerate(streams):
        if descriptor < 0:
            actions.append((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0))
        else:
            actions.append((os.POSIX_SPAWN_DUP2, descriptor, number))
    # onto itself: the copy is not close-on-exec
    actions += [(os.POSIX_SPAWN_DUP2, descriptor, descriptor) for descriptor in held_files]
    # last: one of ours may have got the number of one that was closed
    actions += [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inherited_descriptors() if descriptor not in held_files]
    program = find_program(argv[0], environ)
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    # Python ignores these two
    return os.posix_spawn(program, tuple(argv), environ, file_actions=actions, setsigdef=(SIGPIPE, SIGXFSZ))


inherited: list[int] = []
"""Descriptors that this process got from its parent, and -1 once they were looked for."""


def inherited_descriptors() -> list[int]:
    """Returns the descriptors beyond the standard streams that children would inherit. Looks for them once."""
    if not inherited:
        inherited.append(-1)
        with suppress(OSError):
            for name in os.listdir("/proc/self/fd"):
                with suppress(OSError):  # that of the listing is closed already
                    if int(name) > 2 and os.get_inheritable(int(name)):
                        inherited.append(int(name))
    return inherited[1:]


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Returns the executable file of this name, looked for in PATH if it has no directory; None if there is none."""
    for directory in environ.get("PATH", os.defpath).split(os.pathsep) if "/" not in name else ("",):
        program = os.path.join(directory, name)
        if os.access(program, os.X_OK) and not os.path.isdir(program):
            return program
    return None
