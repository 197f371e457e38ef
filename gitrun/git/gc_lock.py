"""The lock of `git gc` (`gc.pid`): detects a running gc, and keeps one from starting for a moment."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gitrun.git.exe import Git

PATIENCE = 5.0
"""Seconds to wait for a running gc to end."""
STALE = 12 * 3600.0
"""Seconds after which git ignores a gc lock (git's builtin/gc.c)."""


def is_gc_running(git: Git) -> bool:
    """Returns whether a gc seems to be running: its lock file exists."""
    return (git.common_dir / "gc.pid").exists()


@contextmanager
def hold_off_gc(git: Git) -> Iterator[None]:
    """Keeps `git gc` from starting during this `with` by holding its lock. Waits for a running one first.

    A gc that prunes at once removes new objects that no ref reaches yet. Callers that lost to one retry under this lock.
    After PATIENCE seconds, or if the lock cannot be written, the `with` proceeds without it.
    """
    path = git.common_dir / "gc.pid"
    lock_held = acquire_gc_lock(path)
    try:
        yield
    finally:
        if lock_held:
            path.unlink(missing_ok=True)


def acquire_gc_lock(path: Path) -> bool:
    """Takes git's gc lock for this process. Returns whether it was taken within PATIENCE seconds.

    The lock names our process id, so git ignores it once we are dead.
    """
    lock, end = path.with_name(f"{path.name}.lock"), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(FileExistsError):
            try:
                descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            except OSError as error:
                if isinstance(error, FileExistsError):
                    raise
                return False
            try:
                os.write(descriptor, f"{os.getpid()} {os.uname().nodename}".encode())
            except OSError:  # a full disk
                lock.unlink()
                return False
            finally:
                os.close(descriptor)
            # git's own order: take the lock file, look at gc.pid, rename
            if not is_gc_alive(path):
                lock.replace(path)
                return True
            lock.unlink()
        time.sleep(0.01)
    return False


def is_gc_alive(path: Path) -> bool:
    """Returns whether the gc that the lock names may still be running.

    Git's own rule: a living process of this host, or any process of another one, for at most 12 hours.
    """
    try:
        status, words = path.stat(), path.read_text(errors="replace").split(" ")
    except OSError:
        return False
    if time.time() - status.st_mtime > STALE or len(words) != 2 or not words[0].isdigit():
        return False
    # a process of another machine cannot be checked, so it counts as living until the lock is stale
    if words[1] != os.uname().nodename:
        return True
    try:
        os.kill(int(words[0]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
