"""git's index of a slot (gitformat-index(5)), and the record of an attempt in it.

Programs never see this index. Two attempts of the same source differ in their records alone, so that gitrun can write those
and the index itself, and needs no checkout.
"""

from __future__ import annotations

import os
import stat
import struct

from gitrun.dataclass import dataclass, replace
from gitrun.git.objects import Objects, parse_tree
from gitrun.model.run import DIRECTORY
from gitrun.model.tree import FILE, TREE
from gitrun.workspace.worktree_records import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.object_format import ObjectFormat

RECORD = os.fsencode(DIRECTORY)
MOST_FILES = 20_000
"""Files above which git examines a slot faster than this process even if it remembers the slot."""
MOST_REUSED = 1_500
"""The same for a process that must look at every file: with 1,000 it saves a run 8 ms, with 5,000 it would cost 36 more."""
STAT = struct.Struct(">10I")
"""The stat in an index entry: ctime, mtime (seconds and nanoseconds), device, inode, mode, user, group, size."""
STAMP = struct.Struct(">4I4xI12xI")
"""The part of it that is compared: the times, inode and size."""
LOW, BILLION = 0xFFFFFFFF, 10**9
"""The bits of a number that an index has room for, and the nanoseconds of a second."""
MOST_READ, LONGEST_READ = 50, 1 << 20
"""Files with other stats that are compared here by their contents, and the bytes of the longest."""


@dataclass(frozen=True, slots=True)
class AttemptTree:
    """The tree of an attempt: its id, its entries without the record, and the record's tree with its blobs by name."""

    id: str
    source: Mapping[bytes, Entry]
    record: str
    blobs: Mapping[bytes, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of entries in an index by their paths, and of the trees' ids that git has cached, by directory (top: empty).

    `is_plain` says that no entry has flags.
    """

    entries: Mapping[bytes, int]
    trees: Mapping[bytes, int]
    is_plain: bool


@dataclass(frozen=True, slots=True)
class SlotIndex:
    """The index of a slot as it is on the disk, and the time at which it was written, in nanoseconds.

    `directories` has the entries of its layout by directory and name.
    """

    path: Path
    data: bytes
    layout: Layout
    directories: Mapping[bytes, Mapping[bytes, int]]
    written: int
    object_format: ObjectFormat

    @property
    def record(self) -> Mapping[bytes, int]:
        """Returns the entries of the record, by name."""
        return self.directories.get(RECORD, {})

    def is_at(self, path: Path) -> bool:
        """Returns whether a regular file has this content."""
        try:
            status = path.lstat()
            return stat.S_ISREG(status.st_mode) and status.st_size == len(self.data) and path.read_bytes() == self.data
        except OSError:
            return False

    def id_at(self, place: int) -> str:
        """Returns the object id at a place."""
        return self.data[place : place + self.object_format.size].hex()

    def is_of(self, tree: AttemptTree) -> bool:
        """Returns whether this is the index of an attempt with the same source, and the same names in the record."""
        layout, files = self.layout, self.directories.get(b"", {})
        trees = {path: at for path, at in layout.trees.items() if path and b"/" not in path}
        if len(files) + len(trees) != len(tree.source) + 1 or self.record.keys() != tree.blobs.keys():
            return False
        return {b"", RECORD} <= layout.trees.keys() and all(
            (name in trees and self.id_at(trees[name]) == entry.id)
            if entry.mode == TREE
            else (name in files and self._entry_at(files[name]) == (int(entry.mode, 8), entry.id))
            for name, entry in tree.source.items()
        )

    def _entry_at(self, place: int) -> tuple[int, str]:
        """Returns mode and object id of the entry at a place."""
        return STAT.unpack_from(self.data, place)[6], self.id_at(place + STAT.size)

    def is_unchanged(self, top: bytes) -> bool:
        """Returns whether all files in the worktree but those of the record are as git has checked them out.

        By git's rule: the times, inode and size are those of the entry, which is older than the index, or else mode and
        content are the same. Whatever changes a file sets its ctime, which no program can choose.
        """
        unpack, look, data, young, differing = STAMP.unpack_from, os.stat, self.data, self.written, 0
        for directory, files in self.directories.items():
            if directory == RECORD:
                continue
            # names below an open directory are found faster than whole paths
            descriptor = os.open(top + b"/" + directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                for name, at in files.items():
                    status = look(name, dir_fd=descriptor, follow_symlinks=False)
                    seconds, rest, written_seconds, written_rest, inode, size = unpack(data, at)
                    changed, written = seconds * BILLION + rest, written_seconds * BILLION + written_rest
                    is_same = status.st_ctime_ns == changed and status.st_mtime_ns == written and status.st_ino & LOW == inode
                    if is_same and status.st_size & LOW == size and changed < young and written < young:
                        continue
                    differing += 1
                    if differing > MOST_READ or not self._has_content(descriptor, name, at, index_mode(status)):
                        return False
            finally:
                os.close(descriptor)
        return True

    def _has_content(self, directory: int, name: bytes, at: int, mode: int) -> bool:
        """Returns whether a small file of this mode in an open directory is that of the entry. Raises OSError."""
        if mode not in {0o100644, 0o100755}:
            return False
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(LONGEST_READ)
        blob = b"blob %d\0%b" % (len(content), content)
        return self._entry_at(at) == (mode, self.object_format.hash(blob).hexdigest())


def is_whole(index: bytes, object_format: ObjectFormat) -> bool:
    """Returns whether an index has the checksum that it ends with."""
    return object_format.hash(index[: -object_format.size]).digest() == index[-object_format.size :]


def read_slot_index(path: Path, object_format: ObjectFormat, most: int = MOST_FILES) -> SlotIndex | None:
    """Returns an index; None if there is none, or if it has more than `most` files, or if only git can read it.

    Removes an index that a kill has left half written, because git would not notice. Raises OSError.
    """
    try:
        written, data = path.stat().st_mtime_ns, path.read_bytes()
    except FileNotFoundError:
        return None
    if int.from_bytes(data[8:12], "big") > most:
        return None
    if not is_whole(data, object_format):
        path.unlink()
        return None
    layout = find_layout(data, object_format)
    if layout is None or not layout.is_plain:
        return None
    directories = dict[bytes, dict[bytes, int]]()
    for file, at in layout.entries.items():
        directory, _, name = file.rpartition(b"/")
        directories.setdefault(directory, {})[name] = at
    return SlotIndex(path, data, layout, directories, written, object_format)


def find_layout(index: bytes, object_format: ObjectFormat) -> Layout | None:
    """Returns the layout of an index; None if only git can read it, or reads it faster.

    Reads versions 2 and 3, without extensions that change the meaning of entries.
    """
    version, count = (int.from_bytes(index[at : at + 4], "big") for at in (4, 8))
    if not index.startswith(b"DIRC") or version not in {2, 3} or count > MOST_FILES:
        return None
    at, flags_of_all, entries, trees = 12, 0, dict[bytes, int](), dict[bytes, int]()
    for _ in range(count):
        flags = at + STAT.size + object_format.size
        # two more bytes of flags, if a bit says so
        start = flags + (4 if index[flags] & 0x40 else 2)
        end = index.index(b"\0", start)
        entries[index[start:end]] = at
        flags_of_all |= index[flags]
        # one to eight NUL bytes fill an entry up to a multiple of eight
        at += (end - at + 8) & -8
    while at < len(index) - object_format.size:
        kind, end = index[at : at + 4], at + 8 + int.from_bytes(index[at + 4 : at + 8], "big")
        # git must know an extension whose name begins with a small letter: `link` of a split index, `sdir` of a sparse one
        if kind[:1].islower():
            return None
        if kind == b"TREE":
            trees = find_trees(index, at + 8, end, object_format.size)
        at = end
    # the low bits are those of the length of a path
    return Layout(entries, trees, not flags_of_all & 0xF0)


def find_trees(index: bytes, at: int, end: int, size: int) -> dict[bytes, int]:
    """Returns where git's cache of trees in an index has their ids, by directory; without those that are out of date."""
    trees, above = dict[bytes, int](), list[tuple[bytes, int]]()
    while at < end:
        stop = index.index(b"\0", at)
        line = index.index(b"\n", stop)
        # d/inner NUL 12 1 LF: the number of its entries (-1 if it is out of date) and of the directories that follow
        name, (count, inner) = index[at:stop], map(int, index[stop + 1 : line].split())
        while above and not above[-1][1]:
            above.pop()
        directory = name
        if above:
            parent, rest = above[-1]
            above[-1] = (parent, rest - 1)
            directory = parent + b"/" + name if parent else name
        above.append((directory, inner))
        at = line + 1
        if count >= 0:
            trees[directory] = at
            at += size
    return trees


def index_mode(status: os.stat_result) -> int:
    """Returns the mode that git's index has for a file; 0 for what is neither a file nor a link."""
    if stat.S_ISREG(status.st_mode):
        return 0o100755 if status.st_mode & stat.S_IXUSR else 0o100644
    return 0o120000 if stat.S_ISLNK(status.st_mode) else 0


def pack_stat(status: os.stat_result) -> bytes:
    """Returns the stat of a file as an entry has it."""
    times = (*divmod(status.st_ctime_ns, BILLION), *divmod(status.st_mtime_ns, BILLION))
    numbers = (status.st_dev, status.st_ino, index_mode(status), status.st_uid, status.st_gid, status.st_size)
    return STAT.pack(*(number & LOW for number in (*times, *numbers)))


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


def check_out_record(git: Git, top: bytes, index: SlotIndex, tree: AttemptTree, since: int) -> SlotIndex:
    """Writes the record of an attempt with the same source into the worktree and its index, as git's checkout would do.

    Only ids and stats change in the index, so nothing moves there. All files were found unchanged after `since`, in
    nanoseconds. Raises GitFailed, OSError.
    """
    with Objects(git) as objects:
        contents = objects.read_many(list(tree.blobs.values()))
    data, size = bytearray(index.data), index.object_format.size
    for (name, blob_id), blob in zip(tree.blobs.items(), contents, strict=True):
        if blob is None or blob.data is None:
            raise FileNotFoundError(f"{blob_id} is not here")
        file, at = RECORD + b"/" + name, index.record[name]
        # after a kill its times are not those in the index, and the next lease compares its content
        replace_file(top + b"/" + file, blob.data, atomic=False)
        data[at : at + STAT.size + size] = pack_stat(os.lstat(top + b"/" + file)) + bytes.fromhex(blob_id)
    for directory, tree_id in ((b"", tree.id), (RECORD, tree.record)):
        at = index.layout.trees[directory]
        data[at : at + size] = bytes.fromhex(tree_id)
    data[-size:] = index.object_format.hash(bytes(data[:-size])).digest()
    # half of it would not have this checksum, at which only the next lease of a slot with few files looks
    replace_file(os.fsencode(index.path), bytes(data), atomic=len(index.layout.entries) > MOST_REUSED)
    if index.written // BILLION >= since // BILLION:
        # git compares whole seconds: with a newer index it would not look at a file that was changed since in this second
        os.utime(index.path, ns=(index.written, index.written))
    return replace(index, data=bytes(data), written=index.path.stat().st_mtime_ns)
