"""The short ways: options of a letter, files of runs, undoing a deletion, and words that say which run was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sampled import sampled_values
from templates import made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
@made_once
def three(repo) -> Repo:
    """Three runs of echo.py, x from 1 to 3."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo


def ids(repo) -> list[str]:
    return repo.run("select", "--all").stdout.split()


def test_letters_stand_for_label_tag_comment_and_dry_run(repo) -> None:
    assert repo.run("-n", "echo.py", check=True).stdout.startswith("operation: echo.py")
    assert ids(repo) == []
    repo.run("echo.py", "-l", "best", "-t", "a", "-t", "b", "-c", "said", check=True)
    found = json.loads(repo.run("show", "--json").stdout)
    assert (found["label"], found["tags"], found["comments"][0]["text"]) == ("best", ["a", "b"], "said")


@pytest.mark.parametrize("words", [("-l", "best"), ("-t", "a"), ("-tb",)])
def test_letters_filter_runs(three, words) -> None:
    three.run("label", "best", "2", check=True)
    three.run("tag", "a,b", "2", check=True)
    second = ids(three)[1]
    assert three.run("select", "--all", *words, check=True).stdout.split() == [second]
    assert second[:8] in three.run("rm", "-n", *words, check=True).stderr


def test_restore_without_a_word_brings_back_what_the_last_rm_took(three) -> None:
    third, second, first = ids(three)
    three.run("rm", first, check=True)
    three.run("rm", second, third, check=True)
    assert three.run("restore", check=True).stderr.splitlines()[-1] == "gitrun: restored 2 runs"
    assert ids(three) == [third, second]
    three.run("restore", check=True)
    assert ids(three) == [third, second, first]
    assert three.run("restore", check=True).stderr == "gitrun: nothing to restore\n"


@pytest.mark.parametrize("name", sampled_values(1, ["2", "echo.py", "best"]))
def test_restart_of_a_run_that_has_another_name_says_its_id(three, name) -> None:
    three.run("label", "best", "2", check=True)
    run = Project(three.path).find(name).id
    assert f"gitrun: restarting run {run[:8]} echo.py\n" in three.run("--restart", name, check=True).stderr
    assert "restarting" not in three.run("--restart", run, check=True).stderr
    assert "restarting" not in three.run("--restart", run[:6], check=True).stderr


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("label", "best"), "is labelled 'best'"),
        (("tag", "a,b"), "is tagged a, b"),
        (("mark",), "is marked"),
        (("comment", "-m", "x"), "is commented"),
    ],
)
def test_what_was_noted_is_said_of_each_run_by_id_and_operation(three, words, state) -> None:
    assert three.run(*words, "1", check=True).stderr == f"gitrun: run {ids(three)[0][:8]} echo.py {state}\n"
    if words[0] != "mark":
        three.run("echo.py", check=True)
        told = three.run(*words, "1:2", check=True).stderr
        assert f": {ids(three)[0][:8]} echo.py" in told
        assert told.count("\n") == 1


def test_deleting_and_restoring_name_the_run_and_its_operation(three) -> None:
    run = ids(three)[0]
    assert three.run("rm", "1", check=True).stderr.startswith(f"gitrun: deleted run {run[:8]}  echo.py")
    assert three.run("restore", check=True).stderr.startswith(f"gitrun: restored run {run[:8]}  echo.py")
