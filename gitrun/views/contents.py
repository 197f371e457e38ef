"""What is in a run: the files of its source, those it produced, and what of its source was not committed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.model.record import DIRECTORY
from gitrun.model.refs import EMPTY_TREE
from gitrun.store.results import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt, Run

SOURCE, PRODUCED, LOCAL = "source", "produced", "local"
PARTS = (SOURCE, PRODUCED, LOCAL)
"""What a run consists of: its snapshot, what is in its result, what is kept beside the repository."""
ADDED, DELETED, CHANGED = "added", "deleted", "changed"
CHANGES = {b"A": ADDED, b"D": DELETED}


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a run: path below the root, size in bytes (None: a submodule), part, sha256 in hex if it was recorded.

    `stored` is git, lfs or local; `here` is false for a local file that is kept on another machine.
    """

    path: str
    size: int | None
    part: str
    sha256: str | None = None
    stored: str = "git"
    here: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is added, deleted or changed from one tree to another."""

    path: str
    what: str


def contents(git: Git, run: Run, parts: Iterable[str] = PARTS) -> Iterator[Content]:
    """The files of the run's last attempt in these parts, while git lists them."""
    wanted = set(parts)
    if SOURCE in wanted:
        yield from source(git, run.attempt)
    if PRODUCED in wanted:
        yield from produced(git, run)
    if LOCAL in wanted:
        yield from local(git, run)


def source(git: Git, attempt: Attempt) -> Iterator[Content]:
    """The files that the attempt was started with."""
    others = Others(attempt)
    for path, size in listed(git, attempt.id):
        if path not in others:
            yield Content(path, size, SOURCE)


def produced(git: Git, run: Run) -> Iterator[Content]:
    """The files of the result: those that the last attempt wrote, and those that it had from the one before."""
    written = {file.path: file for file in run.attempt.files}
    for file in written.values():
        if file.stored != LOCAL:
            yield Content(file.path, file.size, PRODUCED, file.sha256 or None, file.stored)
    if run.attempt.carried:
        over = listed(git, run.attempt.left, *run.attempt.carried)
        yield from (Content(path, size, PRODUCED) for path, size in over if path not in written)


def local(git: Git, run: Run) -> Iterator[Content]:
    """The files that the last attempt left and that are kept out of git."""
    beside = kept(git, run.id, run.attempt.id)
    for file in run.attempt.files:
        if file.stored == LOCAL:
            here = os.path.lexists(beside / file.path)
            yield Content(file.path, file.size, LOCAL, file.sha256 or None, LOCAL, here)


def listed(git: Git, commit: str, *paths: str) -> Iterator[tuple[str, int | None]]:
    """Path and size of what a commit has, at these paths or at all."""
    for line in git.lines("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *paths, end=b"\0"):
        head, _, path = line[:-1].partition(b"\t")
        size = head.rpartition(b" ")[2]
        yield os.fsdecode(path), int(size) if size.isdigit() else None


class Others:
    """The paths in an attempt's tree that are no part of its source: its records, and what it had from the one before."""

    def __init__(self, attempt: Attempt) -> None:
        self._tops = frozenset({DIRECTORY, *attempt.carried})
        self._deep = bool(attempt.carried)

    def __contains__(self, path: str) -> bool:
        if not self._deep:
            return path.partition("/")[0] == DIRECTORY
        parts = path.split("/")
        return any("/".join(parts[:count]) in self._tops for count in range(1, len(parts) + 1))


def uncommitted(git: Git, attempt: Attempt) -> list[Change]:
    """How the attempt's source differs from the commit that it was made from."""
    others = Others(attempt)
    return [change for change in changes(git, attempt.base or EMPTY_TREE, attempt.id) if change.path not in others]


def changes(git: Git, old: str, new: str) -> list[Change]:
    """The paths that differ between two trees or commits."""
    fields = git.run("diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new).split(b"\0")
    pairs = zip(fields[0:-1:2], fields[1::2], strict=False)
    return [Change(os.fsdecode(path), CHANGES.get(status, CHANGED)) for status, path in pairs]
