"""Runs that are handed out to the worker of another clone, and a program that waits for a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clones import make_team, tip
from templates import place_made_once

if TYPE_CHECKING:
    from repository import Repo

WAIT = """\
import os, pathlib, time
place = pathlib.Path(os.environ["GATES"])
(place / "started").touch()
while not (place / "go").exists():
    time.sleep(0.01)
print("loss: 1")
"""
"""A program that says in the directory $GATES that it has started, and ends when it finds `go` there."""


@pytest.fixture
@place_made_once
def waiting_team(tmp_path):
    """Ann hands out runs of echo.py and wait.py; Bob's clone is the worker's."""
    team = make_team(tmp_path)
    team.ann.write("wait.py", WAIT)
    team.ann.commit("wait")
    team.ann.git("push", "--quiet")
    return team


@pytest.fixture
def gates(tmp_path):
    """The directory in which `wait.py` waits."""
    place = tmp_path / "gates"
    place.mkdir()
    return place


def hand_out(repo: Repo, *words: str) -> str:
    """Stages a run and pushes it. Returns its id."""
    before = tip(repo)
    repo.run("--stage", *words, check=True)
    (run_id,) = tip(repo).keys() - before.keys()
    repo.run("push", "--stage", "origin", run_id, check=True)
    return run_id
