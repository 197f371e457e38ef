"""Commits as sources of runs: the tree of one commit, and the distinct trees of many."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import UnknownCommit, UsageError
from gitrun.model.plan import Source
from gitrun.model.text import is_text, safe_text
from gitrun.source.snapshot import without_records
from gitrun.views.history import is_commit, resolve_commit, tree_of_commit

if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects

BRANCH = "refs/heads/"
# 160000 commit <id>\tlibs/x
SUBMODULE = re.compile(rb"\x00160000 commit ([0-9a-f]+)\t([^\x00]+)")


@dataclass(frozen=True, slots=True)
class CommitTree:
    """A commit, and the tree of its files."""

    commit: str
    tree: str


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
    return Source(tree_id, commit_id, find_branch(git, name), submodules=list_submodules(git, tree_id))


def find_branch(git: Git, name: str) -> str | None:
    """Returns the name of the branch that a name means; None if it means a commit, a tag or something else."""
    done = git.attempt("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", name)
    ref = os.fsdecode(done.stdout).strip()
    branch = ref.removeprefix(BRANCH)
    return branch if ref.startswith(BRANCH) and is_text(branch) else None


def list_submodules(git: Git, tree_id: str) -> tuple[tuple[str, str], ...]:
    """Returns the submodules of a tree, each with its commit."""
    output = b"\0" + git.run("ls-tree", "-r", "-z", "--full-tree", tree_id)
    return tuple((os.fsdecode(path), commit.decode()) for commit, path in SUBMODULE.findall(output))


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
