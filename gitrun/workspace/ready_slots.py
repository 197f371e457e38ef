"""Slots that are ready for another attempt of the same source: nothing in them was touched since the last one.

A process that executes many attempts remembers what it has put into each slot. While names and stamps of all files there are
the same, git need not be asked what a program has changed, and need not check anything out but the record of the attempt.
Anything odd makes the slot an ordinary one, which git examines.
"""

from __future__ import annotations

import os
import stat
import time

from gitrun import workspace
from gitrun.dataclass import dataclass, field
from gitrun.git.status import WorktreeStatus
from gitrun.workspace.lending import RACY, stamp_of
from gitrun.workspace.links import CACHES
from gitrun.workspace.slot_index import MOST_FILES, RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.workspace.lending import Lending, Stamp
    from gitrun.workspace.manifest import Manifest
    from gitrun.workspace.slot_index import SlotIndex
    from gitrun.workspace.slot_watch import SlotWatch


@dataclass(frozen=True, slots=True)
class ReadySlot:
    """The contents of a slot: git's index of an attempt, lent files, and names, modes and stamps as a lease has left them.

    `extras` are paths that a program has added since, without caches. `leased` is the stamp of the lock that every lease of
    the slot touches; None while it is leased.
    """

    index: SlotIndex
    lending: Lending
    manifest: Manifest
    directories: Mapping[bytes, tuple[int, int]]
    names: Mapping[bytes, frozenset[bytes]]
    stamps: Mapping[bytes, Mapping[bytes, Stamp]]
    """Stamps of files, by their directories and names."""
    extras: tuple[bytes, ...] = ()
    leased: Stamp | None = None
    watch: SlotWatch | None = field(default=None, compare=False)
    """Tells in which directories something has happened; None: look at all."""


def remembered_slots(git: Git) -> dict[object, object] | None:
    """Returns what this process remembers of slots, by their directories; None if it executes only one attempt."""
    return git.processes.remembered if git.processes else None


def find_ready(git: Git, directory: Path) -> ReadySlot | None:
    """Returns what is remembered of the slot."""
    record = (remembered_slots(git) or {}).get(directory)
    return record if isinstance(record, ReadySlot) else None


def remember(git: Git, directory: Path, ready: ReadySlot | None) -> None:
    """Replaces what is remembered of the slot."""
    slots = remembered_slots(git)
    if slots is not None:
        slots.pop(directory, None)
        if ready:
            slots[directory] = ready


def describe_slot(slot: Git, index: SlotIndex, lending: Lending, manifest: Manifest) -> ReadySlot | None:
    """Returns what is in the worktree of `slot` right after a lease; None if it cannot be recognized again.

    That is so if it holds a submodule, too many files, or files so young that a change could keep their stamps.
    """
    tracked, top = index.layout.entries, os.fsencode(slot.worktree or "")
    files = {*tracked, *manifest.copies, *manifest.links}
    if remembered_slots(slot) is None or len(files) > MOST_FILES:
        return None
    names = list_names(files, manifest.directories)
    # before anything is looked at, so that no change is missed
    watch = watch_slot(top, files, names)
    young = time.time_ns() - RACY
    stamps: dict[bytes, dict[bytes, Stamp]] = {}
    for path in files:
        directory, _, name = path.rpartition(b"/")
        if directory == RECORD:  # each lease writes the record again
            continue
        status = os.lstat(top + b"/" + path)
        stamp = stamps.setdefault(directory, {})[name] = stamp_of(status)
        if max(stamp[:2]) >= young or (path in tracked and stat.S_ISDIR(status.st_mode)):
            return None
    modes = {path: mode_and_inode(top + b"/" + path) for path in names}
    frozen = {path: frozenset(stamp) for path, stamp in names.items()}
    return ReadySlot(index, lending, manifest, modes, frozen, stamps, watch=watch)


def list_names(files: Iterable[bytes], directories: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """Returns the names in each directory of a slot that has these files and directories."""
    names: dict[bytes, set[bytes]] = {b"": {b".git"}}
    for path in (*files, *directories):
        inner = path.rstrip(b"/")
        while inner:
            above, _, name = inner.rpartition(b"/")
            there = names.setdefault(above, set())
            if name in there:
                break
            there.add(name)
            inner = above
    for directory in directories:
        names.setdefault(directory.rstrip(b"/"), set())
    return names


def watch_slot(top: bytes, files: Iterable[bytes], directories: Iterable[bytes]) -> SlotWatch | None:
    """Watches the files and directories of a slot, but not the record; None if not all can be watched."""
    watch = workspace.slot_watch.open_watch()
    if watch is None:
        return None
    watched = [(path, path.rpartition(b"/")[0]) for path in files] + [(path, path) for path in directories]
    return watch if all(watch.add(top + b"/" + path, directory) for path, directory in watched if directory != RECORD) else None


def mode_and_inode(path: bytes) -> tuple[int, int]:
    """Returns mode and inode of a directory."""
    status = os.lstat(path)
    return status.st_mode, status.st_ino


def find_extras(top: bytes, ready: ReadySlot) -> tuple[list[bytes], list[bytes]] | None:
    """Returns the paths that were added to the slot, and the caches in it; None if something else has changed."""
    extras = list[bytes]()
    caches = dict[bytes, list[bytes]]() if ready.watch is None else ready.watch.caches
    touched = ready.names if ready.watch is None else ready.watch.find_touched(ready.names)
    try:
        # each lease writes the record, so it is not watched
        for directory in dict.fromkeys((*touched, RECORD)):
            added_paths = list_added(top, ready, directory)
            if added_paths is None:
                return None
            caches[directory] = [path for path in added_paths if os.path.basename(path) in CACHES]
            extras += (more := [path for path in added_paths if os.path.basename(path) not in CACHES])
            if ready.watch and not more:
                ready.watch.settle(directory)
    except OSError:
        return None
    return extras, [path for paths in caches.values() for path in paths]


def list_added(top: bytes, ready: ReadySlot, directory: bytes) -> list[bytes] | None:
    """Returns the paths that were added to a directory of the slot; None if something else has changed. Raises OSError."""
    full_path, expected = top + b"/" + directory, ready.names[directory]
    if mode_and_inode(full_path) != ready.directories[directory] or not has_stamps(full_path, ready.stamps.get(directory, {})):
        return None
    names = set(os.listdir(full_path))
    return [directory + b"/" + name if directory else name for name in names - expected] if expected <= names else None


def has_stamps(full_path: bytes, stamps: Mapping[bytes, Stamp]) -> bool:
    """Returns whether the files in a directory have these stamps. Raises OSError."""
    if not stamps:
        return True
    # a third faster than whole paths, since the kernel need not walk them
    directory = os.open(full_path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return all(stamp_of(os.stat(name, dir_fd=directory, follow_symlinks=False)) == stamp for name, stamp in stamps.items())
    finally:
        os.close(directory)


def status_without_changes(caches: Iterable[bytes]) -> WorktreeStatus:
    """Returns what git would say of a slot in which there is nothing new but caches."""
    return WorktreeStatus(None, None, (), (), (), (), (), tuple(path + b"/" for path in sorted(caches)), ())
