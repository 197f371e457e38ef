"""Signals to a supervisor as something to read, with who sent them."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import threading
import time
from typing import TYPE_CHECKING

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
        self._write = -1
        self._mask: set[int] = set()
        self._handlers: dict[int, object] = {}
        self._from_terminal_at = float("-inf")

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._numbers = tuple(number for number in WATCHED if signal.getsignal(number) is not signal.SIG_IGN)
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.descriptor < 0:
            return
        self.read()  # what came when all was over was for the program
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self.descriptor)
        self.descriptor = -1
        if self._write >= 0:
            os.close(self._write)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _open(self) -> None:
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        descriptor = signalfd(self._numbers)
        if descriptor is None:  # not Linux
            self.descriptor, self._write = os.pipe()
            os.set_blocking(self.descriptor, False)
            self._handlers = {number: signal.signal(number, self._note) for number in self._numbers}
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        self.descriptor = descriptor

    def _note(self, number: int, _: FrameType | None) -> None:
        os.write(self._write, RECORD.pack(number, 0, SI_KERNEL if in_foreground() else 0, 0))

    def give_back(self) -> None:
        """In a child, before its program starts: signals do what they do to any program, those that have come too."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        if self._numbers:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def read(self) -> list[tuple[int, bool]]:
        """The signals that have come: number, and whether the program has it from the terminal already."""
        if self.descriptor < 0:
            return []
        try:
            data = os.read(self.descriptor, RECORD.size * 16)
        except BlockingIOError:
            return []
        return [self._judge(*RECORD.unpack_from(data, at)) for at in range(0, len(data), RECORD.size)]

    def _judge(self, number: int, _: int, code: int, sender: int) -> tuple[int, bool]:
        now = time.monotonic()
        if code == SI_KERNEL:
            self._from_terminal_at = now
            return number, True
        return number, sender == os.getppid() and now - self._from_terminal_at < 1.0


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
