"""Checks commits made elsewhere: proves that a ref leads to a sound run before anything else reads it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import BadRun
from gitrun.git.objects import Object, find_entries
from gitrun.model import record_files
from gitrun.model.run import DIRECTORY
from gitrun.model.text import safe_text
from gitrun.model.validation_rules import (
    FORMAT,
    MAX_COMMIT,
    MAX_COMMITS,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_SIZES,
    MAX_TREE,
    TABLES,
    check_record,
    mode_fault,
    name_fault,
    own_parents,
    shape_fault,
)  # fmt: skip
from gitrun.store.commits import read_commit
from gitrun.store.foreign import tree_id_of
from gitrun.store.runs import reason_not_a_run
from gitrun.store.tree_size import Measure, Measurer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gitrun.git.exe import Git
    from gitrun.git.objects import ObjectReader
    from gitrun.model.validation_rules import Claim
    from gitrun.store.commits import Commit

# a tree is a sequence of <mode> <name> NUL <bytes of id>, without separators
HEAD = rb"([^\0]*)\0.{%d}"
FOLDER = DIRECTORY.encode()
ALONE, FOLDER_HEAD = frozenset({FOLDER}), b"40000 " + FOLDER + b"\0"
SHARED, LARGE = 1_000, 1 << 16
"""Number of trees and shapes that are cached; bytes of names above which a shape is not cached."""
FIXED = (record_files.FLAGS, record_files.RUN, record_files.ENV, record_files.LENT, record_files.BATCH, record_files.POINTS)
NO_MODULES: Mapping[bytes, str] = {}
NOTED = frozenset({record_files.NOTES.encode()})
NEEDED = {"attempt": record_files.RUN, "result": record_files.RESULT}


@dataclass(frozen=True, slots=True)
class Chain:
    """The commits of a run behind a tip, newest first on each path, and the ids of its attempts.

    `results` maps attempts to their results. `time` is the commit time of the newest attempt.
    """

    run_id: str
    tip: str
    commits: tuple[str, ...]
    attempts: tuple[str, ...]
    results: Mapping[str, str]
    time: datetime


@dataclass(frozen=True, slots=True)
class Shape:
    """The names and modes of a tree, checked. Trees that differ only in object ids share one.

    `size` is the length of such a tree in bytes, `entries` the number of its entries. `directories` and `folder` are byte
    offsets of object ids: of its subdirectories, and of its `.gitrun`. If the tree is a `.gitrun`, `ours` has path and
    offset of the files that gitrun writes there, and `no_file` is the first of these paths that is no file. `leaf` is the
    measure of a tree without subdirectories.
    """

    size: int
    entries: int
    directories: tuple[int, ...]
    folder: int | None
    ours: tuple[tuple[str, int], ...]
    no_file: str
    leaf: Measure | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree as its shape and its bytes."""

    shape: Shape
    data: bytes
    id_size: int

    def at(self, position: int) -> str:
        """Returns the object id at this byte offset."""
        return self.data[position : position + self.id_size].hex()


class Inspector:
    """Checks runs of one repository. Objects that many of them share are checked once."""

    def __init__(self, git: Git, reader: ObjectReader) -> None:
        self._format, self._id_size, self._reader = git.object_format, git.object_format.size, reader
        self._head = re.compile(HEAD % self._id_size, re.DOTALL)
        self._measurer = Measurer(reader)
        self._bases: set[str] = set()
        self._trees: dict[str, Measure] = {}
        self._folders: dict[str, dict[str, str]] = {}
        self._tops: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}
        self._stripped: dict[tuple[str, frozenset[tuple[bytes, str]]], str] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._shapes: dict[bytes, Shape] = {}
        self._read: dict[str, Tree] = {}

    def chain(self, run_id: str, tip: str) -> Chain:
        """Returns the commits of the run with this tip, all checked. Raises BadRun with the reason if one is unsound."""
        if reason := reason_not_a_run(run_id, tip):
            raise BadRun(reason)
        commits: dict[str, Commit] = {}
        front = [tip]
        while front:
            name = front.pop()
            if name in commits:
                continue
            if len(commits) >= MAX_COMMITS:
                raise BadRun(f"it has more than {MAX_COMMITS:,} commits")
            commit = self.commit(name)
            commits[name] = commit
            self.check(commit)
            front += own_parents(name, commit.kind, commit.parents, run_id)
            if commit.kind == "attempt" and (len(commit.parents) > 1 if name == run_id else not commit.parents):
                raise BadRun("its name is not the id of its first attempt")
        if run_id not in commits:
            raise BadRun("its name is not the id of its first attempt")
        # a second pass: commits are read before their parents, with which they are compared
        for commit in commits.values():
            self.compare(commit, commits)
            if commit.kind == "attempt":
                self.prove_carried(commit, None if commit.id == run_id else commits[commit.parents[-1]])
        self.measure_bases(commits, run_id)
        attempts = {name: commit for name, commit in commits.items() if commit.kind == "attempt"}
        newest = max(commit.time for commit in attempts.values())
        return Chain(run_id, tip, tuple(commits), tuple(attempts), results_by_attempt(commits), newest)

    def measure_bases(self, commits: Mapping[str, Commit], run_id: str) -> None:
        """Raises BadRun if the tree of a base commit that exists here would unfold to too many files."""
        for commit in commits.values():
            before = own_parents(commit.id, commit.kind, commit.parents, run_id)
            for base in (parent for parent in commit.parents if parent not in before):
                if base not in self._bases and (tree := tree_id_of(self._reader, base)):
                    self._measurer.require_small(tree)
                self._bases.add(base)

    def commit(self, name: str) -> Commit:
        """Returns a commit of a run. Raises BadRun if gitrun did not make it, or its parents do not fit its kind."""
        data = self._object(name, "commit", MAX_COMMIT)
        commit = read_commit(Object(name, "commit", len(data), data))
        if commit is None or {self._format.digits} != {len(commit.tree), *map(len, commit.parents)}:
            raise BadRun(f"commit {name[:8]} was not made by gitrun")
        if not FORMAT.search(data):
            raise BadRun(f"commit {name[:8]} has no Gitrun-Format")
        if reason := shape_fault(commit.kind, commit.parents):
            raise BadRun(reason)
        return commit

    def check(self, commit: Commit) -> None:
        """Raises BadRun unless the commit's tree is safe to read and to check out."""
        # trees are remembered for one commit at a time, to bound memory
        self._read.clear()
        if self.measure(commit.tree).entries > MAX_ENTRIES:
            raise BadRun(f"its tree expands to more than {MAX_ENTRIES:,} files")
        tree = self._tree(commit.tree)
        if tree.shape.folder is None:
            raise BadRun(f"commit {commit.id[:8]} has no {DIRECTORY}")
        there = self._records(commit.tree)
        needed = NEEDED.get(commit.kind)
        if needed and needed not in there:
            raise BadRun(f"{needed} is missing")
        if commit.kind == "attempt":
            self.prove(commit, there)

    def prove(self, attempt: Commit, files: Mapping[str, str]) -> None:
        """Raises BadRun unless the attempt's tree is the source that run.toml names, and has no result yet."""
        # the check of the records has stored the claim of this run.toml
        claim = self._claims[files[record_files.RUN]]
        if record_files.RESULT in files:
            raise BadRun(f"attempt {attempt.id[:8]} contains a result")
        own_paths = frozenset({FOLDER, *claim.carried})
        is_named = self._without(attempt.tree, own_paths) == (claim.content or claim.source)
        if is_named and claim.content:  # `source` has submodules as commits, as the base commit does
            are_sound = all(
                len(commit) == self._format.digits and is_directory_or_commit(self._at(attempt.tree, path))
                for path, commit in claim.modules.items()
            )
            is_named = are_sound and self._without(attempt.tree, own_paths, claim.modules) == claim.source
        if not is_named:
            raise BadRun(f"attempt {attempt.id[:8]} names another source than it contains")

    def prove_carried(self, attempt: Commit, before: Commit | None) -> None:
        """Raises BadRun unless each carried path is exactly what the run's previous tip has there.

        A first attempt, with `before` None, must carry nothing: a diff would not show that it executes such files.
        """
        carried = self._claims[self._records(attempt.tree)[record_files.RUN]].carried
        if before is None:
            if carried:
                raise BadRun("its first attempt carries files, but has no earlier attempt")
            return
        for path in carried:
            if self._at(attempt.tree, path) != self._at(before.tree, path):
                # a name from elsewhere may contain control sequences of terminals
                name = safe_text(os.fsdecode(path)[:80])
                raise BadRun(f"attempt {attempt.id[:8]} carries '{name}', which the attempt before it did not leave")

    def _at(self, tree: str, path: bytes) -> tuple[bytes, bytes] | None:
        """Returns mode and id (as bytes) of the entry at the path; None if there is none."""
        entry: tuple[bytes, bytes] | None = (b"40000", bytes.fromhex(tree))
        for part in path.split(b"/"):
            if entry is None or entry[0] != b"40000":
                return None
            there = find_entries(self._tree(entry[1].hex()).data, self._id_size)
            entry = next(((mode, object_id) for mode, name, object_id in there if name == part), None)
        return entry

    def compare(self, commit: Commit, commits: Mapping[str, Commit]) -> None:
        """Raises BadRun unless the commit changed only what its kind may change.

        A result leaves its attempt's records alone. An annotation or merge changes notes.toml alone. Otherwise the tip could
        differ from what people trusted by id.
        """
        if commit.kind == "attempt":
            return
        before = commits[commit.parents[0]]
        if commit.kind == "result":
            own, old = self._records(commit.tree), self._records(before.tree)
            if record_files.RESULT in old:
                raise BadRun(f"result {commit.id[:8]} is a second result of its attempt")
            for name in FIXED:
                if own.get(name) != old.get(name):
                    raise BadRun(f"result {commit.id[:8]} changes records of its attempt")
        elif self._without(commit.tree, NOTED) != self._without(before.tree, NOTED):
            raise BadRun(f"{commit.kind} {commit.id[:8]} changes more than {record_files.NOTES}")

    def _without(self, tree: str, paths: frozenset[bytes], modules: Mapping[bytes, str] = NO_MODULES) -> str:
        """Returns the id of the tree after removing `paths` and putting `modules` (path -> commit) in. Cached."""
        if paths == ALONE and not modules and (folder := self._tree(tree).shape.folder) is not None:
            # most runs carry no files: one entry is cut out
            data = self._tree(tree).data
            data = data[: folder - len(FOLDER_HEAD)] + data[folder + self._id_size :]
            return self._format.hash(b"tree %d\0" % len(data) + data).hexdigest()
        changes = {**modules, **dict.fromkeys(paths, "")}
        key = tree, frozenset(changes.items())
        stripped = self._stripped.get(key)
        if stripped is None:
            removed = {tuple(path.split(b"/")): bytes.fromhex(commit) for path, commit in changes.items()}
            stripped = self._strip(tree, removed).hex() or self._format.empty_tree
            self._stripped[key] = stripped
        return stripped

    def _strip(self, tree: str, changes: Mapping[tuple[bytes, ...], bytes]) -> bytes:
        """Computes the id, in bytes, of the tree of `_without`; an empty commit removes a path. Empty if nothing is left."""
        entries: list[tuple[bytes, bytes, bytes]] = []
        by_directory: dict[bytes, dict[tuple[bytes, ...], bytes]] = {}
        for (first, *rest), commit in changes.items():
            by_directory.setdefault(first, {})[tuple(rest)] = commit
        for mode, name, object_id in find_entries(self._tree(tree).data, self._id_size):
            below = by_directory.get(name, {})
            if () in below:
                if below[()]:
                    entries.append((b"160000", name, below[()]))
                continue
            inner = self._strip(object_id.hex(), below) if below and mode == b"40000" else object_id
            # git records no empty directories, so one that becomes empty has no entry
            if inner:
                entries.append((mode, name, inner))
        # git sorts directories as if their names ended in `/`, commits not
        if any(by_directory[name].get(()) for _, name, _ in entries if name in by_directory):
            entries.sort(key=lambda entry: entry[1] + b"/" if entry[0] == b"40000" else entry[1])
        data = b"".join(mode + b" " + name + b"\0" + object_id for mode, name, object_id in entries)
        return self._format.hash(b"tree %d\0" % len(data) + data).digest() if data else b""

    def measure(self, tree: str) -> Measure:
        """Returns the unfolded size of a tree. Each subtree is read once. Raises BadRun for a bad name or mode in it.

        A tree of 11 objects can unfold to 10^10 files, so subtrees are counted before any is unfolded.
        """
        measures = self._trees
        if tree in measures:
            return measures[tree]
        # most trees are a .gitrun beside what is measured
        top = self._tree(tree)
        below = [top.at(position) for position in top.shape.directories]
        for child in below:
            if child not in measures:
                leaf = self._tree(child).shape.leaf
                if leaf is None:
                    return self._measure_all(tree)
                measures[child] = leaf
        measures[tree] = self._sum(top.shape.entries, below)
        return measures[tree]

    def _measure_all(self, tree: str) -> Measure:
        """Returns the unfolded size of a tree, whose subtrees may be unmeasured, as `measure` does."""
        measures = self._trees
        # an explicit stack: a hostile tree can be deeper than Python recurses
        stack = [tree]
        open_now: set[str] = set()
        while stack:
            top = stack[-1]
            if top in measures:
                stack.pop()
                continue
            tree_here = self._tree(top)
            below = [tree_here.at(position) for position in tree_here.shape.directories]
            missing = [child for child in below if child not in measures]
            if missing and top not in open_now:
                open_now.add(top)
                if len(open_now) > MAX_DEPTH:
                    raise BadRun(f"its tree has more than {MAX_DEPTH} nested directories")
                stack += missing
                continue
            stack.pop()
            open_now.discard(top)
            measures[top] = self._sum(tree_here.shape.entries, below)
        return measures[tree]

    def _sum(self, own: int, below: list[str]) -> Measure:
        """Returns the size of a directory with `own` entries and measured subdirectories. Raises BadRun if nested too deep."""
        entries, depth = own, 1
        for child in below:
            measure = self._trees[child]
            entries += measure.entries
            depth = max(depth, 1 + measure.depth)
        if depth > MAX_DEPTH:
            raise BadRun(f"its tree has more than {MAX_DEPTH} nested directories")
        # capped, so that the numbers of a hostile tree stay small
        return Measure(min(entries, MAX_ENTRIES + 1), depth)

    def _records(self, tree: str) -> dict[str, str]:
        """Returns the ids of gitrun's own files in the tree by path, all checked. Raises BadRun."""
        if tree in self._tops:
            return self._folders[self._tops[tree]]
        top = self._tree(tree)
        if top.shape.folder is None:
            raise BadRun(f"tree {tree[:8]} has no {DIRECTORY}")
        folder = top.at(top.shape.folder)
        if folder not in self._folders:
            inner = self._tree(folder)
            if inner.shape.no_file:
                raise BadRun(f"{inner.shape.no_file} is not a file")
            data, size = inner.data, self._id_size
            records = {path: data[start : start + size].hex() for path, start in inner.shape.ours}
            for record in records.items():
                # most files of a result are those of its attempt
                reason = self._files.get(record)
                if reason is None:
                    reason = self._files[record] = self._file_fault(*record)
                if reason:
                    raise BadRun(reason)
            self._folders[folder] = records
        self._tops[tree] = folder
        return self._folders[folder]

    def _file_fault(self, path: str, blob: str) -> str:
        """Returns the reason why this blob cannot be the file at `path`; empty if it can. Stores the claim of a run.toml."""
        try:
            # nobody parses other files than these tables, so only their sizes are asked for
            data = self._object(blob, "blob", MAX_SIZES[path], with_data=path in TABLES)
            claim = check_record(data, path) if path in TABLES else None
            if claim:
                self._claims[blob] = claim
        except BadRun as error:
            return f"{path}: {error.message}"
        return ""

    def _tree(self, name: str) -> Tree:
        """Returns a tree whose names and modes are checked. Raises BadRun."""
        if name in self._read:
            return self._read[name]
        data = self._object(name, "tree", MAX_TREE)
        heads = self._head.findall(data)
        key = b"\0".join(heads)
        shape = self._shapes.get(key)
        if shape is None:
            shape = check_shape(heads, name, self._id_size)
            # bounded, because trees from elsewhere could fill the memory
            if len(self._shapes) < SHARED and len(key) < LARGE:
                self._shapes[key] = shape
        # bytes are missing or left over after the last entry
        if shape.size != len(data):
            raise BadRun(f"tree {name[:8]} is truncated")
        tree_read = Tree(shape, data, self._id_size)
        if len(self._read) < SHARED:
            self._read[name] = tree_read
        return tree_read

    def _object(self, name: str, kind: str, limit: int, *, with_data: bool = True) -> bytes:
        """Returns the object's content, or empty bytes unless `with_data`.

        Raises BadRun if it is missing, of another kind, or larger than `limit` bytes.
        """
        object_read = self._reader.look(name, limit if with_data else -1)
        if object_read is None:
            raise BadRun(f"an object is missing: {name[:40]}")
        of_kind, size, data = object_read
        if of_kind != kind:
            raise BadRun(f"object {name[:8]} is a {of_kind}, not a {kind}")
        if size > limit:
            raise BadRun(f"{kind} {name[:8]} has {size:,} bytes, more than {limit:,}")
        return data or b""


def results_by_attempt(commits: Mapping[str, Commit]) -> dict[str, str]:
    """Maps each attempt among these commits to its result. Raises BadRun if an attempt has two results."""
    attempts: dict[str, str] = {}
    results: dict[str, str] = {}
    for commit in commits.values():
        if commit.kind != "result":
            continue
        line = [commit.id]
        while line[-1] not in attempts and commits[line[-1]].kind != "attempt":
            line.append(commits[line[-1]].parents[0])
        attempt_id = attempts.get(line[-1], line[-1])
        # remembered for the whole path, or long chains would be walked again for each result
        attempts.update(dict.fromkeys(line, attempt_id))
        if attempt_id in results:
            raise BadRun(f"attempt {attempt_id[:8]} has two results, {results[attempt_id][:8]} and {commit.id[:8]}")
        results[attempt_id] = commit.id
    return results


def is_directory_or_commit(entry: tuple[bytes, bytes] | None) -> bool:
    """Returns whether the entry is a directory or a commit."""
    return entry is not None and entry[0] in {b"40000", b"160000"}


def check_shape(heads: Sequence[bytes], tree: str, id_size: int) -> Shape:
    """Checks the modes and names of a tree and returns its shape. Raises BadRun if one is not allowed.

    Each head is the mode and name of an entry, behind which its id takes `id_size` bytes.
    """
    folders, ours, names, position = [], [], set(), 0
    folder, no_file = None, ""
    for head in heads:
        mode, _, name = head.partition(b" ")
        if reason := name_fault(name) or mode_fault(mode, name):
            raise BadRun(f"its tree has {reason}: '{safe_text(name[:80].decode(errors='surrogateescape'))}'")
        position += len(head) + 1
        # git writes the mode of a directory without the zero that it shows
        if mode == b"40000":
            folders.append(position)
            folder = position if name == FOLDER else folder
        path = f"{DIRECTORY}/{name.decode(errors='replace')}"
        names.add(name)
        if path in MAX_SIZES:
            ours.append((path, position))
            no_file = no_file or ("" if mode in {b"100644", b"100755"} else path)
        position += id_size
    if len(names) < len(heads):
        raise BadRun(f"tree {tree[:8]} contains a name twice")
    leaf = None if folders else Measure(len(heads), 1)
    return Shape(position, len(heads), tuple(folders), folder, tuple(ours), no_file, leaf)
