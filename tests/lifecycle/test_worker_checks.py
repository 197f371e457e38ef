"""A run that was handed out is only claimed where it can be executed as it was meant."""

from __future__ import annotations

import json

import pytest
from clones import make_team, tip
from environments import make_environment
from templates import place_made_once


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def hand_out(repo, *words: str) -> str:
    repo.run("--stage", *words, check=True)
    repo.run("push", "--stage", check=True)
    (run_id,) = tip(repo)
    return run_id


def test_another_version_of_a_package_is_said(team, tmp_path) -> None:
    team.ann.git("config", "gitrun.python", make_environment(tmp_path / "one", "wanted-2.0"))
    team.bob.git("config", "gitrun.python", make_environment(tmp_path / "two"))
    run_id = hand_out(team.ann, "echo.py")
    refused = team.bob.run("worker", "origin", "--once", run_id, "--same-env")
    assert refused.returncode == 75
    assert "wanted 2.0, missing here" in refused.stderr
    assert tip(team.remote) == tip(team.ann)
    ended = team.bob.run("worker", "origin", "--once", run_id, check=True)
    assert "warning: the environment differs" in ended.stderr


def test_the_same_environment_is_no_word(team) -> None:
    run_id = hand_out(team.ann, "echo.py")
    ended = team.bob.run("worker", "origin", "--once", run_id, "--same-env", check=True)
    assert "differs" not in ended.stderr


def test_changed_data_is_refused_and_equal_data_accepted(team) -> None:
    team.ann.write(".gitignore", "data/\n.cache/\n")
    team.ann.commit("ignore")
    for name in ("data/points.csv", ".cache/x"):
        team.ann.write(name, "1\n")
    run_id = hand_out(team.ann, "echo.py")
    team.bob.git("pull", "--quiet", team.ann.path, "main")
    team.bob.write("data/points.csv", "2\n")
    refused = team.bob.run("worker", "origin", "--once", run_id)
    assert refused.returncode == 75
    assert "data/ has changed" in refused.stderr
    team.bob.write("data/points.csv", "1\n")
    team.bob.run("worker", "origin", "--once", run_id, check=True)


def test_a_kind_of_error_tells_programs_why(team) -> None:
    run_id = hand_out(team.ann, "--", "no-such-program")
    ended = team.bob.run("worker", "origin", "--once", run_id, "--json")
    assert json.loads(ended.stderr.splitlines()[-1])["kind"] == "not-here"
