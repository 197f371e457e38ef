"""A batch is one line of the list; its trials are found by filters, by their ids, and under its line."""

from __future__ import annotations

import json

import pytest
from batch_of_four import batch_of_four
from templates import made_once

from gitrun import Project
from gitrun.errors import UnknownRun


@pytest.fixture
@made_once
def four(repo):
    """A repository with a plain run and a batch of four trials."""
    batch_of_four(repo)


def lines(repo, *words: str) -> list[str]:
    return repo.run("list", *words).stdout.splitlines()


def batch_of(repo) -> str:
    (found,) = (run.id for run in Project(repo.path).list_runs() if run.attempt.kind == "batch")
    return found


@pytest.mark.usefixtures("four")
def test_batch_is_one_line_with_counts_and_best_trial(repo) -> None:
    batch, plain = lines(repo)
    assert batch.startswith(f"1  {batch_of(repo)[:8]}  echo.py+")
    assert batch.endswith("completed  1.00s  x=[1, 2, 3, 4]  3 of 4 completed, 1 error; best #2 loss=0.25")
    assert plain.startswith("2  ")


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("named", [True, False])
def test_trials_are_listed_under_their_batch(repo, named) -> None:
    found = lines(repo, "--trials", *([batch_of(repo)[:8]] if named else []))
    assert [line.split()[0] for line in found] == ["1", "#1", "#2", "#3", "#4", *([] if named else ["2"])]
    assert [line.split()[-1] for line in found[1:4]] == ["x=1", "x=2", "x=3"]
    assert [line.split()[5] for line in found[1:4]] == ["completed", "completed", "error"]


@pytest.mark.usefixtures("four")
def test_flat_list_has_a_line_for_each_run(repo) -> None:
    assert [line.split()[0] for line in lines(repo, "--flat")] == ["#4", "#3", "#2", "#1", "1", "2"]
    assert repo.run("list", "--flat", "--trials").returncode == 129


@pytest.mark.usefixtures("four")
def test_filters_find_trials_too(repo) -> None:
    assert [line.split()[0] for line in lines(repo, "--where", "loss<0.6")] == ["#2", "#1"]
    assert [line.split()[0] for line in lines(repo, "--status", "error")] == ["#3"]
    assert [line.split()[0] for line in lines(repo, "--batch", "1", "--sort", "x")] == ["#1", "#2", "#3", "#4"]


@pytest.mark.usefixtures("four")
def test_run_numbers_mean_visible_lines(repo) -> None:
    project = Project(repo.path)
    assert project.find("1").id == batch_of(repo)
    assert project.find("2").flags["x"] == 0
    with pytest.raises(UnknownRun, match="no run 3: the list has 2 runs"):
        project.find("3")
    assert [number for number, _ in project.select(["1:"]).runs] == [1, 2]


@pytest.mark.usefixtures("four")
def test_json_names_batch_trial_and_counts(repo) -> None:
    batch, plain = json.loads(repo.run("list", "--json").stdout)
    assert batch["trials"] == {
        "total": 4, "completed": 3, "pruned": 0, "error": 1, "terminated": 0, "pending": 0,
        "best": {"trial": 2, "run": batch["trials"]["best"]["run"], "value": 0.25},
    }  # fmt: skip
    assert (plain["batch"], plain["trial"], plain["trials"]) == (None, None, None)
    found = json.loads(repo.run("list", "--json", "--trials").stdout)
    assert [(one["batch"], one["trial"]) for one in found[1:5]] == [(batch["id"], number) for number in (1, 2, 3, 4)]


@pytest.mark.usefixtures("four")
def test_select_finds_the_best_trial_of_a_batch(repo) -> None:
    best = repo.run("select", "--batch", batch_of(repo)[:8], "--min", "loss").stdout.strip()
    assert Project(repo.path).find(best).attempt.trial == 2


@pytest.mark.usefixtures("four")
def test_newest_run_is_the_batch_not_its_last_trial(repo) -> None:
    assert repo.run("select").stdout.strip() == batch_of(repo)


def test_batch_without_a_result_counts_the_trials_there_are(repo) -> None:
    batch_of_four(repo, ended=False)
    assert lines(repo)[0].endswith("pending           x=[1, 2, 3, 4]  3 of 4 completed, 1 error")


@pytest.mark.usefixtures("four")
def test_trials_whose_batch_is_gone_are_lines_of_their_own(repo) -> None:
    assert repo.run("rm", batch_of(repo), "--only").returncode == 0
    assert [line.split()[0] for line in lines(repo)] == ["1", "2", "3", "4", "5"]


@pytest.mark.usefixtures("four")
def test_batch_is_deleted_and_restored_with_its_trials(repo) -> None:
    batch = batch_of(repo)
    done = repo.run("rm", batch)
    assert "deleted 5 runs" in done.stderr
    assert [run.operation for run in Project(repo.path).list_runs()] == ["echo.py"]


@pytest.mark.usefixtures("four")
def test_run_that_claims_a_plain_run_as_batch_stays_visible(repo) -> None:
    from dataclasses import replace

    from batch_of_four import record

    from gitrun.model.plan import Request

    project = Project(repo.path)
    plan = project.plan(Request(operation="echo.py"))
    record(project, replace(plan, batch=project.find("2").id, trial=1), None)
    assert len(lines(repo)) == 3
