"""Watches the files of a slot with inotify(7), so that only directories in which something happened must be examined.

The kernel reports a change before the system call that made it returns. A change through memory is reported when the file is
closed, at the latest when the process ends. Without inotify, or if its queue overflows, every directory is examined.
"""

from __future__ import annotations

import ctypes
import os
import struct
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF
CHANGES = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
DONT_FOLLOW = 0x02000000
BLINDING = 0x2000 | 0x4000
"""IN_UNMOUNT and IN_Q_OVERFLOW: events were lost."""
EVENT = struct.Struct("iIII")
"""struct inotify_event: watch, mask, cookie, length of the name that follows."""
QUEUE = 1 << 16
"""Bytes of one read."""
LIBC = ctypes.CDLL(None)


class SlotWatch:
    """A watch on the directories and files of a slot. `caches` are the caches that were found there, by directory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._places: dict[int, set[bytes]] = {}
        self._touched = set[bytes]()
        self._is_blind = False
        self.caches: dict[bytes, list[bytes]] = {}
        # no other process has the descriptor, which is close-on-exec
        weakref.finalize(self, os.close, descriptor)

    def add(self, path: bytes, directory: bytes) -> bool:
        """Watches a path, whose changes count for a directory, which is not settled yet. Returns whether that is possible."""
        number: int = LIBC.inotify_add_watch(self._descriptor, path, CHANGES | DONT_FOLLOW)
        # a file with two names has one watch
        self._places.setdefault(number, set()).add(directory)
        self._touched.add(directory)
        return number >= 0

    def find_touched(self, directories: Collection[bytes]) -> Iterable[bytes]:
        """Returns those of the watched directories in which something has happened since they were settled."""
        self._read()
        return directories if self._is_blind else [one for one in directories if one in self._touched]

    def settle(self, directory: bytes) -> None:
        """Forgets what has happened in a directory, which is as it should be."""
        self._touched.discard(directory)

    def _read(self) -> None:
        """Reads the events that have arrived."""
        while not self._is_blind:
            try:
                data = os.read(self._descriptor, QUEUE)
            except BlockingIOError:
                return
            except OSError:
                self._is_blind = True
                return
            at = 0
            while at < len(data):
                number, mask, _, length = EVENT.unpack_from(data, at)
                at += EVENT.size + length
                self._is_blind = self._is_blind or bool(mask & BLINDING)
                self._touched |= self._places.get(number, set())


def open_watch() -> SlotWatch | None:
    """Returns a watch without anything to watch; None if the system has none."""
    try:
        descriptor: int = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    except AttributeError:  # not Linux
        return None
    return SlotWatch(descriptor) if descriptor >= 0 else None
