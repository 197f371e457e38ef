"""Colour by git's rules: who says whether, and which."""

from __future__ import annotations

import os
import re

import pytest
from keyboard import Terminal
from templates import made_once

ESC = "\x1b["
SHOWN = {"GIT_PAGER": "cat", "TERM": "xterm"}


@pytest.fixture
@made_once
def one(repo):
    """A repository with a run."""
    repo.run("echo.py", check=True)
    return repo


def on_terminal(repo, *words, **env) -> str:
    with Terminal(repo, "git", *words, env={**os.environ, **SHOWN, **env}) as terminal:
        terminal.ends()
        return terminal.seen.decode()


@pytest.mark.parametrize(
    ("config", "words", "env", "coloured"),
    [
        ((), (), {"TERM": "dumb"}, False),
        ((), (), {"NO_COLOR": "1"}, False),
        ((), (), {"NO_COLOR": ""}, True),
        (("color.ui=false",), (), {}, False),
        (("color.ui=never", "color.run=auto"), (), {}, True),
        (("color.ui=always", "color.run=false"), (), {}, False),
        (("color.run=always",), (), {"NO_COLOR": "1"}, True),
        ((), ("--color=never",), {}, False),
        ((), ("--no-color",), {}, False),
        (("color.ui=never",), ("--color",), {"TERM": "dumb"}, True),
    ],
)
def test_on_a_terminal_the_nearest_word_counts(one, config, words, env, coloured) -> None:
    settings = [word for setting in config for word in ("-c", setting)]
    assert (ESC in on_terminal(one, *settings, "run", "list", *words, **env)) == coloured


@pytest.mark.parametrize(
    ("words", "coloured"),
    [(("--color",), True), (("--color=always",), True), (("--color=auto",), False), (("--color", "--no-color"), False)],
)
def test_into_a_pipe_colour_comes_when_it_is_asked_for(one, words, coloured) -> None:
    assert (ESC in one.run("list", *words, check=True).stdout) == coloured
    assert one.git("-c", "color.run=always", "run", "list").count(ESC) == 4


def test_pager_is_given_colour_unless_color_pager_is_off(one) -> None:
    for setting, coloured in (("true", True), ("false", False)):
        shown = on_terminal(one, "-c", f"color.pager={setting}", "run", "list", GIT_PAGER="sed s/^/paged/")
        assert shown.startswith("paged")
        assert (ESC in shown) == coloured


def test_colour_goes_before_a_name_that_stands_behind_it(one) -> None:
    run = one.run("select", check=True).stdout[:8]
    assert ESC in one.run("show", "--color", run, check=True).stdout


@pytest.mark.parametrize("setting", ["color.run.id=mauve", "color.run=perhaps"])
def test_setting_that_is_no_colour_is_refused_in_a_line(one, setting) -> None:
    one.git("config", *setting.split("="))
    ended = one.run("list", "--color") if "id" in setting else one.run("list")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (129, "", 1)
    assert setting.partition("=")[0] in ended.stderr


def test_columns_are_aligned_as_without_colour(one) -> None:
    one.run("--", "false")
    plain, coloured = (one.run("list", *words, check=True).stdout for words in ((), ("--color",)))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_line_that_is_cut_gives_the_colour_back(one) -> None:
    shown = on_terminal(one, "run", "list", COLUMNS="20").splitlines()[1]
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).endswith("…")
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", shown)) == 20
    assert shown.count("\x1b[33m") == shown.count("\x1b[m") == 1


def test_json_is_never_coloured(one) -> None:
    assert ESC not in one.run("list", "--json", "--color", check=True).stdout
