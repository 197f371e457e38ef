"""Colour by git's rules: who says whether, and which."""

from __future__ import annotations

import re

import pytest
from coloured import on_terminal
from sampled import sampled

ESC = "\x1b["


@pytest.mark.parametrize(
    ("config", "words", "env", "coloured"),
    sampled(
        4,
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
    ),
)
def test_on_a_terminal_the_nearest_word_counts(coloured_run, config, words, env, coloured) -> None:
    settings = [word for setting in config for word in ("-c", setting)]
    assert (ESC in on_terminal(coloured_run, *settings, "run", "list", *words, **env)) == coloured


@pytest.mark.parametrize(
    ("words", "coloured"),
    [(("--color",), True), (("--color=always",), True), (("--color=auto",), False), (("--color", "--no-color"), False)],
)
def test_into_a_pipe_colour_comes_when_it_is_asked_for(coloured_run, words, coloured) -> None:
    assert (ESC in coloured_run.run("list", *words, check=True).stdout) == coloured
    assert coloured_run.git("-c", "color.run=always", "run", "list").count(ESC) == 4


def test_pager_is_given_colour_unless_color_pager_is_off(coloured_run) -> None:
    for setting, coloured in (("true", True), ("false", False)):
        shown = on_terminal(coloured_run, "-c", f"color.pager={setting}", "run", "list", GIT_PAGER="sed s/^/paged/")
        assert shown.startswith("paged")
        assert (ESC in shown) == coloured


def test_colour_goes_before_a_name_that_stands_behind_it(coloured_run) -> None:
    run = coloured_run.run("select", check=True).stdout[:8]
    assert ESC in coloured_run.run("show", "--color", run, check=True).stdout


@pytest.mark.parametrize("setting", ["color.run.id=mauve", "color.run=perhaps"])
def test_setting_that_is_no_colour_is_refused_in_a_line(coloured_run, setting) -> None:
    coloured_run.git("config", *setting.split("="))
    ended = coloured_run.run("list", "--color") if "id" in setting else coloured_run.run("list")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (129, "", 1)
    assert setting.partition("=")[0] in ended.stderr


def test_columns_are_aligned_as_without_colour(coloured_run) -> None:
    coloured_run.run("--", "false")
    plain, coloured = (coloured_run.run("list", *words, check=True).stdout for words in ((), ("--color",)))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_line_that_is_cut_gives_the_colour_back(coloured_run) -> None:
    shown = on_terminal(coloured_run, "run", "list", COLUMNS="20").splitlines()[1]
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).endswith("…")
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", shown)) == 20
    assert shown.count("\x1b[33m") == shown.count("\x1b[m") == 1


def test_json_is_never_coloured(coloured_run) -> None:
    assert ESC not in coloured_run.run("list", "--json", "--color", check=True).stdout
