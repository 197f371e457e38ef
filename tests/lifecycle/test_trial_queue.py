"""Which trials a batch starts: conditional flags, and points that a restart knows again."""

from __future__ import annotations

import json

import pytest

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
    found = json.loads(repo.run("list", "--all", "--flat", "--json", check=True).stdout)
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
    repo.run("fit", *words, "-m", "6", check=True)
    ended = repo.run("--restart", "fit+", "--max-trials", "14", check=True)
    assert "14 of 14 trials completed" in ended.stderr
    flags = flags_of(repo)
    assert {(one["opt"], one["momentum"] == 0.5) for one in flags} == {("adam", True), ("sgd", False)}
    assert len(flags) == 14
