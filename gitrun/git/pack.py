"""Writes many new objects as one pack: one sync to disk for all, where loose objects need one each."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from gitrun.git.objects import Loose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git
    from gitrun.model.object_format import ObjectFormat

TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
"""Types of objects in a pack, from gitformat-pack(5)."""


class PackWriter(Loose):
    """Collects objects in memory. `finish` writes them as one pack; until then, git does not have them."""

    def __init__(self, git: Git) -> None:
        super().__init__(git)
        self._entries: dict[str, bytes] = {}

    def finish(self) -> None:
        """Writes the pack, with its index, as durable as git's own. Raises GitFailed."""
        if self._entries:
            self.git.feed("index-pack", "--stdin", pieces=pack_pieces(list(self._entries.values()), self.git.object_format))
        self._entries = {}

    def _write_whole(self, object_id: str, whole: bytes) -> None:
        header, _, data = whole.partition(b"\0")
        kind, _, size = header.partition(b" ")
        self._entries[object_id] = entry_header(TYPES[kind.decode()], int(size)) + zlib.compress(data, 1)


def entry_header(kind: int, size: int) -> bytes:
    """Returns the head of an object in a pack: its type, and the size of its content in bytes."""
    # 4 bits of the size beside the type, then 7 bits a byte, the lowest first; the top bit says that more follow
    head, size = bytearray([kind << 4 | size & 15]), size >> 4
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    return bytes(head)


def pack_pieces(entries: list[bytes], object_format: ObjectFormat) -> Iterator[bytes]:
    """Yields a pack of version 2 in pieces: its head, the entries, and the checksum of all before it."""
    head = b"PACK" + (2).to_bytes(4, "big") + len(entries).to_bytes(4, "big")
    digest = object_format.hash(head)
    yield head
    for entry in entries:
        digest.update(entry)
        yield entry
    yield digest.digest()
