"""What a reviewer is shown without asking: the work that is not in the main branch yet."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.errors import UsageError
from gitrun.views.history import read_range


def of(repo, words=None) -> tuple[str, str | None]:
    found = read_range(Project(repo.path).git, words)
    return found.head, found.base


@pytest.fixture
def branched(repo):
    repo.git("checkout", "-q", "-b", "topic")
    repo.commit("one")
    repo.commit("two")
    return repo


def test_branch_is_compared_with_main_where_it_has_left_it(branched) -> None:
    head, left = branched.git("rev-parse", "topic"), branched.git("rev-parse", "main")
    branched.git("checkout", "-q", "main")
    branched.commit("main goes on")
    branched.git("checkout", "-q", "topic")
    assert of(branched) == of(branched, "main..topic") == of(branched, "main...HEAD") == (head, left)


def test_main_is_compared_with_its_parent_and_a_root_with_nothing(repo) -> None:
    root = repo.head()
    assert of(repo) == (root, None)
    assert of(repo, "HEAD") == (repo.head(), None)
    assert of(repo, repo.commit())[1] == root


def test_upstream_counts_unless_the_branch_is_only_pushed_there(branched, tmp_path) -> None:
    main, one = branched.git("rev-parse", "main"), branched.git("rev-parse", "topic~1")
    branched.git("init", "-q", "--bare", tmp_path / "r.git")
    branched.git("remote", "add", "origin", tmp_path / "r.git")
    branched.git("push", "-q", "-u", "origin", "topic")
    assert of(branched)[1] == main
    branched.git("push", "-q", "origin", f"{one}:refs/heads/release")
    branched.git("branch", "-q", "--set-upstream-to=origin/release")
    assert of(branched)[1] == one


def test_main_with_commits_that_are_not_pushed_is_compared_with_what_is(repo, tmp_path) -> None:
    repo.git("clone", "-q", repo.path, tmp_path / "clone")
    clone = type(repo)(tmp_path / "clone")
    clone.commit()
    clone.commit()
    assert of(clone)[1] == repo.head()


@pytest.mark.parametrize("words", ["nosuch", "nosuch..HEAD", "HEAD..nosuch", "--all", "--output=x..HEAD"])
def test_what_git_does_not_know_is_refused(repo, words) -> None:
    with pytest.raises(UsageError, match="git finds no commits"):
        of(repo, words)


def test_without_a_commit_there_is_nothing_to_review(empty_repo) -> None:
    with pytest.raises(UsageError, match="no commits yet"):
        of(empty_repo)
