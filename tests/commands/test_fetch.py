"""git run fetch: what it says and where it fetches from."""

from __future__ import annotations

import pytest
from clones import clone, run
from trial_lists import SUPERVISOR

from gitrun import Project


def test_fetch_and_push_name_ten_runs_and_count_the_rest(repo, tmp_path) -> None:
    for x in range(12):
        repo.run("echo.py", f"x={x}", "--stage", check=True)
    other = clone(repo.path, tmp_path / "other")
    told = other.run("fetch", check=True).stderr.splitlines()
    assert (len(told), told[-1]) == (11, "gitrun: new: 12 runs")
    assert other.run("push", "--all", "-n", check=True).stderr == "gitrun: 12 runs already on origin\n"
    other.git("init", "--quiet", "--bare", str(tmp_path / "empty"))
    told = other.run("push", "--all", "-n", str(tmp_path / "empty"), check=True).stderr.splitlines()
    assert (len(told), told[10]) == (12, f"gitrun: would push to {tmp_path / 'empty'}: 12 runs")


@pytest.mark.parametrize("verb", ["fetch", "pull"])
def test_all_runs_may_be_asked_for_by_name(team, verb):
    team.ann.run("echo.py", check=True)
    team.ann.run("push", check=True)
    assert team.bob.run(verb, "--all", "--op", "echo.py").returncode == 129
    assert "new: run" in team.bob.run(verb, "--all", check=True).stderr


@pytest.mark.parametrize("verb", ["push", "fetch"])
def test_what_ssh_says_is_heard(team, verb) -> None:
    run(team.ann)
    team.ann.git("config", "core.sshCommand", "echo 'ssh: connect to host nowhere port 22: Connection refused' >&2; exit 255;")
    ended = team.ann.run(verb, "git@nowhere:x.git")
    assert ended.returncode == 128
    assert ended.stderr.count("ssh: connect to host nowhere port 22: Connection refused") == 1
    assert len(ended.stderr.splitlines()) == 1


def test_trials_come_with_a_batch_that_has_no_result(team) -> None:
    stopped = f"import json, os, pathlib\nx = 1\nx == 2 and os.kill({SUPERVISOR}, 9)\n"
    team.ann.write("kills.py", stopped)
    team.ann.commit()
    team.ann.run("kills.py", "x=[1,2,3]")
    found = Project(team.ann.path)
    batch = next(run for run in found.list_runs() if run.operation == "kills.py+")
    # the end of its process is not recorded yet
    team.ann.git("update-ref", f"refs/runs/{batch.id}", batch.id)
    team.ann.git("push", "--quiet", "origin", *(f"refs/runs/{run.id}" for run in found.list_runs()))
    team.bob.run("fetch", "origin", batch.id, check=True)
    there = Project(team.bob.path)
    assert len(there.trials(there.find(batch.id))) == 2
