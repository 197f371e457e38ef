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
from gitrun.git.objects import Objects, parse_tree
from gitrun.git.status import WorktreeStatus
from gitrun.model.object_format import format_of
from gitrun.model.run import DIRECTORY
from gitrun.model.tree import FILE, TREE
from gitrun.workspace.lending import RACY, stamp_of
from gitrun.workspace.links import CACHES
from gitrun.workspace.worktree_records import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.object_format import ObjectFormat
    from gitrun.workspace.lending import Lending, Stamp
    from gitrun.workspace.manifest import Manifest
    from gitrun.workspace.slot_watch import SlotWatch

RECORD = os.fsencode(DIRECTORY)
MOST_FILES = 20_000
"""Files above which git examines a slot faster than this process."""
STAT_DATA = 40
"""Bytes of an index entry before the object id: times, device, inode, mode, owner, size."""
TWICE = -2
"""Place of what is in an index twice."""
LONGEST_NAME = 255
"""Bytes of a path whose length fits into the second byte of an entry's flags."""


@dataclass(frozen=True, slots=True)
class AttemptTree:
    """The tree of an attempt: its id, its entries without the record, and the record's tree with its blobs by name."""

    id: str
    source: Mapping[bytes, Entry]
    record: str
    blobs: Mapping[bytes, str]


@dataclass(frozen=True, slots=True)
class ReadySlot:
    """The contents of a slot: the attempt's tree, lent files, and names, modes and stamps as a lease has left them.

    `extras` are paths that a program has added since, without caches. `leased` is the stamp of the lock that every lease of
    the slot touches; None while it is leased.
    """

    tree: AttemptTree
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
    places: dict[bytes, int] = field(default_factory=dict, compare=False)
    """Where the index of the slot had what a lease replaces, by path; trees are named by their own paths with a slash."""


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


def read_attempt_tree(git: Git, attempt_id: str) -> AttemptTree | None:
    """Returns the tree of an attempt; None if its record is no flat directory of files."""
    with Objects(git) as objects:
        top = objects.read(f"{attempt_id}^{{tree}}")
        source = dict(parse_tree(top.data, git.object_format.size)) if top and top.data is not None else {}
        record = source.pop(RECORD, None)
        if top is None or record is None or record.mode != TREE:
            return None
        inner = objects.tree(record.id)
    blobs = {name: entry.id for name, entry in inner.items() if entry.mode == FILE}
    return AttemptTree(top.id, source, record.id, blobs) if len(blobs) == len(inner) else None


def describe_slot(
    slot: Git, attempt_id: str, tracked: frozenset[bytes], lending: Lending | None, manifest: Manifest
) -> ReadySlot | None:
    """Returns what is in the worktree of `slot` right after a lease; None if it cannot be recognized again.

    That is so if it holds a submodule, too many files, or files so young that a change could keep their stamps.
    """
    files, top = {*tracked, *manifest.copies, *manifest.links}, os.fsencode(slot.worktree or "")
    if remembered_slots(slot) is None or lending is None or lending.bare or len(files) > MOST_FILES:
        return None
    tree = read_attempt_tree(slot, attempt_id)
    if tree is None:
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
    return ReadySlot(tree, lending, manifest, modes, frozen, stamps, watch=watch)


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


def write_record(git: Git, top: bytes, tree: AttemptTree) -> None:
    """Writes the record's files into the worktree. Raises GitFailed, OSError."""
    with Objects(git) as objects:
        contents = objects.read_many(list(tree.blobs.values()))
    for name, blob in zip(tree.blobs, contents, strict=True):
        if blob is None or blob.data is None:
            raise FileNotFoundError(f"{tree.blobs[name]} is not here")
        # half of it has other times than in the index, so the next lease writes it again
        replace_file(top + b"/" + RECORD + b"/" + name, blob.data, atomic=False)


def replace_in_index(index: bytes, top: bytes, ready: ReadySlot, after: AttemptTree) -> bytes | None:
    """Returns git's index with the record of `after` in place of that of the ready slot; None if it is not as expected.

    Only object ids and the stats of these files change, in entries of versions 2 and 3 and in the cache of trees (TREE). Paths
    keep their lengths, so that nothing moves.
    """
    before, places = ready.tree, ready.places
    data, object_format = bytearray(index), format_of(after.id)
    size = object_format.size
    for name, blob in before.blobs.items():
        path = RECORD + b"/" + name
        if len(path) > LONGEST_NAME:
            return None
        at = find_once(data, bytes.fromhex(blob) + bytes([0, len(path)]) + path + b"\0", places.get(path, -1))
        if at < STAT_DATA:
            return None
        data[at - STAT_DATA : at] = pack_stat(os.lstat(top + b"/" + path))
        data[at : at + size] = bytes.fromhex(after.blobs[name])
        places[path] = at
    for path, old_tree, new_tree in ((b"/", before.id, after.id), (RECORD + b"/", before.record, after.record)):
        at = find_once(data, bytes.fromhex(old_tree), places.get(path, -1))
        if at == TWICE:
            return None
        if at >= 0:  # absent where git has not cached the tree
            data[at : at + size] = bytes.fromhex(new_tree)
            places[path] = at
    if any(data[-size:]):  # zeros if `index.skipHash` is set
        data[-size:] = object_format.hash(bytes(data[:-size])).digest()
    return bytes(data)


def list_index(index: bytes, object_format: ObjectFormat) -> list[bytes] | None:
    """Returns the paths in git's index, in its order; None if only git can read it, or reads it faster.

    Reads versions 2 and 3 (gitformat-index(5)), without extensions that change the meaning of entries.
    """
    version, count = (int.from_bytes(index[at : at + 4], "big") for at in (4, 8))
    if not index.startswith(b"DIRC") or version not in {2, 3} or count > MOST_FILES:
        return None
    at, paths = 12, list[bytes]()
    for _ in range(count):
        flags = at + STAT_DATA + object_format.size
        # two more bytes of flags, if a bit says so
        start = flags + (4 if index[flags] & 0x40 else 2)
        end = index.index(b"\0", start)
        paths.append(index[start:end])
        # one to eight NUL bytes fill an entry up to a multiple of eight
        at += (end - at + 8) & -8
    while at < len(index) - object_format.size:
        # git must know an extension whose name begins with a small letter: `link` of a split index, `sdir` of a sparse one
        if index[at : at + 1].islower():
            return None
        at += 8 + int.from_bytes(index[at + 4 : at + 8], "big")
    return paths


def find_once(data: bytearray, part: bytes, guess: int) -> int:
    """Returns where the part is, perhaps at the guess; -1 if it is not there, and TWICE if it is there more than once."""
    if guess >= 0 and data.startswith(part, guess):
        return guess
    at = data.find(part)
    return TWICE if at >= 0 and data.find(part, at + 1) >= 0 else at


def pack_stat(status: os.stat_result) -> bytes:
    """Returns the stat of a regular file as git's index has it (gitformat-index(5))."""
    times = (divmod(moment, 10**9) for moment in (status.st_ctime_ns, status.st_mtime_ns))
    numbers = [part for pair in times for part in pair]
    # git knows one mode of files that are not executable
    numbers += [status.st_dev, status.st_ino, 0o100644, status.st_uid, status.st_gid, status.st_size]
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)
