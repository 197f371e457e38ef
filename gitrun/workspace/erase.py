"""Removal of a path, at any depth and whatever its permissions are."""

from __future__ import annotations

import itertools
import os
import stat
from contextlib import suppress


def is_directory(path: bytes) -> bool:
    """Returns whether the path is a directory, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def erase(path: bytes) -> None:
    """Removes a file or a tree, at any depth and whatever its permissions. Does not follow links. Raises OSError."""
    if not is_directory(path):
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    # a program may leave directories that nobody may read or write
    os.chmod(path, 0o700)
    # each directory is moved to the top before it is read, so paths stay short (PATH_MAX) and nothing recurses
    prefix, numbers, queue = path + b"/" + os.urandom(8).hex().encode(), itertools.count(), [path]
    while queue:
        directory = queue.pop()
        # a list, because the directory changes during the loop
        for entry in list(os.scandir(directory)):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            # a directory must be writable to be moved and emptied
            os.chmod(entry.path, 0o700)
            queue.append(prefix + b".%d" % next(numbers))
            os.rename(entry.path, queue[-1])
        if directory != path:
            os.rmdir(directory)
    os.rmdir(path)
