"""What git ignores in the working tree, linked into the place where a program runs, and what the program wrote through it."""

from __future__ import annotations

import itertools
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CACHES = frozenset({
    b"__pycache__", b".pytest_cache", b".mypy_cache", b".ruff_cache", b".hypothesis", b".ipynb_checkpoints", b".DS_Store",
})  # fmt: skip
OURS = frozenset({b".gitrun", b".git"})
MOST = 10_000
"""Entries above which only directories are linked."""
GLANCE, LEAST = 2_000, 50
"""Entries of what is linked in that are looked at for what a run wrote: a big directory must cost nothing."""


def is_cache(path: bytes) -> bool:
    """Whether a path is, or lies in, what a tool keeps for itself and can make again."""
    return any(part in CACHES for part in path.split(b"/")) or path.endswith((b".pyc", b".pyo"))


def links_for(outside: Iterable[bytes], named: Iterable[bytes] = ()) -> tuple[tuple[bytes, ...], int]:
    """Returns the paths to lend, those `named` in any case, and how many are left out because there are too many."""
    asked = set(named)
    wanted = {path for path in outside if not is_cache(path) and path.split(b"/")[0] not in OURS} - asked
    chosen = wanted if len(wanted) <= MOST else uncrowded(wanted)
    return tuple(sorted(asked | chosen)), len(wanted) - len(chosen)


def uncrowded(paths: set[bytes]) -> set[bytes]:
    """Returns at most MOST of the paths: without the files of the directories that have the most of them."""
    crowds: dict[bytes, list[bytes]] = {}
    for path in paths:
        if not path.endswith(b"/"):
            crowds.setdefault(path.rpartition(b"/")[0], []).append(path)
    left = set(paths)
    for crowd in sorted(crowds.values(), key=len, reverse=True):
        if len(left) <= MOST:
            break
        left.difference_update(crowd)
    return left


def link_in(source: Path, target: Path, paths: Iterable[bytes]) -> list[bytes]:
    """Makes symbolic links below `target` to the same paths below `source`; returns the paths that are now links.

    What already lies in the target wins; a directory that lies in both is linked entry by entry, unless it is large.
    """
    made: list[bytes] = []
    for path in paths:
        made += link_one(os.fsencode(source), os.fsencode(target), path.rstrip(b"/"))
    return made


def link_one(source: bytes, target: bytes, path: bytes) -> list[bytes]:
    """The paths at and below `path` that were linked."""
    here, there = source + b"/" + path, target + b"/" + path
    if not os.path.lexists(here) or not make_parents(target, path) or os.path.islink(there):
        return []
    is_empty_module = os.path.isdir(there) and not os.listdir(there)
    if is_empty_module:  # the checkout made it for a submodule
        os.rmdir(there)
    if not os.path.lexists(there):
        os.symlink(here, there)
        return [path]
    if os.path.isdir(there) and os.path.isdir(here):
        names = sorted(os.listdir(here))
        return [
            made
            for name in (names if len(names) <= MOST else ())
            if name != b".git" and name not in CACHES
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


def prune(top: bytes, path: bytes) -> None:
    """Takes away the directories above `path` that have become empty, below `top`."""
    parent = path.rpartition(b"/")[0]
    while parent:
        try:
            os.rmdir(top + b"/" + parent)
        except OSError:
            return
        parent = parent.rpartition(b"/")[0]


def written_through(source: Path, paths: Sequence[bytes], since: float) -> list[bytes]:
    """The linked paths, or files in them, that were written after `since` (seconds since 1970).

    Of large directories only the first entries are looked at, some thousands in all; of very many only their own times.
    """
    top = os.fsencode(source)
    share = GLANCE // max(len(paths), 1)
    return [found for path in paths for found in newer(top, path, since, share if share >= LEAST else 0)]


def newer(top: bytes, path: bytes, since: float, glance: int) -> list[bytes]:
    """What is newer than `since` at and below `path`, among the first `glance` entries, breadth first."""
    found: list[bytes] = []
    queue = [path]
    for place in queue:
        here = top + b"/" + place
        try:
            status = os.stat(here)
            if not stat.S_ISDIR(status.st_mode) or not glance:
                found += [place] if status.st_mtime >= since else []
                continue
            with os.scandir(here) as entries:
                looked = list(itertools.islice(entries, glance))
            glance -= len(looked)
            plain = [entry for entry in looked if not is_cache(entry.name) and not entry.is_symlink()]
            queue += [place + b"/" + entry.name for entry in plain if entry.is_dir()]
            found += [place + b"/" + e.name for e in plain if e.is_file() and e.stat().st_mtime >= since]
        except OSError:
            continue
        if glance <= 0:
            break
    return found
