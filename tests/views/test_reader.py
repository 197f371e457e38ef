"""What `project.runs` tells about runs without changing them."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.errors import UnknownRun
from gitrun.views.contents import PARTS
from gitrun.views.gates import parse_gate


@pytest.fixture
def project(repo) -> Project:
    return Project(repo.path)


def test_files_of_a_run_are_those_of_its_source(project) -> None:
    run = project.run("echo.py")
    assert "echo.py" in [content.path for content in project.runs.list_files(run, PARTS)]


def test_runs_compare_by_their_flags(project) -> None:
    old, new = project.run("echo.py", flags={"x": 1.0}), project.run("echo.py", flags={"x": 2.0})
    assert project.runs.compare(project.runs.pair_runs(old, new)).flags["x"] == (1.0, 2.0)


def test_history_has_runs_beside_their_commits(project) -> None:
    run = project.run("echo.py")
    (commit,) = project.runs.read_history("HEAD", 1)
    assert [one.id for one in commit.exact] == [run.id]
    assert project.runs.membership_test("HEAD")(run)


def test_a_check_needs_a_run_with_the_metric(project) -> None:
    run = project.run("echo.py")
    assert project.runs.check([], run.id, None).passed
    with pytest.raises(UnknownRun):
        project.runs.judge(run, [parse_gate("nothing<1")], None)
