"""Archives: chains of commits that keep ended runs behind one ref, so that git has few refs to look at.

An archive is `refs/gitrun/archive/<writer>`. Each of its commits has the archive before it as first parent, if there is one,
and then the tips of at most SIZE runs. Its file `tips` has a line `<run id> <tip>` for each of these, and `gone` the ids of
runs that earlier commits list and that are deleted. Author and words are fixed and the time is that of the newest parent, so
equal sets are equal commits.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import BadRun
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import Entry, Objects, fsync, parse_tree, tree_of_commit
from gitrun.lazy import lazy_pattern
from gitrun.model.run import is_id
from gitrun.model.tree import FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Loose, Object, ObjectReader

SIZE = 1_000
"""Runs of one commit of an archive."""
TIPS, GONE = b"tips", b"gone"
PUBLIC, PRIVATE = "public", "private"
"""Kinds of archives of this repository: of runs that a push sends, and of runs from elsewhere or with files of submodules."""
WHO = "gitrun <gitrun@localhost>"
"""Fixed author, so that equal sets of runs are equal commits."""
COMMITTER = lazy_pattern(rb"^committer [^\n]*> ([0-9]{1,11})(?= |\n)", re.MULTILINE)
KIND = b"\nGitrun-Kind: archive\n"
MAX_PART = 1 << 20
"""Most bytes of a commit of an archive, and of each of its files."""
MAX_COMMITS, MAX_RUNS = 100_000, 2_000_000
"""Most commits and listed runs of an archive."""


@dataclass(frozen=True, slots=True)
class ArchiveCommit:
    """One commit of an archive: its id, the one before it, the tips that it adds (run id -> tip), and what it removes."""

    id: str
    previous: str | None
    tips: Mapping[str, str]
    gone: tuple[str, ...] = ()


def read_archive(objects: ObjectReader, head: str, known: Collection[str] = ()) -> list[ArchiveCommit]:
    """Returns the commits of an archive, oldest first: all, or those after the first one among the `known` ids.

    Raises BadRun if one of them is not as gitrun writes it.
    """
    chain: list[ArchiveCommit] = []
    name: str | None = head
    listed = 0
    while name and name not in known:
        commit = read_archive_commit(objects, name)
        chain.append(commit)
        listed += len(commit.tips) + len(commit.gone)
        if len(chain) > MAX_COMMITS or listed > MAX_RUNS:
            raise BadRun(f"the archive is longer than {MAX_COMMITS:,} commits or {MAX_RUNS:,} runs")
        name = commit.previous
    return chain[::-1]


def read_archive_commit(objects: ObjectReader, name: str) -> ArchiveCommit:
    """Reads one commit of an archive. Raises BadRun unless its parents are exactly the tips that it lists."""
    data = read_part(objects.read(name, MAX_PART), "commit", name)
    head, _, message = data.partition(b"\n\n")
    if KIND not in message:
        raise BadRun(f"commit {name[:8]} is not an archive")
    parents = [line[7:].decode(errors="replace") for line in head.split(b"\n") if line.startswith(b"parent ")]
    tree = tree_of_commit(data)
    # two hex digits a byte
    entries = dict(parse_tree(read_part(objects.read(tree, MAX_PART), "tree", name), len(tree) // 2))
    if entries.keys() != {TIPS, GONE}:
        raise BadRun(f"commit {name[:8]} of the archive has other files than 'tips' and 'gone'")
    # one question: this is read for each thousand runs
    parts = objects.read_many([entries[TIPS].id, entries[GONE].id], MAX_PART)
    tips, gone = (read_part(part, "blob", name).decode(errors="replace").splitlines() for part in parts)
    pairs = [line.split(" ") for line in tips]
    if any(len(pair) != 2 or not all(map(is_id, pair)) for pair in pairs) or not all(map(is_id, gone)):
        raise BadRun(f"commit {name[:8]} of the archive has a line without ids")
    ids, by_id = [run_id for run_id, _ in pairs], {pair[0]: pair[1] for pair in pairs}
    if not is_sorted(ids) or not is_sorted(gone):
        raise BadRun(f"commit {name[:8]} of the archive lists a run twice, or not in order")
    expected = list(by_id.values())
    if parents == expected:
        return ArchiveCommit(name, None, by_id, tuple(gone))
    if parents[1:] != expected:
        raise BadRun(f"commit {name[:8]} of the archive lists other runs than its parents")
    return ArchiveCommit(name, parents[0], by_id, tuple(gone))


def read_part(part: Object | None, kind: str, name: str) -> bytes:
    """Returns the content of an object of an archive's commit. Raises BadRun if it is missing, too large, or another kind."""
    if part is None or part.kind != kind:
        raise BadRun(f"a {kind} of commit {name[:8]} of the archive is missing")
    if part.data is None:
        raise BadRun(f"a {kind} of commit {name[:8]} of the archive has {part.size:,} bytes, more than {MAX_PART:,}")
    return part.data


def is_sorted(ids: Sequence[str]) -> bool:
    """Returns whether the ids ascend, each of them once."""
    return all(one < two for one, two in pairwise(ids))


def tips_of(chain: Iterable[ArchiveCommit], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the tips of all runs in the commits of an archive, oldest first, that are not gone: id -> tip."""
    tips = dict(before or {})
    for commit in chain:
        for run_id in commit.gone:
            tips.pop(run_id, None)
        tips |= commit.tips
    return tips


def write_archive_commit(
    writer: Loose, previous: str | None, tips: Mapping[str, str], gone: Iterable[str] = ()
) -> ArchiveCommit:
    """Writes one commit of an archive; `tips` exist. Raises OSError."""
    ordered, dead = dict(sorted(tips.items())), tuple(sorted(gone))
    blobs = {
        TIPS: writer.write("blob", "".join(f"{run_id} {tip}\n" for run_id, tip in ordered.items()).encode()),
        GONE: writer.write("blob", "".join(f"{run_id}\n" for run_id in dead).encode()),
    }
    tree = writer.make({name: Entry(FILE, blob) for name, blob in blobs.items()})
    parents = [*([previous] if previous else []), *ordered.values()]
    who = f"{WHO} {newest_time(writer.git, parents)} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}", ""]
    words = [*lines, f"archive {len(ordered):,} runs", "", "Gitrun-Kind: archive", "Gitrun-Format: 1", ""]
    return ArchiveCommit(writer.write("commit", "\n".join(words).encode()), previous, ordered, dead)


def newest_time(git: Git, commits: Sequence[str]) -> int:
    """Returns the time of the newest of these commits, in seconds since 1970; 0 without any.

    Git walks back in time when it sends a part of an archive: from a commit older than what is below it, it would walk on to
    the first run.
    """
    with Objects(git) as objects:
        contents = [part.data for part in objects.read_many(commits, MAX_PART) if part and part.data]
    return max((int(match[1]) for data in contents if (match := COMMITTER.search(data))), default=0)


def own_writers(git: Git) -> dict[str, str]:
    """Returns the names of this repository's own archives, by what is in them: PUBLIC or PRIVATE. It may have none yet."""
    with suppress(OSError):
        # public 0123456789abcdef
        lines = (line.split(" ") for line in writer_file(git).read_text(errors="replace").splitlines())
        return {line[0]: line[1] for line in lines if len(line) == 2 and line[0] in {PUBLIC, PRIVATE} and is_writer(line[1])}
    return {}


def new_writer(git: Git, content: str) -> str:
    """Gives this repository an archive of its own for PUBLIC or PRIVATE runs. Returns its random name. Raises OSError."""
    make_shared_directory(git.state)
    writer = os.urandom(8).hex()
    fresh = git.state / "writer.new"
    fresh.write_text("".join(f"{each} {name}\n" for each, name in {**own_writers(git), content: writer}.items()))
    fsync(fresh)
    fresh.replace(writer_file(git))
    return writer


def is_writer(name: str) -> bool:
    """Returns whether this is a name that `new_writer` gives: 16 hex digits."""
    return len(name) == 16 and not set(name) - set("0123456789abcdef")


def writer_file(git: Git) -> Path:
    """Returns the file with the names of this repository's own archives."""
    return git.state / "writer"
