"""Commits as sources of runs: the tree of one commit, and the distinct trees of many."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.errors import UnknownCommit, UsageError
from gitrun.model.batch import CommitTree
from gitrun.model.plan import Source
from gitrun.model.text import is_text, safe_text
from gitrun.source.snapshot import without_records
from gitrun.views.history import is_commit, resolve_commit, tree_of_commit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects

BRANCH = "refs/heads/"
# 160000 commit <id>\tlibs/x
SUBMODULE = re.compile(rb"\x00160000 commit ([0-9a-f]+)\t([^\x00]+)")


def find_commit(git: Git, name: str) -> str:
    """Returns the id of the one commit of this name. Raises UsageError."""
    commit_id = resolve_commit(git, name)
    if commit_id is not None:
        return commit_id
    if ".." in name and is_commit(git, name):
        raise UsageError(
            f"--at takes one commit, and '{safe_text(name)}' is a range", f"To list its commits: git rev-list {safe_text(name)}"
        )
    raise UnknownCommit(f"no commit '{safe_text(name)}'", "To list the commits: git log --oneline --all")


def read_source(git: Git, objects: Objects, name: str) -> Source:
    """Returns the source that the commit of this name is. Raises UsageError."""
    commit_id = find_commit(git, name)
    tree_id = without_records(git, objects, tree_of_commit(git, commit_id))
    return Source(tree_id, commit_id, find_branch(git, name), submodules=list_submodules(git, tree_id), is_full=True)


def find_branch(git: Git, name: str) -> str | None:
    """Returns the name of the branch that a name means; None if it means a commit, a tag or something else."""
    result = git.attempt("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", name)
    ref = os.fsdecode(result.stdout).strip()
    branch = ref.removeprefix(BRANCH)
    return branch if ref.startswith(BRANCH) and is_text(branch) else None


def list_submodules(git: Git, tree_id: str) -> tuple[tuple[str, str], ...]:
    """Returns the submodules of a tree, each with its commit."""
    output = b"\0" + git.run("ls-tree", "-r", "-z", "--full-tree", tree_id)
    return tuple((os.fsdecode(path), commit.decode()) for commit, path in SUBMODULE.findall(output))


def is_range(git: Git, name: str) -> bool:
    """Returns whether a name means a range of commits, and no single one."""
    return ".." in name and resolve_commit(git, name) is None and is_commit(git, name)


def list_sources(git: Git, objects: Objects, revisions: str) -> tuple[CommitTree, ...]:
    """Returns the commits of a range with different files, oldest first. Their trees are without records of runs.

    Raises UsageError if there are none.
    """
    oldest: dict[str, CommitTree] = {}
    for tree in list_commit_trees(git, revisions):
        tree_id = without_records(git, objects, tree.tree)
        oldest.setdefault(tree_id, CommitTree(tree.commit, tree_id))
    if not oldest:
        raise UsageError(
            f"no commits in '{safe_text(revisions)}'",
            "A..B are the commits of B that A does not have. To see them: git log A..B",
        )
    return tuple(oldest.values())


def note_shallow(git: Git, commits: Iterable[CommitTree]) -> tuple[str, ...]:
    """Returns a note if the commits end where a shallow clone does."""
    try:
        ends = (git.common_dir / "shallow").read_text().split()
    except OSError:
        return ()
    if {one.commit for one in commits}.isdisjoint(ends):
        return ()
    return ("note: this clone is shallow, so older commits of the range are missing. To fetch them: git fetch --unshallow",)


def list_commit_trees(git: Git, revisions: str) -> tuple[CommitTree, ...]:
    """Returns the commits that `revisions` (a commit or a range) names, oldest first; of equal trees the oldest commit only.

    A commit comes after all its parents. Raises UsageError.
    """
    if not is_commit(git, revisions):
        raise UnknownCommit(f"git finds no commits '{safe_text(revisions)}'", "For example: main..HEAD")
    words = ("--topo-order", "--reverse", "--no-commit-header", "--format=%H %T", "--end-of-options", revisions, "--")
    oldest: dict[str, CommitTree] = {}
    for line in git.run("rev-list", *words).decode().splitlines():
        # <commit> <tree>
        commit_id, tree_id = line.split()
        oldest.setdefault(tree_id, CommitTree(commit_id, tree_id))
    return tuple(oldest.values())
