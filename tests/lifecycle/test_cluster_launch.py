"""What is handed out to workers elsewhere, and what is refused before anything is written."""

from __future__ import annotations

import pytest
from clones import make_team, tip
from sampled import sampled_values
from supervised import runs
from templates import place_made_once

pytest.importorskip("distributed")


@pytest.mark.parametrize(
    "words",
    [["--gpus", "0"], ["--gpus-per-trial", "1"], ["--in-place"], ["--prune", "median"], ["--stage"], ["--stage-trials"]],
    ids=" ".join,
)
def test_options_for_this_machine_are_refused_elsewhere(repo, words) -> None:
    ended = repo.run("echo.py", "x=[1.0,2.0]", "--on", "tcp://127.0.0.1:1", *words)
    assert ended.returncode == 129
    assert words[0] in ended.stderr
    assert tip(repo) == {}


@pytest.mark.parametrize("words", [["--via", "origin"], ["--same-env"]], ids=" ".join)
def test_options_of_a_cluster_need_one(repo, words) -> None:
    ended = repo.run("echo.py", *words)
    assert (ended.returncode, tip(repo)) == (129, {})
    assert "needs --on" in ended.stderr


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


@pytest.mark.parametrize("words", [[], ["--stage"]], ids=" ".join)
def test_a_run_for_plain_workers_is_staged_and_pushed(team, words) -> None:
    ended = team.ann.run("echo.py", "x=7.0", *words, "--on", "origin", check=True)
    (run_id,) = tip(team.remote)
    assert f"1 run handed out. To execute: git run worker origin --once {run_id}" in ended.stderr
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == "7.0 2 'a'\n"


@pytest.mark.parametrize("words", sampled_values(1, [[], ["--stage"], ["--stage-trials"]]), ids=" ".join)
def test_a_batch_for_plain_workers_is_pushed_with_its_trials(team, words) -> None:
    ended = team.ann.run("echo.py", "x=[1.0,2.0,3.0]", *words, "--on", "origin", check=True)
    assert "3 runs handed out. To execute: git run worker origin --batch " in ended.stderr
    assert tip(team.remote) == tip(team.ann)
    (batch,) = {run["batch"] for run in runs(team.ann, flat=True) if run["trial"]}
    team.bob.run("fetch", check=True)
    assert "and 3 trials of it" in team.bob.run("trust", batch, check=True).stderr
    assert "3 runs executed" in team.bob.run("worker", "origin", check=True).stderr
    team.ann.run("fetch", check=True)
    assert [run["status"] for run in runs(team.ann, flat=True) if run["trial"]] == ["completed"] * 3


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


@pytest.mark.slow
@pytest.mark.parametrize("where", ["cluster", "remote"])
def test_a_pruned_batch_goes_on_elsewhere_without_its_pruner(team, where, request) -> None:
    """A restart takes the options of the batch, and a pruner does not act elsewhere."""
    pytest.importorskip("optuna")
    address = "origin"
    if where == "cluster":
        cluster = request.getfixturevalue("cluster")
        cluster.add_worker(team.bob)
        address = cluster.address
    team.ann.run("echo.py", "x=[1.0,2.0]", "--prune", "median", "--minimize", "x", "--stage", check=True)
    before = tip(team.ann)
    (batch,) = before
    ended = team.ann.run("--restart", batch, "--on", address)
    assert (ended.returncode, tip(team.ann), tip(team.remote)) == (129, before, {})
    assert (
        "trials elsewhere cannot be pruned, and this batch has --prune median. To go on without: --prune none" in ended.stderr
    )
    assert team.ann.run("list", "--all", "--json").stdout.count('"status": "staged"') == 1
    if where == "remote":
        team.ann.run("--restart", batch, "--on", address, "--prune", "none", check=True)
        assert len(tip(team.remote)) == 3


def test_staged_trials_with_a_pruner_are_pushed_with_a_warning(team) -> None:
    pytest.importorskip("optuna")
    team.ann.run("echo.py", "x=[1.0,2.0]", "--prune", "median", "--minimize", "x", "--stage-trials", check=True)
    ended = team.ann.run("push", "--stage", "origin", check=True)
    assert "warning: workers do not prune. --prune median of batch" in ended.stderr
