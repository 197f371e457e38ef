"""Identities of commits that are written without git are those that git itself would write."""

from __future__ import annotations

import os

import pytest

from gitrun.git.exe import open_repository
from gitrun.git.identity import format_identities
from gitrun.git.objects import Loose
from gitrun.store.commits import commit_tree, write_commit

MESSAGE = "run x ü\n\nGitrun-Kind: attempt\nGitrun-Format: 1\n".encode()


def both(repo, environ):
    """The same commit by git and by this process, within one second of both: git's clock is some milliseconds behind."""
    git = open_repository(repo.path, environ)
    tree, parents = repo.git("rev-parse", "HEAD^{tree}"), [None, repo.head()]
    for _ in range(5):
        made, here = commit_tree(git, tree, parents, MESSAGE), write_commit(Loose(git), tree, parents, MESSAGE)
        if made == here:
            break
    return made, here


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"GIT_AUTHOR_NAME": "Änn Ö", "GIT_AUTHOR_EMAIL": "ann@example.org"},
        {"GIT_COMMITTER_NAME": " . trimmed <by> git, ", "GIT_COMMITTER_EMAIL": "<x@example.org>"},
        {"GIT_AUTHOR_DATE": "1700000000 +0300", "GIT_COMMITTER_DATE": "1700000000 -0130"},
        {"TZ": "Asia/Kolkata"},
        {"TZ": "America/St_Johns"},
    ],
    ids=str,
)
def test_commit_written_here_is_the_one_of_git(repo, environ, monkeypatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    made, here = both(repo, dict(os.environ))
    assert here == made


def test_configured_author_differs_from_committer(repo) -> None:
    repo.git("config", "author.name", "Somebody Else")
    made, here = both(repo, dict(os.environ))
    assert here == made
    assert repo.git("log", "-1", "--format=%an, %cn", here) == "Somebody Else, A User"


def test_without_any_identity_commits_are_the_same(repo, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("USER", "nobody")
    made, here = both(repo, dict(os.environ))
    assert here == made


def test_another_clock_zone_is_left_to_git(repo) -> None:
    git = open_repository(repo.path, {**os.environ, "TZ": "Asia/Tokyo"})
    assert format_identities(git) is None
    made, here = both(repo, {**os.environ, "TZ": "Asia/Tokyo"})
    assert here == made
