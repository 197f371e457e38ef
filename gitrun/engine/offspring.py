"""What a program starts must not outlive it unnoticed, and it must not outlive us: Linux's ways to see to that."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 1, 36, 37
TAG = "GITRUN_ATTEMPT"
LINGER = 0.3
"""Seconds that what a program left running has to end by itself: the `tee` behind its output, say."""


def tie_to_parent(parent: int) -> None:
    """In a child: it is killed when its parent dies, also if that happened already."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):  # not Linux
        return
    if os.getppid() != parent:
        os._exit(127)


class Adoption:
    """Whether this process adopts orphans, for as long as one of its threads wants it to; then as it was before."""

    def __init__(self) -> None:
        self._lock, self._wanted, self._before = threading.Lock(), 0, 0

    def begin(self) -> None:
        """One thread more wants it."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._before = adopts_orphans()
                adopt(1)

    def end(self) -> None:
        """One thread less wants it."""
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                adopt(self._before)


ADOPTION = Adoption()


@contextmanager
def adopt_orphans() -> Iterator[None]:
    """Processes below ours whose parent dies become our children, where they can be seen."""
    ADOPTION.begin()
    try:
        yield
    finally:
        ADOPTION.end()


def adopts_orphans() -> int:
    """1 if this process is what orphans below it are given to, else 0."""
    found = ctypes.c_int(0)
    with suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    return found.value


def adopt(wanted: int) -> None:
    """Makes this process what orphans below it are given to (1), or not (0)."""
    with suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, wanted, 0, 0, 0)


class Offspring:
    """What one program leaves running, once it has ended; made before it starts.

    If ours is a process of one thread, every child that it has later is the program's. Otherwise another thread may
    have started it: then only those are the program's that carry its tag.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._before = frozenset(children_of(os.getpid())) if is_single_threaded() else None

    def end(self, grace: float, pause: Callable[[float], object]) -> tuple[str, ...]:
        """Ends what is left, asking first, and `grace` seconds later by force; returns the names. `pause` is called to wait.

        What is about to end by itself gets a moment for it.
        """
        left = self.settle(LINGER, pause)
        names = tuple(name_of(pid) for pid in left)
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
            for pid in left:
                send(pid, number)
            left = self.settle(patience, pause) if left else []
        return names

    def settle(self, patience: float, pause: Callable[[float], object]) -> list[int]:
        """The processes that are still there after `patience` seconds, the dead buried."""
        end = time.monotonic() + patience
        while True:
            left = self.living()
            if not left or time.monotonic() >= end:
                return left
            pause(0.01)

    def living(self) -> list[int]:
        """The program's processes below us that have not ended."""
        queue = [pid for pid in children_of(os.getpid()) if self.is_ours(pid) and not is_buried(pid)]
        found: list[int] = []
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += children_of(pid)
        return found

    def is_ours(self, child: int) -> bool:
        """Whether a child of this process is the program's."""
        return child not in self._before if self._before is not None else is_tagged(child, self.tag)


def is_single_threaded() -> bool:
    """Whether nobody but the caller can have started children of this process."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """The processes started or adopted by a process."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as listing:
                found += map(int, listing.read().split())
        except OSError:
            continue
    return found


def below(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        found += children_of(parent)
    return found


def is_tagged(pid: int, tag: str) -> bool:
    """Whether the process was started with the tag of the attempt in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return f"{TAG}={tag}".encode() in environ.read().split(b"\0")
    except OSError:
        return False


def name_of(pid: int) -> str:
    """What a process is called."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm:
            return f"{os.fsdecode(comm.read().strip())} ({pid})"
    except OSError:
        return f"process {pid}"


def is_buried(pid: int) -> bool:
    """Whether an adopted process had ended, which is now taken note of."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def send(pid: int, number: int) -> None:
    """Signals a process that may be gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def send_if(pid: int, number: int, is_meant: Callable[[], bool]) -> bool:
    """Signals a process that is no child of ours, if it is the one meant; never one that got its number in between."""
    try:
        process = os.pidfd_open(pid)
    except AttributeError:  # not Linux
        meant = is_meant()
        if meant:
            send(pid, number)
        return meant
    except OSError:
        return False
    try:
        if not is_meant():
            return False
        signal.pidfd_send_signal(process, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(process)
    return True


def everywhere(tag: str) -> list[int]:
    """The tagged processes of this machine, but not ours."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if pid != os.getpid() and is_tagged(pid, tag)]


def end_everywhere(tag: str) -> None:
    """Kills what a killed supervisor's program left running: processes that carry the attempt's own tag. They are gone then."""
    end = time.monotonic() + 2.0
    while (left := everywhere(tag)) and time.monotonic() < end:
        for pid in left:
            send_if(pid, signal.SIGKILL, partial(is_tagged, pid, tag))
        time.sleep(0.01)
