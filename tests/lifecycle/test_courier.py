"""The courier of a run: it reports to the remote now and then, and never outlives the worker."""

from __future__ import annotations

import os
import time

import pytest
from clones import make_team
from supervised import is_alive, until
from templates import place_made_once

from gitrun import Project
from gitrun.lifecycle.courier import Courier, Route
from gitrun.sharing.progress import fetch_progress

RUN, ATTEMPT = "1" * 40, "2" * 40


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


@pytest.fixture
def route(team, tmp_path):
    output = tmp_path / "output"
    output.write_bytes(b"begun\n")
    return Route(Project(team.bob.path).git, "origin", RUN, ATTEMPT, output)


def test_reports_appear_and_are_removed_at_the_end(team, route) -> None:
    ann = Project(team.ann.path).git
    courier = Courier(route, 0.1)
    until(lambda: fetch_progress(ann, "origin", RUN))
    route.output.write_bytes(b"begun\nmore\n")
    until(lambda: fetch_progress(ann, "origin", RUN).output == b"begun\nmore\n")
    courier.end()
    assert fetch_progress(ann, "origin", RUN) is None
    assert not is_alive(courier.process.pid)


def test_a_short_run_visits_the_remote_never(team, route) -> None:
    away = team.remote.path.with_name("away.git")
    team.remote.path.rename(away)
    courier = Courier(route, 60)
    courier.end()
    assert not is_alive(courier.process.pid)


def test_a_remote_that_is_away_for_a_while_is_visited_again(team, route) -> None:
    away = team.remote.path.with_name("away.git")
    team.remote.path.rename(away)
    courier = Courier(route, 0.1)
    time.sleep(0.5)
    away.rename(team.remote.path)
    seen = until(lambda: fetch_progress(Project(team.ann.path).git, "origin", RUN))
    courier.end()
    assert (seen.attempt, seen.output) == (ATTEMPT, b"begun\n")


def test_locks_of_the_worker_are_not_held_by_it(tmp_path, route) -> None:
    read, write = os.pipe()
    courier = Courier(route, 60)
    os.close(write)
    # the end of the pipe is reached only if the courier has closed its copy
    assert os.read(read, 1) == b""
    os.close(read)
    courier.end()
