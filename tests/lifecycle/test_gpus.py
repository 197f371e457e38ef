"""GPUs are dealt out to the trials of batches, and each is used by one trial at a time."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest
from trial_lists import batch_of, runs_of, start, supervisor_of, wait_for

from gitrun.errors import CannotRun
from gitrun.lifecycle.gpus import GpuPool, lock_directory, make_pool
from gitrun.model.run import Params

TRAIN = """
import os, pathlib, time
n = 1
wait = ""
gpus = os.environ["CUDA_VISIBLE_DEVICES"]
print("gpus:", gpus, flush=True)
for gpu in gpus.split(","):
    os.mkdir(f"{os.environ['BUSY']}{gpu}")
time.sleep(0.2)
while wait and os.path.exists(wait):
    time.sleep(0.01)
for gpu in gpus.split(","):
    os.rmdir(f"{os.environ['BUSY']}{gpu}")
"""
"""A program that fails if another one uses a GPU of its."""


@pytest.fixture
def repo(empty_repo, monkeypatch):
    monkeypatch.setenv("BUSY", str(empty_repo.path.parent / "busy"))
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    return empty_repo


def seen(out):
    """The GPUs that the trials saw, in the order of their lines."""
    return [line.rpartition("gpus: ")[2] for line in out.splitlines() if "gpus: " in line]


def test_each_job_has_a_gpu_of_its_own(repo):
    ended = repo.run("train.py", "n=[1,2,3,4,5,6]", "--gpus", "0,1,2", "--jobs", "3", check=True)
    assert sorted(set(seen(ended.stdout))) == ["0", "1", "2"]
    assert len(seen(ended.stdout)) == 6
    assert "6 of 6 trials completed" in ended.stderr


def test_a_trial_records_its_gpus_as_a_single_run_does(repo):
    repo.run("train.py", "n=[1,2]", "--gpus", "0,1", "--jobs", "2", check=True)
    texts = [repo.git("show", f"refs/runs/{run['id']}:.gitrun/run.toml") for run in runs_of(repo, "train.py")]
    assert {line for text in texts for line in text.splitlines() if line.startswith("gpus")} == {'gpus = "0"', 'gpus = "1"'}
    batch = batch_of(repo, "train.py")["id"]
    assert 'gpus = "0,1"' in repo.git("show", f"refs/runs/{batch}:.gitrun/run.toml")


def test_several_gpus_go_to_each_trial_if_asked(repo):
    words = ("train.py", "n=[1,2,3]", "--gpus", "0,1,2,3", "--gpus-per-trial", "2", "--jobs", "2")
    assert set(seen(repo.run(*words, check=True).stdout)) == {"0,1", "2,3"}
    again = repo.run("--restart", batch_of(repo, "train.py")["id"], "n=[1,2,3,4,5]", "--jobs", "2", check=True)
    assert set(seen(again.stdout)) <= {"0,1", "2,3"}
    assert len(seen(again.stdout)) == 2


def test_one_job_has_all_gpus(repo):
    assert seen(repo.run("train.py", "n=[1,2]", "--gpus", "3,5", check=True).stdout) == ["3,5", "3,5"]


def test_fewer_gpus_than_jobs_run_fewer_at_a_time(repo):
    ended = repo.run("train.py", "n=[1,2,3]", "--gpus", "0", "--jobs", "3", check=True)
    assert "note: --gpus 0 is enough for 1 at a time, not 3" in ended.stderr
    assert seen(ended.stdout) == ["0", "0", "0"]


def test_batches_of_two_repositories_share_the_gpus(repo, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    other = type(repo).create(tmp_path / "other" / "repo")
    other.write("train.py", TRAIN)
    other.commit()
    with start(repo, "train.py", "n=[1]", f"wait={gate}", "--gpus", "0") as first:
        wait_for(repo, "train.py", lambda run: run["status"] == "running")
        assert first.stdout is not None
        while "gpus" not in first.stdout.readline():
            pass
        with start(other, "train.py", "n=[1,2]", "--gpus", "0,1", "--jobs", "2") as second:
            assert second.stderr is not None
            lines = [second.stderr.readline() for _ in range(2)]
            assert "waiting for a free GPU of 0,1" in lines[1]
            wait_for(other, "train.py", lambda run: run["status"] == "completed")
            gate.unlink()
            out, err = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "waiting for" not in err
    assert len(seen(out)) == 2


def test_a_killed_batch_frees_its_gpus(repo, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    with start(repo, "train.py", "n=[1,2]", f"wait={gate}", "--gpus", "0") as process:
        wait_for(repo, "train.py", lambda run: run["status"] == "running")
        os.kill(supervisor_of(repo, batch_of(repo, "train.py")["id"]), signal.SIGKILL)
        process.communicate(timeout=60)
    for path in tmp_path.glob("busy*"):
        path.rmdir()
    gate.unlink()
    ended = repo.run("--restart", batch_of(repo, "train.py")["id"], check=True)
    assert "waiting" not in ended.stderr
    assert seen(ended.stdout) == ["0", "0"]


def test_a_batch_that_waits_for_a_gpu_can_be_stopped(repo):
    directory = lock_directory(os.environ)
    with ExitStack() as stack:
        assert GpuPool(("0",), 1, directory).acquire(stack) == "0"
        with start(repo, "train.py", "n=[1,2]", "--gpus", "0") as process:
            (batch,) = wait_for(repo, "train.py+", lambda run: run["status"] == "running")
            repo.run("stop", batch["id"], check=True)
            process.communicate(timeout=60)
    assert process.returncode == 143
    assert not runs_of(repo, "train.py")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpus-per-trial", "2"], "--gpus-per-trial needs a list of GPUs"),
        (["--gpus", "0", "--gpus-per-trial", "2"], "--gpus-per-trial 2 is more than --gpus lists: 0"),
        (["--gpus", "0", "--gpus-per-trial", "0"], "--gpus-per-trial must be a whole number of at least 1"),
    ],
)
def test_gpus_that_cannot_be_dealt_out_are_refused(repo, words, said):
    ended = repo.run("train.py", "n=[1,2]", *words)
    assert ended.returncode == 129
    assert said in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_trial_takes_all_of_its_gpus_or_none(tmp_path):
    pool = GpuPool(("0", "GPU-8/a", "2"), 2, tmp_path)
    with ExitStack() as first, ExitStack() as second:
        assert pool.acquire(first) == "0,GPU-8/a"
        assert pool.acquire(second) is None
        assert GpuPool(("2",), 1, tmp_path).acquire(second) == "2"
    with ExitStack() as third:
        assert pool.acquire(third) == "0,GPU-8/a"


def test_a_pool_has_one_gpu_a_job():
    names = "0, 1,1,2"
    assert make_pool(Params(gpus=names), None, 2, {"HOME": "/h"}).per_trial == 1
    assert make_pool(Params(gpus=names), None, 1, {"HOME": "/h"}).per_trial == 3
    assert make_pool(Params(gpus=""), None, 2, {"HOME": "/h"}) is None


def test_locks_are_the_machines_below_the_state_directory():
    machine = os.uname().nodename
    assert str(lock_directory({"HOME": "/h"})) == f"/h/.local/state/gitrun/gpus/{machine}"
    assert str(lock_directory({"HOME": "/h", "XDG_STATE_HOME": "/s"})) == f"/s/gitrun/gpus/{machine}"
    assert str(lock_directory({"HOME": "/h", "XDG_STATE_HOME": "s"})) == f"/h/.local/state/gitrun/gpus/{machine}"


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "gitrun").write_text("")
    with ExitStack() as stack, pytest.raises(CannotRun, match="cannot lock GPU 0"):
        GpuPool(("0",), 1, lock_directory({"XDG_STATE_HOME": str(tmp_path)})).acquire(stack)


def test_quiet_trials_show_one_line_each(repo):
    ended = repo.run("train.py", "n=[1,2]", "--gpus", "0", "--quiet-trials", check=True)
    assert not ended.stdout
    assert len([line for line in ended.stderr.splitlines() if "completed in" in line]) == 3
    assert repo.run("cat", runs_of(repo, "train.py")[0]["id"], check=True).stdout == "gpus: 0\n"
