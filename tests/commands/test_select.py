"""git run select: the ids of runs for other commands."""

from __future__ import annotations

import json

import pytest

from gitrun import Project


def test_select_prints_full_ids(two) -> None:
    ids = [run.id for run in Project(two.path).list_runs()]
    assert two.run("select").stdout.split() == ids[:1]
    assert two.run("select", "2", "make.py", ids[1][:4]).stdout.split() == [ids[1], ids[0]]
    assert two.run("select", "1", "nosuch").returncode == 128


def test_select_prints_the_best_run(four) -> None:
    ids = [run["id"] for run in json.loads(four.run("list", "--json").stdout)]
    assert four.run("select", "--max", "x").stdout.split() == [ids[0]]
    assert four.run("select", "--op", "echo.py", "--min", "x").stdout.split() == [ids[3]]
    assert four.run("select", "--where", "x>1", "--all").stdout.split() == ids[:3]
    assert four.run("select", "--where", "x>100").returncode == 128


def test_select_of_what_is_no_number_says_so(four) -> None:
    four.run("--", "printf", "score: nan\n", check=True)
    for name in ("score", "z"):
        ended = four.run("select", "--min", name)
        assert (ended.returncode, ended.stdout) == (128, "")
        assert ended.stderr.startswith(f"gitrun: error: '{name}' is not a number in any of these runs")
    assert four.run("select", "--min", "x", "--where", "x>100").stderr.startswith("gitrun: error: no runs match")


@pytest.mark.parametrize("words", ["--min x --all", "--max x --all", "--min x --max y"])
def test_select_of_one_run_and_of_others_is_refused(four, words) -> None:
    ended = four.run("select", *words.split())
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (129, "", 1)


@pytest.mark.parametrize("words", [("select", "--min"), ("select", "--max"), ("compare", "--min"), ("compare", "--max")])
def test_best_by_a_name_that_no_run_has_is_refused_in_one_line(four, words) -> None:
    ended = four.run(*words, "nosuch")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (129, "", 1)
    assert "no run has 'nosuch'" in ended.stderr
    assert four.run("list", "--where", "x>100", "--sort", "nosuch").returncode == 0
