"""push, fetch, pull, trust, export, import: what they say, what they refuse, and how they end."""

from __future__ import annotations

import re

import pytest
from clones import run


def said(text: str) -> list[str]:
    return [re.sub(r"\b[0-9a-f]{8}\b", "ID", line) for line in text.splitlines()]


def test_words_of_push_and_fetch(team) -> None:
    run(team.ann, x=1.0)
    run(team.ann, x=2.0)
    assert said(team.ann.run("push", "1", check=True).stderr) == ["gitrun: pushed 1 run to origin"]
    assert said(team.ann.run("push", check=True).stderr) == ["gitrun: pushed 1 run to origin, 1 already there"]
    assert said(team.bob.run("fetch", check=True).stderr) == [
        "gitrun: new: run ID  echo.py  x=1.0 y=2 z=a  completed",
        "gitrun: new: run ID  echo.py  x=2.0 y=2 z=a  completed",
    ] or said(team.bob.run("list", check=True).stdout)
    team.ann.run("tag", "t", "1", check=True)
    team.ann.run("push", "-q", check=True)
    assert said(team.bob.run("pull", check=True).stderr) == ["gitrun: updated: run ID  echo.py  x=2.0 y=2 z=a  completed"]
    assert team.bob.run("fetch", "-q", check=True).stderr == ""


@pytest.mark.parametrize("verb", ["push", "fetch", "pull"])
def test_word_that_is_neither_a_remote_nor_a_run_is_said_to_be_neither(team, verb) -> None:
    told = team.ann.run(verb, "nowhere")
    assert told.returncode == 128
    assert told.stderr.startswith("gitrun: error: 'nowhere' is neither a remote nor a run. ")


@pytest.mark.parametrize("words", [("push",), ("fetch",), ("pull",), ("doctor", "--remote"), ("push", "--all")])
def test_a_password_in_the_url_of_a_remote_is_not_said(repo, words) -> None:
    repo.run("echo.py", check=True)
    done = repo.run(*words, "http://u:SECRET@127.0.0.1:1/p.git")
    assert done.returncode in {1, 128}
    assert "http://127.0.0.1:1/p.git" in done.stdout + done.stderr
    assert "SECRET" not in done.stdout + done.stderr
