"""Files of points on the command line: a trial for each row, and what flags and restarts change of that."""

from __future__ import annotations

import json

import pytest
from sampled import sampled
from templates import made_once

TRAIN = 'lr = 0.1\nopt = "sgd"\nseed = 0\nprint(lr, opt, seed)\n'
CSV = "lr,opt\n0.5,adam\n0.25,\n"


@pytest.fixture
@made_once
def repo(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    empty_repo.write("points.csv", CSV)
    return empty_repo


def runs(repo, operation="train.py"):
    """The runs of an operation, oldest first."""
    found = json.loads(repo.run("list", "--all", "--flat", "--json", check=True).stdout)
    return [run for run in reversed(found) if run["operation"] == operation]


def trial_lines(repo, *words, **options):
    """What the trials of a call print."""
    return repo.run(*words, check=True, **options).stdout.splitlines()


def test_each_row_of_a_file_is_a_trial(repo):
    assert trial_lines(repo, "train.py", "@points.csv") == ["0.5 adam 0", "0.25 sgd 0"]
    assert [run["flags"] for run in runs(repo)] == [
        {"lr": 0.5, "opt": "adam", "seed": 0}, {"lr": 0.25, "opt": "sgd", "seed": 0},
    ]  # fmt: skip
    (batch,) = runs(repo, "train.py+")
    assert batch["flags"] == {"seed": 0}


@pytest.mark.parametrize(
    ("name", "text"),
    sampled(
        2,
        [
            ("p.json", '[{"lr": 0.5, "opt": "adam"}, {"lr": 0.25}]'),
            ("p.toml", '[[trial]]\nlr = 0.5\nopt = "adam"\n[[trial]]\nlr = 0.25\n'),
            ("p.yml", "- {lr: 0.5, opt: adam}\n- {lr: 0.25}\n"),
            ("p.YAML", "- {lr: 0.5, opt: adam}\n- {lr: 0.25}\n"),
        ],
    ),
)
def test_all_kinds_of_files_give_the_same_trials(repo, name, text):
    repo.write(name, text)
    assert trial_lines(repo, f"@{name}", "train.py") == ["0.5 adam 0", "0.25 sgd 0"]


def test_given_flags_win_over_the_file_and_lists_cross_it(repo):
    assert trial_lines(repo, "train.py", "@points.csv", "opt=adam") == ["0.5 adam 0", "0.25 adam 0"]
    assert trial_lines(repo, "train.py", "seed=[1,2]", "@points.csv", "lr=1") == [
        "1 adam 1", "1 adam 2", "1 sgd 1", "1 sgd 2",
    ]  # fmt: skip
    assert trial_lines(repo, "train.py", "@points.csv", "lr=[1,2]") == ["1 adam 0", "2 adam 0", "1 sgd 0", "2 sgd 0"]


def test_files_are_relative_to_the_users_directory_and_add_up(repo):
    repo.write("sub/more.json", '[{"seed": 3}]')
    here = repo.path / "sub"
    assert trial_lines(repo, "../train.py", "@more.json", "@../points.csv", cwd=here) == [
        "0.1 sgd 3", "0.5 adam 0", "0.25 sgd 0",
    ]  # fmt: skip


def test_a_range_searches_among_the_rows(repo):
    ended = repo.run(
        "train.py", "@points.csv", "seed=[1:1000]", "-o", "random", "-m", "6", "--random-seed", "1", "--maximize", "x"
    )
    assert "6 trials" in ended.stderr
    assert runs(repo)[0]["flags"]["lr"] in {0.5, 0.25}


def test_words_behind_dashes_belong_to_the_program(repo):
    repo.write("args.py", "import sys\nprint(sys.argv[1:])\n")
    assert trial_lines(repo, "args.py", "--", "@points.csv") == ["['@points.csv']"]
    assert not runs(repo, "args.py+")


def test_a_value_that_begins_with_an_at_sign_is_text(repo):
    assert trial_lines(repo, "train.py", "opt=@points.csv") == ["0.1 @points.csv 0"]
    assert trial_lines(repo, "train.py", "opt=[@a,@b.csv]") == ["0.1 @a 0", "0.1 @b.csv 0"]


def test_flags_of_a_command_come_from_the_file(repo):
    assert trial_lines(repo, "@points.csv", "--", "echo", "{lr}") == ["0.5", "0.25"]


def test_a_restart_goes_on_from_the_recorded_points(repo):
    repo.run("train.py", "@points.csv", check=True)
    repo.write("points.csv", "lr\n7\n")
    assert trial_lines(repo, "--restart", "train.py+") == []
    assert trial_lines(repo, "--restart", "train.py+", "seed=[0,1]") == ["0.5 adam 1", "0.25 sgd 1"]
    (repo.path / "points.csv").unlink()
    assert trial_lines(repo, "--restart", "train.py+", "--all-trials", "seed=0") == ["0.5 adam 0", "0.25 sgd 0"]


def test_a_restart_with_a_file_starts_only_new_points(repo):
    repo.run("train.py", "@points.csv", check=True)
    repo.write("points.csv", CSV + "2,sgd\n")
    assert trial_lines(repo, "--restart", "train.py+", "@points.csv") == ["2 sgd 0"]
    repo.write("points.csv", "lr\n3\n0.25\n")
    assert trial_lines(repo, "--restart", "train.py+", "@points.csv") == ["3 sgd 0"]
    assert len(runs(repo)) == 4


def test_a_file_replaces_the_lists_of_the_batch(repo):
    repo.run("train.py", "lr=[0.5,1]", "opt=adam", check=True)
    assert trial_lines(repo, "--restart", "train.py+", "@points.csv") == ["0.25 sgd 0"]
    assert trial_lines(repo, "--restart", "train.py+", "lr=[0.5,1]") == ["0.5 sgd 0", "1 sgd 0"]


REFUSED = {
    "cannot read none.csv: No such file or directory": ("train.py", "@none.csv"),
    "notes.txt is not a file of trials. Its name must end with one of .csv": ("train.py", "@notes.txt"),
    "empty.csv has no trials": ("train.py", "@empty.csv"),
    "@ names no file": ("train.py", "@"),
    "bad.csv, line 3: flag 'lr' of train.py must be a number, not 'fast'": ("train.py", "@bad.csv"),
    "other.csv, line 2: train.py has no flag 'rate'": ("train.py", "@other.csv"),
    "choice.csv, line 3: flag 'opt' of pick.py must be one of adam, sgd, not 'adm'": ("pick.py", "@choice.csv"),
    "no operation given": ("@points.csv",),
    "train has steps, which take one value for each flag": ("train", "@points.csv"),
    "a grid takes lists, and lr is a range": ("train.py", "@seeds.csv", "lr=[0.1:1]", "-o", "grid"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_written(repo, message):
    repo.write("notes.txt", "lr\n1\n")
    repo.write("empty.csv", "")
    repo.write("bad.csv", "lr\n1\nfast\n")
    repo.write("other.csv", "rate\n1\n")
    repo.write("seeds.csv", "seed\n1\n")
    repo.write("choice.csv", "opt\nsgd\nadm\n")
    repo.write(
        "pick.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--opt', choices=['adam', 'sgd'])\np.parse_args()\n",
    )
    repo.write("gitrun.toml", '[operations.train]\nsteps = ["train.py"]\n')
    ended = repo.run(*REFUSED[message])
    assert ended.returncode == 129
    assert message in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_run_with_one_value_for_each_flag_stays_one(repo):
    repo.run("train.py", check=True)
    ended = repo.run("--restart", "1", "@points.csv")
    assert ended.returncode == 129
    assert "@points.csv makes a batch, and this run is none. To make one: git run OPERATION @points.csv" in ended.stderr


def test_a_restart_of_a_grid_with_a_range_is_refused(repo):
    repo.run("train.py", "lr=[0.1,0.2]", check=True)
    before = repo.git("for-each-ref")
    ended = repo.run("--restart", "train.py+", "lr=[0.1:0.2]")
    assert (ended.returncode, repo.git("for-each-ref")) == (129, before)
    assert "a grid takes lists, and lr is a range" in ended.stderr
    assert "To search: --optimizer random" in ended.stderr
