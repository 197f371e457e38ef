"""A project with three runs of one script, and how their list reads: 3, 2, 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import Project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repository import Repo

    from gitrun.model.run import Run


def three_runs(repo: Repo) -> Project:
    """The project, its runs made with x=1, x=2, x=3."""
    project = Project(repo.path)
    for x in (1, 2, 3):
        project.run("echo.py", flags={"x": x})
    return project


def listed(runs: Iterable[Run]) -> list[object]:
    """The flag x of each run."""
    return [run.flags["x"] for run in runs]
