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

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)
SI_KERNEL = 0x80  # Linux: sent by the kernel, which is what a terminal's Ctrl-C is
RECORD = struct.Struct("<IiiI112x")  # struct signalfd_siginfo: signo, errno, code, pid
NONBLOCK_CLOEXEC = 0o2004000


class Signals:
    """Signals to this process, readable at `descriptor` (-1 if unguarded); to be used in a `with`.

    git passes on to us the Ctrl-C that the terminal has sent to everybody: that second one counts as the terminal's.
    """

    def __init__(self, *, guarded: bool) -> None:
        self.guarded = guarded and threading.current_thread() is threading.main_thread()
        self.descriptor = -1
        self._write = -1
        self._mask: set[int] = set()
        self._handlers: dict[int, object] = {}
        self._from_terminal_at = float("-inf")

    def __enter__(self) -> Signals:
        if self.guarded:
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.guarded:
            return
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self.descriptor)
        if self._write >= 0:
            os.close(self._write)
        self.give_back()

    def _open(self) -> None:
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        descriptor = signalfd(WATCHED)
        if descriptor is None:  # not Linux
            self.descriptor, self._write = os.pipe()
            self._handlers = {number: signal.signal(number, self._note) for number in WATCHED}
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self.descriptor = descriptor

    def _note(self, number: int, _: FrameType | None) -> None:
        os.write(self._write, RECORD.pack(number, 0, SI_KERNEL if in_foreground() else 0, 0))

    def give_back(self) -> None:
        """Blocks no signal that was not blocked before; also for the child, before its program starts."""
        if self.guarded:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def read(self) -> list[tuple[int, bool]]:
        """The signals that have come: number, and whether the program has it from the terminal already."""
        data = os.read(self.descriptor, RECORD.size * 16)
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
