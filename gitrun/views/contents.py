"""The contents of a run: the files of its source, the files that it produced, and the changes that were not committed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.git.objects import Objects
from gitrun.model.run import DIRECTORY, kept_name
from gitrun.store.kept_files import kept_directory, kept_entry
from gitrun.store.submodules import ComparedSource, align_sources, compared_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt, Run


SOURCE, PRODUCED, LOCAL = "source", "produced", "local"
PARTS = (SOURCE, PRODUCED, LOCAL)
"""The parts of a run: its snapshot, the files in its result, and those kept beside the repository."""
ADDED, DELETED, CHANGED, CARRIED = "added", "deleted", "changed", "carried over"
# an LFS pointer without extensions
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:(?P<sha256>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,18})\n"
)
POINTERS = range(126, 144)
"""The possible sizes, in bytes, of a Git LFS pointer. No other file is read."""
CHANGES = {b"A": ADDED, b"D": DELETED}


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a run: path from the top, size in bytes (None for a submodule), part, sha256 in hex if it was recorded.

    `stored` is git, lfs or local. `here` is false for a local file that is on another machine.
    """

    path: str
    size: int | None
    part: str
    sha256: str | None = None
    stored: str = "git"
    here: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is added, deleted or changed between two trees."""

    path: str
    what: str


def list_files(git: Git, run: Run, parts: Iterable[str] = PARTS) -> Iterator[Content]:
    """Yields the files of the run's last attempt in these parts, as git lists them."""
    parts_chosen = set(parts)
    if SOURCE in parts_chosen:
        yield from source_files(git, run.attempt)
    if PRODUCED in parts_chosen:
        yield from produced_files(git, run)
    if LOCAL in parts_chosen:
        yield from local_files(git, run)


def source_files(git: Git, attempt: Attempt) -> Iterator[Content]:
    """Yields the files that the attempt started with."""
    others = PathsBesideSource(attempt)
    yield from (content for content in files_of_commit(git, SOURCE, attempt.id) if content.path not in others)


def produced_files(git: Git, run: Run) -> Iterator[Content]:
    """Yields the files of the result: those that the last attempt wrote, and those it took over from the attempt before."""
    files = {file.path: file for file in run.attempt.files}
    for file in files.values():
        if file.stored != LOCAL:
            yield Content(file.path, file.size, PRODUCED, file.sha256 or None, file.stored)
    if run.attempt.carried:
        # a carried path may be a directory, below which git lists the files
        over = files_of_commit(git, PRODUCED, run.attempt.left, *run.attempt.carried)
        yield from (content for content in over if content.path not in files)


def local_files(git: Git, run: Run) -> Iterator[Content]:
    """Yields the files of the last attempt that are kept outside of git."""
    beside = kept_directory(git, run.id, run.attempt.id)
    with Objects(git) as objects:
        for file in (file for file in run.attempt.files if file.stored == LOCAL):
            # small local files are also in the result, and so come with a fetch
            here = os.path.lexists(beside / kept_name(file.path)) or kept_entry(objects, run.attempt, file) is not None
            yield Content(file.path, file.size, LOCAL, file.sha256 or None, LOCAL, here)


def files_of_commit(git: Git, part: str, commit: str, *paths: str) -> Iterator[Content]:
    """Yields the files of a commit, below `paths` if any are given. The size of an LFS file is the one in its pointer."""
    with Objects(git) as objects:
        for line in git.lines("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *paths, end=b"\0"):
            # 100644 blob <id>    1234 TAB src/train.py; a submodule has the size -
            head, _, name = line[:-1].partition(b"\t")
            blob, size = head.split()[2:]
            path, byte_size = os.fsdecode(name), int(size) if size.isdigit() else None
            # only files of a pointer's size are read: reading every blob would be slow
            whole = size_in_lfs_pointer(objects, blob) if byte_size in POINTERS else None
            yield Content(path, byte_size, part) if whole is None else Content(path, whole, part, stored="lfs")


def size_in_lfs_pointer(objects: Objects, blob: bytes) -> int | None:
    """Returns the size in a Git LFS pointer; None if the blob is not a pointer."""
    data = objects.read(blob)
    pointer = POINTER.fullmatch(data.data or b"") if data else None
    return int(pointer["size"]) if pointer else None


class PathsBesideSource:
    """The paths in an attempt's tree that are not source: its records, and the files taken over from the attempt before."""

    def __init__(self, attempt: Attempt) -> None:
        self._tops = frozenset({DIRECTORY, *attempt.carried})
        self._deep = bool(attempt.carried)

    def __contains__(self, path: str) -> bool:
        # without carried files the first part of the path decides
        if not self._deep:
            return path.partition("/")[0] == DIRECTORY
        parts = path.split("/")
        return any("/".join(parts[:count]) in self._tops for count in range(1, len(parts) + 1))


def uncommitted_changes(git: Git, attempt: Attempt) -> list[Change]:
    """Returns the differences between the commit that an attempt was made from and its source."""
    others = PathsBesideSource(attempt)
    # a run before the first commit has no base
    base = ComparedSource(attempt.base or git.object_format.empty_tree)
    old, new = align_sources(git, base, compared_source(attempt, attempt.id))
    return [change for change in changed_paths(git, old, new) if change.path not in others]


def changed_paths(git: Git, old: str, new: str) -> list[Change]:
    """Returns the paths that differ between two trees or commits."""
    fields = git.run("diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new).split(b"\0")
    # status and path alternate; the field after the last NUL is empty
    pairs = zip(fields[0:-1:2], fields[1::2], strict=False)
    # M is new content or mode, T another type, such as a link: both count as changed
    return [Change(os.fsdecode(path), CHANGES.get(status, CHANGED)) for status, path in pairs]
