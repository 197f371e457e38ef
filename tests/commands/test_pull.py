"""git run pull: fetches runs, and merges those that have new attempts on both sides."""

from __future__ import annotations

import pytest
from clones import make_team
from templates import place_made_once

from gitrun import Project


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann's run, which Bob has fetched and trusts."""
    made = make_team(tmp_path)
    run = Project(made.ann.path).run("echo.py").id
    made.ann.run("push", "origin", run, check=True)
    made.bob.run("fetch", check=True)
    made.bob.run("trust", run, check=True)
    return made


def attempts(repo) -> int:
    project = Project(repo.path)
    return len(project.attempts(project.list_runs()[0]))


def diverge(team) -> None:
    for repo, x in ((team.ann, 2), (team.bob, 3)):
        Project(repo.path).run(restart="echo.py", flags={"x": x})
    team.ann.run("push", check=True)


def test_attempts_of_both_sides_are_merged(team) -> None:
    diverge(team)
    told = team.bob.run("pull", check=True)
    assert told.stderr.startswith("gitrun: merged: run "), told.stderr
    assert attempts(team.bob) == 3


def test_fetch_merges_nothing_and_pull_afterwards_does(team) -> None:
    diverge(team)
    team.bob.run("fetch")
    assert attempts(team.bob) == 2
    team.bob.run("pull", check=True)
    assert attempts(team.bob) == 3


def test_only_the_named_run_is_pulled(team) -> None:
    ids = [Project(team.ann.path).run("echo.py", flags={"x": x}).id for x in (5, 6)]
    team.ann.run("push", check=True)
    team.bob.run("pull", "origin", ids[0], check=True)
    assert {run.id for run in Project(team.bob.path).list_runs()}.intersection(ids) == {ids[0]}
