"""Runs with notes on their commits."""

from __future__ import annotations

import pytest
from templates import made_once

from gitrun import Project


@pytest.fixture
@made_once
def noted(repo) -> Project:
    """A project with a run of the commit and one with a change."""
    project = Project(repo.path)
    project.run("echo.py")
    repo.write("echo.py", 'x = 5\nprint("\x1b]0;evil\x07", x)\n')
    project.run("echo.py")
    return project


def note(repo, commit: str) -> str:
    return repo.git("notes", "--ref=runs", "show", commit)
