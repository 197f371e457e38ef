"""The process that waits for calls: how long it waits, and what it does without its caller."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from clones import tip
from handed_out import hand_out
from supervised import start, until


@pytest.fixture
def team(waiting_team):
    """Ann has handed out a run of wait.py; Bob's clone is the worker's."""
    hand_out(waiting_team.ann, "wait.py")
    return waiting_team


def call(team, linger: str):
    """A call under way, whose program waits for a gate."""
    (run_id,) = tip(team.ann)
    words = ("worker", "origin", "--once", run_id, "--linger", linger)
    return start(team.bob, *words, program=("git-run",), env={**os.environ, "GATES": str(team.ann.path.parent)})


def sockets(team):
    return list((team.bob.path / ".git/gitrun/standby").glob("[0-9]*"))


def test_a_process_that_is_not_called_ends(team) -> None:
    (team.ann.path.parent / "go").touch()
    caller = call(team, "0.2s")
    caller.communicate(timeout=60)
    assert caller.returncode == 0
    until(lambda: not sockets(team))
    # its socket is gone, and so is the process: nobody else has the clone's directory as its own
    until(lambda: not working_in(team.bob.path))


def test_a_run_whose_caller_is_killed_is_executed_to_its_end(team) -> None:
    caller = call(team, "30s")
    until((team.ann.path.parent / "started").exists)
    caller.kill()
    # its streams stay open until the run ends
    caller.wait()
    (team.ann.path.parent / "go").touch()
    caller.communicate(timeout=60)
    until(lambda: sockets(team), 60)
    assert tip(team.remote) == tip(team.bob) != tip(team.ann)
    team.ann.run("fetch", check=True)
    assert "completed" in team.ann.run("list", check=True).stdout
    for path in sockets(team):
        os.kill(int(path.name.partition(".")[0]), signal.SIGTERM)


def working_in(directory: Path) -> list[str]:
    """The processes whose working directory this is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            found += [path.parent.name] if path.readlink() == directory else []
        except OSError:
            continue
    return found
