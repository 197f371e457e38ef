"""Steps that are batches: the next step gets the best trial or each, and a restart goes on in the batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from clones import clone
from doctor_calls import doctor
from pipelines import by_operation, record
from sampled import sampled

from gitrun import Project
from gitrun.errors import UsageError

TRAIN = """\
import os, time
lr = 0.1
n = 0
print("loss:", abs(lr - 0.2))
while os.environ.get("GATE") and lr > 0.2 and os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
open("model.txt", "w").write(f"{lr} {open('data.txt').read()}")
"""
REPORT = "import glob\nprint(*(f'{name}={open(name).read()}' for name in sorted(glob.glob('**/model.txt', recursive=True))))\n"
NEEDS = 'train = { best = "loss", file = "model.txt" }'
PROJECT = """
[operations.prepare]
script = "prepare.py"
[operations.train]
script = "train.py"
needs = { prepare = "data.txt" }
[operations.summary]
script = "report.py"
needs = { %s }
[operations.all]
steps = ["prepare", %s, "summary"]
"""
STEP = '"train lr=[0.1,0.3,0.25]"'


def write_project(repo, needs=NEEDS, step=STEP):
    repo.write("gitrun.toml", PROJECT % (needs, step))


@pytest.fixture
def piped(repo):
    """A pipeline whose second step tries three values."""
    write_project(repo)
    repo.write("prepare.py", "n = 3\nopen('data.txt', 'w').write('x' * n)\n")
    repo.write("train.py", TRAIN)
    repo.write("report.py", REPORT)
    repo.commit()
    return repo


def trials(repo):
    """The trials of the newest batch of `train`, by number."""
    project = Project(repo.path)
    return project.read_batch(project.find("train+")).trials


def test_the_next_step_gets_the_files_of_the_best_trial(piped) -> None:
    done = piped.run("all", "n=2", check=True)
    assert done.stdout.splitlines()[-1] == "model.txt=0.25 xx"
    whole, batch = by_operation(piped)["all"], by_operation(piped)["train+"]
    assert [(step["operation"], step["run"], step["status"]) for step in record(piped, whole["id"])["steps"]][1] == (
        "train", batch["id"], "completed",
    )  # fmt: skip
    assert record(piped, batch["id"], "run.toml")["parent"] == whole["id"]
    prepare = by_operation(piped)["prepare"]["id"]
    assert {record(piped, run.id, "run.toml")["needs"][0]["run"] for run in trials(piped)} == {prepare}
    (need,) = record(piped, "summary", "run.toml")["needs"]
    assert need["run"] == trials(piped)[2].id
    assert doctor(piped) == ([], 0)


def test_each_puts_the_files_of_every_trial_below_its_number(piped) -> None:
    write_project(piped, 'train = { each = true, files = ["model.txt"] }')
    done = piped.run("all", "n=1", check=True)
    assert done.stdout.splitlines()[-1] == "train+/1/model.txt=0.1 x train+/2/model.txt=0.3 x train+/3/model.txt=0.25 x"
    assert [need["directory"] for need in record(piped, "summary", "run.toml")["needs"]] == ["train+/1", "train+/2", "train+/3"]
    shown = piped.run("show", "summary", check=True).stdout
    assert f"train {trials(piped)[1].id[:8]}  train+/2/model.txt" in shown
    assert not json.loads(piped.run("show", "summary", "--json", check=True).stdout)["files"]
    # a restart takes the same files again
    assert piped.run("--restart", "summary", check=True).stdout == done.stdout.splitlines(keepends=True)[-1]


@pytest.mark.parametrize(
    ("step", "needs", "best"),
    sampled(
        2,
        [
            ('{ run = "train", flags = { lr = [0.1, 0.4] } }', NEEDS, "0.1"),
            ('{ run = "train lr=[0.1,0.45]", maximize = "loss", jobs = 2 }', NEEDS, "0.45"),
            (STEP, NEEDS.replace("best", 'direction = "maximize", best'), "0.1"),
            ('{ run = "train lr=[0.1:0.3]", optimizer = "random", max-trials = 2, minimize = "loss" }', NEEDS, ""),
        ],
    ),
)
def test_best_is_what_the_batch_or_the_entry_is_after(piped, step, needs, best) -> None:
    write_project(piped, needs, step)
    words = piped.run("all", "n=1", check=True).stdout.splitlines()[-1]
    assert words.startswith(f"model.txt={best}")


def test_a_pipeline_that_was_killed_goes_on_in_its_batch(piped, tmp_path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    env = {**os.environ, "GATE": str(gate)}
    words = ["git", "run", "all", "n=1"]
    with subprocess.Popen(words, cwd=piped.path, env=env, stdout=subprocess.PIPE, start_new_session=True):
        project = Project(piped.path)
        wait_until(lambda: [run.status for run in project.list_runs() if run.operation == "train"] == ["running", "completed"])
        owner = json.loads((piped.path / ".git/gitrun/live" / project.find("all").id / "owner").read_text())
        os.kill(owner["pid"], signal.SIGKILL)
    gate.unlink()
    before = {run.id for run in project.list_runs()}
    whole, batch = project.find("all"), project.find("train+")
    assert (whole.status, batch.status) == ("terminated", "terminated")
    done = piped.run("--restart", "all", check=True)
    assert done.stdout.splitlines()[-1] == "model.txt=0.25 x"
    assert project.find("train+").id == batch.id
    assert [(run.flags["lr"], run.status) for run in trials(piped)] == [
        (0.1, "completed"),
        (0.3, "completed"),
        (0.25, "completed"),
    ]
    assert len(project.attempts(trials(piped)[0])) == 1
    assert len(before) + 2 == len(project.list_runs())
    assert doctor(piped) == ([], 0)


def wait_until(is_so) -> None:
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    assert is_so()


def test_needed_skips_trials_and_steps_that_have_run(piped) -> None:
    piped.write("report.py", "raise SystemExit(3)\n")
    assert piped.run("all", "n=1").returncode == 3
    first = trials(piped)
    piped.write("report.py", REPORT)
    write_project(piped, step='"train lr=[0.1,0.3,0.25,0.22]"')
    done = piped.run("--needed", "all", "n=1", check=True)
    assert done.stdout.splitlines()[-1] == "model.txt=0.22 x"
    assert trials(piped)[:3] == first
    # the runs of another preparation are not those that the trials rest on
    assert piped.run("--needed", "all", "n=2", check=True).stdout.count("loss") == 4


def test_trials_run_again_after_a_step_that_they_need_changed_its_files(piped) -> None:
    piped.write("prepare.py", "rows = 3\nopen('data.txt', 'w').write('x' * rows)\n")
    piped.run("all", "rows=1", check=True)
    before = [run.id for run in trials(piped)]
    assert piped.run("--restart", "all", check=True).stdout == "model.txt=0.25 x\n"
    done = piped.run("--restart", "all", "rows=2", check=True)
    assert (done.stdout.count("loss"), done.stdout.splitlines()[-1]) == (3, "model.txt=0.25 xx")
    assert [run.id for run in trials(piped)] == before


def test_reused_trials_make_room_for_new_ones_after_such_a_change(piped) -> None:
    piped.write("prepare.py", "rows = 3\nopen('data.txt', 'w').write('x' * rows)\n")
    piped.write("report.py", "raise SystemExit(3)\n")
    piped.run("all", "rows=1")
    piped.write("report.py", REPORT)
    assert piped.run("--needed", "all", "rows=1", check=True).stdout == "model.txt=0.25 x\n"
    done = piped.run("--restart", "all", "rows=2", check=True)
    assert (done.stdout.count("loss"), done.stdout.splitlines()[-1]) == (3, "model.txt=0.25 xx")


def test_a_restart_may_turn_a_step_into_a_batch_and_back(piped) -> None:
    write_project(piped, step='"train"')
    assert piped.run("all", "n=1", check=True).stdout.splitlines()[-1] == "model.txt=0.1 x"
    write_project(piped)
    assert piped.run("--restart", "all", "--force-sourcecode", check=True).stdout.splitlines()[-1] == "model.txt=0.25 x"
    write_project(piped, step='"train lr=0.2"')
    assert piped.run("--restart", "all", "--force-sourcecode", check=True).stdout.splitlines()[-1] == "model.txt=0.2 x"


def test_a_batch_of_failures_ends_the_pipeline(piped) -> None:
    piped.write("train.py", "lr = 0.1\nraise SystemExit(3)\n")
    assert piped.run("all").returncode == 1
    assert record(piped, "all")["reason"] == "step train: no trial completed"
    assert [step["status"] for step in record(piped, "all")["steps"]] == ["completed", "completed"]


def test_stopping_a_trial_leaves_the_pipeline(piped, tmp_path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    env = {**os.environ, "GATE": str(gate)}
    with subprocess.Popen(["git", "run", "all", "n=1"], cwd=piped.path, env=env, stdout=subprocess.PIPE) as process:
        project = Project(piped.path)
        wait_until(lambda: [run.status for run in project.list_runs() if run.operation == "train"] == ["running", "completed"])
        piped.run(
            "stop", next(run.id for run in project.list_runs() if run.status == "running" and run.attempt.trial), check=True
        )
        gate.unlink()
        output = process.communicate(timeout=60)[0]
    assert (process.returncode, output.splitlines()[-1]) == (0, b"model.txt=0.25 x")
    assert [run.status for run in trials(piped)] == ["completed", "terminated", "completed"]


def test_the_limit_of_a_pipeline_ends_its_batch(piped, tmp_path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    assert piped.run("all", "n=1", "--stop-after", "4s", env={"GATE": str(gate)}).returncode == 128 + signal.SIGTERM
    assert {run.status for run in Project(piped.path).list_runs() if run.operation in {"all", "train+"}} == {"terminated"}
    assert len(trials(piped)) == 2


@pytest.mark.parametrize(
    ("needs", "step", "words"),
    [
        ('train = "model.txt"', STEP, "summary needs files of one run of train, and step train is a batch"),
        (
            'train = { each = true, file = "model.txt" }',
            '"train"',
            "summary needs each trial of train, and step train is no batch",
        ),
        (NEEDS, '"train lr=[0.1,fast]"', "flag 'lr' of train must be a number, not 'fast'"),
        (NEEDS, '"train lr=[0.1,2] --jobs 2"', "has the word '--jobs', which is no flag"),
        (NEEDS, '{ run = "train", jobs = 2 }', "step train has options of a batch, and no flag with several values"),
        (NEEDS, '{ run = "train lr=[1,2]", jobs = 0 }', "must be a whole number of at least 1, not 0"),
        (NEEDS, '{ run = "train lr=[1,2]", optimizer = "none" }', "there is no optimizer 'none'"),
        (NEEDS.replace("best", "each = true, best"), STEP, "each cannot be combined with best"),
        ('train = { best = "loss" }', STEP, "needs the key files, or file"),
        ('train = { direction = "minimize", file = "m" }', STEP, "direction needs the key best"),
    ],
)
def test_what_cannot_run_is_refused_before_the_first_step(piped, needs, step, words) -> None:
    write_project(piped, needs, step)
    ended = piped.run("all")
    assert (ended.returncode, words in ended.stderr) == (129, True), ended.stderr
    assert Project(piped.path).list_runs() == []


def test_lists_for_the_whole_pipeline_are_refused(piped) -> None:
    ended = piped.run("all", "n=[1,2]")
    assert (ended.returncode, "Give the list to one step" in ended.stderr) == (129, True)
    with pytest.raises(UsageError, match="has steps"):
        Project(piped.path).batch("all", flags={"n": [1, 2]})
    assert Project(piped.path).list_runs() == []


def test_a_single_operation_takes_the_best_of_the_latest_batch(piped) -> None:
    piped.run("prepare", "n=1", check=True)
    assert "no such run exists" in piped.run("summary").stderr
    piped.run("train", "lr=0.4", check=True)
    assert piped.run("summary", check=True).stdout == "model.txt=0.4 x\n"
    piped.run("train", "lr=[0.1,0.19]", check=True)
    assert piped.run("summary", check=True).stdout == "model.txt=0.19 x\n"
    first = trials(piped)[0].id
    assert piped.run("summary", f"train={first}", check=True).stdout == "model.txt=0.1 x\n"
    write_project(piped, 'train = "model.txt"')
    ended = piped.run("summary", "train=train+")
    assert "is a run of train+. To use its best trial, in gitrun.toml: train = { best" in ended.stderr


def test_trials_use_one_run_of_what_they_need(piped) -> None:
    """A run that appears in the middle of a batch is not for its later trials."""
    piped.run("prepare", "n=1", check=True)
    piped.write(
        "train.py", TRAIN + "import subprocess\nsubprocess.run(['git', 'run', 'prepare', 'n=5'], cwd=os.environ['TOP'])\n"
    )
    piped.run("train", "lr=[0.1,0.3]", env={"TOP": str(piped.path)}, check=True)
    assert {record(piped, run.id, "run.toml")["needs"][0]["run"] for run in trials(piped)} == {
        record(piped, "train+", "run.toml")["needs"][0]["run"]
    }


def test_a_pipeline_is_listed_pushed_and_fetched_with_its_trials(piped, tmp_path) -> None:
    write_project(piped, 'train = { each = true, files = ["model.txt"] }')
    piped.run("all", "n=1", check=True)
    listed = json.loads(piped.run("list", "--json", check=True).stdout)
    assert [run["operation"] for run in listed] == ["summary", "train+", "prepare", "all"]
    assert "step:      train " in piped.run("show", "all", check=True).stdout
    server = tmp_path / "server"
    subprocess.run(["git", "init", "--quiet", "--bare", server], check=True)
    piped.run("push", str(server), "all", check=True)
    other = clone(piped.path, tmp_path / "other")
    other.run("fetch", str(server), check=True)
    assert {run.id for run in Project(other.path).list_runs()} == {run.id for run in Project(piped.path).list_runs()}
    piped.run("rm", "train+", check=True)
    # the whole stays, and makes a new batch
    assert piped.run("--restart", "all", check=True).stdout.count("loss") == 3
