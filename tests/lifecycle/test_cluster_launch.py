"""Runs and batches on a cluster that gitrun starts on this machine, and what is refused before anything is written."""

from __future__ import annotations

import json
import os
import signal

import pytest
from clones import make_team, tip
from supervised import start, until
from templates import place_made_once

pytest.importorskip("distributed")


def list_runs(repo) -> list[dict]:
    return json.loads(repo.run("list", "--all", "--flat", "--json", check=True).stdout)


def test_a_single_run_is_executed_and_shown(repo) -> None:
    ended = repo.run("echo.py", "x=7.0", "--on", "local:1", check=True)
    assert ended.stdout == "7.0 2 'a'\n"
    (run,) = list_runs(repo)
    assert (run["status"], run["worker"]) == ("completed", os.uname().nodename)


def test_a_batch_needs_no_remote_and_finds_ignored_files(repo) -> None:
    repo.write(".gitignore", "data/\n")
    repo.write("data/points", "5\n")
    repo.write("read.py", 'n = 0\nprint("loss:", int(open("data/points").read()) + n)\n')
    repo.commit()
    ended = repo.run("read.py", "n=[1,2,3]", "--on", "local:2", check=True)
    assert "3 trials of read.py, 2 at a time on local:2" in ended.stderr
    assert "3 of 3 trials completed" in ended.stderr
    assert sorted(run["metrics"]["loss"] for run in list_runs(repo) if run["trial"]) == [6, 7, 8]
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_failed_trial_shows_the_end_of_its_output(repo) -> None:
    repo.write("fail.py", 'n = 0\nfor k in range(20):\n    print("line", k)\nraise SystemExit(n)\n')
    repo.commit()
    ended = repo.run("fail.py", "n=[0,3]", "--on", "local:1", check=True)
    assert "#2  " in ended.stderr
    assert "error (exit status 3)" in ended.stderr
    assert "#2 line 19" in ended.stderr
    assert "#2 line 9\n" not in ended.stderr
    assert "#1 line" not in ended.stderr


def test_a_trial_whose_worker_is_killed_is_handed_out_again(repo, tmp_path) -> None:
    repo.write(
        "once.py",
        f"""\
import os, pathlib, signal, time
n = 0
place = pathlib.Path("{tmp_path}") / f"begun.{{n}}"
if not place.exists():
    place.write_text(str(os.getppid()))
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
print("loss:", n)
""",
    )
    repo.commit()
    ended = repo.run("once.py", "n=[1,2]", "--on", "local:2", check=True, timeout=120)
    assert ended.stderr.count("It is handed out again") == 2
    trials = [run for run in list_runs(repo) if run["trial"]]
    assert [run["status"] for run in trials] == ["completed"] * 2
    log = json.loads(repo.run("log", trials[0]["id"], "--json", check=True).stdout)
    assert [one["status"] for one in log].count("completed") == 1


def test_sigterm_stops_the_trials_and_a_restart_goes_on(repo, tmp_path) -> None:
    repo.write(
        "wait.py",
        f"""\
import pathlib, time
n = 0
place = pathlib.Path("{tmp_path}")
(place / f"started.{{n}}").touch()
while not (place / "go").exists():
    time.sleep(0.01)
""",
    )
    repo.commit()
    driver = start(repo, "wait.py", "n=[1,2,3]", "--on", "local:2", program=("git-run",))
    until(lambda: len(list(tmp_path.glob("started.*"))) == 2, 60)
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=120)
    assert sorted(run["status"] for run in list_runs(repo)) == ["terminated"] * 3
    (tmp_path / "go").touch()
    repo.run("--restart", "wait.py+", "--on", "local:2", check=True, timeout=120)
    assert sorted(run["status"] for run in list_runs(repo)) == ["completed"] * 4


@pytest.mark.parametrize(
    "words",
    [["--in-place"], ["--background"], ["--stage"], ["--gpus", "0"], ["--gpus-per-trial", "1"], ["--prune", "median"],
     ["--bring"]],
    ids=" ".join,
)  # fmt: skip
def test_options_for_this_machine_are_refused(repo, words) -> None:
    ended = repo.run("echo.py", "x=[1.0,2.0]", "--on", "local:1", *words)
    assert ended.returncode == 129
    assert words[0] in ended.stderr
    assert tip(repo) == {}


@pytest.mark.parametrize("words", [["--via", "origin"], ["--same-env"]], ids=" ".join)
def test_options_of_a_cluster_need_one(repo, words) -> None:
    ended = repo.run("echo.py", *words)
    assert (ended.returncode, tip(repo)) == (129, {})
    assert "needs --on" in ended.stderr


@pytest.mark.parametrize("source", ["option", "entry"])
def test_a_resource_that_no_worker_has_is_named(repo, source) -> None:
    words = ["--resource", "GPU=1"] if source == "option" else []
    if source == "entry":
        repo.write("gitrun.toml", '[operations.train]\nscript = "echo.py"\nresources = { GPU = 1 }\n')
        repo.commit()
    ended = repo.run("train" if source == "entry" else "echo.py", "x=[1.0,2.0]", "--on", "local:1", *words)
    assert ended.returncode == {"option": 128, "entry": 1}[source]
    assert "no worker has GPU=1" in ended.stderr
    assert "--resources" in ended.stderr
    assert [run["status"] for run in list_runs(repo)] == {"option": [], "entry": ["error"]}[source]


def test_resources_are_recorded_with_the_run(repo, tmp_path) -> None:
    repo.write("gitrun.toml", '[operations.train]\nscript = "echo.py"\nresources = { GPU = 1, memory = "8 GB" }\n')
    repo.commit()
    (tmp_path / "dask.yaml").write_text("distributed: {worker: {resources: {GPU: 2, memory: 9.0e+9}}}")
    environ = {**os.environ, "DASK_CONFIG": str(tmp_path)}
    driver = start(repo, "train", "--on", "local:1", "--resource", "GPU=2", program=("git-run",), env=environ)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 0, stderr
    (run,) = list_runs(repo)
    recorded = repo.git("show", f"refs/runs/{run['id']}:.gitrun/run.toml")
    assert '"GPU=2"' in recorded
    assert '"memory=8 GB"' in recorded


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def test_a_run_for_plain_workers_is_staged_and_pushed(team) -> None:
    ended = team.ann.run("echo.py", "x=7.0", "--on", "origin", check=True)
    (run_id,) = tip(team.remote)
    assert f"1 run handed out. To execute: git run worker origin --once {run_id}" in ended.stderr
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == "7.0 2 'a'\n"


def test_a_batch_for_plain_workers_is_pushed_with_its_trials(team) -> None:
    ended = team.ann.run("echo.py", "x=[1.0,2.0,3.0]", "--on", "origin", check=True)
    assert "3 runs handed out. To execute: git run worker origin --batch " in ended.stderr
    assert tip(team.remote) == tip(team.ann)
    trials = {run["id"] for run in list_runs(team.ann) if run["trial"]}
    team.bob.run("fetch", check=True)
    team.bob.run("trust", *trials, check=True)
    assert "3 runs executed" in team.bob.run("worker", "origin", check=True).stderr
    team.ann.run("fetch", check=True)
    assert [run["status"] for run in list_runs(team.ann) if run["trial"]] == ["completed"] * 3


@pytest.mark.parametrize("words", [["--jobs", "2"], ["--resource", "GPU=1"], ["--via", "origin"], ["--same-env"]], ids=" ".join)
def test_options_of_a_cluster_are_none_of_plain_workers(team, words) -> None:
    ended = team.ann.run("echo.py", "x=[1.0,2.0]", "--on", "origin", *words)
    assert (ended.returncode, tip(team.ann)) == (129, {})
    assert f"{words[0]} is for a cluster" in ended.stderr


def test_an_address_that_is_nothing_is_refused(team) -> None:
    ended = team.ann.run("echo.py", "--on", "box:x")
    assert ended.returncode in {128, 129}
    ended = team.ann.run("echo.py", "--on", "upstream")
    assert ended.returncode == 129
    assert "neither an address of a cluster nor a remote" in ended.stderr
    assert tip(team.remote) == {}


def test_a_run_with_a_secret_does_not_leave(team) -> None:
    team.ann.write("conf.py", "password = 'AKIAIOSFODNN7EXAMPLE'\n")
    team.ann.write("key.txt", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n")
    ended = team.ann.run("echo.py", "--on", "origin")
    assert ended.returncode == 129
    assert "may hold secrets" in ended.stderr
    assert tip(team.remote) == {}
