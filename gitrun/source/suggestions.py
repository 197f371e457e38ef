"""Explains why there is no operation of a name, and names similar ones."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.errors import UnknownOperation, UsageError
from gitrun.model.flags import NEAR
from gitrun.model.run import INTERPRETERS, short_id
from gitrun.model.text import either_text, is_text, safe_text
from gitrun.model.tree import EXECUTABLE
from gitrun.source.project_file import read_entries_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git
    from gitrun.model.plan import Request, Source

FEW = 3
SCRIPTS = frozenset({".py", ".ipynb", *INTERPRETERS})


def explain_missing(git: Git, request: Request, path: str, snapshot: Source) -> UsageError:
    """Returns the error that explains why the snapshot has no operation at this path, and what to do."""
    typed = request.operation or path
    if request.at is not None:
        return explain_missing_at(git, typed, snapshot)
    top = (git.worktree or git.git_dir).resolve()
    full_path = top / path
    if full_path.is_dir():
        return UsageError(f"'{typed}' is a directory", "Name a script in it")
    real = full_path.resolve() if full_path.exists() else full_path
    if real != full_path:
        inside = os.path.relpath(real, top / git.prefix) if real.is_relative_to(top) else ""
        hint = f"To run the file itself: git run {inside}" if inside else "it leads out of this repository"
        return UsageError(f"'{typed}' is reached through a symbolic link", hint)
    # a nested repository that is no submodule: git records none of its files
    module = next((above for above in full_path.parents if above != top and (above / ".git").exists()), None)
    if module and module.is_relative_to(top) and full_path.exists():
        return UsageError(f"'{typed}' belongs to another repository, '{module.relative_to(top)}'", "Start it from there")
    if full_path.exists():
        reason = next((skipped.reason for skipped in snapshot.skipped if skipped.path == path), "git ignores it")
        hint = f"To run it without recording its code: git run -- {typed if '/' in typed else './' + typed}"
        return UsageError(f"'{typed}' is not part of the snapshot: {reason}", hint)
    near = near_operations(git, typed, snapshot.whole)
    hint = (
        f"Did you mean {either_text(near)}?"
        if near
        else "To list the verbs: git run -h. To run any command: git run -- COMMAND"
    )
    return UnknownOperation(f"no script, program or verb '{typed}' here", hint, typed, near)


def explain_missing_at(git: Git, typed: str, snapshot: Source) -> UnknownOperation:
    """Returns the error that explains that the commit of the snapshot has no operation of this name."""
    commit = short_id(snapshot.base or "")
    # the entries of the working tree need not be those of the commit
    near = near_operations(replace(git, worktree=None), typed, snapshot.whole)
    hint = f"Did you mean {either_text(near)}?" if near else f"To list its files: git ls-tree -r --name-only {commit}"
    return UnknownOperation(f"no script or program '{safe_text(typed)}' in commit {commit}", hint, typed, near)


def near_operations(git: Git, typed: str, tree_id: str) -> tuple[str, ...]:
    """Returns up to FEW names, relative to the current directory.

    Files of the same name elsewhere, or with an ending, come first. Only if there are none, names of similar spelling are
    returned.
    """
    # `git run train` may mean src/train.py
    name = PurePosixPath(typed).name
    paths = sorted(program_paths(git, tree_id), key=lambda path: (distance(git, path), path))
    same = [path for path in paths if name in {PurePosixPath(path).name, PurePosixPath(path).stem}]
    if same:
        return tuple(os.path.relpath(path, git.prefix or ".") for path in same[:FEW])
    entries: list[str] = []
    with suppress(UsageError):
        entries = list(read_entries_at(git.worktree)) if git.worktree else []
    # reversed, so that the nearest of several files with one name wins
    paths_by_name = {PurePosixPath(path).name: os.path.relpath(path, git.prefix or ".") for path in reversed(paths)}
    near = get_close_matches(name, [*entries, *paths_by_name], FEW, NEAR)
    return tuple(name if name in entries else paths_by_name[name] for name in near)


def program_paths(git: Git, tree_id: str) -> Iterator[str]:
    """Yields the paths of the tree that look like scripts or programs."""
    # git lists a large tree in a tenth of the time that its directories take one by one
    for entry in git.run("ls-tree", "-r", "-z", "--full-tree", tree_id).split(b"\0")[:-1]:
        # 100755 blob <id>\tbin/start
        head, _, name = entry.partition(b"\t")
        path = os.fsdecode(name)
        is_program = head.startswith(EXECUTABLE.encode()) or PurePosixPath(path).suffix in SCRIPTS
        if is_program and is_text(path):
            yield path


def distance(git: Git, path: str) -> int:
    """Returns the number of directory steps from the current directory to a path."""
    return len(PurePosixPath(os.path.relpath(path, git.prefix or ".")).parts)
