"""Reports as values: commits, runs, and what they are compared with."""

from __future__ import annotations

import json
import shutil

import pytest
from evil_texts import TRAIN

from gitrun import Project


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_same_runs_give_the_same_bytes_whatever_the_world_is(topic, form) -> None:
    one = topic.run_bytes("report", "--format", form)
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "tr_TR", "COLUMNS": "20", "TERM": "xterm"}
    assert one.returncode == 0
    assert topic.run_bytes("report", "--format", form, env=other).stdout == one.stdout
    shutil.copytree(topic.path, topic.path.parent / "elsewhere", symlinks=True)
    again = topic.run_bytes("report", "--format", form, cwd=topic.path.parent / "elsewhere")
    assert again.stdout == one.stdout
    assert str(topic.path).encode() not in one.stdout


def test_difference_to_the_run_before_names_environment_and_code(topic) -> None:
    topic.run("train.py", "lr=0.3", env={"GITRUN_TEST": "1"}, check=True)
    topic.write("train.py", TRAIN + "print('more')\n")
    topic.run("train.py", "lr=0.4", check=True)
    newest = json.loads(topic.run("report", "train.py", "--json").stdout)["details"][0]
    assert newest["flags"] == {"lr": [0.3, 0.4]}
    assert newest["source"] == [{"path": "train.py", "what": "changed"}]
    assert newest["output"][-1] == "more"


def test_older_runs_of_a_commit_are_counted(topic) -> None:
    for lr in ("0.6", "0.7", "0.8"):
        topic.run("train.py", f"lr={lr}", check=True)
    runs = Project(topic.path).runs
    whole, newest = (runs.build_report(runs.read_range("HEAD"), most) for most in (-1, 2))

    commit = next(commit for commit in newest.commits if commit.more)
    assert [run.flags["lr"] for run in (*commit.exact, *commit.changed)] == [0.8, 0.7]
    assert len(newest.all_runs) + newest.older == len(whole.all_runs)
    assert (whole.older, len(newest.details) < len(whole.details)) == (0, True)
    assert f"{len(whole.all_runs)} runs of" in newest.counts
    assert f"; the newest {len(newest.all_runs)}: " in newest.counts
