"""Looking through what somebody else made: whether the commits behind a ref are a run, before anything else reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import BadRun
from gitrun.git.odb import Odb
from gitrun.model import record
from gitrun.model.incoming import (
    COMMIT,
    COMMITS,
    DEPTH,
    ENTRIES,
    FORMAT,
    SIZES,
    TABLES,
    TREE,
    behind,
    wrong_mode,
    wrong_name,
    wrong_shape,
    wrong_table,
)  # fmt: skip
from gitrun.model.refs import is_id
from gitrun.model.text import safe_text
from gitrun.store.commits import read_commit
from gitrun.store.runs import why_not

if TYPE_CHECKING:
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object
    from gitrun.store.commits import Commit

    Children: TypeAlias = tuple[tuple[bytes, bytes, str], ...]
    """Mode, name and object of each entry."""

FOLDER = record.DIRECTORY.encode()
SHARED, MANY = 1_000, 100_000
"""Trees of one commit, and names of entries, that are remembered."""
NEEDED = {"attempt": record.RUN, "result": record.RESULT}


@dataclass(frozen=True, slots=True)
class Chain:
    """The commits of a run behind a tip, newest first on each path, and those of them that are attempts."""

    run: str
    tip: str
    commits: tuple[str, ...]
    attempts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A tree as a checkout would unfold it: entries in all, and directories within each other."""

    entries: int
    depth: int


class Inspector:
    """Looks through runs of one repository; what many of them share is looked at once."""

    def __init__(self, git: Git) -> None:
        self._odb = Odb(git)
        self._trees: dict[str, Measure] = {}
        self._folders: dict[str, frozenset[str]] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._names: set[tuple[bytes, bytes]] = set()
        self._read: dict[str, Children] = {}

    def chain(self, run: str, tip: str) -> Chain:
        """The commits of the run with this tip, all of them sound. Raises BadRun, which says what is wrong."""
        if reason := why_not(run, tip):
            raise BadRun(reason)
        seen: dict[str, str] = {}
        front = [tip]
        while front:
            name = front.pop()
            if name in seen:
                continue
            if len(seen) >= COMMITS:
                raise BadRun(f"it has more than {COMMITS:,} commits")
            commit = self.commit(name)
            seen[name] = commit.kind
            self.check(commit)
            front += behind(name, commit.kind, commit.parents, run)
            if commit.kind == "attempt" and name != run and not commit.parents:
                raise BadRun("its name is not the id of its first attempt")
        if run not in seen:
            raise BadRun("its name is not the id of its first attempt")
        return Chain(run, tip, tuple(seen), tuple(name for name, kind in seen.items() if kind == "attempt"))

    def commit(self, name: str) -> Commit:
        """A commit of a run. Raises BadRun if it is none."""
        found = self._object(name, "commit", COMMIT)
        commit = read_commit(found)
        if commit is None or not is_id(commit.tree) or not all(map(is_id, commit.parents)):
            raise BadRun(f"commit {name[:8]} was not made by gitrun")
        if not FORMAT.search(found.data or b""):
            raise BadRun(f"commit {name[:8]} is of no format")
        if reason := wrong_shape(commit.kind, commit.parents):
            raise BadRun(reason)
        return commit

    def check(self, commit: Commit) -> None:
        """Raises BadRun unless the commit's tree may be read, and checked out, without harm."""
        self._read.clear()
        if self.measure(commit.tree).entries > ENTRIES:
            raise BadRun(f"its tree would unfold to more than {ENTRIES:,} files")
        folder = next((child for child in self._children(commit.tree) if child[1] == FOLDER), None)
        if folder is None or folder[0] != b"40000":
            raise BadRun(f"commit {commit.id[:8]} has no {record.DIRECTORY}")
        there = self._records(folder[2])
        needed = NEEDED.get(commit.kind)
        if needed and needed not in there:
            raise BadRun(f"{needed} is missing")

    def measure(self, tree: str) -> Measure:
        """How large the tree is, each of its subtrees looked at once. Raises BadRun if a name or kind in it is bad."""
        known = self._trees
        stack = [tree]
        open_now: set[str] = set()
        while stack:
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            children = self._children(top)
            below = [entry[2] for entry in children if entry[0] == b"40000"]
            missing = [child for child in below if child not in known]
            if missing and top not in open_now:
                open_now.add(top)
                if len(open_now) > DEPTH:
                    raise BadRun(f"its tree has more than {DEPTH} directories within each other")
                stack += missing
                continue
            stack.pop()
            open_now.discard(top)
            known[top] = self._sum(children, below)
        return known[tree]

    def _sum(self, children: Children, below: list[str]) -> Measure:
        """The size of a directory whose subdirectories are known."""
        entries = len(children) + sum(self._trees[child].entries for child in below)
        depth = 1 + max((self._trees[child].depth for child in below), default=0)
        if depth > DEPTH:
            raise BadRun(f"its tree has more than {DEPTH} directories within each other")
        return Measure(min(entries, ENTRIES + 1), depth)

    def _records(self, folder: str) -> frozenset[str]:
        """The files in `.gitrun`, those known to us sound. Raises BadRun."""
        if folder not in self._folders:
            there = set()
            for mode, name, blob in self._children(folder):
                path = f"{record.DIRECTORY}/{name.decode(errors='replace')}"
                there.add(path)
                if path in SIZES and (reason := self._wrong_file(mode, path, blob)):
                    raise BadRun(reason)
            self._folders[folder] = frozenset(there)
        return self._folders[folder]

    def _wrong_file(self, mode: bytes, path: str, blob: str) -> str:
        """Why a file of ours may not be this one; empty if it may."""
        if mode not in {b"100644", b"100755"}:
            return f"{path} is not a file"
        if (path, blob) not in self._files:
            try:
                data = self._object(blob, "blob", SIZES[path], wanted=path in TABLES).data
                self._files[path, blob] = wrong_table(data or b"", path) if path in TABLES else ""
            except BadRun as error:
                self._files[path, blob] = f"{path}: {error.message}"
        return self._files[path, blob]

    def _children(self, tree: str) -> Children:
        """The entries of a tree, their names and kinds sound. Raises BadRun."""
        if tree in self._read:
            return self._read[tree]
        data = self._object(tree, "tree", TREE).data or b""
        found: list[tuple[bytes, bytes, str]] = []
        start = 0
        while start < len(data):
            end = data.find(b"\0", start)
            mode, _, name = data[start:end].partition(b" ")
            if end < 0 or end + 21 > len(data):
                raise BadRun(f"tree {tree[:8]} is cut short")
            if (mode, name) not in self._names:
                self._name(mode, name)
            found.append((mode, name, data[end + 1 : end + 21].hex()))
            start = end + 21
        if len({name for _, name, _ in found}) < len(found):
            raise BadRun(f"tree {tree[:8]} has a name twice")
        if len(self._read) < SHARED:
            self._read[tree] = tuple(found)
        return tuple(found)

    def _name(self, mode: bytes, name: bytes) -> None:
        """Raises BadRun unless an entry of a tree may be called so and be of this kind."""
        if reason := wrong_name(name) or wrong_mode(mode, name):
            raise BadRun(f"its tree has {reason}: '{safe_text(name[:80].decode(errors='surrogateescape'))}'")
        if len(self._names) < MANY:
            self._names.add((mode, name))

    def _object(self, name: str, kind: str, limit: int, *, wanted: bool = True) -> Object:
        """The object, with its content if that is wanted. Raises BadRun if it is missing, of another kind or too large."""
        found = self._odb.read(name, limit if wanted else -1)
        if found is None:
            raise BadRun(f"an object is missing: {name[:40]}")
        if found.kind != kind:
            raise BadRun(f"object {name[:8]} is a {found.kind}, where a {kind} is to be")
        if found.size > limit:
            raise BadRun(f"{kind} {name[:8]} has {found.size:,} bytes, more than {limit:,}")
        return found
