"""Colours of words on a terminal."""

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


@pytest.mark.parametrize("verb", ["list", "show", "log"])
def test_ids_and_statuses_are_coloured_on_a_terminal_only(one, verb) -> None:
    shown = on_terminal(one, "run", verb)
    assert re.search(r"\x1b\[33m[0-9a-f]{8,40}\x1b\[m", shown)
    assert re.search(r"\x1b\[32mcompleted[^\x1b]*\x1b\[m", shown)
    assert ESC not in one.run(verb, env=SHOWN, check=True).stdout


def test_colours_are_those_that_git_reads(one) -> None:
    shown = one.git("-c", "color.run.id=bold blue", "-c", "color.run.completed=#ff0000", "run", "list", "--color")
    assert re.search(r"\x1b\[1;34m[0-9a-f]{8}\x1b\[m", shown)
    assert "\x1b[38;2;255;0;0mcompleted\x1b[m" in shown
