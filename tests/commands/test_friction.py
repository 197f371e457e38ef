"""The short ways: options of a letter, files of runs, undoing a deletion, and words that say which run was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clones import clone
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


def test_file_of_a_run_is_named_behind_it_or_with_a_colon(repo) -> None:
    repo.write("make.py", "open('out.txt', 'w').write('made')\n")
    repo.write("in/note.txt", "noted")
    repo.run("make.py", check=True)
    run = ids(repo)[0]
    for words in (
        ["1", "out.txt"],
        [f"{run}:out.txt"],
        ["1:out.txt"],
        ["make.py:out.txt"],
        [":out.txt"],
        ["-p", "out.txt", "1"],
    ):
        assert repo.run("cat", *words, check=True).stdout == "made", words
    assert repo.run("cat", "1:note.txt", cwd=repo.path / "in", check=True).stdout == "noted"
    assert "open(" in repo.run("cat", "--sourcecode", "1:make.py", check=True).stdout
    repo.run("label", "a:b", "1", check=True)
    assert repo.run("cat", "--flags", "a:b").returncode == 0
    assert repo.run("cat", "1", "out.txt", "-p", "x").returncode == 129
    assert repo.run("cat", "1:nothing").returncode == 128


def test_restore_without_a_word_brings_back_what_the_last_rm_took(three) -> None:
    third, second, first = ids(three)
    three.run("rm", first, check=True)
    three.run("rm", second, third, check=True)
    assert three.run("restore", check=True).stderr.splitlines()[-1] == "gitrun: restored 2 runs"
    assert ids(three) == [third, second]
    three.run("restore", check=True)
    assert ids(three) == [third, second, first]
    assert three.run("restore", check=True).stderr == "gitrun: nothing to restore\n"


@pytest.mark.parametrize("name", ["2", "echo.py", "best"])
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


def test_trust_takes_filters_and_ranges(three, tmp_path) -> None:
    other = clone(three.path, tmp_path / "other")
    other.run("fetch", check=True)
    untrusted = json.loads(other.run("trust", "--json", check=True).stdout)["untrusted"]
    assert len(untrusted) == 3
    assert len(other.run("trust", "--where", "x<3", "--op", "echo.py", check=True).stderr.splitlines()) == 2
    other.run("trust", "1:2", check=True)
    assert json.loads(other.run("trust", "--json").stdout)["untrusted"] == []
    assert other.run("trust", "--op", "nothing").returncode == 128


def test_fetch_and_push_name_ten_runs_and_count_the_rest(repo, tmp_path) -> None:
    for x in range(12):
        repo.run("echo.py", f"x={x}", "--stage", check=True)
    other = clone(repo.path, tmp_path / "other")
    told = other.run("fetch", check=True).stderr.splitlines()
    assert (len(told), told[-1]) == (11, "gitrun: new: 12 runs")
    told = other.run("push", "--all", "-n", check=True).stderr.splitlines()
    assert (len(told), told[-1]) == (11, "gitrun: would push to origin: 12 runs")
