"""The environment of this process."""

from __future__ import annotations

import os

from gitrun import Project
from gitrun.process.environment import copy_environment


def test_environment_of_programs_is_that_of_the_moment(repo, monkeypatch) -> None:
    project = Project(repo.path)
    monkeypatch.setenv("COLOUR", "red")
    assert project.run(command=["sh", "-c", "echo $COLOUR"]).output == "red\n"


def test_a_copy_does_not_change_the_environment() -> None:
    copy = copy_environment()
    copy["GITRUN_NEVER_SET"] = "x"
    assert "GITRUN_NEVER_SET" not in os.environ
