"""Ignored files of the working tree: links them into a workspace, and finds what a program wrote through the links."""

from __future__ import annotations

import itertools
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CACHES = frozenset({
    b"__pycache__", b".pytest_cache", b".mypy_cache", b".ruff_cache", b".hypothesis", b".ipynb_checkpoints", b".DS_Store",
})  # fmt: skip
RESERVED = frozenset({b".gitrun", b".git"})
MAX_LINKS = 10_000
"""Number of paths above which only directories are linked."""
TICK = 0.01
"""Seconds between two ticks of a slow kernel clock (100 Hz)."""
MAX_CHECKED, MIN_CHECKED = 2_000, 50
"""Linked entries checked after a run in all, and for each link at least; else only the links' own targets are checked."""


def is_cache(path: bytes) -> bool:
    """Returns whether a path is, or is inside, a cache that a tool can create again."""
    return any(part in CACHES for part in path.split(b"/")) or path.endswith((b".pyc", b".pyo"))


def choose_links(outside: Iterable[bytes], paths: Iterable[bytes] = ()) -> tuple[tuple[bytes, ...], int]:
    """Returns the paths to lend, always with those `paths`, and the number left out because there are too many."""
    typed = set(paths)
    candidates = {path for path in outside if not is_cache(path) and path.split(b"/")[0] not in RESERVED} - typed
    links = candidates if len(candidates) <= MAX_LINKS else drop_crowded(candidates)
    return tuple(sorted(typed | links)), len(candidates) - len(links)


def drop_crowded(paths: set[bytes]) -> set[bytes]:
    """Returns the paths without the files of the most crowded directories, until at most MAX_LINKS are left if possible."""
    crowds: dict[bytes, list[bytes]] = {}
    for path in paths:
        # an ignored directory ends with a slash, and is one link for all that is in it
        if not path.endswith(b"/"):
            crowds.setdefault(path.rpartition(b"/")[0], []).append(path)
    rest = set(paths)
    for crowd in sorted(crowds.values(), key=len, reverse=True):
        if len(rest) <= MAX_LINKS:
            break
        rest.difference_update(crowd)
    return rest


def link_paths(source: Path, target: Path, paths: Iterable[bytes]) -> list[bytes]:
    """Links the paths below `source` to the same paths below `target`. Returns the paths that are now links.

    Existing files in the target stay. A directory that exists on both sides is linked entry by entry, unless it is large.
    """
    links: list[bytes] = []
    for path in paths:
        links += link_path(os.fsencode(source), os.fsencode(target), path.rstrip(b"/"))
    return links


def link_path(source: bytes, target: bytes, path: bytes) -> list[bytes]:
    """Links one path, or what is below it. Returns the paths that were linked."""
    here, there = source + b"/" + path, target + b"/" + path
    # a link that exists in the target is part of the source and stays
    if not os.path.lexists(here) or not make_parents(target, path) or os.path.islink(there):
        return []
    is_empty_module = os.path.isdir(there) and not os.listdir(there)
    if is_empty_module:  # the checkout creates an empty directory for a submodule
        os.rmdir(there)
    if not os.path.lexists(there):
        os.symlink(here, there)
        return [path]
    if os.path.isdir(there) and os.path.isdir(here):
        names = sorted(os.listdir(here))
        return [
            link
            for name in (names if len(names) <= MAX_LINKS else ())
            if name != b".git" and name not in CACHES
            for link in link_path(source, target, path + b"/" + name)
        ]
    return []


def make_parents(target: bytes, path: bytes) -> bool:
    """Creates the directories above `path` below `target`. Returns false if one is a link or a file."""
    directory = target
    for part in path.split(b"/")[:-1]:
        directory += b"/" + part
        if os.path.islink(directory):
            return False
        try:
            os.mkdir(directory)
        except FileExistsError:
            if not os.path.isdir(directory):
                return False
    return True


def remove_empty_parents(top: bytes, path: bytes) -> None:
    """Removes empty directories above `path`, below `top`."""
    parent = path.rpartition(b"/")[0]
    while parent:
        try:
            # rmdir fails for a directory that is not empty
            os.rmdir(top + b"/" + parent)
        except OSError:
            return
        parent = parent.rpartition(b"/")[0]


def list_written_through(source: Path, paths: Sequence[bytes], since: float) -> list[bytes]:
    """Returns the linked paths, or files in them, written after `since` (seconds since 1970), or a tick of the clock before.

    Only the first entries of large directories are checked. With very many links, only the links' own targets are.
    """
    top = os.fsencode(source)
    share = MAX_CHECKED // max(len(paths), 1)
    # file systems stamp files with the time of the last tick, which may be before the start of a program that just began
    since -= TICK
    return [newer_path for path in paths for newer_path in list_newer(top, path, since, share if share >= MIN_CHECKED else 0)]


def list_newer(top: bytes, path: bytes, since: float, glance: int) -> list[bytes]:
    """Returns what is newer than `since` at and below `path`, among the first `glance` entries, breadth first."""
    newer: list[bytes] = []
    queue = [path]
    for directory in queue:
        here = top + b"/" + directory
        try:
            status = os.stat(here)
            if not stat.S_ISDIR(status.st_mode) or not glance:
                newer += [directory] if status.st_mtime >= since else []
                continue
            with os.scandir(here) as entries:
                sample = list(itertools.islice(entries, glance))
            glance -= len(sample)
            # a linked directory below a linked one can lead anywhere
            plain = [entry for entry in sample if not is_cache(entry.name) and not entry.is_symlink()]
            queue += [directory + b"/" + entry.name for entry in plain if entry.is_dir()]
            newer += [directory + b"/" + e.name for e in plain if e.is_file() and e.stat().st_mtime >= since]
        except OSError:
            continue
        if glance <= 0:
            break
    return newer
