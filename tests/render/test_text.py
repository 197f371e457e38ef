"""Tables as a person at a terminal sees them: what gives way where the line is too short."""

from __future__ import annotations

import os
import re

import pytest
from keyboard import Terminal
from templates import made_once

from gitrun.model.text import count_columns, shorten
from gitrun.render.text import Shape, shrink_columns

FIT = "import gitrun\nlr = 0.1\ngitrun.log({'loss': lr * 2})\n"
LONG = ("--", "sh", "-c", "true first words of a command; echo " + "and so on " * 9 + "its last word")


@pytest.fixture
@made_once
def fits(repo):
    """A repository with two runs of fit.py, and of a very long command."""
    repo.write("fit.py", FIT)
    for words in (("fit.py", "lr=0.25"), ("fit.py", "lr=0.5"), LONG):
        repo.run(*words, check=True)
    return repo


def on_terminal(repo, *words: str, width: int = 80) -> list[str]:
    env = {**os.environ, "GIT_PAGER": "cat", "COLUMNS": str(width)}
    with Terminal(repo, "git", "run", *words, env=env) as terminal:
        terminal.ends()
        return terminal.seen.decode().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_operation_gives_way_to_time_and_status(fits, width) -> None:
    heading, *rows = on_terminal(fits, "list", width=width)
    assert heading.split()[:5] == ["#", "id", "operation", "started", "status"]
    assert all("completed" in row and count_columns(row) <= width for row in rows)
    operation = re.split("  +", rows[0])[2]
    assert re.fullmatch("sh -.*….*word", operation)
    assert count_columns(operation) <= width // 3
    assert LONG[-1] in fits.run("list", check=True).stdout


def test_compare_shows_flags_and_metrics_before_all_that_can_wait(fits) -> None:
    rows = on_terminal(fits, "compare")
    assert rows[0].split()[:5] == ["id", "operation", "lr", "loss", "started"]
    assert [re.split("  +", row)[2:4] for row in rows[1:]] == [["-", "-"], ["0.5", "1"], ["0.25", "0.5"]]


def test_numbers_of_a_comparison_stand_at_the_right(fits) -> None:
    rows = fits.run("compare", "--op", "fit.py", "--columns", "lr,status").stdout.splitlines()
    assert rows == ["  lr  status", " 0.5  completed", "0.25  completed"]


def test_columns_of_ones_own_are_short_below_headings_for_a_person_only(fits) -> None:
    run = fits.run("select", check=True).stdout.strip()
    words = ("list", "-n", "1", "--columns", "id,started,status")
    assert on_terminal(fits, *words)[0].split() == ["id", "started", "status"]
    assert re.fullmatch(f"{run[:8]}  (just now|[0-9]+ seconds ago)  completed", on_terminal(fits, *words)[1])
    assert re.fullmatch(f"{run}  [0-9T:.-]+Z  completed\n", fits.run(*words, check=True).stdout)


def test_columns_are_aligned_in_an_encoding_that_has_no_bytes_for_them(repo) -> None:
    for label in ("学習", "plain"):
        repo.run("--label", label, "echo.py", check=True)
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    rows = repo.run("list", "--columns", "label,status", env=env, check=True).stdout.splitlines()
    assert rows == ["plain         completed", "\\u5b66\\u7fd2  completed"]
    said = repo.run("echo.py", "x=\udce6", env=env).stderr
    assert said.startswith("gitrun: error: 'x=\\xe6' is not a flag. ")


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [("abcdefgh", 8, "abcdefgh"), ("abcdefgh", 5, "ab…gh"), ("学学学学", 6, "学…学"), ("abc", 1, "…")],
)
def test_text_loses_its_middle(text, room, shown) -> None:
    assert shorten(text, room) == shown


def test_nothing_gives_way_where_there_is_room() -> None:
    rows = [["a" * 60, "b"]]
    assert shrink_columns(rows, Shape(elastic=0), 80) is rows
    assert shrink_columns(rows, Shape(), 10) is rows
