"""Batches from Python: the same runs as from the command line, read back as one value."""

from __future__ import annotations

import pickle

import pytest

import gitrun
from gitrun import Project
from gitrun.errors import BadRun, BadValue, UsageError

TRAIN = "lr = 0.1\nn = 3\nlayers = [1, 2]\nprint('loss:', lr * n)\n"


@pytest.fixture
def project(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    return Project(empty_repo.path)


def test_a_batch_has_its_trials_by_number_and_the_best(project) -> None:
    batch = project.batch("train.py", flags={"lr": [0.5, 0.25, 1.0]}, minimize="loss", jobs=2)
    assert [(run.attempt.trial, run.flags["lr"], run.status) for run in batch.trials] == [
        (1, 0.5, "completed"), (2, 0.25, "completed"), (3, 1.0, "completed"),
    ]  # fmt: skip
    assert batch.best == batch.trials[1]
    assert (batch.counts.total, batch.counts.completed, batch.status) == (3, 3, "completed")
    assert batch.run == project.find(batch.id)
    assert pickle.loads(pickle.dumps(batch)) == batch


def test_run_of_several_values_returns_the_run_of_the_batch(project) -> None:
    run = project.run("train.py", flags={"lr": gitrun.choice(0.5, 0.25)})
    assert (run.operation, run.flags["lr"]) == ("train.py+", [0.5, 0.25])
    assert [trial.flags["lr"] for trial in project.read_batch(run).trials] == [0.5, 0.25]


def test_a_list_is_one_value_of_a_flag_that_holds_lists(project) -> None:
    run = project.run("train.py", flags={"layers": [3, 4]})
    assert (run.operation, run.flags["layers"]) == ("train.py", [3, 4])
    batch = project.batch("train.py", flags={"layers": [[3, 4], [5]]})
    assert [trial.flags["layers"] for trial in batch.trials] == [[3, 4], [5]]


def test_a_restart_goes_on_with_the_options_of_the_batch(project) -> None:
    space = {"lr": gitrun.uniform(0.0, 1.0), "n": gitrun.uniform(1, 8)}
    options = {"optimizer": "random", "opt_flags": {"allow_repeats": True}, "maximize": "loss", "random_seed": 5}
    batch = project.batch("train.py", flags=space, max_trials=2, **options)
    more = project.batch(restart=batch, max_trials=4)
    assert (more.id, more.trials[:2], len(more.trials)) == (batch.id, batch.trials, 4)
    whole = project.batch("train.py", flags=space, max_trials=4, **options)
    assert [trial.flags for trial in more.trials] == [trial.flags for trial in whole.trials]
    assert gitrun.run_params_for_restart(more.run) == {
        "force_flags": False, "gpus": None, "no_gpus": False, "minimize": None, "maximize": "loss", "max_trials": 4,
        "optimizer": "random", "opt_flags": ["allow_repeats=True"], "random_seed": 5,
    }  # fmt: skip


def test_reused_runs_are_trials_of_the_batch(project) -> None:
    earlier = project.run("train.py", flags={"lr": 0.25})
    batch = project.batch("train.py", flags={"lr": [0.5, 0.25]}, needed=True, minimize="loss")
    assert (batch.trials[1], batch.best) == (earlier, earlier)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"flags": {"lr": 1}}, UsageError, "a batch needs a flag with several values"),
        ({"flags": {"lr": []}}, BadValue, "lr=[] has no values"),
        ({"flags": {"lr": [1, "x"]}}, BadValue, "flag 'lr' of train.py must be a number, not 'x'"),
        ({"flags": {"lr": gitrun.choice(1)}, "optimizer": "none"}, BadValue, "there is no optimizer 'none'"),
        ({"flags": {"lr": gitrun.uniform(0, 1)}, "jobs": 0}, BadValue, "--jobs must be a whole number"),
    ],
)
def test_what_is_no_batch_is_refused_before_anything_is_written(project, options, error, words) -> None:
    with pytest.raises(error) as raised:
        project.batch("train.py", **options)
    assert raised.value.message.startswith(words)
    assert project.list_runs() == []


def test_a_run_that_is_no_batch_is_neither_restarted_nor_read_as_one(project) -> None:
    run = project.run("train.py")
    with pytest.raises(UsageError, match="is no batch"):
        project.batch(restart=run)
    with pytest.raises(BadRun, match="is no batch"):
        project.read_batch(run)


def test_batches_of_python_and_the_shell_and_a_loop_are_equal(project, empty_repo) -> None:
    """Their trees differ in the id of the batch, the number of the trial, times and nonces alone."""
    flags = {"lr": [0.5, 0.25], "n": [1, 2]}
    project.batch("train.py", flags=flags, random_seed=7)
    empty_repo.run("train.py", "lr=[0.5,0.25]", "n=[1,2]", "--random-seed", "7", check=True)
    for lr in flags["lr"]:
        for n in flags["n"]:
            project.run("train.py", flags={"lr": lr, "n": n}, random_seed=7)
    alike = [run for run in reversed(project.list_runs()) if run.operation == "train.py"]
    assert len(alike) == 12
    for place in range(4):
        first, *others = (tree_of(empty_repo, alike[place + 4 * times].id) for times in range(3))
        assert others == [first, first]
        assert alike[place].flags == alike[place + 8].flags


def tree_of(repo, run):
    """The files of a run by path, without what is different for each run."""
    paths = repo.git("ls-tree", "-r", "--name-only", f"runs/{run}").split()
    files = {path: repo.git("show", f"runs/{run}:{path}") for path in paths}
    apart = ("batch", "trial", "nonce", "created", "started", "stopped", "duration")
    return {
        path: [line for line in text.splitlines() if line.partition(" = ")[0] not in apart]
        if path in {".gitrun/run.toml", ".gitrun/result.toml"} else text
        for path, text in files.items()
    }  # fmt: skip
