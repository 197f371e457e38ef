"""git run check: a gate on the metrics of what HEAD stands for."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from templates import made_once

from gitrun import Project

pytestmark = pytest.mark.usefixtures("forked")
TRAIN = "import sys\nlevel = {}\nprint('loss:', level)\nprint('acc:', 1 - level)\n"


@pytest.fixture
@made_once
def topic(repo):
    """main with a run that had loss 0.5, and a branch with one that had 0.4, made before its commit."""
    repo.write("train.py", TRAIN.format(0.5))
    repo.commit("start")
    repo.run("train.py", check=True)
    repo.git("checkout", "-q", "-b", "topic")
    repo.write("train.py", TRAIN.format(0.4))
    repo.run("train.py", check=True)
    repo.commit("better")
    return repo


@pytest.mark.parametrize(
    ("gates", "code"),
    [(["loss<=base"], 0), (["loss<base*0.8"], 1), (["loss<=base", "acc>0.7"], 1), (["loss<=base", "acc>base"], 0)],
)
def test_run_of_head_is_held_against_that_of_main(topic, gates, code) -> None:
    ended = topic.run("check", *(word for gate in gates for word in ("--metric", gate)))
    assert ended.returncode == code, ended
    assert ended.stdout.startswith(("passed: run ", "failed: run ")[code])
    assert len(ended.stdout.splitlines()) == len(gates) + 1


def test_base_may_be_a_run_or_a_commit(topic) -> None:
    newest, older = (run.id for run in Project(topic.path).list_runs())
    for base, loss in ((older, 0.5), ("main", 0.5), ("1", 0.4)):
        found = json.loads(topic.run("check", "--metric", "loss<=base", "--base", base, "--json").stdout)
        assert (found["run"]["id"], found["gates"][0]["base"]) == (newest, loss)


def test_run_that_failed_fails_though_an_earlier_one_passed(topic) -> None:
    topic.write("train.py", TRAIN.format(0.1) + "sys.exit(1)\n")
    topic.run("train.py")
    ended = topic.run("check", "--metric", "loss<base")
    assert ended.returncode == 1
    assert "error" in ended.stdout


def test_run_of_another_operation_does_not_stand_for_head(topic) -> None:
    topic.run("echo.py", check=True)
    assert "train.py" in topic.run("check", "--metric", "loss<base", check=True).stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--metric", "nosuch<1"), 128), (("--metric", "loss<base", "--base", "HEAD"), 128),
        (("--metric", "loss<base", "nosuch"), 128),
        (("--metric", "loss<base", "--base", "nosuch"), 128), ((), 129), (("--metric", "loss"), 129),
    ],
)  # fmt: skip
def test_nothing_to_compare_is_said(topic, words, code) -> None:
    ended = topic.run("check", *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith("gitrun: error: ")


def test_head_without_runs_is_said(repo) -> None:
    ended = repo.run("check", "--metric", "loss<1")
    assert (ended.returncode, ended.stderr.count("\n")) == (128, 1)
    assert "no run was made from commit" in ended.stderr


def test_numbers_that_differ_are_not_shown_as_equal(repo) -> None:
    repo.run("--", "printf", "params: 1234568\nloss: 0.1234567\n", check=True)
    said = repo.run("check", "1", "--metric", "params<=1234567", "--metric", "loss<=0.1234566").stdout
    assert "params is 1234568, limit 1234567\n" in said
    assert "loss is 0.1234567, limit 0.1234566\n" in said


@pytest.fixture
@made_once
def history(repo):
    """Eight commits: the loss gets worse at the fifth; the third crashes, the sixth prints no loss."""
    for number in range(1, 9):
        loss = 0.1 if number < 5 else 0.9
        text = {3: "1 / 0\n", 6: "print('nothing')\n"}.get(number, f"x = 1.0\nprint('loss:', x * {loss})\n")
        repo.write("train.py", text + f"# {number}\n")
        repo.commit(f"number {number}")
    return repo


def bisect(repo, *words: str) -> str:
    """The commit that git bisect finds, and where that leaves the repository."""
    repo.git("bisect", "start", "HEAD", "HEAD~7")
    ended = subprocess.run(
        ["git", "bisect", "run", "git", "run", "check", "--commit", *words],
        cwd=repo.path,
        capture_output=True,
        text=True,
        check=False,
    )
    repo.git("bisect", "reset")
    assert "Traceback" not in ended.stderr
    return ended.stdout


def test_bisect_finds_the_commit_at_which_a_metric_got_worse(history) -> None:
    said = bisect(history, "train.py", "--metric", "loss<0.5")
    assert re.search("is the first .?bad.? commit", said)  # quoted from git 2.52 on
    assert "number 5\n" in said
    assert history.git("status", "--porcelain") == ""
    before = len(Project(history.path).list_runs())
    assert "number 5\n" in bisect(history, "--metric", "loss<0.5")
    assert len(Project(history.path).list_runs()) <= before + 2


def test_bisect_finds_the_commit_at_which_a_program_crashes(repo) -> None:
    for number in range(1, 6):
        repo.write("t.py", f"print({number})\n" + ("1 / 0\n" if number >= 4 else ""))
        repo.commit(f"number {number}")
    repo.git("bisect", "start", "HEAD", "HEAD~4")
    said = repo.git("bisect", "run", "git", "run", "check", "--commit", "t.py")
    assert re.search("is the first .?bad.? commit", said)  # quoted from git 2.52 on
    assert "number 4\n" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["train.py", "--metric", "loss<0.5"], 1),
        (["train.py", "x=0.1", "--metric", "loss<0.5"], 0),
        (["--metric", "loss<0.5"], 1),
        (["train.py"], 0),
        (["none.py", "--metric", "loss<0.5"], 125),
        (["train.py", "y=1", "--metric", "loss<0.5"], 125),
        (["train.py", "--metric", "other<0.5"], 125),
        (["train.py", "--metric", "loss<base:loss", "--base", "HEAD~4"], 125),
        (["train.py", "more", "--metric", "loss<0.5"], 125),
        (["train.py", "--metric", "loss<<"], 129),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_codes_of_a_judged_commit(history, words, code) -> None:
    history.run("train.py", check=True)
    ended = history.run("check", "--commit", *words)
    assert ended.returncode == code, ended
    assert ("cannot be judged" in ended.stderr) == (code == 125)


def test_a_commit_that_has_its_run_is_not_run_again(history) -> None:
    history.run("train.py", check=True)
    ended = history.run("check", "--commit", "train.py", "--metric", "loss<1", "--json")
    assert json.loads(ended.stdout)["passed"]
    assert len(Project(history.path).list_runs()) == 1
    history.write("train.py", "x = 1.0\nprint('loss:', 5)\n")
    assert history.run("check", "--commit", "train.py", "--metric", "loss<1").returncode == 1
    assert len(Project(history.path).list_runs()) == 2


def test_two_runs_are_not_checked_at_once(history) -> None:
    assert history.run("check", "1", "2", "--metric", "loss<1").returncode == 129
