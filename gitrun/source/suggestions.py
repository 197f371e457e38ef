"""Suggestions for a misspelled or misplaced operation. Computed only after the operation was not found."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.git.objects import EXECUTABLE
from gitrun.model.plan import INTERPRETERS
from gitrun.model.text import is_text
from gitrun.source.catalog import entries_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git

FEW = 3
NEAR = 0.75
"""Similarity of two names, from 0 to 1, above which one is taken for a typo of the other."""
SCRIPTS = frozenset({".py", ".ipynb", *INTERPRETERS})


def near_operations(git: Git, typed: str, tree: str) -> tuple[str, ...]:
    """Returns up to FEW names, relative to the current directory.

    Files of the same name elsewhere, or with an ending, come first. Only if there are none, names of similar spelling are
    returned.
    """
    meant = PurePosixPath(typed).name
    paths = sorted(runnable(git, tree), key=lambda path: (far(git, path), path))
    same = [path for path in paths if meant in {PurePosixPath(path).name, PurePosixPath(path).stem}]
    if same:
        return tuple(os.path.relpath(path, git.prefix or ".") for path in same[:FEW])
    entries: list[str] = []
    with suppress(UsageError):
        entries = list(entries_here(git.worktree)) if git.worktree else []
    # reversed, so that the nearest of several files with one name wins
    places = {PurePosixPath(path).name: os.path.relpath(path, git.prefix or ".") for path in reversed(paths)}
    near = get_close_matches(meant, [*entries, *places], FEW, NEAR)
    return tuple(name if name in entries else places[name] for name in near)


def runnable(git: Git, tree: str) -> Iterator[str]:
    """Yields the paths of the tree that look like scripts or programs."""
    for entry in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        head, _, name = entry.partition(b"\t")
        path = os.fsdecode(name)
        is_program = head.startswith(EXECUTABLE.encode()) or PurePosixPath(path).suffix in SCRIPTS
        if is_program and is_text(path):
            yield path


def far(git: Git, path: str) -> int:
    """Returns the number of directory steps from the current directory to a path."""
    return len(PurePosixPath(os.path.relpath(path, git.prefix or ".")).parts)
