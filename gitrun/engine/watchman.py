"""Signals to a supervisor as something to read, with who sent them."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import threading
import time
from typing import TYPE_CHECKING

from gitrun.engine.offspring import is_single_threaded

if TYPE_CHECKING:
    from types import FrameType, TracebackType

INTERRUPTS = (signal.SIGINT, signal.SIGQUIT)
ORDERS = (signal.SIGTERM, signal.SIGHUP)
MESSAGES = (signal.SIGUSR1, signal.SIGUSR2)
RESIZES = (signal.SIGWINCH, signal.SIGCONT)  # a window that changed while we were stopped is told to nobody
WATCHED = (*INTERRUPTS, *ORDERS, *MESSAGES, *RESIZES)
SI_KERNEL = 0x80  # Linux: sent by the kernel, which is what a terminal's Ctrl-C is
RECORD = struct.Struct("<IiiI112x")  # struct signalfd_siginfo: signo, errno, code, pid
NONBLOCK_CLOEXEC = 0o2004000


class Signals:
    """Signals to this process, readable at `descriptor` (-1 in any thread but the main one); to be used in a `with`.

    Until its end no signal that can be held off ends this process, not even while an outcome is being recorded. What
    was ignored before (under nohup, say) stays ignored. git passes on to us the Ctrl-C that the terminal has sent to
    everybody: that second one counts as the terminal's.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self._numbers: tuple[signal.Signals, ...] = ()
        self._write = self._wakeup = -1
        self._mask: set[int] = set()
        self._handlers: dict[int, object] = {}
        self._from_terminal_at = float("-inf")
        self.order = 0
        """The last order that has come, with which somebody meant this process and not its program alone."""

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._numbers = tuple(number for number in WATCHED if signal.getsignal(number) is not signal.SIG_IGN)
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.descriptor < 0:
            return
        self.read()  # what came when all was over was for the program
        if self._write >= 0:
            signal.set_wakeup_fd(self._wakeup)
            os.close(self._write)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.close(self.descriptor)
        self.descriptor = self._write = -1

    def _open(self) -> None:
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        descriptor = signalfd(self._numbers) if is_single_threaded() else None
        if descriptor is not None:
            signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
            self.descriptor = descriptor
            return
        # not Linux, or another thread would take a signal that this one blocks
        self.descriptor, self._write = os.pipe()
        for end in (self.descriptor, self._write):
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, pass_over) for number in self._numbers}

    def give_back(self) -> None:
        """In a child, before its program starts: signals do what they do to any program, those that have come too."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        if self._numbers:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def read(self) -> list[tuple[int, bool]]:
        """The signals that have come: number, and whether the program has it from the terminal already."""
        found = self._come()
        self.order = next((number for number, _ in reversed(found) if number in ORDERS), self.order)
        return found

    def _come(self) -> list[tuple[int, bool]]:
        if self.descriptor < 0:
            return []
        try:
            data = os.read(self.descriptor, RECORD.size * 16)
        except BlockingIOError:
            return []
        if self._write >= 0:
            return [(number, number in INTERRUPTS and in_foreground()) for number in data if number in self._numbers]
        return [self._judge(*RECORD.unpack_from(data, at)) for at in range(0, len(data), RECORD.size)]

    def _judge(self, number: int, _: int, code: int, sender: int) -> tuple[int, bool]:
        now = time.monotonic()
        if code == SI_KERNEL:
            self._from_terminal_at = now
            return number, True
        return number, sender == os.getppid() and now - self._from_terminal_at < 1.0


def pass_over(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: the signal has been written to the wakeup descriptor."""


def signalfd(numbers: tuple[signal.Signals, ...]) -> int | None:
    """Linux's descriptor of pending signals; None where there is none."""
    try:
        call = ctypes.CDLL(None, use_errno=True).signalfd
    except (AttributeError, OSError):
        return None
    mask = sum(1 << (number - 1) for number in numbers).to_bytes(128, "little")
    descriptor: int = call(-1, mask, NONBLOCK_CLOEXEC)
    return descriptor if descriptor >= 0 else None


def in_foreground() -> bool:
    """Whether Ctrl-C at the terminal reaches the processes of our group."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
