"""git run comment: comments with their authors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from templates import made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
@made_once
def runs(repo: Repo) -> Repo:
    """Three runs of echo.py."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo


def shown(repo: Repo, name: str = "1") -> dict[str, object]:
    return json.loads(repo.run("show", "--json", name, check=True).stdout)


def test_comments_add_up_with_their_author(runs) -> None:
    runs.run("comment", "-m", "first", check=True)
    runs.run("comment", "-m", "second\nline", check=True)
    comments = shown(runs)["comments"]
    assert [comment["text"] for comment in comments] == ["first", "second\nline"]
    assert {comment["author"] for comment in comments} == {"A User <user@example.org>"}


def test_comment_without_words_or_terminal_is_refused(runs) -> None:
    ended = runs.run("comment")
    assert (ended.returncode, "To give it: -m TEXT" in ended.stderr) == (129, True)
    assert runs.run("comment", "-m", "  ").returncode == 129
