"""A repository with two runs, one of which has bytes that are no text."""

from __future__ import annotations

import pytest
from templates import made_once

from gitrun import Project

BYTES = bytes(range(256)) * 3 + b"\r\n\x1b]52;c;eA==\x07 no line end"


@pytest.fixture
@made_once
def two(repo):
    """A repository with two runs: number 2 has two attempts, number 1 a produced file."""
    project = Project(repo.path)
    project.run("echo.py", flags={"z": "[b"})
    project.run(restart="1", flags={"x": 2})
    repo.write("make.py", f"open('made.bin', 'wb').write({BYTES!r})\n")
    project.run("make.py")
    return repo
