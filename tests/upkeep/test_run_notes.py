"""Notes of runs through `project.notes`."""

from __future__ import annotations

import pytest

from gitrun import Project


@pytest.fixture
def project(repo) -> Project:
    """A project with a run of the commit and one with a change."""
    project = Project(repo.path)
    project.run("echo.py")
    repo.write("echo.py", 'x = 5\nprint("\x1b]0;evil\x07", x)\n')
    project.run("echo.py")
    return project


def note(repo, commit: str) -> str:
    return repo.git("notes", "--ref=runs", "show", commit)


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
