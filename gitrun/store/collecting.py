"""Git's own lock of `git gc`: whether one is under way, and how it is held off for a moment."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gitrun.git.exe import Git

PATIENCE = 5.0
"""Seconds that a gc under way is awaited."""
STALE = 12 * 3600.0
"""Seconds after which git takes a lock for a forgotten one (git's builtin/gc.c)."""


def is_collecting(git: Git) -> bool:
    """Whether a gc is under way."""
    return (git.common_dir / "gc.pid").exists()


@contextmanager
def gc_held_off(git: Git) -> Iterator[None]:
    """No `git gc` begins within this `with`: it says that one is running already. One under way is awaited first.

    A gc that prunes at once takes what was written and has no ref yet; who lost to one tries again in here. After
    PATIENCE seconds, or where the lock cannot be written, the `with` goes on without it.
    """
    path = git.common_dir / "gc.pid"
    held = take(path)
    try:
        yield
    finally:
        if held:
            path.unlink(missing_ok=True)


def take(path: Path) -> bool:
    """Whether git's gc lock is ours now; it names this process, so that git finds it forgotten once we are dead."""
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
            if not is_living(path):
                lock.replace(path)
                return True
            lock.unlink()
        time.sleep(0.01)
    return False


def is_living(path: Path) -> bool:
    """Whether the gc that the lock names may still be under way."""
    try:
        status, words = path.stat(), path.read_text(errors="replace").split(" ")
    except OSError:
        return False
    if time.time() - status.st_mtime > STALE or len(words) != 2 or not words[0].isdigit():
        return False
    if words[1] != os.uname().nodename:
        return True
    try:
        os.kill(int(words[0]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
