"""Runs go from repository to repository."""

from __future__ import annotations

from clones import tip

from gitrun import Project


def run(repo, x: float = 1.0) -> str:
    """The id of a new run."""
    return Project(repo.path).run("echo.py", flags={"x": x}).id


def test_run_is_the_same_after_push_and_fetch(team) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    assert tip(team.bob) == tip(team.remote) == tip(team.ann)
    assert Project(team.bob.path).list_runs()[0].output == "1.0 2 'a'\n"


def test_many_runs_go_in_one_push(team) -> None:
    runs = [run(team.ann, float(x)) for x in range(4)]
    log = team.remote.path / "pushes"
    hook = team.remote.path / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nwc -l >> {log}\n")
    hook.chmod(0o755)
    team.ann.run("push", "origin", "1:3", check=True)
    assert log.read_text().split() == ["3"]
    assert set(tip(team.remote)) == set(runs[1:])


def test_fetch_of_what_is_there_already_writes_nothing(team) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    before = sorted((team.bob.path / ".git" / "objects").rglob("*"))
    ended = team.bob.run("fetch", check=True)
    assert ended.stderr == "gitrun: nothing new from origin\n"
    assert sorted((team.bob.path / ".git" / "objects").rglob("*")) == before
