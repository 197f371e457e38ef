"""Makes signals to the supervisor readable from a descriptor, with their sender."""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import struct
import time
from contextlib import contextmanager

from gitrun.lazy import Protocol, threading
from gitrun.process.tree import is_single_threaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

INTERRUPTS = (signal.SIGINT, signal.SIGQUIT)
ORDERS = (signal.SIGTERM, signal.SIGHUP)
MESSAGES = (signal.SIGUSR1, signal.SIGUSR2)
RESIZES = (signal.SIGWINCH, signal.SIGCONT)  # the kernel reports no change of the window while we are stopped
WATCHED = (*INTERRUPTS, *ORDERS, *MESSAGES, *RESIZES)
SI_KERNEL = 0x80  # Linux: sent by the kernel, as the terminal's Ctrl-C is
RECORD = struct.Struct("<IiiI112x")  # struct signalfd_siginfo: signo, errno, code, pid
NONBLOCK_CLOEXEC = 0o2004000  # SFD_NONBLOCK | SFD_CLOEXEC


class SignalSource(Protocol):
    """Signals to this process, as the supervisor of a program reads them."""

    descriptor: int

    def restore_defaults(self) -> None:
        """Restores default signal handling in a child, before its program starts."""

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that have arrived: number, and whether the terminal sent it to the program as well."""


class Signals:
    """Signals to this process, readable at `descriptor` (-1 in threads other than the main one); a context manager.

    Inside the `with`, no signal that can be blocked ends this process, not even while it records an outcome. Signals that
    were ignored before, as under nohup, stay ignored. git forwards the Ctrl-C that the terminal sends to the whole group:
    this second signal also counts as the terminal's.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self._numbers: tuple[signal.Signals, ...] = ()
        self._write = self._wakeup = -1
        self._mask: set[int] = set()
        self._handlers: dict[int, object] = {}
        self._from_terminal_at = float("-inf")
        self.order = 0
        """The last SIGTERM or SIGHUP, which is meant for this process too, not only for its program; 0 if there was none."""

    def __enter__(self) -> Signals:
        # Python delivers signals to the main thread only
        if is_main_thread():
            self._numbers = tuple(number for number in WATCHED if signal.getsignal(number) is not signal.SIG_IGN)
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.descriptor < 0:
            return
        self.read()  # signals that arrived after the program's end were meant for the program
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
        # not Linux, or another thread that would receive the signals blocked here
        self.descriptor, self._write = os.pipe()
        for end in (self.descriptor, self._write):
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, ignore_signal) for number in self._numbers}

    def restore_defaults(self) -> None:
        """Restores default signal handling in a child, before its program starts. Pending signals take effect."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        if self._numbers:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that have arrived: number, and whether the terminal sent it to the program as well."""
        pending = self._read_pending()
        self.order = next((number for number, _ in reversed(pending) if number in ORDERS), self.order)
        return pending

    def _read_pending(self) -> list[tuple[int, bool]]:
        if self.descriptor < 0:
            return []
        try:
            data = os.read(self.descriptor, RECORD.size * 16)
        except BlockingIOError:
            return []
        if self._write >= 0:
            return [(number, number in INTERRUPTS and is_in_foreground()) for number in data if number in self._numbers]
        return [self._classify(*RECORD.unpack_from(data, at)) for at in range(0, len(data), RECORD.size)]

    def _classify(self, number: int, _: int, code: int, sender: int) -> tuple[int, bool]:
        now = time.monotonic()
        if code == SI_KERNEL:
            self._from_terminal_at = now
            return number, True
        # git, our parent, forwards the terminal's Ctrl-C at once
        return number, sender == os.getppid() and now - self._from_terminal_at < 1.0


@contextmanager
def handle_order(is_handled: Callable[[int], bool]) -> Iterator[None]:
    """Calls `is_handled` for each SIGTERM until the `with` ends. If it returns False, the signal has its usual effect.

    Does nothing in threads other than the main one, which get no signals.
    """
    if not is_main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        if not is_handled(number):
            signal.signal(number, before)
            signal.raise_signal(number)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is handle:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def interrupt_once() -> Iterator[None]:
    """Lets only the first Ctrl-C raise KeyboardInterrupt, until the `with` ends.

    Git forwards it, so that a second signal would interrupt what the first one has made necessary.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or not is_main_thread():
        yield
        return
    interrupts: list[int] = []

    def raise_once(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) == 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, raise_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_main_thread() -> bool:
    """Returns whether this is the main thread."""
    # without another thread there is nothing to import
    return not _thread._count() or threading.current_thread() is threading.main_thread()  # noqa: SLF001


def ignore_signal(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: Python has already written the signal to the wakeup descriptor."""


def signalfd(numbers: tuple[signal.Signals, ...]) -> int | None:
    """Returns Linux's descriptor of pending signals, or None."""
    try:
        call = ctypes.CDLL(None, use_errno=True).signalfd
    except (AttributeError, OSError):
        return None
    # a sigset_t: 128 bytes, one bit a signal
    mask = sum(1 << (number - 1) for number in numbers).to_bytes(128, "little")
    descriptor: int = call(-1, mask, NONBLOCK_CLOEXEC)
    return descriptor if descriptor >= 0 else None


def is_in_foreground() -> bool:
    """Returns whether our process group is in the foreground, so that Ctrl-C reaches all of it."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
