"""Measures trees before anything unfolds them. Each subtree is read once."""

from __future__ import annotations

from gitrun.dataclass import dataclass
from gitrun.errors import BadRun
from gitrun.git.objects import find_entries
from gitrun.model.validation_rules import MAX_DEPTH, MAX_ENTRIES, MAX_TREE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.objects import ObjectReader

DIRECTORY = b"40000"


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of a tree as a checkout would unfold it: number of entries, and depth of nested directories."""

    entries: int
    depth: int


class Measurer:
    """Measures trees of one repository. Subtrees that many of them share are read once."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._known: dict[str, Measure] = {}

    def require_small(self, tree: str) -> None:
        """Raises BadRun if the tree would unfold to too many entries, is nested too deep, or has a too large object."""
        sizes = self._known
        # an explicit stack: a hostile tree can be deeper than Python recurses
        stack: list[tuple[str, int, tuple[int, list[str]] | None]] = [(tree, 1, None)]
        while stack:
            name, level, depth = stack.pop()
            if name in sizes:
                continue
            if level > MAX_DEPTH:
                raise BadRun(f"its tree has more than {MAX_DEPTH} nested directories")
            entries, below = depth or self._look(name)
            unknown = [] if depth else [child for child in below if child not in sizes]
            if unknown:
                stack.append((name, level, (entries, below)))
                stack += [(child, level + 1, None) for child in unknown]
            else:
                sizes[name] = self._sum(entries, below)

    def entry(self, tree: str, path: bytes) -> tuple[bytes, str] | None:
        """Returns mode and id of the entry at the path; None if there is none."""
        entry: tuple[bytes, str] | None = (DIRECTORY, tree)
        for part in path.split(b"/"):
            if entry is None or entry[0] != DIRECTORY:
                return None
            data = self._data(entry[1])
            entry = next(
                ((mode, object_id.hex()) for mode, name, object_id in find_entries(data, len(tree) // 2) if name == part), None
            )
        return entry

    def _look(self, name: str) -> tuple[int, list[str]]:
        """Returns the number of entries of a directory, and the ids of its subdirectories."""
        entries = find_entries(self._data(name), len(name) // 2)
        # some programs write directories with a leading zero, and git reads them
        return len(entries), [object_id.hex() for mode, _, object_id in entries if mode in {DIRECTORY, b"040000"}]

    def _data(self, name: str) -> bytes:
        """Returns the bytes of a tree; empty if it is missing and so cannot unfold. Raises BadRun if it is too large."""
        tree = self._reader.read(name, MAX_TREE)
        if tree and tree.kind == "tree" and tree.data is None:
            raise BadRun(f"tree {name[:8]} has {tree.size:,} bytes, more than {MAX_TREE:,}")
        return tree.data or b"" if tree and tree.kind == "tree" else b""

    def _sum(self, own: int, below: list[str]) -> Measure:
        """Returns the size of a directory with `own` entries and measured subdirectories. Raises BadRun if it is too large."""
        entries = own + sum(self._known[child].entries for child in below)
        depth = 1 + max((self._known[child].depth for child in below), default=0)
        if depth > MAX_DEPTH:
            raise BadRun(f"its tree has more than {MAX_DEPTH} nested directories")
        if entries > MAX_ENTRIES:
            raise BadRun(f"its tree expands to more than {MAX_ENTRIES:,} files")
        return Measure(entries, depth)
