"""A repository with three runs."""

from __future__ import annotations

import pytest
from templates import made_once

from gitrun import Project


@pytest.fixture
@made_once
def three(repo):
    """A repository with three runs."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo
