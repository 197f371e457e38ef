"""Commits as sources: one of them, and the distinct trees of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitrun import Project
from gitrun.errors import UnknownCommit, UsageError
from gitrun.source.commits import find_branch, find_commit, list_commit_trees, list_submodules

if TYPE_CHECKING:
    from repository import Repo


def subjects(repo: Repo, revisions: str) -> list[str]:
    trees = list_commit_trees(Project(repo.path).git, revisions)
    assert [one.tree for one in trees] == [repo.git("rev-parse", f"{one.commit}^{{tree}}") for one in trees]
    return [repo.git("log", "-1", "--format=%s", one.commit) for one in trees]


def commit(repo: Repo, content: str, message: str) -> str:
    repo.write("a.txt", content)
    return repo.commit(message)


def test_commits_come_oldest_first_with_their_trees(empty_repo: Repo) -> None:
    for number in "123":
        commit(empty_repo, number, number)
    assert subjects(empty_repo, "HEAD") == ["1", "2", "3"]
    assert subjects(empty_repo, "HEAD~1..HEAD") == ["3"]


def test_of_equal_trees_the_oldest_commit_counts(empty_repo: Repo) -> None:
    commit(empty_repo, "a", "one")
    commit(empty_repo, "b", "two")
    commit(empty_repo, "a", "revert")
    empty_repo.commit("empty")
    commit(empty_repo, "c", "last")
    assert subjects(empty_repo, "HEAD") == ["one", "two", "last"]


def test_parents_come_first_also_where_branches_merge(empty_repo: Repo) -> None:
    commit(empty_repo, "a", "root")
    empty_repo.git("checkout", "--quiet", "-b", "side")
    empty_repo.write("b.txt", "b")
    empty_repo.commit("side")
    empty_repo.git("checkout", "--quiet", "main")
    commit(empty_repo, "c", "main")
    empty_repo.git("merge", "--quiet", "--no-edit", "-m", "merge", "side")
    found = subjects(empty_repo, "HEAD")
    assert (found[0], found[-1], sorted(found[1:3])) == ("root", "merge", ["main", "side"])
    assert subjects(empty_repo, "main...side") == ["main", "merge"]


def test_empty_range_has_no_commits(empty_repo: Repo) -> None:
    commit(empty_repo, "a", "one")
    assert list_commit_trees(Project(empty_repo.path).git, "HEAD..HEAD") == ()


@pytest.mark.parametrize("name", ["nothing", "a..b", "--all", "HEAD:a.txt"])
def test_unknown_commits_are_an_error(empty_repo: Repo, name: str) -> None:
    commit(empty_repo, "a", "one")
    git = Project(empty_repo.path).git
    with pytest.raises(UnknownCommit):
        list_commit_trees(git, name)
    with pytest.raises(UsageError):
        find_commit(git, name)


def test_range_is_not_one_commit(empty_repo: Repo) -> None:
    commit(empty_repo, "a", "one")
    commit(empty_repo, "b", "two")
    for name in ("HEAD~1..HEAD", "HEAD~1...HEAD", "..HEAD~1"):
        with pytest.raises(UsageError, match="is a range"):
            find_commit(Project(empty_repo.path).git, name)


def test_names_of_commits_are_those_of_git(empty_repo: Repo) -> None:
    one = commit(empty_repo, "a", "one fish")
    two = commit(empty_repo, "b", "two fish")
    empty_repo.git("tag", "--annotate", "v1", "-m", "tag", one)
    git = Project(empty_repo.path).git
    assert [find_commit(git, name) for name in ("v1", ":/one", "HEAD^{/one}", one[:9], "HEAD~")] == [one] * 5
    assert [find_commit(git, name) for name in ("HEAD", "main", "@", "refs/heads/main")] == [two] * 4


def test_only_names_of_branches_have_a_branch(empty_repo: Repo) -> None:
    one = commit(empty_repo, "a", "one")
    empty_repo.git("tag", "v1")
    git = Project(empty_repo.path).git
    assert [find_branch(git, name) for name in ("main", "HEAD", "refs/heads/main")] == ["main"] * 3
    assert [find_branch(git, name) for name in ("v1", one, "main~0")] == [None] * 3


def test_submodules_are_those_of_the_tree(empty_repo: Repo) -> None:
    one = commit(empty_repo, "a", "one")
    empty_repo.git("update-index", "--add", "--cacheinfo", f"160000,{one},libs/x y")
    empty_repo.git("commit", "--quiet", "-m", "two")
    git = Project(empty_repo.path).git
    assert list_submodules(git, "HEAD^{tree}") == (("libs/x y", one),)
    assert list_submodules(git, "HEAD~1^{tree}") == ()
