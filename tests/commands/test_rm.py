"""rm, restore, purge: what they say, and what they refuse."""

from __future__ import annotations

import re

import pytest

from gitrun import Project


def listed(repo) -> list[object]:
    return [run.flags["x"] for run in Project(repo.path).list_runs()]


@pytest.mark.parametrize("words", [("rm",), ("rm", "--dry-run"), ("purge",), ("purge", "-y")])
def test_nothing_goes_without_a_name_or_a_filter(three, words) -> None:
    assert three.run("rm", "3", check=True).returncode == 0
    refused = three.run(*words)
    assert refused.returncode == 129
    assert len(refused.stderr.splitlines()) == 1
    assert listed(three) == [3, 2]
    assert len(Project(three.path).trash.list_runs()) == 1


def test_rm_says_which_runs_on_stderr(three) -> None:
    told = three.run("rm", "1:2", check=True)
    assert told.stdout == ""
    assert [re.sub("[0-9a-f]{8}", "ID", line) for line in told.stderr.splitlines()] == [
        "gitrun: deleted run ID  echo.py  x=3 y=2 z=a  completed",
        "gitrun: deleted run ID  echo.py  x=2 y=2 z=a  completed",
        "gitrun: deleted 2 runs",
        "gitrun: To restore them: git run restore RUNS",
    ]
    assert listed(three) == [1]


def test_rm_of_one_run_says_how_it_comes_back(three) -> None:
    assert re.search(r"To restore it: git run restore [0-9a-f]{8}$", three.run("rm", "1", check=True).stderr)


def test_rm_takes_filters(three) -> None:
    three.run("rm", "--where", "x<3", check=True)
    assert listed(three) == [3]


def test_rm_of_what_no_run_is_like_deletes_nothing(three) -> None:
    refused = three.run("rm", "--where", "x=17")
    assert refused.returncode == 128
    assert refused.stderr == "gitrun: error: no runs match. To list all runs: git run list --all\n"


def test_dry_run_deletes_nothing(three) -> None:
    told = three.run("rm", "--op", "echo.py", "--dry-run", check=True)
    assert "would delete 3 runs" in told.stderr
    assert listed(three) == [3, 2, 1]


def test_run_whose_last_commit_is_gone_goes_too_and_keeps_no_other(three) -> None:
    lost, other = Project(three.path).list_runs()[:2]
    (three.path / ".git" / "objects" / lost.tip[:2] / lost.tip[2:]).unlink()
    told = three.run("rm", lost.id, other.id, check=True).stderr
    assert f"run {lost.id[:8]} had only its ref" in told
    assert f"To restore it: git run restore {other.id[:8]}" in told
    assert listed(three) == [1]
    assert [run.id for run in Project(three.path).trash.list_runs()] == [other.id]
