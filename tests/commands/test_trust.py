"""git run trust: the list, and what it takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clones import clone, make_team
from templates import made_once, place_made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def run(repo, **flags: object) -> str:
    return Project(repo.path).run("echo.py", flags=flags).id


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
