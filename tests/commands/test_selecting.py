"""Filters, ranges, orders, columns and formats mean the same runs for every verb."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from sampled import sampled
from templates import made_once

if TYPE_CHECKING:
    from repository import Repo


def xs(repo: Repo, *words: str) -> list[float]:
    return [run["flags"]["x"] for run in json.loads(repo.run("list", "--json", *words, check=True).stdout)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), [4, 3, 2, 1]),
        (("2:3",), [3, 2]),
        ((":2",), [4, 3]),
        (("3:",), [2, 1]),
        (("1", "4"), [4, 1]),
        (("-n", "2"), [4, 3]),
        (("--op", "fail.py"), [4]),
        (("--status", "error"), [4]),
        (("--status", "error", "--status", "completed", "-n", "2"), [4, 3]),
        (("--where", "x<3 and status=completed"), [2, 1]),
        (("--where", "z=odd", "--sort", "x"), [1, 3]),
        (("--sort=-x",), [4, 3, 2, 1]),
        (("--sort=x", "1:2"), [3, 4]),
        (("--branch", "main", "-n", "1"), [4]),
        (("--branch", "other"), []),
        (("--since", "1.hour"), [4, 3, 2, 1]),
        (("--until", "yesterday"), []),
        (("--author", "a user"), [4, 3, 2, 1]),
        (("--author", "nobody"), []),
    ],
)
def test_words_mean_runs(four, words, found) -> None:
    assert xs(four, *words) == found


def test_labels_and_tags_are_filters(four) -> None:
    four.run("label", "best", "2", check=True)
    four.run("tag", "paper,slow", "2:3", check=True)
    four.run("tag", "-d", "slow", "3", check=True)
    assert xs(four, "--label", "best") == [3]
    assert xs(four, "--tag", "paper") == [3, 2]
    assert xs(four, "--tag", "paper", "--tag", "slow") == [3]


def test_authors_are_those_of_the_mailmap(four) -> None:
    four.write(".mailmap", "Proper Name <proper@example.org> <user@example.org>\n")
    assert xs(four, "--author", "proper name", "-n", "1") == [4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--where", "x<"), "cannot read the filter: expected a value after '<'"),
        (("--since", "nonsense"), "'nonsense' is not a date"),
        (("--format", "%(nope)"), "no atom %(nope)"),
        (("9:12",), "no runs 9:12 in the list"),
        (("nope",), "no run 'nope'"),
        (("-n", "0"), "must be 1 or more, not 0"),
        (
            ("--status", "foo"),
            "'foo' is not one of 'completed', 'error', 'terminated', 'pruned', 'running', 'staged', 'pending'",
        ),
        (("--sort", "nosuch"), "no run has 'nosuch'"),
        (("--sort=-flag:nosuch",), "no run has 'flag:nosuch'"),
    ],
)
def test_words_that_mean_nothing_are_refused(four, words, message) -> None:
    ended = four.run("list", *words)
    assert message in ended.stderr
    assert ended.returncode in {128, 129}
    assert ended.stdout == ""


def test_caret_stands_below_the_place(four) -> None:
    lines = four.run("list", "--where", "x<3 and").stderr.splitlines()
    assert lines[1:] == ["  x<3 and", "         ^"]


@pytest.mark.parametrize("verb", ["list", "compare", "select", "rm", "tag slow"])
def test_name_that_no_run_has_is_told_where_nothing_fits(four, verb) -> None:
    for where, why in (("status=error and xx=4", "no run has 'xx'"), ("x>4", "no runs match")):
        severity = "" if verb in {"list", "compare"} else "error: "  # an empty list is no error
        assert four.run(*verb.split(), "--where", where).stderr.startswith(f"gitrun: {severity}{why}")
    assert four.run("list", "--where", "xx=4").returncode == 0


def test_format_is_a_line_a_run_or_ends_with_nul(four) -> None:
    assert four.run("list", "--format", "%(status)%09%(flag:x)", "-n", "2").stdout == "error\t4\ncompleted\t3\n"
    assert four.run("list", "--format", "%(flag:x)", "-z", "-n", "2").stdout == "4\x003\x00"


@pytest.fixture
@made_once
def ran(repo: Repo) -> Repo:
    """A repository with one run."""
    repo.run("echo.py", check=True)
    return repo


@pytest.mark.parametrize(
    "form",
    sampled(12, [
        "%(refname)", "%(refname:short)", "100%% %zz % %0a%e2%9c%93%41", "%(if)%(refname)%(then)a%(else)b%(end)",
        "%(if) %(then)a%(else)b%(end)c", "%(if)x%(then)a%(end)",
        "%(if:equals=x)x%(then)a%(end)%(if:notequals=x)x%(then)b%(end)",
        "%(if)%(if)%(then)a%(end)%(then)b%(else)c%(end)", "%(align:60,right)%(refname)%(end)|", "%(align:60)%(refname)%(end)|",
        "%(align:width=60,position=middle)%(refname:short)%(end)|", "%(align:middle,61)学%(end)|",
        "%(align:3)%(refname)%(end)|",
        "%(color:bold red)%(refname)", "%(color:red)a%(color:reset)b",
    ]),
)  # fmt: skip
@pytest.mark.parametrize("colour", ["always", "never"])
def test_format_says_what_git_says(ran, form, colour) -> None:
    words = ("for-each-ref", f"--color={colour}", f"--format={form}", "refs/runs/")
    wanted = subprocess.run(["git", *words], cwd=ran.path, capture_output=True, check=True).stdout
    assert ran.run_bytes("list", f"--color={colour}", "--format", form).stdout == wanted


@pytest.mark.parametrize(
    "form", sampled(4, ["%(refname", "%(if)a", "%(then)", "%(if)a%(then)b", "%(align:x)a%(end)", "%(color:mauve)", "%(end)"])
)
def test_format_that_git_refuses_is_refused(ran, form) -> None:
    assert subprocess.run(
        ["git", "for-each-ref", f"--format={form}"], cwd=ran.path, capture_output=True, check=False
    ).returncode
    ended = ran.run("list", "--format", form)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (129, "", 1)
