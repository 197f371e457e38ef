"""Reads files by path: from a tree in the repository, or from the user's working tree."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from pathlib import Path

from gitrun.errors import ObjectsGone
from gitrun.git.objects import Entry
from gitrun.model.tree import ANY, EXECUTABLE, FILE, LINK, REGULAR, TREE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.objects import Objects

TOP = Entry(TREE, "")


class DirectoryTree(ABC):
    """A `model.tree.Tree` that lists each directory once, when a path below it is first asked for."""

    def __init__(self) -> None:
        self._directories: dict[str, Mapping[bytes, Entry]] = {}

    @abstractmethod
    def _list(self, path: str, entry: Entry) -> Mapping[bytes, Entry]:
        """Returns the entries of a directory."""

    @abstractmethod
    def _content(self, path: str, entry: Entry, limit: int) -> bytes | None:
        """Returns the content of a regular file; None if it is longer than the limit."""

    def read(self, path: str, limit: int) -> bytes | None:
        """Returns the content of a regular file; None if there is none, or if it has more than `limit` bytes."""
        entry = self._entry(path)
        return self._content(path, entry, limit) if entry and entry.mode in REGULAR else None

    def mode(self, path: str) -> str | None:
        """Returns the mode as git writes it; None if there is nothing at the path."""
        entry = self._entry(path)
        return entry.mode if entry else None

    def names(self, path: str, endings: tuple[str, ...] = ANY) -> tuple[str, ...]:
        """Returns the names of the directories in a directory, and of the others those with one of the endings."""
        suffixes = tuple(map(os.fsencode, endings))
        entries = self._directory(path).items()
        return tuple(os.fsdecode(name) for name, entry in entries if entry.mode == TREE or name.endswith(suffixes))

    def identity(self, path: str) -> str:
        """Returns the blob id or the file stamp of a regular file; empty if there is none."""
        entry = self._entry(path)
        return entry.id if entry and entry.mode in REGULAR else ""

    def _entry(self, path: str) -> Entry | None:
        above, slash, name = path.rpartition("/")
        if slash and not above:  # an absolute path
            return None
        return self._directory(above).get(os.fsencode(name)) if name else None if slash else TOP

    def _directory(self, path: str) -> Mapping[bytes, Entry]:
        """Returns the entries of a directory; empty if it is missing. A loop, since a hostile tree can be very deep."""
        if path in self._directories:
            return self._directories[path]
        above, entry = "", TOP
        for name in path.split("/") if path else ():
            if above not in self._directories:
                self._directories[above] = self._list(above, entry)
            entry_found = self._directories[above].get(os.fsencode(name))
            if entry_found is None or entry_found.mode != TREE:
                return {}
            above, entry = f"{above}/{name}" if above else name, entry_found
        self._directories[path] = self._list(path, entry)
        return self._directories[path]


class GitTree(DirectoryTree):
    """The files of the tree or commit `name`. Raises GitFailed or ObjectsGone where it names an object that is missing."""

    def __init__(self, objects: Objects, name: str) -> None:
        super().__init__()
        self._objects, self.name = objects, name

    def _list(self, path: str, entry: Entry) -> Mapping[bytes, Entry]:
        return self._objects.tree(entry.id if path else self.name)

    def _content(self, path: str, entry: Entry, limit: int) -> bytes | None:  # noqa: ARG002 - an id says enough
        content = self._objects.read(entry.id, limit)
        if content is None:
            raise ObjectsGone(f"git gc deleted {entry.id} while gitrun read it", "Try again")
        return content.data if content.kind == "blob" else None


class WorkTree(DirectoryTree):
    """The files of a working tree as they are now, without `.git`. Raises OSError for a directory that cannot be listed."""

    def __init__(self, top: Path) -> None:
        super().__init__()
        self._top = top

    def _list(self, path: str, entry: Entry) -> Mapping[bytes, Entry]:  # noqa: ARG002 - as above
        with os.scandir(os.fsencode(self._top / path)) as entries:
            return {each.name: stat_stamp(each) for each in entries if each.name != b".git"}

    def _content(self, path: str, entry: Entry, limit: int) -> bytes | None:  # noqa: ARG002 - as above
        try:
            with Path(self._top, path).open("rb") as file:
                data = file.read(limit + 1)
        except OSError:
            return None
        return data if len(data) <= limit else None


def stat_stamp(entry: os.DirEntry[bytes]) -> Entry:
    """Returns mode and stamp of a file: its size, time of change and inode stand for its content."""
    # the inode too: editors replace files, and a replaced file can keep size and time
    status = entry.stat(follow_symlinks=False)
    stamp = f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"
    if stat.S_ISREG(status.st_mode):
        return Entry(EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE, stamp)
    return Entry(TREE if stat.S_ISDIR(status.st_mode) else LINK, stamp)
