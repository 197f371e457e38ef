"""FIFOs and sockets of the working tree: git sees none of them, so that a run does not get them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.engine.snapshot import listing
from gitrun.store.places import make_common

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git

LARGE = 256 << 10
"""Bytes of a directory itself above which it is not looked into: it holds some thousands of files."""
MOST = 64
"""Directories that are looked into: the top and those in it. Looking into all would be a second walk over the tree."""


def words_of_specials(git: Git) -> tuple[str, ...]:
    """Returns what to tell of FIFOs and sockets, each once: what was told is written down in the local state."""
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
    with suppress(OSError):  # it is told again then
        make_common(git.state)
        with place.open("ab") as file:
            file.write(b"".join(path + b"\0" for path in fresh))
    return (f"note: FIFOs and sockets are not part of runs: {listing(fresh)}",)


def specials(top: bytes) -> Iterator[bytes]:
    """Yields the FIFOs and sockets in a directory and in those directly in it, by their paths below it."""
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
    """Returns whether the entry is a FIFO or a socket, no device."""
    import stat

    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
