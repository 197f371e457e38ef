"""git run gc: what it says before it deletes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from templates import made_once
from three_runs import listed, three_runs

if TYPE_CHECKING:
    from gitrun import Project


@pytest.fixture
@made_once
def project(repo) -> Project:
    return three_runs(repo)


@pytest.fixture
def project_with_slot(repo) -> Project:
    return three_runs(repo)


def test_settings_say_what_is_superfluous(repo, project) -> None:
    repo.git("config", "gitrun.gc.keep", "2")
    repo.run("gc", check=True)
    assert listed(project.list_runs()) == [3, 2]


@pytest.mark.parametrize("words", [("--older-than", "soonish"), ("--status", "done"), ("--keep", "-1")])
def test_nonsense_is_refused(repo, words) -> None:
    assert repo.run("gc", *words).returncode == 129


def test_dry_run_says_what_and_how_much_and_changes_nothing(repo, project_with_slot) -> None:
    project = project_with_slot
    orphan = repo.write(f".git/gitrun/files/{'0' * 40}/a", "12345")
    told = repo.run("gc", "--keep", "1", "--slots", "--dry-run", "--json", check=True)
    found = json.loads(told.stdout)
    assert found["delete"] == [run.id for run in project.list_runs()[1:]]
    assert [file["size"] for file in found["files"]] == [5]
    assert len(found["slots"]) == 1
    assert found["size"] == 5 + found["slots"][0]["size"]
    assert orphan.exists()
    assert listed(project.list_runs()) == [3, 2, 1]
