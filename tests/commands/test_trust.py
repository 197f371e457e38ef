"""git run trust: the list, and what it takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clones import clone, make_team, run
from templates import made_once, place_made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


def test_trust_is_listed_for_programs(team) -> None:
    made = run(team.ann)
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    found = json.loads(team.bob.run("trust", "--json", check=True).stdout)
    assert found["signers"] == []
    assert [one["id"] for one in found["untrusted"]] == [made]
    key = "SHA256:" + "a" * 43
    team.bob.run("trust", key, made, check=True)
    assert json.loads(team.bob.run("trust", "--json", check=True).stdout) == {"signers": [key], "untrusted": []}
    assert team.bob.run("trust", "--remove").returncode == 129


@pytest.fixture
@made_once
def three(repo) -> Repo:
    """Three runs of echo.py, x from 1 to 3."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo


def test_trust_takes_filters_and_ranges(three, tmp_path) -> None:
    other = clone(three.path, tmp_path / "other")
    other.run("fetch", check=True)
    untrusted = json.loads(other.run("trust", "--json", check=True).stdout)["untrusted"]
    assert len(untrusted) == 3
    assert len(other.run("trust", "--where", "x<3", "--op", "echo.py", check=True).stderr.splitlines()) == 2
    other.run("trust", "1:2", check=True)
    assert json.loads(other.run("trust", "--json").stdout)["untrusted"] == []
    assert other.run("trust", "--op", "nothing").returncode == 128


@pytest.fixture
@place_made_once
def batches(tmp_path):
    """A team whose Ann has pushed a batch of which a trial has been restarted in it, and labelled."""
    team = make_team(tmp_path)
    team.ann.run("echo.py", "x=[1.0,2.0,3.0]", "--batch-label", "search", check=True)
    team.ann.run("--restart", "search", "--all-trials", check=True)
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    return team


def test_trust_of_a_batch_covers_its_trials_with_their_results(batches) -> None:
    said = batches.bob.run("trust", "search", check=True).stderr
    assert said.count("\n") == 1
    assert said.endswith("is trusted, and 3 trials of it\n")
    assert json.loads(batches.bob.run("trust", "--json", check=True).stdout)["untrusted"] == []
    (first,) = [run["id"] for run in listed(batches.bob) if run["trial"] == 1]
    batches.bob.run("--restart", first, check=True)


def test_trust_of_a_batch_covers_no_later_attempt_of_a_trial(batches) -> None:
    first, second = (next(run["id"] for run in listed(batches.ann) if run["trial"] == number) for number in (1, 2))
    batches.ann.run("--restart", first, "x=9.0", check=True)
    # a comment says nothing about code
    batches.ann.run("comment", second, "-m", "fine", check=True)
    batches.ann.run("push", check=True)
    batches.bob.run("fetch", check=True)
    assert "and 2 trials of it" in batches.bob.run("trust", "search", check=True).stderr
    assert [run["id"] for run in json.loads(batches.bob.run("trust", "--json", check=True).stdout)["untrusted"]] == [first]


def listed(repo):
    return json.loads(repo.run("list", "--flat", "--all", "--json", check=True).stdout)
