"""Locks that the kernel gives back when their holder dies, whatever kills it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.store.places import make_private

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Lock:
    """A held flock on a file; given back by `release`, at the end of a `with`, or by the death of all its holders."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Gives the lock back; once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def acquire(path: Path, wait: float | None = None) -> Lock | None:
    """The lock on the file at `path` (made if missing, with its directory); None if not to be had within `wait` seconds.

    Without `wait` it is awaited as long as it takes. A lock file may be taken away by its holder: whoever gets the
    lock of a file that is no longer at `path` tries again with the one that is.
    """
    end = None if wait is None else time.monotonic() + wait
    while True:
        with suppress(FileExistsError):  # mkdir's own look at what exists is too late if that is taken away in between
            make_private(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # its directory was taken away between the two lines
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if end else 0))
            if is_at(descriptor, path):
                return Lock(path, descriptor)
        except BlockingIOError:
            if end is not None and time.monotonic() >= end:
                os.close(descriptor)
                return None
            time.sleep(0.005)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that lies at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock on the file at `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # if it is there, it is another user's, who is not known to have died
        return os.path.lexists(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False
