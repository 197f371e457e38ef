"""What a program starts must not outlive it unnoticed, and it must not outlive us: Linux's ways to see to that."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TAG = "GITRUN_ATTEMPT"


def prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing where there is none."""
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (AttributeError, OSError):
        return


def tie_to_parent(parent: int) -> None:
    """In a child: it is killed when its parent dies, also if that happened already."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)


@contextmanager
def adopt_orphans() -> Iterator[None]:
    """Processes below ours whose parent dies become our children, where they can be seen."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)


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


def is_tagged(pid: int, tag: str) -> bool:
    """Whether the process was started with the tag of the attempt in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return f"{TAG}={tag}".encode() in environ.read().split(b"\0")
    except OSError:
        return False


def offspring(tag: str) -> list[int]:
    """The tagged processes among our children, and below them."""
    found: list[int] = []
    queue = [pid for pid in children_of(os.getpid()) if is_tagged(pid, tag)]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children_of(pid)
    return found


def everywhere(tag: str) -> list[int]:
    """The tagged processes of this machine."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if pid != os.getpid() and is_tagged(pid, tag)]


def name_of(pid: int) -> str:
    """What a process is called."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm:
            return f"{os.fsdecode(comm.read().strip())} ({pid})"
    except OSError:
        return f"process {pid}"


def end_all(tag: str, grace: float) -> tuple[str, ...]:
    """Ends what the program left running, asking first; returns their names.

    An orphan that is about to end by itself gets a moment for it.
    """
    left = settle(tag, 0.05)
    names = tuple(name_of(pid) for pid in left)
    for number, patience in ((signal.SIGTERM, min(grace, 2.0)), (signal.SIGKILL, 2.0)):
        for pid in left:
            send(pid, number)
        left = settle(tag, patience) if left else []
    return names


def settle(tag: str, patience: float) -> list[int]:
    """The offspring that is still there after `patience` seconds, the dead buried."""
    end = time.monotonic() + patience
    while True:
        left = offspring(tag)
        for pid in left:
            bury(pid)
        left = [pid for pid in left if os.path.exists(f"/proc/{pid}")]
        if not left or time.monotonic() >= end:
            return left
        time.sleep(0.005)


def bury(pid: int) -> None:
    """Takes note of the end of an adopted process."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def send(pid: int, number: int) -> None:
    """Signals a process that may be gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def end_everywhere(tag: str) -> None:
    """Kills what a killed supervisor's program left running: processes that carry the attempt's own tag."""
    for pid in everywhere(tag):
        send(pid, signal.SIGKILL)
