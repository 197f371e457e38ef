"""How large a tree is, before git or anything else unfolds it: each of its subtrees is looked at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gitrun.errors import BadRun
from gitrun.model.incoming import DEPTH, ENTRIES, TREE

if TYPE_CHECKING:
    from gitrun.git.objects import Object

DIRECTORY = b"40000"
ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


class Reader(Protocol):
    """Either door to the objects of a repository."""

    def read(self, name: str, limit: int) -> Object | None:
        """The object with this id; no content if it is over `limit` bytes."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A tree as a checkout would unfold it: entries in all, and directories within each other."""

    entries: int
    depth: int


class Measurer:
    """Measures trees of one repository; what many of them share is read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, Measure] = {}

    def require_small(self, tree: str) -> None:
        """Raises BadRun if the tree would unfold to more than a million entries, or is nested too deep, or is too large."""
        known = self._known
        stack: list[tuple[str, int, tuple[int, list[str]] | None]] = [(tree, 1, None)]
        while stack:
            name, level, seen = stack.pop()
            if name in known:
                continue
            if level > DEPTH:
                raise BadRun(f"its tree has more than {DEPTH} directories within each other")
            entries, below = seen or self._look(name)
            unknown = [] if seen else [child for child in below if child not in known]
            if unknown:
                stack.append((name, level, (entries, below)))
                stack += [(child, level + 1, None) for child in unknown]
            else:
                known[name] = self._sum(entries, below)

    def entry(self, tree: str, path: bytes) -> tuple[bytes, str] | None:
        """Mode and id of what the tree has at the path; None if it has nothing there."""
        found: tuple[bytes, str] | None = (DIRECTORY, tree)
        for part in path.split(b"/"):
            if found is None or found[0] != DIRECTORY:
                return None
            data = self._data(found[1])
            found = next(((mode, made.hex()) for mode, name, made in ENTRY.findall(data) if name == part), None)
        return found

    def _look(self, name: str) -> tuple[int, list[str]]:
        """How many entries a directory has, and the directories in it."""
        found = ENTRY.findall(self._data(name))
        return len(found), [made.hex() for mode, _, made in found if mode in {DIRECTORY, b"040000"}]

    def _data(self, name: str) -> bytes:
        """The bytes of a tree; none of what is missing, which nothing can unfold."""
        found = self._reader.read(name, TREE)
        if found and found.kind == "tree" and found.data is None:
            raise BadRun(f"tree {name[:8]} has {found.size:,} bytes, more than {TREE:,}")
        return found.data or b"" if found and found.kind == "tree" else b""

    def _sum(self, own: int, below: list[str]) -> Measure:
        """The size of a directory with so many entries whose subdirectories are known."""
        entries = own + sum(self._known[child].entries for child in below)
        depth = 1 + max((self._known[child].depth for child in below), default=0)
        if depth > DEPTH:
            raise BadRun(f"its tree has more than {DEPTH} directories within each other")
        if entries > ENTRIES:
            raise BadRun(f"its tree would unfold to more than {ENTRIES:,} files")
        return Measure(entries, depth)
