"""A program asked for its flags: it runs up to its command line, in a checkout of its own, and not a step further."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
import users_python

from gitrun.errors import CannotRun
from gitrun.git.exe import open_repository
from gitrun.model.flags import Flag
from gitrun.scripts.discover import argument_words
from gitrun.source.introspect import ask_script

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

    from gitrun.scripts.discover import Script

ARGPARSE = """
import argparse, pathlib
names = [chr(97 + n) for n in range(3)]
p = argparse.ArgumentParser()
for name in sorted(names):
    p.add_argument("--" + name, type=int, default=ord(name), help="one of them")
more = p.add_subparsers()
train = more.add_parser("train")
train.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
p.parse_args()
pathlib.Path("went-on").touch()
raise SystemExit(3)
"""


def asked(repo: Repo, source: str, **more: float) -> Script:
    repo.write("tool.py", source)
    commit = repo.commit()
    return ask_script(open_repository(repo.path, os.environ), commit, "tool.py", sys.executable, **more)


def test_a_parser_answers_with_what_it_was_told(repo: Repo) -> None:
    script = asked(repo, ARGPARSE)
    assert script.flags[0] == Flag("a", 97, "int", (), "one of them", "--a")
    assert [flag.name for flag in script.flags] == ["a", "b", "c"]
    assert argument_words(script, {"b": 1, "amp": False}, ["train"]) == ["--b", "1", "train", "--no-amp"]


def test_the_program_does_not_go_on(repo: Repo) -> None:
    asked(repo, ARGPARSE)
    assert not list(repo.path.rglob("went-on"))
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("for-each-ref", "refs/runs") == ""


def test_a_program_is_asked_once_for_a_tree(repo: Repo) -> None:
    first = asked(repo, ARGPARSE)
    slots = repo.path / ".git" / "gitrun" / "slots"
    before = (slots / "0" / "state").stat().st_mtime_ns
    assert asked(repo, ARGPARSE) == first
    assert (slots / "0" / "state").stat().st_mtime_ns == before


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


def test_click_and_absl_answer_too(repo: Repo, tmp_path: Path) -> None:
    python = str(users_python.make(tmp_path / "venv"))
    repo.write("c.py", "import click\n@click.command()\n@click.option('--x', 'y', default=1 + 1)\ndef f(y): pass\nf()")
    repo.write("t.py", "import typer\ndef f(lr: float = 0.1, on: bool = False): pass\ntyper.run(f)")
    value = "@click.option('--{0}', 'how', flag_value='{0}', default={1})\n"
    options = f"{value.format('lower', False)}{value.format('upper', True)}@click.option('--pair', nargs=2)\n"
    repo.write("v.py", f"import click\n@click.command()\n{options}def f(how, pair): pass\nf()")
    repo.write("a.py", "from absl import app, flags\nflags.DEFINE_integer('n', 1 + 1, 'how many')\napp.run(lambda _: None)")
    commit, git = repo.commit(), open_repository(repo.path, os.environ)
    found = {name: ask_script(git, commit, f"{name}.py", python).flags for name in "ctav"}
    assert [(flag.name, flag.default, flag.kind) for flag in found["c"]] == [("x", 2, "int")]
    assert [(flag.name, flag.default, flag.kind) for flag in found["t"]] == [("lr", 0.1, "float"), ("on", False, "bool")]
    how = Flag("how", "upper", choices=("lower", "upper"), option="--lower", action="const", words=("--lower", "--upper"))
    assert found["v"][0] == how
    assert found["v"][1].size == 2
    assert ("n", 2, "int") in [(flag.name, flag.default, flag.kind) for flag in found["a"]]
