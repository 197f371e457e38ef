"""The session of a command."""

from __future__ import annotations

import os

from gitrun import Project


def test_a_session_has_the_environment_of_the_moment(repo, monkeypatch) -> None:
    project = Project(repo.path)
    monkeypatch.setenv("COLOUR", "red")
    assert project.session().git.environ["COLOUR"] == "red"
    assert Project(repo.path, environ={"PATH": os.environ["PATH"]}).session().git.environ.get("COLOUR") is None
