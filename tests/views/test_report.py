"""Reports as values: commits, runs, and what they are compared with."""

from __future__ import annotations

import json
import shutil

import pytest
from evil_texts import TRAIN


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
