"""A repository with four runs."""

from __future__ import annotations

import pytest
from repository import ECHO, Repo
from templates import made_once

from gitrun import Project


@pytest.fixture
@made_once
def four(repo: Repo) -> Repo:
    """Four runs: x=1 to 4, the last of another script that fails."""
    project = Project(repo.path)
    for x in (1, 2, 3):
        project.run("echo.py", flags={"x": x, "z": "even" if x == 2 else "odd"})
    repo.write("fail.py", f"{ECHO}\nraise SystemExit(3)")
    project.run("fail.py", flags={"x": 4})
    return repo
