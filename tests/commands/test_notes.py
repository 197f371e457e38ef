"""git run notes: runs in `git log --notes=runs`."""

from __future__ import annotations

import pytest

from gitrun import Project


@pytest.fixture
def project(noted: Project) -> Project:
    return noted


def test_dropped_notes_do_not_come_back_where_they_are_turned_off(repo, project) -> None:
    assert project.notes.drop()
    repo.git("config", "gitrun.notes", "false")
    project = Project(repo.path)
    project.run("echo.py", flags={"x": 17})
    assert repo.git("for-each-ref", "refs/notes") == ""
    assert not project.notes.drop()


def test_verb_says_what_there_is(repo, project) -> None:
    assert "git log --notes=runs" in repo.run("notes", check=True).stderr
    assert "3 commits with notes" in repo.run("notes", "--rebuild", check=True).stderr
    assert "removed the notes" in repo.run("notes", "--drop", check=True).stderr
    assert "there are no notes" in repo.run("notes", check=True).stderr
