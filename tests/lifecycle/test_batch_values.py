"""What a batch makes of metrics that are missing or no numbers, of failures, and of a space without more points."""

from __future__ import annotations

import pytest
from sampled import sampled
from trial_lists import batch_of, read_result, runs_of

REPORT = 'import sys\nn = 1\nprint("acc: 1")\nif n in VALUES: print("loss:", VALUES[n])\nsys.exit(n in FAILS)\n'


def program(repo, values, fails=()):
    repo.write("train.py", f"VALUES = {values}\nFAILS = {tuple(fails)}\n" + REPORT)
    repo.commit()
    return repo


@pytest.mark.parametrize("odd", sampled(1, ["nan", "inf", "-inf"]))
def test_a_value_that_is_no_number_counts_as_failed_with_a_word(empty_repo, odd):
    repo = program(empty_repo, {1: odd, 2: "0.5", 3: "0.7"})
    ended = repo.run("train.py", "n=[1,2,3]", "--minimize", "loss", check=True)
    assert f"note: trial 1 counts as failed in the search: loss is {odd}" in ended.stderr
    assert "3 of 3 trials completed; best: #2 loss=0.5" in ended.stderr
    result = read_result(repo, batch_of(repo, "train.py")["id"])
    assert ["value" in trial for trial in result["trials"]] == [False, True, True]


def test_a_missing_value_counts_as_failed_with_a_word(empty_repo):
    repo = program(empty_repo, {1: "0.5", 3: "0.7"})
    ended = repo.run("train.py", "n=[1,2,3]", "--maximize", "loss", check=True)
    assert "note: trial 2 counts as failed in the search: it has no metric 'loss'" in ended.stderr
    assert "best: #3 loss=0.7" in ended.stderr


def test_a_missing_value_of_the_first_completed_trial_ends_the_batch(empty_repo):
    repo = program(empty_repo, {3: "0.7"}, fails=[1])
    ended = repo.run("train.py", "n=[1,2,3]", "--minimize", "loss")
    assert ended.returncode == 1
    assert "the first trial has no metric 'loss'. It has: acc" in ended.stderr
    assert [run["status"] for run in runs_of(repo, "train.py")] == ["error", "completed"]
    again = repo.run("--restart", batch_of(repo, "train.py")["id"], "--minimize", "acc", check=True)
    assert "2 of 3 trials completed, 1 failed; best: #2 acc=1" in again.stderr


@pytest.mark.parametrize("optimizer", ["random", "tpe"])
def test_a_search_goes_on_beside_values_that_are_no_numbers(empty_repo, optimizer):
    if optimizer == "tpe":
        pytest.importorskip("optuna")
    repo = program(empty_repo, {1: "nan", 2: "inf", 3: "0.7", 4: "0.1"})
    words = ("n=[1:5]", "-o", optimizer, "--max-trials", "5", "--opt-flag", "allow_repeats=no")
    ended = repo.run("train.py", *words, "--random-seed", "3")
    assert ended.returncode in {0, 1}
    assert "Traceback" not in ended.stderr
    assert len({run["flags"]["n"] for run in runs_of(repo, "train.py")}) == len(runs_of(repo, "train.py"))


def test_a_space_without_more_points_ends_the_search_with_a_word(empty_repo):
    repo = program(empty_repo, {1: "0.1", 2: "0.2", 3: "0.3"})
    ended = repo.run("train.py", "n=[1:3]", "-o", "random", "--max-trials", "10", check=True)
    assert "note: the space is exhausted: every proposal has a trial" in ended.stderr
    assert sorted(run["flags"]["n"] for run in runs_of(repo, "train.py")) == [1, 2, 3]
    batch = batch_of(repo, "train.py")
    assert batch["status"] == "completed"
    assert not repo.run("--restart", batch["id"], check=True).stdout


def test_the_word_about_failures_comes_once(empty_repo):
    repo = program(empty_repo, {}, fails=[1, 2, 3, 4, 5])
    ended = repo.run("train.py", "n=[1,2,3,4,5]")
    assert ended.returncode == 1
    assert ended.stderr.count("the first 3 trials failed") == 1
    batch = batch_of(repo, "train.py")
    assert (batch["status"], read_result(repo, batch["id"])["reason"]) == ("completed", "no trial completed")


def test_fail_fast_lets_running_trials_end(empty_repo):
    empty_repo.write("train.py", "import sys, time\nn = 1\ntime.sleep(1.5 * (n == 1))\nsys.exit(n == 2)\n")
    empty_repo.commit()
    ended = empty_repo.run("train.py", "n=[1,2,3,4]", "-j", "2", "--fail-fast")
    assert ended.returncode == 1
    assert {run["flags"]["n"]: run["status"] for run in runs_of(empty_repo, "train.py")} == {1: "completed", 2: "error"}
    assert read_result(empty_repo, batch_of(empty_repo, "train.py")["id"])["reason"] == "a trial failed"
