"""A batch: its trials are runs, it goes on after any end, and nothing of it is lost, doubled or forgotten."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter

import pytest
from sampled import sampled, sampled_values
from trial_lists import batch_of, runs_of, start, wait_for

TRAIN = 'lr = 0.1\nopt = "sgd"\nprint("loss:", lr * (2 if opt == "sgd" else 1))\n'
SLOW = "import time\nn = 1\ntime.sleep(0.3)\nprint('loss:', n)\n"


@pytest.fixture
def repo(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.write("slow.py", SLOW)
    empty_repo.commit()
    return empty_repo


def test_lists_make_a_trial_for_each_combination(repo):
    ended = repo.run("train.py", "lr=[0.1,0.01]", "opt=[adam,sgd]", check=True)
    assert ended.stdout == "loss: 0.1\nloss: 0.2\nloss: 0.01\nloss: 0.02\n"
    trials = runs_of(repo, "train.py")
    assert [(run["flags"]["lr"], run["flags"]["opt"]) for run in trials] == [
        (0.1, "adam"), (0.1, "sgd"), (0.01, "adam"), (0.01, "sgd"),
    ]  # fmt: skip
    assert {run["batch"] for run in trials} == {batch_of(repo, "train.py")["id"]}


def test_trials_have_the_trees_of_single_runs(repo):
    repo.run("train.py", "lr=[0.1,0.01]", "--random-seed", "7", check=True)
    together = runs_of(repo, "train.py")
    for lr in ("0.1", "0.01"):
        repo.run("train.py", f"lr={lr}", "--random-seed", "7", check=True)
    alone = runs_of(repo, "train.py")[2:]
    for one, other in zip(together, alone, strict=True):
        names = {run["id"]: repo.git("ls-tree", "-r", "--name-only", f"refs/runs/{run['id']}").split() for run in (one, other)}
        assert names[one["id"]] == names[other["id"]]
        for path in (".gitrun/flags.toml", ".gitrun/output", "train.py"):
            assert repo.git("rev-parse", f"refs/runs/{one['id']}:{path}") == repo.git(
                "rev-parse", f"refs/runs/{other['id']}:{path}"
            )


def test_a_batch_is_no_run_of_its_operation(repo):
    repo.run("train.py", "lr=[0.5]", check=True)
    batch = batch_of(repo, "train.py")
    repo.git("update-ref", "-d", f"refs/runs/{runs_of(repo, 'train.py')[0]['id']}")
    ended = repo.run("--needed", "train.py", "lr=0.5", check=True)
    assert "loss: 1.0" in ended.stdout
    assert batch["operation"] == "train.py+"


def test_several_jobs_print_whole_lines_with_numbers(repo):
    ended = repo.run("slow.py", "n=[1,2,3,4]", "--jobs", "4", check=True)
    assert sorted(ended.stdout.splitlines()) == ["#1 loss: 1", "#2 loss: 2", "#3 loss: 3", "#4 loss: 4"]


def test_several_jobs_run_at_the_same_time(repo):
    repo.write("meet.py", MEET)
    repo.commit()
    ended = repo.run("meet.py", "n=[1,2]", "-j", "2", env={"MEET": str(repo.path.parent)})
    assert ended.returncode == 0, ended.stderr


MEET = """
import os, pathlib, sys, time
n = 1
place = pathlib.Path(os.environ["MEET"])
(place / f"here{n}").touch()
end = time.monotonic() + 20
while not (place / f"here{3 - n}").exists() and time.monotonic() < end:
    time.sleep(0.01)
sys.exit(0 if (place / f"here{3 - n}").exists() else 1)
"""


def test_a_restart_of_a_complete_batch_runs_nothing(repo):
    repo.run("train.py", "lr=[0.1,0.01]", check=True)
    before = [run["id"] for run in runs_of(repo, "train.py")]
    ended = repo.run("--restart", batch_of(repo, "train.py")["id"], check=True)
    assert not ended.stdout
    assert [run["id"] for run in runs_of(repo, "train.py")] == before


def test_a_restart_with_more_values_runs_only_the_new_ones(repo):
    repo.run("train.py", "lr=[0.1,0.01]", check=True)
    ended = repo.run("--restart", batch_of(repo, "train.py")["id"], "lr=[0.01,0.1,1,2]", check=True)
    assert ended.stdout == "loss: 2\nloss: 4\n"
    assert len(runs_of(repo, "train.py")) == 4


def test_needed_is_decided_for_each_trial(repo):
    repo.run("train.py", "lr=0.1", check=True)
    ended = repo.run("--needed", "train.py", "lr=[0.1,0.5]", check=True)
    assert ended.stdout == "loss: 1.0\n"
    assert len(runs_of(repo, "train.py")) == 2


def test_a_restart_leaves_reused_trials_as_they_are(repo):
    repo.run("train.py", "lr=0.1", check=True)
    repo.run("--needed", "train.py", "lr=[0.1,0.5]", check=True)
    ended = repo.run("--restart", batch_of(repo, "train.py")["id"], check=True)
    assert not ended.stdout
    assert "2 of 2 trials completed" in ended.stderr


def test_a_restart_with_another_fixed_flag_runs_every_point(repo):
    repo.run("train.py", "lr=[0.1,0.01]", check=True)
    ended = repo.run("--restart", batch_of(repo, "train.py")["id"], "opt=adam", check=True)
    assert ended.stdout == "loss: 0.1\nloss: 0.01\n"
    assert [run["flags"]["opt"] for run in runs_of(repo, "train.py")] == ["sgd", "sgd", "adam", "adam"]


@pytest.mark.parametrize("change", sampled_values(1, ["n=[5,6]", "pause=0.1"]))
def test_an_interrupted_trial_outside_the_new_space_stays(repo, change):
    gate = gated(repo, "pause = 0.4", "True")
    with start(repo, "slow.py", "n=[1,2]", "-j", "2") as process:
        wait_for(repo, "slow.py", lambda run: run["flags"]["n"] == 2 and run["status"] == "running")
        owner = json.loads((repo.path / ".git/gitrun/live" / batch_of(repo, "slow.py")["id"] / "owner").read_text())
        os.kill(owner["pid"], signal.SIGTERM)
        process.communicate(timeout=60)
    gate.unlink()
    before = {run["id"]: run["flags"] for run in runs_of(repo, "slow.py")}
    repo.run("--restart", batch_of(repo, "slow.py")["id"], change, check=True)
    after = {run["id"]: (run["flags"], run["status"]) for run in runs_of(repo, "slow.py")}
    assert {run: after[run] for run in before} == {run: (flags, "terminated") for run, flags in before.items()}
    assert len(after) == len(before) + 2


def test_failed_trials_run_again_only_if_asked(repo):
    repo.write("fails.py", "import os, sys\nn = 1\nprint('n:', n)\nsys.exit(n == 2 and 'FAIL' in os.environ)\n")
    repo.commit()
    ended = repo.run("fails.py", "n=[1,2,3]", env={"FAIL": "1"})
    assert ended.returncode == 0
    batch = batch_of(repo, "fails.py")["id"]
    assert Counter(run["status"] for run in runs_of(repo, "fails.py")) == {"completed": 2, "error": 1}
    assert not repo.run("--restart", batch, check=True).stdout
    assert repo.run("--restart", batch, "--retry-failed", check=True).stdout == "n: 2\n"
    assert repo.run("--restart", batch, "--all-trials", check=True).stdout == "n: 1\nn: 2\nn: 3\n"
    assert len(runs_of(repo, "fails.py")) == 3


def test_a_batch_of_failures_exits_with_1(repo):
    repo.write("fails.py", "n = 1\nraise SystemExit(3)\n")
    repo.commit()
    ended = repo.run("fails.py", "n=[1,2,3]")
    assert ended.returncode == 1
    assert "the first 3 trials failed" in ended.stderr


def test_fail_fast_ends_at_the_first_failure(repo):
    repo.write("fails.py", "n = 1\nraise SystemExit(n == 2)\n")
    repo.commit()
    assert repo.run("fails.py", "n=[1,2,3]", "--fail-fast").returncode == 1
    assert len(runs_of(repo, "fails.py")) == 2
    assert batch_of(repo, "fails.py")["status"] == "error"


def test_a_missing_objective_ends_the_batch_after_one_trial(repo):
    ended = repo.run("train.py", "lr=[0.1,0.2,0.3]", "--minimize", "accuracy")
    assert ended.returncode == 1
    assert "no metric 'accuracy'. It has: loss" in ended.stderr
    assert len(runs_of(repo, "train.py")) == 1


def test_stopping_a_trial_leaves_the_batch(repo):
    gated(repo, "", "n == 2")
    with start(repo, "slow.py", "n=[1,2,3,4]", "-j", "2") as process:
        (trial,) = wait_for(repo, "slow.py", lambda run: run["flags"]["n"] == 2 and run["status"] == "running")
        repo.run("stop", trial["id"], check=True)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert {run["flags"]["n"]: run["status"] for run in runs_of(repo, "slow.py")} == {
        1: "completed", 2: "terminated", 3: "completed", 4: "completed",
    }  # fmt: skip


@pytest.mark.parametrize("number", sampled(1, [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]))
def test_an_interrupted_batch_goes_on_where_it_was(repo, number):
    gate = gated(repo, "", "n >= 3")
    with start(repo, "slow.py", "n=[1,2,3,4,5,6]", "-j", "2") as process:
        wait_for(repo, "slow.py", lambda run: run["flags"]["n"] == 3)
        owner = json.loads((repo.path / ".git/gitrun/live" / batch_of(repo, "slow.py")["id"] / "owner").read_text())
        os.kill(owner["pid"], number)
        process.communicate(timeout=60)
    gate.unlink()
    batch = batch_of(repo, "slow.py")
    assert batch["status"] == "terminated"
    ended = [run["id"] for run in runs_of(repo, "slow.py") if run["status"] == "completed"]
    again = repo.run("--restart", batch["id"], "-j", "2", check=True)
    after = runs_of(repo, "slow.py")
    assert sorted(run["flags"]["n"] for run in after) == [1, 2, 3, 4, 5, 6]
    assert {run["status"] for run in after} == {"completed"}
    assert len(again.stdout.splitlines()) == 6 - len(ended)
    assert "no problems" in repo.run("doctor", check=True).stderr


def test_the_working_tree_and_the_index_stay(repo):
    repo.write("train.py", TRAIN + "# edited\n")
    before = repo.git("status", "--porcelain=v2", "--branch"), (repo.path / ".git/index").read_bytes()
    repo.run("train.py", "lr=[0.1,0.01]", check=True)
    assert (repo.git("status", "--porcelain=v2", "--branch"), (repo.path / ".git/index").read_bytes()) == before


def test_an_edit_during_a_batch_reaches_no_trial(repo):
    with start(repo, "slow.py", "n=[1,2,3]") as process:
        wait_for(repo, "slow.py", lambda run: run["flags"]["n"] == 1)
        repo.write("slow.py", SLOW.replace("loss", "edited"))
        out, _ = process.communicate(timeout=60)
    assert out.count("loss") == 3
    assert "edited" not in repo.run("--restart", batch_of(repo, "slow.py")["id"], "n=[1,2,3,4]", check=True).stdout


def test_options_of_a_batch_need_several_values(repo):
    ended = repo.run("train.py", "lr=0.1", "--max-trials", "3")
    assert ended.returncode == 129
    assert "--max-trials needs a flag with several values" in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_value_of_the_wrong_kind_is_refused_before_anything_runs(repo):
    ended = repo.run("train.py", "lr=[0.1,fast]")
    assert ended.returncode == 129
    assert "must be a number, not 'fast'" in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_trial_that_is_restarted_stays_a_trial(repo):
    repo.run("train.py", "lr=[0.1,0.01]", check=True)
    first = runs_of(repo, "train.py")[0]
    repo.run("--restart", first["id"], check=True)
    text = repo.git("show", f"refs/runs/{first['id']}:.gitrun/run.toml")
    assert re.search(rf'^batch = "{first["batch"]}"$', text, re.MULTILINE)
    assert re.search(r"^trial = 1$", text, re.MULTILINE)


def gated(repo, more, condition):
    """Writes a program that waits, on this condition, as long as the file exists that is returned."""
    gate = repo.path.parent / "gate"
    gate.touch()
    wait = f"while {condition} and os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\n"
    repo.write("slow.py", f"import os\nimport time\nn = 1\n{more}\n{wait}print('loss:', n)\n")
    repo.commit()
    return gate


HOOK = """#!/bin/sh
[ "$1" = prepared ] || exit 0
[ "$(grep -c refs/runs/)" = 2 ] || exit 0
echo two >>.git/twos
[ ! -e .git/refuse ]
"""


@pytest.fixture
def watched(repo):
    """A repository that counts the steps in which two runs move, and refuses them if `.git/refuse` exists."""
    repo.write(".git/hooks/reference-transaction", HOOK).chmod(0o755)
    return repo


def test_a_trial_is_recorded_with_the_begin_of_the_next_one(watched):
    watched.run("train.py", "lr=[0.1,0.2,0.3]", check=True)
    assert (watched.path / ".git/twos").read_text().split() == ["two", "two"]
    assert [run["status"] for run in runs_of(watched, "train.py")] == ["completed"] * 3


def test_trials_are_recorded_one_by_one_if_two_at_once_are_refused(watched):
    (watched.path / ".git/refuse").touch()
    watched.run("train.py", "lr=[0.1,0.2,0.3]", check=True)
    assert "two" in (watched.path / ".git/twos").read_text()
    assert [run["status"] for run in runs_of(watched, "train.py")] == ["completed"] * 3
    watched.run("doctor", check=True)


def test_a_trial_that_ended_is_told_before_the_next_one_starts(repo):
    repo.write("fail.py", "n = 1\nprint('at', n, flush=True)\nraise SystemExit(n == 2)\n")
    repo.commit()
    words = ["git", "run", "fail.py", "n=[1,2,3]"]
    ended = subprocess.run(words, cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    lines = ended.stdout.splitlines()
    steps = [match[0] for line in lines if (match := re.match(r"at \d|(gitrun: )?#\d", line))]
    assert steps == ["at 1", "gitrun: #1", "at 2", "gitrun: #2", "at 3", "gitrun: #3"]
