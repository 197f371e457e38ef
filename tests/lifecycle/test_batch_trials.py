"""What the result of a batch says of its trials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import tomli

SLOW = "import time\nn = 1\ntime.sleep(60 if n > 1 else 0)\nprint('loss:', n)\n"
"""A program whose first trial ends at once; the others must be killed."""


def is_second(repo):
    """Whether the second trial runs."""
    found = json.loads(repo.run("list", "--all", "--flat", "--json", check=True).stdout)
    return any(run["trial"] == 2 and run["status"] == "running" for run in found)


def result_of(repo):
    found = json.loads(repo.run("list", "--all", "--flat", "--json", check=True).stdout)
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
