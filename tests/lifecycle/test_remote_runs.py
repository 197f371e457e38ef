"""Runs that a worker executes elsewhere: their output can be followed, and they can be stopped, through the remote."""

from __future__ import annotations

import os
import subprocess

import pytest
from clones import make_team, tip
from keyboard import Terminal
from supervised import start, until
from templates import place_made_once

from gitrun import Project
from gitrun.sharing.progress import Progress, publish_progress

TALK = """\
import os, pathlib, time
place = pathlib.Path(os.environ["GATES"])
print("first", flush=True)
while not (place / "go").exists():
    time.sleep(0.01)
print("second", flush=True)
"""


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann hands out runs of talk.py; Bob's worker reports every fifth of a second."""
    team = make_team(tmp_path)
    team.ann.write("talk.py", TALK)
    team.ann.commit("talk")
    team.ann.git("push", "--quiet")
    team.bob.git("config", "gitrun.progressInterval", "0.2")
    return team


@pytest.fixture
def work(team, tmp_path):
    """A worker under way with a run of Ann's: the run's id, the worker and the directory of gates."""
    team.ann.run("--stage", "talk.py", check=True)
    team.ann.run("push", "--stage", check=True)
    (run_id,) = tip(team.ann)
    environ = {**os.environ, "GATES": str(tmp_path)}
    worker = start(team.bob, "worker", "origin", "--once", run_id, program=("git-run",), env=environ)
    # the first report may be earlier than the first line
    progress = f"refs/gitrun/progress/{run_id}"
    until(lambda: progress in refs(team.remote) and team.remote.git("show", f"{progress}:output") == "first")
    yield run_id, worker, tmp_path
    worker.kill()
    worker.communicate()


def refs(repo) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)").split()


def test_output_is_followed_from_another_machine(team, work) -> None:
    run_id, worker, gates = work
    watch = start(team.ann, "watch", "--remote", "origin", run_id, program=("git-run",), stderr=subprocess.STDOUT)
    assert watch.stdout.readline() == b"first\n"
    (gates / "go").touch()
    rest, _ = watch.communicate(timeout=30)
    assert rest.startswith(b"second\n")
    assert b"completed" in rest
    worker.communicate()
    assert [name for name in refs(team.remote) if name.startswith("refs/gitrun/")] == []


def test_a_run_is_stopped_from_another_machine(team, work) -> None:
    run_id, worker, _ = work
    team.ann.run("stop", "--remote", "origin", run_id, check=True)
    worker.communicate(timeout=30)
    assert worker.returncode == 0
    team.ann.run("fetch", check=True)
    assert "terminated" in team.ann.run("list", check=True).stdout
    team.ann.run("trust", run_id, check=True)
    # who stopped it does not want another worker to go on with it
    assert "0 runs executed" in team.ann.run("worker", "origin", check=True).stderr


def test_a_run_that_nobody_executes_cannot_be_stopped(team) -> None:
    team.ann.run("--stage", "talk.py", check=True)
    team.ann.run("push", "--stage", check=True)
    ended = team.ann.run("stop", "--remote", "origin", "1")
    assert ended.returncode == 128
    assert "no worker of origin executes run" in ended.stderr


def test_a_report_that_somebody_forged_is_escaped_on_a_terminal(team, work) -> None:
    run_id, worker, gates = work
    # the worker reports again only when its program has written more
    forged = Progress(tip(team.remote)[run_id], 0, b"\x1b]0;title\x07forged\n")
    publish_progress(Project(team.ann.path).git, "origin", run_id, forged)
    with Terminal(team.ann, "git-run", "watch", "--remote", "origin", run_id) as terminal:
        seen = terminal.shows("forged")
        terminal.type("\x03")
        terminal.ends()
    (gates / "go").touch()
    worker.communicate(timeout=30)
    assert b"\x1b]0" not in seen


@pytest.mark.slow
def test_a_report_that_lies_about_its_place_hides_no_output(team, work) -> None:
    run_id, worker, gates = work
    forged = Progress(tip(team.remote)[run_id], 10**9, b"forged\n")
    publish_progress(Project(team.ann.path).git, "origin", run_id, forged)
    watch = start(team.ann, "watch", "--remote", "origin", run_id, program=("git-run",))
    assert watch.stdout.readline() == b"forged\n"
    (gates / "go").touch()
    rest, _ = watch.communicate(timeout=30)
    assert rest == b"first\nsecond\n"
    worker.communicate()
