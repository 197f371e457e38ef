"""A search steered from Python: every trial that has ended is recorded, and what is left or killed goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from doctor_calls import doctor
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebook import notebook
from sampled import sampled_values

import gitrun
from gitrun import Project
from gitrun.errors import BadValue, CannotRun, CannotVerify, UsageError
from gitrun.lifecycle.batch import BatchRunner
from gitrun.lifecycle.verify import VerifyRules
from gitrun.store.live import ask_to_end

TRAIN = "lr = 0.1\nn = 3\nprint('loss:', lr * n)\n"
SPACE = {"lr": gitrun.uniform(0.0, 1.0)}
OPTIONS = {"optimizer": "random", "max_trials": 4, "minimize": "loss", "random_seed": 3}


@pytest.fixture
def project(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    return Project(empty_repo.path)


def search(project, **more):
    return project.search("train.py", SPACE, **OPTIONS, **more)


def values(batch):
    return [trial.flags["lr"] for trial in batch.trials]


def test_a_loop_that_runs_its_trials_is_the_batch(project) -> None:
    searched = search(project)
    runs = [trial.run() for trial in searched]
    batch = project.batch("train.py", flags=SPACE, **OPTIONS)
    assert [run.flags for run in runs] == [run.flags for run in batch.trials]
    assert searched.batch.trials == tuple(runs)
    assert (searched.batch.status, searched.batch.counts.completed) == ("completed", 4)
    assert searched.ask() is None


def test_a_trial_has_its_number_and_all_flags(project) -> None:
    with search(project, flags={"n": 5}) as searched:
        trial = searched.ask()
        assert (trial.number, set(trial.flags), trial.flags["n"]) == (1, {"lr", "n"}, 5)
        assert trial.run().flags == trial.flags


def test_a_given_value_is_a_trial_that_claims_no_execution(project, empty_repo) -> None:
    searched = search(project)
    for trial in searched:
        run = trial.tell({"loss": 1 - trial.flags["lr"], "extra": 2})
        assert (run.status, run.exit_status, run.attempt.kind, run.attempt.command) == ("completed", None, "value", ())
        assert run.metrics == {"loss": 1 - trial.flags["lr"], "extra": 2.0}
    batch = searched.batch
    assert batch.best.flags["lr"] == max(values(batch))
    assert {run.operation for run in batch.trials} == {"train.py (value)"}
    with pytest.raises(CannotRun, match="no program ran"):
        project.run(restart=batch.best)
    with pytest.raises(CannotVerify, match="no program ran"):
        project.verify(batch.best, VerifyRules())
    # no run of the operation has these flags
    assert project.run("train.py", flags=dict(batch.best.flags), needed=True).attempt.kind == "script"
    shown = empty_repo.run("show", batch.best.id, check=True).stdout
    assert ("gitrun ran nothing" in shown, "git run --restart" in shown) == (True, False)
    assert doctor(empty_repo) == ([], 0)


def test_told_values_decide_about_proposals(project) -> None:
    """A batch whose programs report the same values proposes the same."""
    options = {**OPTIONS, "optimizer": "tpe", "max_trials": 12}
    searched = project.search("train.py", SPACE, **options)
    for trial in searched:
        trial.tell(trial.flags["lr"] * 3)
    assert values(searched.batch) == values(project.batch("train.py", flags=SPACE, **options))


@pytest.mark.parametrize("how", sampled_values(1, ["break", "error", "with"]))
def test_a_loop_that_is_left_goes_on_after_a_restart(project, how) -> None:
    searched = search(project)
    try:
        with searched:
            for trial in searched:
                if trial.number == 3:
                    if how == "error":
                        trial.tell({}["nothing"])
                    break
                trial.run()
    except LookupError:
        pass
    batch = searched.batch
    assert (batch.status, batch.counts.completed, batch.counts.pending) == ("terminated", 2, 2)
    if how == "with":
        batch = project.batch(restart=batch)
    else:
        again = project.search(restart=batch)
        for trial in again:
            trial.run()
        batch = again.batch
    assert (batch.id, batch.status, len(batch.trials)) == (searched.id, "completed", 4)
    assert values(batch) == values(project.batch("train.py", flags=SPACE, **OPTIONS))


KILLED = """
import gitrun, os, signal
project = gitrun.Project(".")
search = project.search("train.py", {"lr": gitrun.uniform(0.0, 1.0)}, optimizer="random", max_trials=4, minimize="loss",
                        random_seed=3)
for trial in search:
    if trial.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    trial.run() if trial.number == 1 else trial.tell(trial.flags["lr"])
"""


def test_a_killed_search_goes_on_where_it_was(project, empty_repo) -> None:
    words = [sys.executable, "-c", KILLED]
    killed = subprocess.run(words, cwd=project.git.worktree, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    batch = project.read_batch(project.find("train.py+"))
    assert (batch.status, batch.counts.completed, batch.counts.pending) == ("terminated", 2, 2)
    done = project.batch(restart=batch)
    assert done.trials[:2] == batch.trials
    assert values(done) == values(project.batch("train.py", flags=SPACE, **OPTIONS))
    assert doctor(empty_repo) == ([], 0)


def test_a_failed_trial_is_a_result_and_the_search_goes_on(project, empty_repo) -> None:
    empty_repo.write("train.py", TRAIN + "assert lr > 0.5\n")
    searched = search(project)
    statuses = {trial.run().status for trial in searched}
    assert (statuses, searched.batch.status) == ({"completed", "error"}, "completed")


def test_a_missing_metric_ends_the_search(project, empty_repo) -> None:
    empty_repo.write("train.py", "lr = 0.1\nprint('accuracy:', lr)\n")
    searched = search(project)
    assert [trial.run().status for trial in searched] == ["completed"]
    assert searched.batch.status == "error"


def test_needed_counts_an_earlier_run_as_the_trial(project) -> None:
    batch = project.batch("train.py", flags=SPACE, **OPTIONS)
    searched = search(project, needed=True)
    assert [trial.run() for trial in searched] == list(batch.trials)
    assert searched.batch.best == batch.best


def test_a_trial_is_evaluated_once_and_only_while_its_search_runs(project) -> None:
    searched = search(project)
    trial = searched.ask()
    trial.run()
    for evaluate in (trial.run, lambda: trial.tell(1)):
        with pytest.raises(UsageError, match="trial 1 has ended already"):
            evaluate()
    other = searched.ask()
    searched.close()
    with pytest.raises(UsageError, match="a search that has ended"):
        other.run()
    assert len(searched.batch.trials) == 1


@pytest.mark.parametrize("value", ["0.3", True, None, [0.1, 0.2], {"accuracy": 1}, {"loss": "x"}])
def test_a_value_that_is_no_number_is_refused_and_the_trial_waits(project, value) -> None:
    with search(project) as searched:
        trial = searched.ask()
        with pytest.raises(BadValue):
            trial.tell(value)
        assert trial.tell(0.5).metrics == {"loss": 0.5}


def test_a_value_without_a_metric_needs_a_name(project) -> None:
    with project.search("train.py", {"lr": [1, 2]}) as searched:
        trial = searched.ask()
        with pytest.raises(UsageError, match="has no name"):
            trial.tell(0.5)
        assert trial.tell({"error": 0.5}).metrics == {"error": 0.5}


def test_nothing_is_recorded_before_the_first_trial(project) -> None:
    with search(project) as searched:
        assert project.list_runs() == []
        with pytest.raises(UsageError, match="has not begun"):
            _ = searched.batch
    assert project.list_runs() == []


def test_a_search_without_a_space_is_refused(project) -> None:
    with pytest.raises(UsageError, match="needs a flag with several values"):
        next(iter(project.search("train.py", {"lr": 1})))
    assert project.list_runs() == []


def test_unevaluated_trials_count_for_the_next_proposal(project) -> None:
    with project.search("train.py", {"n": gitrun.uniform(1, 3)}, optimizer="random", minimize="loss") as searched:
        asked = [searched.ask() for _ in range(3)]
        assert sorted(trial.flags["n"] for trial in asked) == [1, 2, 3]
        assert [trial.run().flags["n"] for trial in reversed(asked)] == [trial.flags["n"] for trial in reversed(asked)]
        assert searched.ask() is None
    assert (searched.batch.status, len(searched.batch.trials)) == ("completed", 3)


STOPPED = """
import gitrun, subprocess, sys
project = gitrun.Project(".")
search = project.search("train.py", {"lr": list(range(1000))})
for trial in search:
    trial.run()
    if trial.number == 1:
        subprocess.Popen(["git", "run", "stop", search.id])
print("after", search.batch.status, len(search.batch.trials) < 1000)
"""


def test_stop_ends_the_search_and_not_its_caller(project) -> None:
    words = [sys.executable, "-c", STOPPED]
    done = subprocess.run(words, cwd=project.git.worktree, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["after terminated True"]), done.stderr


def test_a_stop_that_comes_before_a_trial_starts_ends_it_unstarted(project, monkeypatch) -> None:
    search, run_trials = project.search("train.py", {"lr": [1, 2, 3]}), BatchRunner.run_trials
    search.ask().run()
    trial = search.ask()

    def stop_first(runner: BatchRunner) -> None:
        ask_to_end(project.git.state, search.id)
        os.kill(os.getpid(), signal.SIGTERM)
        run_trials(runner)

    monkeypatch.setattr(BatchRunner, "run_trials", stop_first)
    run = trial.run()

    assert (run.status, run.attempt.trial, run.flags["lr"]) == ("terminated", 2, 2)
    assert search.ask() is None
    assert (search.batch.status, [one.status for one in search.batch.trials]) == ("terminated", ["completed", "terminated"])


INTERRUPTED = """
import gitrun
project = gitrun.Project(".")
for trial in project.search("wait.py", {"lr": [1, 2, 3]}):
    trial.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_trial_the_batch_and_the_caller(project, empty_repo, number) -> None:
    empty_repo.write("wait.py", f"import os, time\nlr = 1\nos.kill(os.getppid(), {int(number)})\ntime.sleep(60)\n")
    words = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(words, cwd=project.git.worktree, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -number, done.stderr
    batch = project.read_batch(project.find("wait.py+"))
    assert (batch.status, [trial.status for trial in batch.trials]) == ("terminated", ["terminated"])


CELLS = (
    "import gitrun\nproject = gitrun.Project('.')\nsearch = project.search('train.py', {'lr': [3, 2, 1]}, minimize='loss')",
    "first = search.ask()\nfirst.run().metrics",
    "for trial in search:\n    trial.tell(trial.flags['lr'] * 3)\n    if trial.number == 2:\n        raise LookupError",
)


def test_a_notebook_searches_and_a_failing_cell_leaves_a_batch(project) -> None:
    """In a real kernel, which has several threads and an event loop."""
    cells = nbformat.reads(notebook(*CELLS), as_version=4)
    client = NotebookClient(cells, timeout=60, resources={"metadata": {"path": str(project.git.worktree)}})
    with pytest.raises(CellExecutionError, match="LookupError"):
        client.execute()
    batch = project.read_batch(project.find("train.py+"))
    assert (batch.status, [trial.operation for trial in batch.trials]) == ("terminated", ["train.py", "train.py (value)"])
    assert project.batch(restart=batch).best.flags["lr"] == 1


def test_a_killed_kernel_leaves_a_batch_that_goes_on(project) -> None:
    last = "import os, signal\ntrial = search.ask()\nos.kill(os.getpid(), signal.SIGKILL)"
    cells = nbformat.reads(notebook(*CELLS[:2], last), as_version=4)
    client = NotebookClient(cells, timeout=60, resources={"metadata": {"path": str(project.git.worktree)}})
    with pytest.raises(RuntimeError):
        client.execute()
    wait_until(lambda: project.find("train.py+").status == "terminated")
    batch = project.batch(restart="train.py+")
    assert [trial.flags["lr"] for trial in batch.trials] == [3, 2, 1]


def wait_until(is_so) -> None:
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    assert is_so()
