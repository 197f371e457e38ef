"""gc archives old runs that have ended and that nobody has labelled or marked, as many as there are too many."""

from __future__ import annotations

import json

import pytest
from archived_runs import refs, repository_of
from runs_made_up import WHEN, made_up

from gitrun import Project
from gitrun.model.run import ARCHIVE
from gitrun.store.archive_tips import tips_in_archive
from gitrun.store.archives import PRIVATE, PUBLIC, own_writers
from gitrun.upkeep.archiving import may_be_archived


@pytest.fixture
def repo(tmp_path):
    """A repository with eight runs of the year 2025."""
    return repository_of(tmp_path / "repo", 8)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"label": "x"}, False),
        ({"marked": True}, False),
        *(({"status": status}, True) for status in ("error", "terminated")),
        *(({"status": status}, False) for status in ("pending", "staged", "running")),
    ],
)
def test_only_unnoted_runs_that_have_ended_are_archived(more, expected) -> None:
    assert may_be_archived(made_up(**more), None) is expected


def test_age_counts_from_the_last_attempt() -> None:
    assert not may_be_archived(made_up(), WHEN.timestamp())
    assert may_be_archived(made_up(), WHEN.timestamp() + 1)


def test_oldest_runs_beyond_the_limit_are_archived(repo) -> None:
    repo.git("config", "gitrun.gc.archiveBeyond", "5")
    runs = [run.id for run in Project(repo.path).list_runs()]
    told = repo.run("gc", check=True)
    assert "archived 3 runs" in told.stderr
    assert set(refs(repo)) == set(runs[:5])
    assert [run.id for run in Project(repo.path).list_runs()] == runs
    assert "nothing to clean up" in repo.run("gc", check=True).stderr


def test_archive_at_once_leaves_out_labelled_runs(repo) -> None:
    runs = [run.id for run in Project(repo.path).list_runs()]
    repo.run("label", "best", runs[2], check=True)
    plan = json.loads(repo.run("gc", "--archive", "--dry-run", "--json", check=True).stdout)
    assert sorted(plan["archive"]) == sorted({*runs} - {runs[2]})
    assert len(refs(repo)) == 8
    repo.run("gc", "--archive", check=True)
    assert list(refs(repo)) == [runs[2]]
    assert len(refs(repo, ARCHIVE)) == 1


def test_runs_from_elsewhere_get_an_archive_of_their_own(repo) -> None:
    runs = [run.id for run in Project(repo.path).list_runs()]
    Project(repo.path).sharing.trust(runs[:3])
    repo.run("gc", "--archive", check=True)
    git = Project(repo.path).git
    listed = [tips_in_archive(git, refs(repo, ARCHIVE), own_writers(git)[content]) for content in (PUBLIC, PRIVATE)]
    assert [set(tips) for tips in listed] == [set(runs[:3]), set(runs[3:])]
    assert [run.id for run in Project(repo.path).list_runs()] == runs


def test_never_and_few_runs_archive_nothing(repo) -> None:
    repo.git("config", "gitrun.gc.archiveBeyond", "5")
    repo.git("config", "gitrun.gc.archiveAfter", "never")
    repo.run("gc", check=True)
    repo.git("config", "gitrun.gc.archiveAfter", "1.day")
    repo.git("config", "gitrun.gc.archiveBeyond", "8")
    repo.run("gc", check=True)
    assert len(refs(repo)) == 8
