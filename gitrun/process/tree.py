"""Finds and ends the processes that a program starts: none may outlive it unnoticed, and none may outlive gitrun.

Uses Linux's parent-death signal, subreaper and /proc. Elsewhere these calls do nothing.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import time
from contextlib import contextmanager, suppress
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 1, 36, 37
TAG = "GITRUN_ATTEMPT"
LIBC = ctypes.CDLL(None)
"""Loaded here, because loading it in a child would take longer than all else there."""
LINGER = 0.3
"""Seconds that processes left behind by a program have to end by themselves, such as the `tee` behind its output."""


def tie_to_parent(parent: int) -> None:
    """Asks the kernel to kill this child process when its parent dies. Exits at once if the parent is already dead."""
    try:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):  # not Linux
        return
    # the parent may have died before prctl
    if os.getppid() != parent:
        os._exit(127)


class Adoption:
    """A counter of the threads for which this process adopts orphans; the last one restores the former setting."""

    def __init__(self) -> None:
        self._lock, self._wanted, self._before = _thread.allocate_lock(), 0, 0

    def begin(self) -> None:
        """Adds a thread; the first one turns adoption on."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                # a library's caller may have set it for its own purposes
                self._before = get_subreaper()
                set_subreaper(1)

    def end(self) -> None:
        """Removes a thread; the last one restores the former setting."""
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                set_subreaper(self._before)


ADOPTION = Adoption()


@contextmanager
def adopt_orphans() -> Iterator[None]:
    """Makes orphaned descendants children of this process inside the `with`, so that they can be found."""
    ADOPTION.begin()
    try:
        yield
    finally:
        ADOPTION.end()


def get_subreaper() -> int:
    """Returns 1 if this process is a subreaper, which inherits orphaned descendants, else 0."""
    state = ctypes.c_int(0)
    with suppress(AttributeError, OSError):  # not Linux
        LIBC.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(state), 0, 0, 0)
    return state.value


def set_subreaper(state: int) -> None:
    """Turns the subreaper attribute of this process on (1) or off (0)."""
    with suppress(AttributeError, OSError):  # not Linux
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, state, 0, 0, 0)


class ChildProcesses:
    """The processes that one program leaves running when it ends. Create it before the program starts.

    If this process has one thread, every later child belongs to the program. With more threads, or with programs `beside` it,
    a child may belong to another one, so only later processes with the program's tag count.
    """

    def __init__(self, tag: str, *, beside: bool = False) -> None:
        self.tag = tag
        self._before = frozenset(list_children(os.getpid()))
        self._is_alone = not beside and is_single_threaded()

    def end(self, grace: float, pause: Callable[[float], object]) -> tuple[str, ...]:
        """Ends the processes that are left: SIGTERM first, SIGKILL after `grace` seconds. Returns their names.

        Gives those that are about to end 0.3 seconds first. Calls `pause` to wait.
        """
        survivors = self.wait_for_end(LINGER, pause)
        names = tuple(describe_process(pid) for pid in survivors)
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
            for pid in survivors:
                send_signal(pid, number)
            survivors = self.wait_for_end(patience, pause) if survivors else []
        return names

    def wait_for_end(self, patience: float, pause: Callable[[float], object]) -> list[int]:
        """Waits up to `patience` seconds for the processes to end, and reaps them. Returns those still running."""
        end = time.monotonic() + patience
        while True:
            running = self.list_running()
            if not running or time.monotonic() >= end:
                return running
            pause(0.01)

    def list_running(self) -> list[int]:
        """Returns the program's running processes below this one."""
        queue = [pid for pid in list_children(os.getpid()) if self.is_ours(pid) and not reap_if_ended(pid)]
        running: list[int] = []
        while queue:
            pid = queue.pop()
            running.append(pid)
            queue += list_children(pid)
        return running

    def is_ours(self, child: int) -> bool:
        """Returns whether a child of this process belongs to the program."""
        return child not in self._before and (self._is_alone or is_tagged(child, self.tag))


def is_single_threaded() -> bool:
    """Returns whether this process has one thread; False where /proc does not tell."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def list_children(pid: int) -> list[int]:
    """Returns the children of a process, started or adopted. Empty where /proc does not list them."""
    children: list[int] = []
    try:
        # Linux lists children by the thread that started them
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return children
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as listing:
                children += map(int, listing.read().split())
        except OSError:
            continue
    return children


def with_descendants(pid: int) -> list[int]:
    """Returns the process and all its descendants."""
    pids = [pid]
    for parent in pids:
        pids += list_children(parent)
    return pids


def is_tagged(pid: int, tag: str) -> bool:
    """Returns whether the process was started with the attempt's tag in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return f"{TAG}={tag}".encode() in environ.read().split(b"\0")
    except OSError:
        return False


def describe_process(pid: int) -> str:
    """Returns the name and id of a process, for messages."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm:
            return f"{os.fsdecode(comm.read().strip())} ({pid})"
    except OSError:
        return f"process {pid}"


def reap_if_ended(pid: int) -> bool:
    """Reaps an adopted process if it has ended. Returns whether it is gone."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def send_signal(pid: int, number: int) -> None:
    """Sends a signal to a process, which may be gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def send_signal_if(pid: int, number: int, is_meant: Callable[[], bool]) -> bool:
    """Signals a process that is not our child, if `is_meant` confirms it. Returns whether the signal was sent.

    The pidfd is opened before the check, so that a process with a reused id is never signalled.
    """
    try:
        process = os.pidfd_open(pid)
    except AttributeError:  # not Linux
        is_meant_now = is_meant()
        if is_meant_now:
            send_signal(pid, number)
        return is_meant_now
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


def find_tagged(tag: str) -> list[int]:
    """Returns the tagged processes of this machine, except this one."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if pid != os.getpid() and is_tagged(pid, tag)]


def kill_tagged(tag: str) -> None:
    """Kills the processes of an attempt whose supervisor was killed, found by their tag.

    Waits up to 2 seconds for their end.
    """
    end = time.monotonic() + 2.0
    while (tagged := find_tagged(tag)) and time.monotonic() < end:
        for pid in tagged:
            send_signal_if(pid, signal.SIGKILL, partial(is_tagged, pid, tag))
        time.sleep(0.01)
