"""Changes of a run's code: the paths that differ from an earlier source, and the first lines of the difference."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed
from gitrun.model.text import safe_text
from gitrun.store.submodules import ComparedSource, align_sources, compared_source
from gitrun.views.contents import CHANGED, CHANGES, Change, PathsBesideSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run


PATHS, LINES, WIDEST = 20, 120, 200
"""The maximum numbers of paths and of lines of their difference, and the length at which a line is cut."""
LARGEST = "1m"
"""The size from which git calls a file binary, and compares no lines."""


@dataclass(frozen=True, slots=True)
class CodeChanges:
    """The paths in which a run's source differs from that of an earlier run, or from the commit `commit` if that is not empty.

    `lines` are the first lines of the difference as `git diff` prints them, safe for a terminal. `more_paths` and `more_lines`
    tell whether there are others.
    """

    paths: tuple[Change, ...] = ()
    lines: tuple[str, ...] = ()
    more_paths: bool = False
    more_lines: bool = False
    commit: str = ""


def read_code_changes(git: Git, old: Run | None, new: Run) -> CodeChanges:
    """Returns how the source of a run differs from that of an earlier run; without one, from the commit it was made from.

    Returns no changes if an object is missing, as it can be for a fetched run.
    """
    attempt = new.attempt
    if old is None and attempt.base and not attempt.dirty:
        return CodeChanges()
    left_out = [PathsBesideSource(run.attempt) for run in (old, new) if run]
    base = attempt.base or git.object_format.empty_tree
    with suppress(GitFailed):
        before = compared_source(old.attempt, old.attempt.id) if old else ComparedSource(base)
        trees = align_sources(git, before, compared_source(attempt, attempt.id))
        paths = list_changed_paths(git, trees, left_out)
        commit = "" if old else base
        code_changes = CodeChanges(tuple(paths[:PATHS]), more_paths=len(paths) > PATHS, commit=commit)
        return read_lines(git, trees, code_changes) if paths else code_changes
    return CodeChanges()


def list_changed_paths(git: Git, trees: Sequence[str], left_out: Sequence[PathsBesideSource]) -> list[Change]:
    """Returns the first source files that differ between two trees, one more than PATHS at most."""
    words = ("diff-tree", "-r", "-z", "--name-status", "--no-renames", *trees, "--")
    fields = git.lines(*words, end=b"\0")
    changes: list[Change] = []
    # a limit of its own, since paths that are not source do not count
    for status, path in islice(zip(fields, fields, strict=False), 50 * PATHS):
        name = path[:-1].decode(errors="surrogateescape")
        if not any(name in others for others in left_out):
            changes.append(Change(name, CHANGES.get(status[:-1], CHANGED)))
        if len(changes) > PATHS:
            break
    # ends git before all differences are listed
    fields.close()  # type: ignore[attr-defined]
    return changes


def read_lines(git: Git, trees: Sequence[str], code_changes: CodeChanges) -> CodeChanges:
    """Adds the first lines of the difference, which do not depend on the user's settings and diff drivers."""
    options = ("-r", "-p", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--indent-heuristic", "--full-index")
    settings = ("-c", f"core.bigFileThreshold={LARGEST}", "-c", "core.quotePath=true")
    paths = (change.path for change in code_changes.paths)
    printed = git.lines(*settings, "diff-tree", *options, *trees, "--", *paths)
    # abbreviated or not, the ids of blobs tell a reviewer nothing
    shown = (line for line in printed if not line.startswith(b"index "))
    lines = [readable_line(line) for line in islice(shown, LINES + 1)]
    printed.close()  # type: ignore[attr-defined]
    return replace(code_changes, lines=tuple(lines[:LINES]), more_lines=len(lines) > LINES)


def readable_line(line: bytes) -> str:
    """Returns a line of a difference, made safe for a terminal and cut to WIDEST."""
    # cut before it is escaped, which would take long for megabytes
    text = os.fsdecode(line[: 4 * WIDEST]).rstrip("\r\n")
    return safe_text(text.expandtabs())[:WIDEST].rstrip()
