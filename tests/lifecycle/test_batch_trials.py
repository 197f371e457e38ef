"""What the result of a batch says of its trials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
import tomli
from sampled import sampled_values
from supervised import runs
from templates import made_once

from gitrun import Project
from gitrun.model.flags import Typed
from gitrun.model.plan import Request

SLOW = "import time\nn = 1\ntime.sleep(60 if n > 1 else 0)\nprint('loss:', n)\n"
"""A program whose first trial ends at once; the others must be killed."""


def is_second(repo):
    """Whether the second trial runs."""
    found = runs(repo, flat=True)
    return any(run["trial"] == 2 and run["status"] == "running" for run in found)


def result_of(repo):
    found = runs(repo, flat=True)
    (batch,) = [run["id"] for run in found if run["operation"].endswith("+")]
    return batch, tomli.loads(repo.git("show", f"refs/runs/{batch}:.gitrun/result.toml"))


def test_a_search_names_its_best_trial(empty_repo) -> None:
    empty_repo.write("train.py", "lr = 0.1\nprint('loss:', lr)\n")
    empty_repo.commit()
    empty_repo.run("train.py", "lr=[0.3,0.1,0.2]", "--minimize", "loss", check=True)
    result = result_of(empty_repo)[1]
    assert (result["best"]["trial"], result["best"]["value"]) == (2, 0.1)
    assert [trial["value"] for trial in result["trials"]] == [0.3, 0.1, 0.2]
    assert result["batch"]["completed"] == 3


def test_a_killed_batch_says_how_its_trials_ended(empty_repo) -> None:
    empty_repo.write("slow.py", SLOW)
    empty_repo.commit()
    words = ["git", "run", "slow.py", "n=[1,2,3,4]", "--minimize", "loss"]
    with subprocess.Popen(words, cwd=empty_repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"loss: 1\n"
        live = empty_repo.path / ".git/gitrun/live"
        # the batch and its second trial have the same supervisor
        while not (owners := [json.loads(file.read_text()) for file in live.glob("*/owner")]) or not is_second(empty_repo):
            time.sleep(0.05)
        os.kill(owners[0]["pid"], signal.SIGKILL)
        process.communicate(timeout=30)
    result = result_of(empty_repo)[1]
    assert result["status"] == "terminated"
    assert [trial["status"] for trial in result["trials"]] == ["completed", "terminated"]
    assert (result["batch"]["total"], result["batch"]["pending"]) == (4, 2)


def test_the_number_of_a_deleted_trial_is_not_given_again(empty_repo) -> None:
    empty_repo.write("train.py", "lr = 0.1\nprint('loss:', lr)\n")
    empty_repo.commit()
    empty_repo.run("train.py", "lr=[0.1,0.2]", check=True)
    batch, result = result_of(empty_repo)
    empty_repo.run("rm", result["trials"][1]["run"][:8], check=True)
    empty_repo.run("--restart", batch, check=True)
    assert [trial["number"] for trial in result_of(empty_repo)[1]["trials"]] == [1, 3]


LOSS = "x = 0.0\nkind = 'a'\nprint('loss:', (x - 0.8) ** 2)\n"
SEARCH = ("fit.py", "x=[0:1.0]", "-o", "tpe", "--random-seed", "4", "--max-trials", "4")


@pytest.fixture
@made_once
def repo(empty_repo):
    empty_repo.write("fit.py", LOSS)
    empty_repo.commit()
    empty_repo.run("fit.py", "x=linspace[0:1:20]", check=True)
    return empty_repo


def proposals(repo, learn=None):
    """What the search would try, of a process that has imported optuna already."""
    request = Request("fit.py", flags={"x": Typed("[0:1.0]")}, optimizer="tpe", random_seed=4, max_trials=4, learn=learn)
    return [trial.flags["x"] for trial in Project(repo.path).list_trials(request).trials]


def test_twenty_known_runs_take_the_place_of_random_draws(repo):
    drawn = proposals(repo)
    learned = proposals(repo, "operation")
    assert learned != drawn
    # most are near the best known value, and those drawn at random are anywhere
    assert sum(abs(x - 0.8) < 0.2 for x in learned) >= 3
    assert proposals(repo, "source") == learned
    assert proposals(repo, "none") == drawn


def test_only_runs_of_the_same_source_count_if_that_is_asked(repo):
    drawn = proposals(repo)
    repo.write("other.txt", "a change of the source")
    assert proposals(repo, "source") == drawn
    assert proposals(repo, "operation") != drawn


def test_runs_with_other_fixed_flags_teach_nothing(repo):
    assert "tpe learns from 0 earlier runs" in repo.run(*SEARCH, "kind=b", "--learn", "operation", "--print-trials").stderr


def test_a_restart_learns_from_the_same_earlier_runs(repo):
    words = (*SEARCH, "--learn", "operation")
    ended = repo.run(*words, check=True)
    assert "note: tpe learns from 20 earlier runs" in ended.stderr
    repo.run("fit.py", "x=0.33", check=True)
    again = repo.run("--restart", "fit.py+", "--max-trials", "6", check=True)
    assert "note: tpe learns from 20 earlier runs" in again.stderr
    assert "6 of 6 trials completed" in again.stderr


REFUSED = {
    "--learn must be one of batch, source, operation, none, not 'all'": ("x=[0:1]", "-o", "tpe", "--learn", "all"),
    "--learn needs an optimizer that learns, and random does not": ("x=[0:1]", "-o", "random", "--learn", "operation"),
    "--learn needs an optimizer that learns, and grid does not": ("x=[0,1]", "--learn", "none"),
    "--learn needs a flag with several values": ("x=1", "--learn", "source"),
}


@pytest.mark.parametrize("message", sampled_values(2, REFUSED))
def test_what_cannot_learn_is_refused(repo, message):
    before = repo.git("for-each-ref")
    ended = repo.run("fit.py", *REFUSED[message])
    assert (ended.returncode, repo.git("for-each-ref")) == (129, before)
    assert message in ended.stderr
