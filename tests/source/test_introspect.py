"""A program asked for its flags: it runs up to its command line, in a checkout of its own, and not a step further."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from asked_programs import ARGPARSE, asked

from gitrun.errors import CannotRun

if TYPE_CHECKING:
    from repository import Repo


def test_a_program_is_asked_once_for_a_tree(repo: Repo) -> None:
    first = asked(repo, ARGPARSE)
    slots = repo.path / ".git" / "gitrun" / "slots"
    before = (slots / "0" / "lock").stat().st_mtime_ns
    assert asked(repo, ARGPARSE) == first
    assert (slots / "0" / "lock").stat().st_mtime_ns == before


def test_a_program_that_takes_too_long_is_ended(repo: Repo) -> None:
    with pytest.raises(CannotRun, match=r"cannot read the flags of 'tool.py': .* did not answer within 0.5 seconds"):
        asked(repo, "import time, subprocess\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)", patience=0.5)


@pytest.mark.parametrize(("source", "why"), [("1 / 0", "ZeroDivisionError"), ("print(1)", "without reading its command line")])
def test_a_program_that_reads_no_command_line_is_an_error(repo: Repo, source: str, why: str) -> None:
    with pytest.raises(CannotRun, match=why):
        asked(repo, source)


def test_an_entry_can_allow_to_ask(repo: Repo) -> None:
    source = (
        "import argparse\np = argparse.ArgumentParser()\n[p.add_argument('--' + chr(97 + n), type=int) for n in range(2)]\n"
    )
    repo.write("tool.py", source + "print(vars(p.parse_args()))\n")
    repo.write("gitrun.toml", '[operations.tool]\nscript = "tool.py"\nflags = "import"\n')
    repo.git("config", "gitrun.python", sys.executable)
    assert repo.run("tool", "b=2", check=True).stdout == "{'a': None, 'b': 2}\n"
    refused = repo.run("tool", "c=2")
    assert (refused.returncode, "Its flags: a, b" in refused.stderr) == (129, True)
