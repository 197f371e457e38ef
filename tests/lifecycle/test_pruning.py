"""Trials that are not worth going on are ended while they run, and a batch that goes on decides as before."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from sampled import sampled
from trial_lists import batch_of, read_result, runs_of, start, supervisor_of, trials_by, wait_for

from gitrun import Project
from gitrun.lifecycle import pruning
from gitrun.lifecycle.pruning import points_of, read_points, series_names
from gitrun.model.metrics import Series
from gitrun.views.select import Query

pytest.importorskip("optuna")

TRAIN = """
import os, time
lr = 0.1
for step in range(8):
    REPORT
    time.sleep(0.02)
time.sleep(60 if lr > 0.25 else 0)
"""
"""A program whose trials with a large lr never end by themselves."""
PRINTED = 'print(f"loss: {lr * 10 / (step + 1)}", flush=True)'
LOGGED = 'open(os.environ["GITRUN_METRICS"], "a").write(f"{{\\"step\\": {step}, \\"loss\\": {lr / (step + 1)}}}\\n")'
WRITTEN = 'open("metrics.csv", "a").write(("step,loss\\n" if step == 0 else "") + f"{step},{lr / (step + 1)}\\n")'
EVENT = """
import struct
def add_event(step, number):
    value = b"\\x0a\\x04loss\\x15" + struct.pack("<f", number)
    data = b"\\x09" + struct.pack("<d", time.time()) + bytes([16, step, 42, len(value) + 2, 10, len(value)]) + value
    with open("events.out.tfevents.1.host", "ab") as file:
        file.write(struct.pack("<QI", len(data), 0) + data + bytes(4))
"""
ADDED = "add_event(step, lr / (step + 1))"
RATES = [0.1, 0.2, 0.3, 0.12, 0.9]
LRS = "lr=[0.1,0.2,0.3,0.12,0.9]"
"""The fourth is below the median of the first two: equal to it, the rounding of an event file would decide."""
MEDIAN = ("--prune", "median", "--minimize", "loss", "--opt-flag", "prune_n_startup_trials=2")
ENDS = {0.1: "completed", 0.2: "completed", 0.3: "pruned", 0.12: "completed", 0.9: "pruned"}


def program(repo, report=PRINTED, before="", after=""):
    repo.write("train.py", before + TRAIN.replace("REPORT", report) + after)
    repo.commit()
    return repo


def prune(repo, **options):
    """A batch whose hopeless trials are ended, of a process that has imported optuna already."""
    given = {"prune": "median", "opt_flags": {"prune_n_startup_trials": 2}, "minimize": "loss", "quiet_trials": True}
    return Project(repo.path).batch("train.py", **({"flags": {"lr": RATES}} | given | options))


def shown(repo, flag="lr"):
    """The statuses as people see them, by the value of a flag."""
    found = trials_by(repo, "train.py", flag)
    pruned = Project(repo.path).select(query=Query(statuses=("pruned",), flat=True)).runs
    return found | {run.attempt.flags[flag]: "pruned" for _, run in pruned}


@pytest.mark.parametrize("report", sampled(1, [PRINTED, LOGGED, WRITTEN, ADDED]))
def test_hopeless_trials_end_early_however_they_report(empty_repo, report):
    repo = program(empty_repo, report, before=EVENT)
    ended = repo.run("train.py", LRS, *MEDIAN, check=True)
    assert "3 of 5 trials completed, 2 pruned; best: #1" in ended.stderr
    assert shown(repo) == ENDS


def test_a_pruned_trial_keeps_its_series_and_its_last_value(empty_repo):
    repo = program(empty_repo)
    prune(repo)
    (run,) = [run for run in runs_of(repo, "train.py") if run["flags"]["lr"] == 0.9]
    result = read_result(repo, run["id"])
    assert (result["status"], result["exit_status"]) == ("terminated", -15)
    assert result["reason"] == f"pruned at step {result['pruned']}"
    series = [json.loads(line) for line in repo.git("show", f"refs/runs/{run['id']}:.gitrun/metrics.jsonl").splitlines()]
    assert [row["step"] for row in series[: result["pruned"] + 1]] == list(range(result["pruned"] + 1))
    assert result["metrics"]["loss"] == series[-1]["loss"]


def test_people_see_everywhere_that_a_trial_was_pruned(empty_repo):
    repo = program(empty_repo)
    prune(repo)
    (run_id,) = [run["id"] for run in runs_of(repo, "train.py") if run["flags"]["lr"] == 0.9]
    for words in (("show", run_id), ("watch", run_id), ("log", run_id), ("log", "HEAD"), ("rm", run_id)):
        ended = repo.run(*words, check=True)
        assert "pruned" in ended.stdout + ended.stderr, words
        assert "terminated" not in ended.stdout + ended.stderr, words


PRUNERS = [
    ("median", {"prune_n_startup_trials": 2}),
    ("percentile", {"prune_n_startup_trials": 2, "prune_percentile": 50}),
    ("halving", {"prune_min_resource": 1, "prune_reduction_factor": 2}),
    # of several brackets, chance would choose one
    ("hyperband", {"prune_max_resource": 1, "prune_reduction_factor": 2}),
    ("threshold", {"prune_upper": 2.5}),
]


@pytest.mark.parametrize(("name", "options"), sampled(2, PRUNERS))
def test_every_pruner_ends_the_worst_trial(empty_repo, name, options):
    repo = program(empty_repo)
    prune(repo, prune=name, opt_flags=options)
    found = shown(repo)
    assert (found[0.1], found[0.9]) == ("completed", "pruned")


def test_a_program_that_exits_with_0_after_sigterm_is_pruned(empty_repo):
    repo = program(empty_repo, before="import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n")
    prune(repo)
    assert shown(repo) == ENDS


def test_a_trial_that_ends_before_it_is_judged_is_complete(empty_repo, monkeypatch):
    # after the first trial, which waits for that, nothing is judged any more
    monkeypatch.setattr(pruning, "PACE", 600.0)
    once = "import time\nlr = 0.1\nfor _ in range(8):\n    print('loss:', lr, flush=True)\ntime.sleep(3 if lr == 0.1 else 0)\n"
    empty_repo.write("train.py", once)
    empty_repo.commit()
    prune(empty_repo, flags={"lr": [0.1, 0.2, 0.3, 0.9]})
    assert set(trials_by(empty_repo, "train.py", "lr").values()) == {"completed"}


def test_a_restart_prunes_by_the_trials_from_before(empty_repo):
    gate = empty_repo.path.parent / "gate"
    gate.touch()
    wait = f"while lr > 0.25 and os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\nfor step"
    empty_repo.write("train.py", TRAIN.replace("REPORT", PRINTED).replace("for step", wait))
    empty_repo.commit()
    with start(empty_repo, "train.py", LRS, *MEDIAN) as process:
        wait_for(empty_repo, "train.py", lambda run: run["flags"]["lr"] == 0.3)
        os.kill(supervisor_of(empty_repo, batch_of(empty_repo, "train.py")["id"]), signal.SIGKILL)
        process.communicate(timeout=60)
    gate.unlink()
    empty_repo.run("--restart", batch_of(empty_repo, "train.py")["id"], check=True)
    assert shown(empty_repo) == ENDS
    assert len(runs_of(empty_repo, "train.py")) == 5


STUBBORN = "import signal, os\nsignal.signal(signal.SIGTERM, lambda *_: open(os.environ['ASKED'], 'w').close())\n"


def test_a_kill_while_a_pruned_trial_ends_leaves_it_to_a_restart(empty_repo, monkeypatch):
    asked = empty_repo.path.parent / "asked"
    monkeypatch.setenv("ASKED", str(asked))
    repo = program(empty_repo, before=STUBBORN, after="while lr > 0.25:\n    time.sleep(1)\n")
    with start(repo, "train.py", "lr=[0.1,0.2,0.3]", *MEDIAN) as process:
        while not asked.exists():
            time.sleep(0.02)
        os.kill(supervisor_of(repo, batch_of(repo, "train.py")["id"]), signal.SIGKILL)
        process.communicate(timeout=60)
    assert shown(repo)[0.3] == "terminated"
    repo.git("config", "gitrun.stopGrace", "1")
    repo.run("--restart", batch_of(repo, "train.py")["id"], check=True)
    assert shown(repo) == {0.1: "completed", 0.2: "completed", 0.3: "pruned"}
    assert len(runs_of(repo, "train.py")) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prune", "median", "--minimize", "loss", "--minimize", "time"], "several metrics cannot be pruned"),
        (["--prune", "mediane", "--minimize", "loss"], "there is no pruner 'mediane'"),
        (["--prune", "median"], "--prune needs a metric"),
        (["--prune", "median", "--minimize", "loss", "--opt-flag", "prune_depth=2"], "no setting 'prune_depth'"),
    ],
)
def test_what_cannot_be_pruned_is_refused_before_anything_is_written(empty_repo, words, said):
    repo = program(empty_repo)
    ended = repo.run("train.py", LRS, *words)
    assert ended.returncode == 129
    assert said in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_restart_keeps_the_pruner_or_drops_it(empty_repo):
    repo = program(empty_repo)
    batch = prune(repo, flags={"lr": [0.1]}).id
    for options, kept in (({}, True), ({"prune": "none"}, False)):
        Project(repo.path).batch(restart=batch, **options)
        assert ("prune" in repo.git("show", f"refs/runs/{batch}:.gitrun/batch.toml")) is kept


def test_a_python_program_prunes_its_batch(empty_repo):
    repo = program(empty_repo)
    batch = prune(repo, flags={"lr": [0.1, 0.9]}, prune="threshold", opt_flags={"prune_upper": 2.5})
    assert (batch.counts.completed, batch.counts.pruned) == (1, 1)


def test_points_are_read_as_the_objective_means_them():
    data = b'{"step": 0, "loss": 1.5}\n{"step": 1.0, "loss": "NaN", "acc": 2}\nnonsense\n[1]\n{"step": 2, "loss": 0.5}\n'
    points = read_points(data, "loss:min")
    assert [step for step, _ in points] == [0, 1, 2]
    assert (points[0][1], points[2][1]) == (1.5, 0.5)
    assert read_points(data, "acc") == ((1, 2.0),)
    assert read_points(data, "nothing") == ()
    assert series_names("loss:min") == ("loss:min", "loss")
    assert series_names("a:b") == ("a:b",)


def test_points_of_a_thinned_series_begin_as_before():
    series, before = Series(), ()
    for step in range(1_000):
        series.add(step, float(step), step / 10, 5_000)
        now = points_of(series)
        assert now[: len(before)] == before
        before = now
