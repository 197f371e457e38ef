"""Which trials a batch starts: conditional flags, and points that a restart knows again."""

from __future__ import annotations

import json

import pytest
from supervised import runs

SCRIPT = """
lr, opt, momentum = 0.1, "adam", 0.5
import gitrun
gitrun.log({"loss": lr + (momentum if opt == "sgd" else 1)})
print(opt, momentum)
"""
ENTRY = """
[operations.fit]
script = "fit.py"
flags.opt = "adam"
flags.momentum = { default = 0.5, when = { opt = "sgd" } }
flags.lr = 0.1
"""


@pytest.fixture
def repo(empty_repo):
    empty_repo.write("fit.py", SCRIPT)
    empty_repo.write("gitrun.toml", ENTRY)
    empty_repo.commit()
    return empty_repo


def flags_of(repo):
    """The flags of the trials, oldest first."""
    found = runs(repo, flat=True)
    return [run["flags"] for run in reversed(found) if run["operation"] == "fit"]


def test_a_grid_varies_a_conditional_flag_only_where_it_exists(repo):
    ended = repo.run("fit", "opt=[adam,sgd]", "momentum=[0.1,0.9]", check=True)
    assert ended.stdout == "adam 0.5\nsgd 0.1\nsgd 0.9\n"
    # the trial has the default of the flag, which is none of the values to try
    assert not repo.run("--restart", "fit+", check=True).stdout
    assert repo.run("--restart", "fit+", "momentum=[0.1,0.9,0.2]", check=True).stdout == "sgd 0.2\n"
    assert len(flags_of(repo)) == 4


def test_a_condition_counts_only_while_its_flag_varies(repo):
    assert repo.run("fit", "opt=sgd", "momentum=[0.1,0.9]", check=True).stdout == "sgd 0.1\nsgd 0.9\n"
    assert repo.run("--restart", "fit+", "opt=[adam,sgd]", check=True).stdout == "adam 0.5\n"
    ended = repo.run("--restart", "fit+", "opt=adam")
    assert ended.returncode == 129
    assert "flag 'momentum' exists only with opt=sgd" in ended.stderr


def test_rows_of_a_file_decide_about_conditional_flags(repo):
    repo.write("points.csv", "opt\nadam\nsgd\n")
    ended = repo.run("fit", "@points.csv", "momentum=[0.1,0.9]", check=True)
    assert ended.stdout == "adam 0.5\nsgd 0.1\nsgd 0.9\n"
    assert not repo.run("--restart", "fit+", check=True).stdout


@pytest.mark.parametrize("optimizer", ["random", "tpe"])
def test_a_search_varies_a_conditional_flag_only_where_it_exists(repo, optimizer):
    words = ("opt=[adam,sgd]", "momentum=[0.6:1.0]", "lr=[0.1:1.0]", "-o", optimizer, "--random-seed", "3")
    repo.run("fit", *words, "-m", "4", check=True)
    ended = repo.run("--restart", "fit+", "--max-trials", "8", check=True)
    assert "8 of 8 trials completed" in ended.stderr
    flags = flags_of(repo)
    assert {(one["opt"], one["momentum"] == 0.5) for one in flags} == {("adam", True), ("sgd", False)}
    assert len(flags) == 8


NOISY = """
import os
n, lr = 1, 0.5
noise = int(os.environ["GITRUN_SEED"]) % 999_983
print("loss:", n + noise / 1_000_000)
"""


@pytest.fixture
def noisy(empty_repo):
    empty_repo.write("noisy.py", NOISY)
    empty_repo.commit()
    return empty_repo


def trials_of(repo):
    """Number, point and loss of the trials, by number."""
    found = runs(repo, flat=True)
    trials = [run for run in found if run["operation"] == "noisy.py"]
    return sorted((run["trial"], run["flags"]["n"], run["metrics"]["loss"]) for run in trials)


def test_repeats_have_other_seeds_which_all_points_share(noisy):
    noisy.run("noisy.py", "n=[1,2]", "--repeat", "3", "--minimize", "loss", check=True)
    trials = trials_of(noisy)
    assert [n for _, n, _ in trials] == [1, 1, 1, 2, 2, 2]
    noise = [round(loss - n, 9) for _, n, loss in trials]
    assert len(set(noise[:3])) == 3
    assert noise[:3] == noise[3:]


@pytest.mark.parametrize("words", [("n=[1,2]",), ("n=[1:50]", "-o", "random", "--max-trials", "2", "--random-seed", "4")])
def test_a_restart_with_more_repeats_adds_only_the_missing_ones(noisy, words):
    noisy.run("noisy.py", *words, "--minimize", "loss", check=True)
    before = trials_of(noisy)
    ended = noisy.run("--restart", "noisy.py+", "--repeat", "3", check=True)
    after = trials_of(noisy)
    assert (after[:2], len(after), len(ended.stdout.splitlines())) == (before, 6, 4)
    assert sorted(n for _, n, _ in after) == sorted([n for _, n, _ in before] * 3)
    assert len({loss for _, _, loss in after}) == 6
    assert not noisy.run("--restart", "noisy.py+", check=True).stdout


def test_a_deleted_repeat_is_started_again(noisy):
    noisy.run("noisy.py", "n=[1,2]", "--repeat", "2", check=True)
    before = trials_of(noisy)
    noisy.run("rm", next(run["id"] for run in runs(noisy, flat=True) if run["trial"] == 2), check=True)
    noisy.run("--restart", "noisy.py+", check=True)
    assert [pair[1:] for pair in trials_of(noisy)] == [before[0][1:], before[2][1:], before[3][1:], before[1][1:]]


def test_the_best_point_is_that_with_the_best_median(noisy):
    noisy.write(
        "noisy.py", NOISY.replace("n + noise / 1_000_000", "n + noise / 1_000_000 if n == 2 else 0.5 if noise == 3 else 5")
    )
    ended = noisy.run("noisy.py", "n=[1,2]", "--repeat", "5", "--random-seed", "3", "--minimize", "loss", check=True)
    trials = trials_of(noisy)
    losses = {n: sorted(loss for _, other, loss in trials if other == n) for n in (1, 2)}
    assert losses[1][0] < losses[2][0] < losses[1][2]
    best = next(number for number, n, loss in trials if (n, loss) == (2, losses[2][2]))
    assert f"best: #{best} loss={losses[2][2]:g} (median of 5)" in ended.stderr
    shown = noisy.run("show", check=True).stdout
    assert "each point 5 times, with other seeds; its value is the median" in shown
    assert f"loss={losses[2][2]:g}  median of #6, #7, #8, #9, #10" in shown
    rows = json.loads(noisy.run("compare", "noisy.py+", "--json", check=True).stdout)
    assert [(row["n"], row["median"]) for row in rows] == [(2, losses[2][2])] * 5 + [(1, losses[1][2])] * 5
    assert len(json.loads(noisy.run("compare", "noisy.py+", "--top", "2", "--json", check=True).stdout)) == 2


def test_a_limit_of_trials_keeps_repeats_of_a_point_together(noisy):
    noisy.run("noisy.py", "n=range[1:40]", "--repeat", "2", "--max-trials", "5", check=True)
    points = [n for _, n, _ in trials_of(noisy)]
    assert (points[0], points[2], len(set(points)), len(points)) == (points[1], points[3], 3, 5)
