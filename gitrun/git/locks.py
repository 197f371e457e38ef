"""File locks (flock) that the kernel releases when their holder dies."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Lock:
    """A held flock on a file. Released by `release`, at the end of a `with`, or when all its holders die."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Releases the lock. A second call does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def acquire(path: Path, wait: float | None = None) -> Lock | None:
    """Locks the file at `path`. Returns None if that takes more than `wait` seconds; without `wait`, waits forever.

    Creates the file and its directory. A holder may unlink its lock file, so the lock is retried until the locked file is
    the one at `path`.
    """
    end = None if wait is None else time.monotonic() + wait
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            # mkdir(exist_ok=True) still raises this if the directory is removed between its two steps
            with suppress(FileExistsError):
                make_private_directory(path.parent)
            continue
        try:
            # flock, since a POSIX lock is lost when any descriptor of the file is closed
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if end else 0))
            if is_file_at(descriptor, path):
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


def is_file_at(descriptor: int, path: Path) -> bool:
    """Returns whether the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def make_private_directory(directory: Path) -> None:
    """Makes a directory with mode 0700. Its parents follow `make_shared_directory`."""
    make_shared_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)


def make_shared_directory(directory: Path) -> None:
    """Makes a directory and its parents, writable for the group if the directory above is (`core.sharedRepository`)."""
    if directory.is_dir():
        return
    make_shared_directory(directory.parent)
    is_shared = directory.parent.stat().st_mode & stat.S_IWGRP
    directory.mkdir(mode=0o777 if is_shared else 0o700, exist_ok=True)
