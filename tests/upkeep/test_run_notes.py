"""Notes of runs through `project.notes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from noted_runs import note

if TYPE_CHECKING:
    from gitrun import Project


@pytest.fixture
def project(noted: Project) -> Project:
    return noted


def test_notes_that_runs_wrote_are_those_of_a_rebuild(repo, project) -> None:
    project.run(restart=project.list_runs()[1].id, flags={"x": 7})
    project.run(command=["sh", "-c", "echo loss: 0.25; exit 3"])
    repo.git("checkout", "--quiet", "echo.py")
    for x in range(23):
        project.run("echo.py", flags={"x": x})
    written = repo.git("rev-parse", "refs/notes/runs^{tree}")
    project.notes.rebuild()
    assert repo.git("rev-parse", "refs/notes/runs^{tree}") == written
    assert "and more runs of exactly this" in note(repo, "HEAD")
