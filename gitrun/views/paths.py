"""Paths in the output of a run that lead into its workspace, as paths that the user can open."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.git.objects import COMMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.model.run import Run

SLOT = re.compile(rb"/gitrun/slots/[0-9]+/tree/")
ENDS = b" \"'`<>|:,;()[]{}\n\r\t\0"
"""Bytes before which a path may end."""
WORD = re.compile(rb"[^ \"'`<>|:=(\[,\s\0]*\Z")
LONGEST, MOST = 4096, 32
"""Bytes of a path, and the places at which its end is looked for."""


def openable(git: Git, run: Run, output: bytes) -> bytes:
    """Returns the output with each path of a file in the run's workspace as one that leads to the user's file.

    Where the user's file differs from the run's, or is gone, it is `runs/<id>:<path>`, which git show opens. What is no
    file of the run, and not in the working tree, stays as it is.
    """
    if not SLOT.search(output):
        return output
    there = files_of(git, run)
    found = dict.fromkeys(path for _, _, path in occurrences(output, there, git))
    same = unchanged(git, [path for path in found if path in there], there)
    pieces, end = [], 0
    for start, stop, path in occurrences(output, there, git):
        pieces += [output[end:start], replacement(git, run, path, is_own=path in there and path not in same)]
        end = stop
    return b"".join([*pieces, output[end:]])


def replacement(git: Git, run: Run, path: bytes, *, is_own: bool) -> bytes:
    """Returns what is shown for a file: the user's path, or the run's own if that is another file."""
    if is_own or git.worktree is None:
        return b"runs/%s:%s" % (run.id.encode(), path)
    return os.path.join(os.fsencode(git.worktree), path)  # noqa: PTH118 - a path of bytes


def occurrences(output: bytes, there: Mapping[bytes, bytes], git: Git) -> Iterator[tuple[int, int, bytes]]:
    """Yields where the output names a file of the workspace: start, end, path below the top of the repository."""
    top, own = os.fsencode(git.worktree) if git.worktree else None, os.fsencode(git.common_dir)
    known: dict[bytes, bool] = {}
    end = 0
    for match in SLOT.finditer(output):
        if match.start() < end:
            continue
        line = re.split(rb"[\n\r\0]", output[match.end() : match.end() + LONGEST], maxsplit=1)[0]
        for length in lengths(line):
            path = below_repository(line[:length])
            if path not in known:
                known[path] = path in there or bool(top and path and is_file(top + b"/" + path))
            if known[path]:
                end = match.end() + length
                yield beginning(output, match.start(), own), end, path
                break


def is_file(path: bytes) -> bool:
    """Returns whether a file is there; pathlib takes no bytes."""
    return os.path.isfile(path)  # noqa: PTH113


def below_repository(path: bytes) -> bytes:
    """Returns the path behind the names of the repository and of the directory that it is in; empty if it ends before."""
    return (path.split(b"/", 2) + [b""] * 2)[2]


def beginning(output: bytes, place: int, own: bytes) -> int:
    """Returns where the path begins that goes on at the place: git's own directory `own`, or one of another name."""
    if output.endswith(own, 0, place):
        return place - len(own)
    start = max(0, place - LONGEST)
    found = WORD.search(output[start:place])
    return start + found.start() if found else place


def lengths(line: bytes) -> list[int]:
    """Returns where a path at the start of a line may end, the longest first."""
    found = [match.start() for match in re.finditer(rb"[%s]|\Z" % re.escape(ENDS), line)]
    return found[:MOST][::-1]


def files_of(git: Git, run: Run) -> dict[bytes, bytes]:
    """Returns the files of the run's last result, or of its attempt, with the ids of their contents."""
    listed = git.run("ls-tree", "-r", "-z", run.attempt.left)
    fields = (entry.partition(b"\t") for entry in listed.split(b"\0")[:-1])
    return {path: head.split(b" ")[2] for head, _, path in fields if head.split(b" ")[0] != COMMIT.encode()}


def unchanged(git: Git, paths: list[bytes], there: Mapping[bytes, bytes]) -> set[bytes]:
    """Returns those of the paths at which the working tree has the run's own content, as git would store it."""
    if git.worktree is None:
        return set()
    top = os.fsencode(git.worktree) + b"/"
    here = [path for path in paths if is_file(top + path) and b"\n" not in path and not path.startswith(b'"')]
    if not here:
        return set()
    same = set()
    for words in (("--stdin-paths",), ("--no-filters", "--stdin-paths")):
        ids = git.run("hash-object", *words, stdin=b"".join(path + b"\n" for path in here)).split()
        same |= {path for path, made in zip(here, ids, strict=True) if made == there[path]}
    return same
