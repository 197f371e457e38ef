"""A batch whose process was killed goes on with the trials, proposals and reused runs that it had."""

from __future__ import annotations

import importlib.util

import pytest
from sampled import sampled
from trial_lists import SUPERVISOR, batch_of, read_result, runs_of

from gitrun import Project, run_params_for_restart
from gitrun.lifecycle.batch_trials import append_reused, read_knowledge, read_reused, trial_of
from gitrun.model.batch_record import decode_batch

KILLER = f"""
import json, os, pathlib, signal, sys, time
lr = 0.1
n = 1
marks = pathlib.Path(os.environ["MARKS"])
mark = marks / str((lr, n))
if marks.exists() and not mark.exists():
    mark.touch()
    os.kill({SUPERVISOR}, signal.SIGKILL)
    time.sleep(60)
print("loss:", (lr - 0.3) ** 2 + n)
"""
"""A program that kills gitrun at its first call with any flags."""
SPACE = ("lr=[0.0:1.0]", "n=[1:9]")


@pytest.fixture
def repo(empty_repo, monkeypatch):
    """A repository with the program. Nothing is killed before `marks` of it exists."""
    monkeypatch.setenv("MARKS", str(empty_repo.path.parent / "marks"))
    empty_repo.write("train.py", KILLER)
    empty_repo.commit()
    return empty_repo


def marks_of(repo):
    return repo.path.parent / "marks"


def restart_until_complete(repo, batch, tries=20):
    """Restarts a batch until its process is not killed. Returns the number of restarts."""
    for count in range(1, tries + 1):
        if repo.run("--restart", batch).returncode == 0:
            return count
    raise AssertionError(f"it was killed {tries} times")


def points(repo, batch):
    """The flags of the trials of a batch, by number."""
    found = sorted(
        (run["trial"], run["flags"]["lr"], run["flags"]["n"]) for run in runs_of(repo, "train.py") if run["batch"] == batch
    )
    assert [number for number, *_ in found] == list(range(1, len(found) + 1))
    return [tuple(flags) for _, *flags in found]


OPTIONS = {"tpe": ("--opt-flag", "n_startup_trials=2"), "cmaes": ("--opt-flag", "popsize=3"), "random": ()}


@pytest.mark.parametrize("name", sampled(1, ["tpe", "cmaes", "random"]))
def test_proposals_are_the_same_after_a_kill_at_every_trial(repo, name):
    if name != "random":
        pytest.importorskip("optuna")
    if name == "cmaes" and not importlib.util.find_spec("cmaes"):
        pytest.skip("cmaes is not installed")
    words = ("train.py", *SPACE, "-o", name, "--max-trials", "4", "--random-seed", "5", *OPTIONS[name])
    repo.run(*words, check=True)
    straight = batch_of(repo, "train.py")["id"]
    marks_of(repo).mkdir()
    assert repo.run(*words).returncode != 0
    killed = runs_of(repo, "train.py+")[-1]["id"]
    assert restart_until_complete(repo, killed) == 4
    assert killed != straight
    assert points(repo, killed) == points(repo, straight)
    assert {run["status"] for run in runs_of(repo, "train.py")} == {"completed"}


def test_a_restart_reads_what_the_sampler_kept_with_trials(repo):
    pytest.importorskip("optuna")
    repo.run("train.py", *SPACE, "-o", "tpe", "-m", "4", "-j", "2", check=True)
    project = Project(repo.path)
    batch = project.find(batch_of(repo, "train.py")["id"])
    definition = decode_batch(repo.git("show", f"{batch.id}:.gitrun/batch.toml").encode())
    pairs = [(trial_of(run, definition.objectives), run) for run in project.trials(batch)]
    assert not any(trial.attrs for trial, _ in pairs)
    kept = {trial.number: dict(trial.attrs) for trial in read_knowledge(project.session(), pairs, definition)}
    assert kept[1] == {}
    assert kept[2] == {"running": [1]}
    repo.run("--restart", runs_of(repo, "train.py")[1]["id"], check=True)
    assert "running = [" in repo.git("show", f"refs/runs/{runs_of(repo, 'train.py')[1]['id']}:.gitrun/run.toml")


def test_reused_trials_of_a_killed_batch_stay_trials(repo):
    repo.run("train.py", "n=1", "lr=0.5", check=True)
    repo.run("train.py", "n=2", "lr=0.5", check=True)
    marks_of(repo).mkdir()
    assert repo.run("--needed", "train.py", "lr=0.5", "n=[1,2,3]").returncode != 0
    batch = batch_of(repo, "train.py")["id"]
    trials = read_result(repo, batch)["trials"]
    assert [(trial["number"], trial.get("reused", False)) for trial in trials] == [(1, True), (2, True), (3, False)]
    ended = repo.run("--restart", batch, check=True)
    assert "3 of 3 trials completed" in ended.stderr
    assert ended.stdout.count("loss:") == 1
    assert len(runs_of(repo, "train.py")) == 3


def test_a_cut_line_of_the_journal_of_reused_trials_does_not_count(tmp_path):
    journal = tmp_path / "trials.jsonl"
    assert list(read_reused(journal)) == []
    append_reused(journal, 3, "a" * 40)
    journal.write_text(journal.read_text() + '{"number": 4, "ru')
    (trial,) = read_reused(journal)
    assert (trial.number, trial.run_id, trial.reused) == (3, "a" * 40, True)


def test_a_trial_that_finds_no_room_is_left_to_a_restart(repo):
    slots = repo.path / ".git" / "gitrun" / "slots"
    slots.write_text("in the way")
    ended = repo.run("train.py", "lr=[0.1,0.2,0.3]")
    assert ended.returncode == 1
    assert ended.stderr.count("error: ") == 1
    batch = batch_of(repo, "train.py")
    assert "cannot start" in read_result(repo, batch["id"])["reason"]
    assert [run["status"] for run in runs_of(repo, "train.py")] == ["terminated"]
    slots.unlink()
    assert "3 of 3 trials completed" in repo.run("--restart", batch["id"], check=True).stderr
    assert len(runs_of(repo, "train.py")) == 3


def test_a_trial_that_was_changed_elsewhere_lets_the_others_end(repo):
    repo.write("move.py", MOVER)
    repo.commit()
    ended = repo.run("move.py", "n=[1,2,3]", "-j", "2", env={"COMMON": str(repo.path / ".git")})
    assert ended.returncode == 1
    assert "error: trial 1 cannot be recorded: run" in ended.stderr
    assert {run["flags"]["n"]: run["status"] for run in runs_of(repo, "move.py")}[2] == "completed"


MOVER = """
import os, subprocess, time
n = 1
if n == 1:
    run = os.environ["GITRUN_ID"]
    git = ["git", "--git-dir", os.environ["COMMON"]]
    # a commit that is neither an annotation nor an attempt of the run
    there = subprocess.check_output([*git, "commit-tree", "-m", "odd", "-p", run, run + "^{tree}"], text=True).strip()
    subprocess.run([*git, "update-ref", "refs/runs/" + run, there], check=True)
else:
    time.sleep(1.5)
"""


def test_an_optimizer_that_raises_is_an_error_and_another_goes_on(repo):
    pytest.importorskip("optuna")
    settings = ("--opt-flag", "n_ei_candidates=0", "--opt-flag", "n_startup_trials=2")
    failed = repo.run("train.py", SPACE[0], "-m", "4", "--optimizer", "tpe", "--minimize", "loss", *settings)
    before = [run["id"] for run in runs_of(repo, "train.py")]
    batch = Project(repo.path).find("train.py+")
    ended = repo.run("--restart", "train.py+", "--optimizer", "random", check=True)

    assert (failed.returncode, batch.status) == (1, "error")
    assert batch.attempt.reason.startswith("optimizer tpe failed: ValueError")
    assert "error: optimizer tpe failed: ValueError" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "4 of 4 trials completed" in ended.stderr
    assert len(before) == 2
    assert {*before} < {run["id"] for run in runs_of(repo, "train.py")}


def test_a_restart_keeps_settings_of_the_same_optimizer_alone(repo):
    pytest.importorskip("optuna")

    def settings_after(*words):
        repo.run("--restart", "train.py+", *words, check=True)
        batch = Project(repo.path).find("train.py+")
        kept = run_params_for_restart(batch)["opt_flags"]
        return decode_batch(repo.git("show", f"{batch.attempt.id}:.gitrun/batch.toml").encode()).options, kept

    repo.run("train.py", SPACE[0], "-m", "1", "--optimizer", "tpe", "--opt-flag", "n_startup_trials=2", "--minimize", "loss")
    assert settings_after("-m", "2") == ({"n_startup_trials": 2}, ["n_startup_trials=2"])
    assert settings_after("-m", "3", "--optimizer", "random") == ({}, [])
