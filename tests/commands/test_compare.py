"""git run compare: runs side by side."""

from __future__ import annotations

import csv
import json

import pytest
from templates import made_once

from gitrun import Project

FIT = """\
import gitrun
lr = 0.1
same = 1
deep = False
gitrun.log({"loss": lr * 2, "acc": 1 - lr, "fixed": 1})
"""


@pytest.fixture
@made_once
def three(empty_repo):
    """A repository with three runs of fit.py, lr 0.3, 0.1 and 0.2 from old to new, the last one deep."""
    empty_repo.write("fit.py", FIT)
    empty_repo.commit()
    project = Project(empty_repo.path)
    for flags in ({"lr": 0.3}, {"lr": 0.1}, {"lr": 0.2, "deep": True}):
        project.run("fit.py", flags=flags)
    return empty_repo


def rows(repo, *words: str) -> list[dict[str, str]]:
    return list(csv.DictReader(repo.run("compare", *words, "--csv", check=True).stdout.splitlines()))


def test_only_flags_and_metrics_that_differ_have_a_column(three) -> None:
    head = three.run("compare", check=True).stdout.splitlines()[0].split()
    assert set(head) - {"id", "started", "duration"} == {"deep", "lr", "loss", "acc"}
    assert {"same", "fixed"} <= set(three.run("compare", "--equal").stdout.splitlines()[0].split())
    assert "deep" not in three.run("compare", "2:3").stdout


def test_csv_has_values_in_full_and_times_in_utc(three) -> None:
    found = rows(three)
    assert [row["id"] for row in found] == [run.id for run in Project(three.path).list_runs()]
    assert [(row["lr"], row["deep"], row["loss"]) for row in found] == [
        ("0.2", "true", "0.4"),
        ("0.1", "false", "0.2"),
        ("0.3", "false", "0.6"),
    ]
    assert all(row["started"].endswith("Z") for row in found)


def test_best_come_first_and_top_cuts(three) -> None:
    assert [row["lr"] for row in rows(three, "--min", "loss")] == ["0.1", "0.2", "0.3"]
    assert [row["lr"] for row in rows(three, "--max", "loss", "--top", "2")] == ["0.3", "0.2"]
    assert three.run("compare", "--max", "loss", "--min", "acc").returncode == 129


def test_runs_are_chosen_by_names_and_filters(three) -> None:
    assert [row["lr"] for row in rows(three, "3", "1")] == ["0.3", "0.2"]
    assert [row["lr"] for row in rows(three, "--where", "lr<0.25", "--sort", "lr")] == ["0.1", "0.2"]
    ended = three.run("compare", "--where", "lr>1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "gitrun: no runs match\n")


def test_columns_are_those_named(three) -> None:
    said = three.run("compare", "--columns", "lr,metric:loss,operation", "--csv", check=True).stdout
    assert said.splitlines()[:2] == ["lr,metric:loss,operation", "0.2,0.4,fit.py"]
    ended = three.run("compare", "--columns", "id,nosuch")
    assert (ended.returncode, ended.stderr.count("\n")) == (129, 1)


def test_json_is_an_object_a_run(three) -> None:
    found = json.loads(three.run("compare", "--json", "--min", "loss", check=True).stdout)
    assert [(run["lr"], run["deep"], run["status"]) for run in found] == [
        (0.1, False, "completed"),
        (0.2, True, "completed"),
        (0.3, False, "completed"),
    ]


def test_flag_and_metric_of_one_name_are_told_apart(empty_repo) -> None:
    empty_repo.write("a.py", "import gitrun\nx = 1\nid = 0\ngitrun.log({'x': -x})\n")
    for x in (1, 2):
        empty_repo.run("a.py", f"x={x}", f"id={x}", check=True)
    row = rows(empty_repo)[0]
    assert (row["flag:x"], row["metric:x"], row["flag:id"]) == ("2", "-2.0", "2")
    assert f"refs/runs/{row['id']}" in empty_repo.git("for-each-ref", "--format=%(refname)").splitlines()


def test_newest_twenty_are_compared_and_the_rest_is_said(empty_repo) -> None:
    empty_repo.write("a.py", "x = 0\n")
    project = Project(empty_repo.path)
    for x in range(21):
        project.run("a.py", flags={"x": x}, stage=True)
    ended = empty_repo.run("compare", "--csv", check=True)
    assert (len(ended.stdout.splitlines()), ended.stderr) == (21, "gitrun: 1 more. To compare all: --all\n")
    assert len(rows(empty_repo, "--all")) == 21


def test_nothing_a_run_says_reaches_a_terminal_as_it_is(empty_repo) -> None:
    empty_repo.write("a.py", "x = ''\n")
    for text in ("\x1b]0;t\x07", "plain"):
        empty_repo.run("a.py", f"x={text}", check=True)
    env = {"GIT_PAGER_IN_USE": "true"}
    for words, text in (((), '"\\u001b]0;t\\u0007"'), (("--csv",), "\\x1b]0;t\\x07")):
        said = empty_repo.run("compare", "--no-color", *words, env=env).stdout
        assert text in said
        assert "\x1b" not in said


def test_table_of_very_many_names_shows_some_and_says_so_and_csv_has_all(repo) -> None:
    names = [f"flag{number:03}={number}" for number in range(250)]
    repo.run(*names, "--", "true", check=True)
    repo.run("--", "true", check=True)
    shown = repo.run("compare", check=True)
    assert "flag190" in shown.stdout
    assert "flag249" not in shown.stdout
    assert "more columns. To see them: --columns NAMES, or --csv" in shown.stderr
    assert "flag249" in repo.run("compare", "--csv", check=True).stdout
    assert "flag249" in repo.run("compare", "--columns", "id,flag249", check=True).stdout


def test_a_very_long_label_makes_no_line_long(repo) -> None:
    repo.run("--label", "x" * 30_000, "--", "true", check=True)
    repo.run("--", "true", check=True)
    for verb in ("list", "compare"):
        lines = sorted(map(len, repo.run(verb, check=True).stdout.splitlines()))
        assert lines[-1] < 2_000


def test_csv_has_no_formulas_and_no_bare_escapes(empty_repo) -> None:
    empty_repo.write("a.py", "x = 'a'\ny = 0\nimport gitrun\ngitrun.log({'=1+1': 2, 'b': -1.5})\n")
    empty_repo.commit()
    for flags in ({"x": "=HYPERLINK(1)", "y": -3}, {"x": "@sum"}, {"x": "-x"}):
        Project(empty_repo.path).run("a.py", flags=flags)
    found = rows(empty_repo, "--columns", "x,y,b,=1+1")
    assert [row["x"] for row in found] == ["'-x", "'@sum", "'=HYPERLINK(1)"]
    assert (found[2]["y"], found[2]["b"], found[2]["'=1+1"]) == ("-3", "-1.5", "2.0")


def test_metrics_that_differ_are_not_shown_as_equal(repo) -> None:
    for number in (1234567, 1234568):
        repo.run("--", "printf", f"params: {number}\nloss: 0.{number}\nacc: 0.{number % 3}\n", check=True)
    said = repo.run("compare", "--columns", "params,loss,acc", check=True).stdout.split()[3:]
    assert said == ["1234568", "0.1234568", "0.2", "1234567", "0.1234567", "0.1"]


def test_flag_is_shown_as_it_is_typed_and_csv_has_the_bare_text(repo) -> None:
    for word in ("v=true", "v='true'", "v='a b'"):
        repo.run(word, "--label", "a b", "--", "true", check=True)
    lines = repo.run("compare", "--columns", "v,label", check=True).stdout.splitlines()
    assert [line.rstrip() for line in lines] == ["v       label", "'a b'   a b", "'true'  a b", "true    a b"]
    assert [row["v"] for row in rows(repo)] == ["a b", "true", "true"]


def test_what_orders_the_trials_of_a_batch_is_shown_even_if_equal(empty_repo) -> None:
    empty_repo.write("t.py", "lr = 0.1\nprint('loss:', 1)\nprint('error:', lr)\n")
    empty_repo.commit()
    empty_repo.run("t.py", "lr=[0.1,0.2]", "--minimize", "loss", check=True)
    for words in (("t.py+",), ("t.py+", "--top", "1"), ("--op", "t.py", "--min", "loss")):
        assert "loss" in empty_repo.run("compare", *words, check=True).stdout.splitlines()[0], words
