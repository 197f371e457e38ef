"""Finds FIFOs and sockets in the working tree. git ignores them, so runs do not get them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.git.places import make_common
from gitrun.source.snapshot import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git

LARGE = 256 << 10
"""Size in bytes of a directory itself above which it is not searched; it has some thousands of entries."""
MOST = 64
"""The most directories searched: the top and those in it. Searching all would be a second walk over the tree."""


def words_of_specials(git: Git) -> tuple[str, ...]:
    """Returns a note about FIFOs and sockets. Names each only once: the local state records which were named."""
    found = list(specials(os.fsencode(git.worktree))) if git.worktree else []
    if not found:
        return ()
    place = git.state / "specials"
    told: set[bytes] = set()
    with suppress(OSError):
        told.update(place.read_bytes().split(b"\0"))
    fresh = [path for path in found if path not in told]
    if not fresh:
        return ()
    with suppress(OSError):  # without the record the note is repeated, which does no harm
        make_common(git.state)
        with place.open("ab") as file:
            file.write(b"".join(path + b"\0" for path in fresh))
    return (f"note: FIFOs and sockets are not part of runs: {listing(fresh)}",)


def specials(top: bytes) -> Iterator[bytes]:
    """Yields the paths of FIFOs and sockets in the top directory and directly in its subdirectories."""
    queue = [b""]
    for place in queue:
        with suppress(OSError):
            if os.stat(top + b"/" + place).st_size > LARGE:
                continue
            with os.scandir(top + b"/" + place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not place and entry.name != b".git" and len(queue) < MOST:
                            queue.append(entry.name + b"/")
                    elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink() and is_special(entry):
                        yield place + entry.name


def is_special(entry: os.DirEntry[bytes]) -> bool:
    """Returns whether the entry is a FIFO or a socket; False for a device."""
    import stat

    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
