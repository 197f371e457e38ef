"""What gitrun knows about the runs that remotes have."""

from __future__ import annotations

import os

from gitrun.git.exe import open_repository
from gitrun.store.pushed import count_unpushed, pushed_commits, record_pushed


def test_commits_are_recorded_once(repo, world) -> None:
    git = open_repository(repo.path, {"PATH": os.environ["PATH"], "HOME": str(world)})
    record_pushed(git, ["a" * 40, "b" * 40])
    size = (git.state / "pushed").stat().st_size
    record_pushed(git, ["b" * 40])
    assert (git.state / "pushed").stat().st_size == size
    assert {"a" * 40, "b" * 40} <= pushed_commits(git.state)


def test_lost_or_cut_record_counts_more_as_unpushed(team) -> None:
    team.ann.run("echo.py", "x=2", check=True)
    team.ann.run("push", "origin", "--all", check=True)
    from gitrun import Project

    git = Project(team.ann.path).git
    assert count_unpushed(git) == 0
    (git.state / "pushed").write_bytes(b"\xff\x00 half")
    assert count_unpushed(git) == 1
    team.ann.run("fetch", "origin", check=True)
    assert count_unpushed(git) == 0
