"""Writes new objects as packs in this process: one sync to disk for all, where loose objects need two each.

Writers of many packs merge them as `git repack --geometric` does, so that there are never many.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed
from gitrun.git.gc_lock import is_gc_running
from gitrun.git.objects import Loose, SmallPacks, deflate, fsync, small_packs
from gitrun.model.digest import load_openssl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.object_format import ObjectFormat

TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
"""Types of objects in a pack, from gitformat-pack(5)."""
HEAD = struct.Struct(">4sII")
"""The head of a pack: its sign, version 2, and the number of objects."""
INDEX_SIGN = b"\xfftOc" + (2).to_bytes(4, "big")
"""The sign of an index and its version."""
FAN = struct.Struct(">256I")
"""The numbers of ids in an index that begin with each byte, or a smaller one."""
LARGEST_PACKED = 1 << 18
"""Bytes of an object above which a small pack leaves it loose: merging would copy it again and again."""
FACTOR = 40
"""Packs of one size that are merged into one: fewer than make `git gc --auto` repack (gc.autoPackLimit)."""
MANY = 20
"""Packs after which a process hashes enough for faster hashes to pay."""
LARGEST_KEPT = 1 << 16
"""Bytes of a small pack that is kept in memory until it is merged."""
MOST_MERGED = 32 << 20
"""Bytes of packs that are merged, in memory. Larger packs stay as they are."""


class PackWriter(Loose):
    """Collects objects in memory. `finish` writes them as one pack; until then, git does not have them.

    Objects above `largest` bytes are loose at once. `packs` are the packs that this one belongs to, if there will be many.
    """

    def __init__(self, git: Git, packs: GeometricPacks | None = None, largest: int | None = None) -> None:
        super().__init__(git)
        self._entries: dict[str, bytes] = {}
        self._packs, self._largest, self._path = packs, largest, ""

    def finish(self) -> None:
        """Writes the pack, with its index, as durable as git's own. Raises OSError."""
        entries, self._entries = self._entries, {}
        if entries:
            self._path, self.packed = write_pack(self.git, entries), entries.keys()
            if self._packs:
                self._packs.add(self._path, entries)

    def is_there(self) -> bool:
        """Returns whether no gc has deleted the pack since `finish`."""
        return not self._path or all(os.path.exists(self._path + end) for end in (".idx", ".pack"))

    def _write_whole(self, object_id: str, whole: bytes) -> None:
        if self._largest is not None and len(whole) > self._largest:
            super()._write_whole(object_id, whole)
            return
        entry = self._packs.last.get(object_id) if self._packs else None
        if entry is None:
            header, _, data = whole.partition(b"\0")
            kind, _, size = header.partition(b" ")
            entry = entry_header(TYPES[kind.decode()], int(size)) + deflate(data)
        self._entries[object_id] = entry


class GeometricPacks(SmallPacks):
    """The packs that a batch writes, merged whenever there are FACTOR of one size.

    `last` are the entries of the last small pack: trials have much in common, which is compressed once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: Mapping[str, bytes] = {}
        self._levels: list[list[str]] = []
        self._small: dict[str, Mapping[str, bytes]] = {}
        self._merged: list[str] = []
        self._count = 0

    def open_writer(self, git: Git) -> PackWriter:
        """Returns a writer of the next pack."""
        self._count += 1
        if self._count == MANY:
            load_openssl()
        return PackWriter(git, self, LARGEST_PACKED)

    def add(self, path: str, entries: Mapping[str, bytes], level: int = 0) -> None:
        """Adds a pack, without its ending, that is as large as FACTOR of the level below."""
        self._levels += [[] for _ in range(level + 1 - len(self._levels))]
        self._levels[level].append(path)
        if not level and sum(map(len, entries.values())) <= LARGEST_KEPT:
            self._small[path] = self.last = entries

    def merge(self, git: Git) -> None:
        """Merges packs of one size if there are FACTOR of them."""
        for level, paths in enumerate(self._levels):
            if len(paths) >= FACTOR:
                # packs that were merged a while ago: nobody who listed the packs before is about to open one
                self._delete_merged()
                self._merge(git, list(paths), level + 1)

    def finish(self, git: Git) -> None:
        """Merges all packs into one."""
        self._delete_merged()
        self._merge(git, [path for paths in self._levels for path in paths], 0)
        self._delete_merged()

    def _delete_merged(self) -> None:
        delete_packs(self._merged)
        self._merged = []

    def _merge(self, git: Git, paths: Sequence[str], level: int) -> None:
        """Merges packs into one of this level; leaves them all if a gc runs, they are too large, or that fails."""
        for one in self._levels:
            one[:] = [path for path in one if path not in paths]
        small = {path: self._small.pop(path, None) for path in paths}
        # git's own processes keep what they know of each pack that they have seen
        if git.processes and level != 1:
            git.processes.end_all()
        with suppress(OSError, GitFailed):
            is_small = sum(os.stat(path + ".pack").st_size for path in paths) <= MOST_MERGED
            # an index over many packs names those that are in it
            has_index = os.path.exists(pack_directory(git) + "/multi-pack-index")
            if len(paths) < 2 or not is_small or has_index or is_gc_running(git):
                return
            entries: dict[str, bytes] = {}
            for path in paths:
                entries |= small[path] or read_entries(path, git.object_format)
            whole = write_pack(git, entries)
            self._merged += [path for path in paths if path != whole]
            self.add(whole, entries, level)


@contextmanager
def keep_packs(git: Git) -> Iterator[None]:
    """Lets writers of runs write small packs, if the repository keeps processes. Merges them at the end of the `with`."""
    if git.processes is None or small_packs(git):
        yield
        return
    git.processes.objects[SmallPacks] = packs = GeometricPacks()
    try:
        yield
    finally:
        del git.processes.objects[SmallPacks]
        packs.finish(git)


def merge_packs(git: Git) -> None:
    """Merges the small packs of this process if there are many. Call it while no object is being read or written."""
    if isinstance(packs := small_packs(git), GeometricPacks):
        packs.merge(git)


def pack_directory(git: Git) -> str:
    """Returns the path of the directory of packs."""
    return os.path.join(git.common_dir, "objects", "pack")


def delete_packs(paths: Sequence[str]) -> None:
    """Deletes packs, the index of each first, as git does."""
    for path in paths:
        for end in (".idx", ".pack"):
            with suppress(OSError):
                os.unlink(path + end)


def write_pack(git: Git, entries: Mapping[str, bytes]) -> str:
    """Writes a pack of these entries (id -> head and compressed content) and its index. Returns their path without ending.

    Raises OSError.
    """
    directory, hash_of = pack_directory(git), git.object_format.hash
    body = HEAD.pack(b"PACK", 2, len(entries)) + b"".join(entries.values())
    digest = hash_of(body).digest()
    path = f"{directory}/pack-{digest.hex()}"
    index = encode_index(entries, digest)
    index += hash_of(index).digest()
    # git gc removes forgotten files of these names; a pack without index is not seen, so it comes first
    suffix = os.urandom(6).hex()
    files = [
        (os.path.join(directory, f"tmp_{end}_{suffix}"), f"{path}.{end}", data)
        for end, data in (("pack", body + digest), ("idx", index))
    ]
    os.makedirs(directory, exist_ok=True)
    mode = 0o444 & stat.S_IMODE(os.stat(directory).st_mode)
    try:
        for fresh, _, data in files:
            write_synced(fresh, data, mode, durable=bool(git.durable))
        for fresh, final, _ in files:
            os.rename(fresh, final)
    except BaseException:
        for fresh, _, _ in files:
            with suppress(OSError):
                os.unlink(fresh)
        raise
    if git.durable:
        fsync(directory)
    return path


def write_synced(path: str, data: bytes, mode: int, *, durable: bool) -> None:
    """Writes a new file with this mode, to disk if `durable`. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode_index(entries: Mapping[str, bytes], pack_digest: bytes) -> bytes:
    """Returns the index of a pack with these entries, without the checksum at its end: gitformat-pack(5), version 2."""
    starts = dict(zip(entries, accumulate(map(len, entries.values()), initial=HEAD.size), strict=False))
    ids, counts = sorted(entries), [0] * 256
    for object_id in ids:
        counts[int(object_id[:2], 16)] += 1
    numbers = struct.Struct(f">{len(ids)}I")
    return b"".join((
        INDEX_SIGN, FAN.pack(*accumulate(counts)), bytes.fromhex("".join(ids)),
        numbers.pack(*(zlib.crc32(entries[object_id]) for object_id in ids)),
        # below 2 GiB
        numbers.pack(*(starts[object_id] for object_id in ids)), pack_digest,
    ))  # fmt: skip


def read_entries(path: str, object_format: ObjectFormat) -> dict[str, bytes]:
    """Returns the entries of a pack of `write_pack`: id -> head and compressed content. Raises OSError, GitFailed."""
    with open(path + ".idx", "rb") as file:
        index = file.read()
    with open(path + ".pack", "rb") as file:
        pack = file.read()
    size = object_format.size
    if any(object_format.hash(data[:-size]).digest() != data[-size:] for data in (index, pack)):
        raise GitFailed(f"{path} is damaged", "To check the repository: git fsck")
    at = len(INDEX_SIGN) + FAN.size
    count = FAN.unpack_from(index, len(INDEX_SIGN))[-1]
    ids = [index[start : start + size].hex() for start in range(at, at + count * size, size)]
    starts = struct.unpack_from(f">{count}I", index, at + count * (size + 4))
    ordered = sorted(zip(starts, ids, strict=True))
    return {
        object_id: pack[start:end]
        for (start, object_id), (end, _) in pairwise([*ordered, (len(pack) - size, "")])
    }  # fmt: skip


def entry_header(kind: int, size: int) -> bytes:
    """Returns the head of an object in a pack: its type, and the size of its content in bytes."""
    # 4 bits of the size beside the type, then 7 bits a byte, the lowest first; the top bit says that more follow
    head, size = bytearray([kind << 4 | size & 15]), size >> 4
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    return bytes(head)
