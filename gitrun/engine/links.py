"""What git ignores in the working tree, linked into the place where a program runs, and what the program wrote through it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CACHES = frozenset({
    b"__pycache__", b".pytest_cache", b".mypy_cache", b".ruff_cache", b".hypothesis", b".ipynb_checkpoints", b".DS_Store",
})  # fmt: skip
MOST = 10_000
"""Entries above which only directories are linked."""
GLANCE = 2_000
"""Entries of a linked directory that are looked at for what a run wrote: a big one must cost nothing."""


def is_cache(path: bytes) -> bool:
    """Whether a path is, or lies in, what a tool keeps for itself and can make again."""
    return any(part in CACHES for part in path.split(b"/")) or path.endswith((b".pyc", b".pyo"))


def links_for(outside: Iterable[bytes]) -> tuple[tuple[bytes, ...], int]:
    """The paths to link, and how many were left out because there are too many."""
    wanted = sorted({path for path in outside if not is_cache(path) and not path.startswith((b".gitrun/", b".git/"))})
    if len(wanted) <= MOST:
        return tuple(wanted), 0
    directories = tuple(path for path in wanted if path.endswith(b"/"))
    return directories, len(wanted) - len(directories)


def link_in(source: Path, target: Path, paths: Iterable[bytes]) -> list[bytes]:
    """Makes symbolic links below `target` to the same paths below `source`; returns the paths that are now links.

    What already lies in the target wins; a directory that lies in both is linked entry by entry.
    """
    made: list[bytes] = []
    for path in paths:
        made += link_one(os.fsencode(source), os.fsencode(target), path.rstrip(b"/"))
    return made


def link_one(source: bytes, target: bytes, path: bytes) -> list[bytes]:
    """The paths at and below `path` that were linked."""
    here, there = source + b"/" + path, target + b"/" + path
    if os.path.islink(there) or not os.path.lexists(here):
        return []
    is_empty_module = os.path.isdir(there) and not os.listdir(there)
    if is_empty_module:  # the checkout made it for a submodule
        os.rmdir(there)
    if not os.path.lexists(there):
        if not make_parents(target, path):
            return []
        os.symlink(here, there)
        return [path]
    if os.path.isdir(there) and os.path.isdir(here):
        return [
            made
            for name in sorted(os.listdir(here))
            if name != b".git"
            for made in link_one(source, target, path + b"/" + name)
        ]
    return []


def make_parents(target: bytes, path: bytes) -> bool:
    """Whether the directory of `path` below `target` is there, or could be made, without going through a link."""
    place = target
    for part in path.split(b"/")[:-1]:
        place += b"/" + part
        if os.path.islink(place):
            return False
        try:
            os.mkdir(place)
        except FileExistsError:
            if not os.path.isdir(place):
                return False
    return True


def unlink(target: Path, paths: Iterable[bytes]) -> None:
    """Takes the links away again, with the directories made for them that are now empty."""
    top = os.fsencode(target)
    for path in paths:
        there = top + b"/" + path
        if os.path.islink(there):
            os.unlink(there)
        prune(top, path)


def prune(top: bytes, path: bytes) -> None:
    """Takes away the directories above `path` that have become empty, below `top`."""
    parent = path.rpartition(b"/")[0]
    while parent:
        try:
            os.rmdir(top + b"/" + parent)
        except OSError:
            return
        parent = parent.rpartition(b"/")[0]


def written_through(source: Path, paths: Iterable[bytes], since: float) -> list[bytes]:
    """The linked paths, or files in them, that were written after `since` (seconds since 1970).

    Of a large directory only the first 2,000 entries are looked at.
    """
    top = os.fsencode(source)
    return [found for path in paths for found in newer(top, path, since)]


def newer(top: bytes, path: bytes, since: float) -> list[bytes]:
    """What is newer than `since` at and below `path`, breadth first."""
    found: list[bytes] = []
    queue, looked = [path], 0
    while queue and looked < GLANCE:
        place = queue.pop(0)
        try:
            status = os.stat(top + b"/" + place)
            entries = list(os.scandir(top + b"/" + place)) if os.path.isdir(top + b"/" + place) else None
        except OSError:
            continue
        looked += 1 + len(entries or ())
        if entries is None and status.st_mtime >= since:
            found.append(place)
        queue += [place + b"/" + e.name for e in entries or () if not is_cache(e.name) and not e.is_symlink()]
    return found
