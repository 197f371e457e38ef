"""Copies files by sharing blocks (reflinks) where the file system supports it: btrfs, xfs, bcachefs."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.lazy import shutil

if TYPE_CHECKING:
    from pathlib import Path

FICLONE = 0x40049409
"""Linux's ioctl request that clones a file's blocks into another: ioctl_ficlone(2)."""


def try_sharing_blocks(directory: Path) -> bool:
    """Returns whether files in this directory can share blocks. Tries it with two temporary files."""
    stem = os.path.join(os.fspath(directory), f"reflink.{os.urandom(8).hex()}")
    first, second = stem + ".a", stem + ".b"
    try:
        with open(first, "wb") as source:
            # an empty file has no blocks to share
            source.write(b"x")
        return clone_blocks(first, second)
    except OSError:
        return False
    finally:
        for path in (first, second):
            with suppress(OSError):
                os.unlink(path)


def clone_blocks(source: str | bytes, target: str | bytes) -> bool:
    """Makes `target` a clone that shares the blocks of `source`. Returns whether the system did so."""
    try:
        with open(source, "rb") as source_file, open(target, "wb") as target_file:
            # fails with EXDEV between file systems, and with EOPNOTSUPP on ext4
            fcntl.ioctl(target_file.fileno(), FICLONE, source_file.fileno())
    except OSError:
        return False
    return True


def copy_with_metadata(source: bytes, target: bytes, *, share: bool) -> bool:
    """Copies a file, or a symbolic link as a link, with times and permissions. Returns whether its blocks are shared.

    If `share` is False, does not try to share blocks. Raises OSError: FileNotFoundError if there is no file any more.
    """
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)
        return share
    if not stat.S_ISREG(mode):  # opening a FIFO would wait for a writer
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
    shared = share and clone_blocks(source, target)
    if not shared:
        shutil.copyfile(source, target)
    status = os.stat(source)
    # neither FICLONE nor copyfile copies permissions and times
    os.chmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return shared
