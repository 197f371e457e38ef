"""Paths in a run's output that lead into its workspace, rewritten to paths that the user can open."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.model.tree import COMMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.model.run import Run

# /home/ada/p/.git/gitrun/slots/3/tree/ada/p/train.py
SLOT = re.compile(rb"/gitrun/slots/[0-9]+/tree/")
ENDS = b" \"'`<>|:,;()[]{}\n\r\t\0"
"""The bytes before which a path may end."""
WORD = re.compile(rb"[^ \"'`<>|:=(\[,\s\0]*\Z")
LONGEST, MOST = 4096, 32
"""The maximum length of a path in bytes, and the maximum number of ends that are tried."""


def with_user_paths(git: Git, run: Run, output: bytes) -> bytes:
    """Returns the output with the user's file paths in place of those in the run's workspace.

    If the user's file differs from the run's, or is missing, the replacement is `runs/<id>:<path>`, which git show opens.
    A path that is neither a file of the run nor of the working tree stays as it is.
    """
    # most outputs name no file of the workspace, and need no git process
    if not SLOT.search(output):
        return output
    there = files_of_run(git, run)
    paths = dict.fromkeys(path for _, _, path in occurrences(output, there, git))
    same = unchanged_paths(git, [path for path in paths if path in there], there)
    pieces, end = [], 0
    for start, stop, path in occurrences(output, there, git):
        pieces += [output[end:start], path_to_show(git, run, path, is_own=path in there and path not in same)]
        end = stop
    return b"".join([*pieces, output[end:]])


def path_to_show(git: Git, run: Run, path: bytes, *, is_own: bool) -> bytes:
    """Returns the path to show for a file: the user's path, or `runs/<id>:<path>` if the run's content is only in git."""
    if is_own or git.worktree is None:
        return b"runs/%s:%s" % (run.id.encode(), path)
    return os.path.join(os.fsencode(git.worktree), path)  # noqa: PTH118 - a path of bytes


def occurrences(output: bytes, there: Mapping[bytes, bytes], git: Git) -> Iterator[tuple[int, int, bytes]]:
    """Yields start, end and path of each file of the workspace that the output names. The path is from the top."""
    top, own = os.fsencode(git.worktree) if git.worktree else None, os.fsencode(git.common_dir)
    # tracebacks and logs repeat the same paths, and each new one costs a look at the disk
    existing: dict[bytes, bool] = {}
    end = 0
    for match in SLOT.finditer(output):
        # inside the path found before
        if match.start() < end:
            continue
        line = re.split(rb"[\n\r\0]", output[match.end() : match.end() + LONGEST], maxsplit=1)[0]
        for length in possible_ends(line):
            path = below_repository(line[:length])
            if path not in existing:
                existing[path] = path in there or bool(top and path and is_file_path(top + b"/" + path))
            if existing[path]:
                end = match.end() + length
                yield start_of_path(output, match.start(), own), end, path
                break


def is_file_path(path: bytes) -> bool:
    """Returns whether the path is a file. pathlib does not accept bytes."""
    return os.path.isfile(path)  # noqa: PTH113


def below_repository(path: bytes) -> bytes:
    """Returns the path after the names of the repository and its parent directory; empty if the path ends before."""
    return (path.split(b"/", 2) + [b""] * 2)[2]


def start_of_path(output: bytes, position: int, own: bytes) -> int:
    """Returns the index where a path begins whose `/gitrun/slots/` is at `position`.

    It begins with git's own directory `own`, or with another spelling of it.
    """
    if output.endswith(own, 0, position):
        return position - len(own)
    start = max(0, position - LONGEST)
    match = WORD.search(output[start:position])
    return start + match.start() if match else position


def possible_ends(line: bytes) -> list[int]:
    """Returns the lengths at which a path at the start of the line may end, the longest first."""
    ends = [match.start() for match in re.finditer(rb"[%s]|\Z" % re.escape(ENDS), line)]
    # the longest first, because a file name may contain blanks and brackets
    return ends[:MOST][::-1]


def files_of_run(git: Git, run: Run) -> dict[bytes, bytes]:
    """Returns the files of the run's last result, or of its attempt, by path, with the ids of their contents."""
    entries = git.run("ls-tree", "-r", "-z", run.attempt.left)
    # 100644 blob <id> TAB src/train.py
    fields = (entry.partition(b"\t") for entry in entries.split(b"\0")[:-1])
    return {path: head.split(b" ")[2] for head, _, path in fields if head.split(b" ")[0] != COMMIT.encode()}


def unchanged_paths(git: Git, paths: list[bytes], there: Mapping[bytes, bytes]) -> set[bytes]:
    """Returns the paths whose file in the working tree has the run's content, as git would store it."""
    if git.worktree is None:
        return set()
    top = os.fsencode(git.worktree) + b"/"
    # --stdin-paths has a path per line, and unquotes one that begins with a quote
    here = [path for path in paths if is_file_path(top + path) and b"\n" not in path and not path.startswith(b'"')]
    if not here:
        return set()
    same = set()
    # the run may have stored a file with the user's filters or without
    for words in (("--stdin-paths",), ("--no-filters", "--stdin-paths")):
        ids = git.run("hash-object", *words, stdin=b"".join(path + b"\n" for path in here)).split()
        same |= {path for path, object_id in zip(here, ids, strict=True) if object_id == there[path]}
    return same


def private_directories(git: Git) -> dict[str, str]:
    """Returns the directories that others are not to see, longest first, with what is shown in their place."""
    shown = {str(git.common_dir): ".git", str(git.git_dir): ".git"}
    if git.worktree:
        # the path of a workspace ends like that of the working tree
        end = "/".join(git.worktree.parts[-3:]).lstrip("/")
        shown |= {str(git.worktree): ".", end: "."}
    if home := git.environ.get("HOME"):
        shown[os.path.realpath(home)] = shown[home] = "~"
    # nothing is hidden of a home that is the root
    return {path: shown[path] for path in sorted(shown, key=len, reverse=True) if len(path) > 2}
