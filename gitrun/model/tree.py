"""A tree of files to read: what planning, flag readers and listings know of a source, wherever it is stored."""

from __future__ import annotations

import zlib

from gitrun.dataclass import dataclass, field
from gitrun.lazy import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# a tree object has 40000 where ls-tree prints 040000
TREE, FILE, EXECUTABLE, LINK, COMMIT = "40000", "100644", "100755", "120000", "160000"
"""The modes of a directory, of files, of a symbolic link and of a submodule, as git writes them."""
REGULAR = frozenset({FILE, EXECUTABLE})
ANY = ("",)
"""The endings of all names."""


class Tree(Protocol):
    """Files by path. Paths are relative to the top, use `/`, and may hold bytes that are not UTF-8 (`os.fsdecode`).

    Symbolic links are never followed. The path of the top is empty.
    """

    def read(self, path: str, limit: int) -> bytes | None:
        """Returns the content of a regular file; None if there is none, or if it has more than `limit` bytes."""

    def mode(self, path: str) -> str | None:
        """Returns the mode as git writes it; None if there is nothing at the path."""

    def names(self, path: str, endings: tuple[str, ...] = ANY) -> tuple[str, ...]:
        """Returns the names in a directory: those of directories, and of the others those with one of the endings.

        Returns none if there is no such directory.
        """

    def identity(self, path: str) -> str:
        """Returns a word that changes with the content of a regular file, for caches; empty if there is none."""


def is_regular_file(tree: Tree, path: str) -> bool:
    """Returns whether a regular file is at the path."""
    return tree.mode(path) in REGULAR


@dataclass(frozen=True, slots=True)
class MemoryTree:
    """A tree of contents by path."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    executables: frozenset[str] = frozenset()

    def read(self, path: str, limit: int) -> bytes | None:
        """Returns the content of a file, as every Tree does."""
        data = self.files.get(path)
        return data if data is not None and len(data) <= limit else None

    def mode(self, path: str) -> str | None:
        """Returns the mode, as every Tree does."""
        if path in self.files:
            return EXECUTABLE if path in self.executables else FILE
        # a directory exists only by the files below it
        return TREE if not path or any(name.startswith(f"{path}/") for name in self.files) else None

    def names(self, path: str, endings: tuple[str, ...] = ANY) -> tuple[str, ...]:
        """Returns the names in a directory, as every Tree does."""
        above = f"{path}/" if path else ""
        below = (name.removeprefix(above).partition("/") for name in self.files if name.startswith(above))
        # a directory appears once for each file below it
        return tuple(dict.fromkeys(name for name, slash, _ in below if slash or name.endswith(endings)))

    def identity(self, path: str) -> str:
        """Returns a checksum of the content."""
        data = self.files.get(path)
        return "" if data is None else f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"
