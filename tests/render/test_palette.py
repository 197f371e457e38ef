"""Colours of words on a terminal."""

from __future__ import annotations

import re

import pytest
from coloured import SHOWN, on_terminal

ESC = "\x1b["


@pytest.mark.parametrize("verb", ["list", "show", "log"])
def test_ids_and_statuses_are_coloured_on_a_terminal_only(coloured_run, verb) -> None:
    shown = on_terminal(coloured_run, "run", verb)
    assert re.search(r"\x1b\[33m[0-9a-f]{8,40}\x1b\[m", shown)
    assert re.search(r"\x1b\[32mcompleted[^\x1b]*\x1b\[m", shown)
    assert ESC not in coloured_run.run(verb, env=SHOWN, check=True).stdout


def test_colours_are_those_that_git_reads(coloured_run) -> None:
    shown = coloured_run.git("-c", "color.run.id=bold blue", "-c", "color.run.completed=#ff0000", "run", "list", "--color")
    assert re.search(r"\x1b\[1;34m[0-9a-f]{8}\x1b\[m", shown)
    assert "\x1b[38;2;255;0;0mcompleted\x1b[m" in shown
