"""Starts programs through the starter, a small process that forks faster than this one."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gitrun.process.starter import ANSWER, BEGUN, DESCRIPTORS, READY, receive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCRIPT = Path(__file__).with_name("starter.py")
PATIENCE = 10.0
"""Seconds that a Python has to start."""


class StarterEnded(Exception):
    """The starter has ended, perhaps because somebody has killed it."""


class Process(Protocol):
    """A started program. Has what a supervisor needs of `subprocess.Popen`."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Returns the exit status as in Python; None while it runs."""

    def wait(self) -> int:
        """Waits for the end. Returns the exit status."""

    def send_signal(self, sig: int) -> None:
        """Sends a signal, unless it has ended."""

    def kill(self) -> None:
        """Sends SIGKILL, unless it has ended."""


class Starter:
    """A started starter. `end` ends it, and the kernel then all programs that it has started."""

    def __init__(self, before: Callable[[], None]) -> None:
        """Starts it. `before` is called in the child. Raises OSError if that is not possible."""
        self._socket, theirs = socket.socketpair()
        try:
            # programs get the descriptors that we were given, and the starter hands them on
            theirs.set_inheritable(True)
            words = (sys.executable, "-I", "-S", str(SCRIPT), str(theirs.fileno()))
            self._process = subprocess.Popen(words, preexec_fn=before, close_fds=False)
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._socket.settimeout(PATIENCE)
        try:
            is_ready = receive(self._socket, ANSWER.size) == READY
        except OSError:
            is_ready = False
        if not is_ready:
            self.end()
            raise OSError("the starter does not start")
        self._socket.settimeout(None)

    def start_program(
        self, words: Sequence[str], directory: Path, environ: Mapping[str, str], streams: tuple[int, int, int]
    ) -> Process | None:
        """Starts a program with these descriptors as its first three. Returns None if the starter had ended before.

        If the starter ends while it starts the program, the program has begun: starting it again would run it twice. Raises
        OSError and ValueError as `subprocess.Popen` does.
        """
        texts = (*words, str(directory), *(f"{name}={value}" for name, value in environ.items()))
        order = os.fsencode("\0".join((str(len(words)), *texts)))
        if order.count(b"\0") != len(texts):
            raise ValueError("embedded null byte")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTORS.pack(*streams))]
        try:
            pid, number = self._ask(order, rights)
        except StarterEnded:
            return None
        child = pid
        if number == BEGUN:
            # if the starter was killed after this, the kernel has killed the child too, perhaps in the midst of the program
            with suppress(StarterEnded):
                pid, number = self._read_answer()
        if number > 0:
            raise OSError(number, os.strerror(number), words[0])
        return StartedProcess(self, child)

    def reap(self, pid: int) -> int:
        """Returns the wait status of a program that has ended. Raises StarterEnded."""
        return self._ask(b"0\0%d" % pid)[0]

    def _ask(self, order: bytes, rights: Sequence[tuple[int, int, bytes]] = ()) -> tuple[int, int]:
        whole = len(order).to_bytes(4, "little") + order
        try:
            sent = self._socket.sendmsg([whole], rights)
            self._socket.sendall(whole[sent:])
        except ConnectionError as error:
            raise StarterEnded from error
        return self._read_answer()

    def _read_answer(self) -> tuple[int, int]:
        try:
            answer = receive(self._socket, ANSWER.size)
        except ConnectionError as error:
            raise StarterEnded from error
        if len(answer) < ANSWER.size:
            raise StarterEnded
        first, second = ANSWER.unpack(answer)
        return int(first), int(second)

    def end(self) -> None:
        """Ends it, and waits for its end."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


class StartedProcess:
    """A program that the starter has started."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._starter, self._descriptor = starter, -1
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:  # killed with the starter, and reaped by whoever adopted it
            self.returncode = -signal.SIGKILL

    def poll(self) -> int | None:
        """Returns the exit status as in Python; None while it runs."""
        return self._look(0)

    def wait(self) -> int:
        """Waits for the end. Returns the exit status."""
        status = self._look(None)
        assert status is not None  # noqa: S101 - there is no limit
        return status

    def send_signal(self, sig: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, sig)

    def kill(self) -> None:
        """Sends SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _look(self, patience: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        ready = select.poll()
        ready.register(self._descriptor, select.POLLIN)
        if not ready.poll(patience):
            return None
        try:
            status = self._starter.reap(self.pid)
        except StarterEnded:
            try:
                # its programs became our children when the kernel killed them
                status = os.waitpid(self.pid, 0)[1]
            except ChildProcessError:
                status = signal.SIGKILL
        os.close(self._descriptor)
        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def open_starter(before: Callable[[], None]) -> Starter | None:
    """Returns a starter; None where there can be none."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    with suppress(OSError):
        return Starter(before)
    return None
