"""git run check: a gate on the metrics of what HEAD stands for."""

from __future__ import annotations

import json

import pytest

from gitrun import Project

TRAIN = "import sys\nlevel = {}\nprint('loss:', level)\nprint('acc:', 1 - level)\n"


@pytest.fixture
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
    assert ended.stderr.startswith("gitrun: ")


def test_head_without_runs_is_said(repo) -> None:
    ended = repo.run("check", "--metric", "loss<1")
    assert (ended.returncode, ended.stderr.count("\n")) == (128, 1)
    assert "no run was made of commit" in ended.stderr


def test_numbers_that_differ_are_not_shown_as_equal(repo) -> None:
    repo.run("--", "printf", "params: 1234568\nloss: 0.1234567\n", check=True)
    said = repo.run("check", "1", "--metric", "params<=1234567", "--metric", "loss<=0.1234566").stdout
    assert "params is 1234568, limit 1234567\n" in said
    assert "loss is 0.1234567, limit 0.1234566\n" in said
