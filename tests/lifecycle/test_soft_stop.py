"""A batch or pipeline that is stopped softly starts nothing more, and ends with what runs."""

from __future__ import annotations

import pytest
from trial_lists import batch_of, read_result, runs_of, start, wait_for

GATED = """
import os, time
n = 1
while os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
print("n:", n)
"""
STEPS = '[operations.first]\nscript = "slow.py"\n[operations.all]\nsteps = ["first", "slow.py"]\n'


@pytest.fixture
def gate(empty_repo, monkeypatch):
    path = empty_repo.path.parent / "gate"
    path.touch()
    monkeypatch.setenv("GATE", str(path))
    empty_repo.write("slow.py", GATED)
    empty_repo.write("gitrun.toml", STEPS)
    empty_repo.commit()
    return path


def test_running_trials_end_by_themselves_and_no_other_starts(empty_repo, gate):
    with start(empty_repo, "slow.py", "n=[1,2,3,4]", "-j", "2") as process:
        wait_for(empty_repo, "slow.py", lambda run: run["flags"]["n"] == 2 and run["status"] == "running")
        batch = batch_of(empty_repo, "slow.py")["id"]
        empty_repo.run("stop", "--soft", "--no-wait", batch, check=True)
        gate.unlink()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"2 of 4 trials completed. To go on: git run --restart {batch[:8]}\n" in err
    assert sorted(out.splitlines()) == ["#1 n: 1", "#2 n: 2"]
    assert [run["status"] for run in runs_of(empty_repo, "slow.py")] == ["completed", "completed"]
    result = read_result(empty_repo, batch)
    assert (result["status"], result["reason"], result["batch"]["pending"]) == ("terminated", "stopped", 2)
    assert len(empty_repo.run("--restart", batch, check=True).stdout.splitlines()) == 2


def test_a_soft_stop_of_the_last_trials_completes_the_batch(empty_repo, gate):
    with start(empty_repo, "slow.py", "n=[1,2]", "-j", "2") as process:
        wait_for(empty_repo, "slow.py", lambda run: run["flags"]["n"] == 2 and run["status"] == "running")
        empty_repo.run("stop", "--soft", "--no-wait", batch_of(empty_repo, "slow.py")["id"], check=True)
        gate.unlink()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert batch_of(empty_repo, "slow.py")["status"] == "completed"


def test_a_stop_after_a_soft_one_ends_the_trials(empty_repo, gate):
    with start(empty_repo, "slow.py", "n=[1,2]") as process:
        wait_for(empty_repo, "slow.py", lambda run: run["status"] == "running")
        batch = batch_of(empty_repo, "slow.py")["id"]
        empty_repo.run("stop", "--soft", "--no-wait", batch, check=True)
        empty_repo.run("stop", batch, check=True)
        process.communicate(timeout=60)
    assert [run["status"] for run in runs_of(empty_repo, "slow.py")] == ["terminated"]


def test_a_pipeline_ends_after_its_step(empty_repo, gate):
    with start(empty_repo, "all") as process:
        wait_for(empty_repo, "first", lambda run: run["status"] == "running")
        (run,) = runs_of(empty_repo, "all")
        empty_repo.run("stop", "--soft", "--no-wait", run["id"], check=True)
        gate.unlink()
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert [run["status"] for run in runs_of(empty_repo, "first")] == ["completed"]
    assert not runs_of(empty_repo, "slow.py")
    assert read_result(empty_repo, run["id"])["status"] == "terminated"


def test_what_has_no_trials_or_steps_cannot_be_stopped_softly(empty_repo, gate):
    with start(empty_repo, "slow.py") as process:
        (run,) = wait_for(empty_repo, "slow.py", lambda run: run["status"] == "running")
        ended = empty_repo.run("stop", "--soft", run["id"])
        gate.unlink()
        process.communicate(timeout=60)
    assert ended.returncode == 129
    assert "has no trials or steps, so it cannot be stopped softly. To stop it: git run stop" in ended.stderr
    assert process.returncode == 0


def test_a_batch_that_has_ended_cannot_be_stopped_softly(empty_repo, gate):
    gate.unlink()
    empty_repo.run("slow.py", "n=[1]", check=True)
    ended = empty_repo.run("stop", "--soft", batch_of(empty_repo, "slow.py")["id"])
    assert ended.returncode == 128
    assert "is not running on this machine" in ended.stderr
