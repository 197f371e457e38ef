"""A program that tells its flags: it runs up to its command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import users_python
from asked_programs import ARGPARSE, asked
from script_text import read

from gitrun.git.exe import open_repository
from gitrun.model.flags import Flag
from gitrun.scripts.discover import argument_words
from gitrun.source.introspect import ask_script

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo


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


def test_options_of_one_dest_are_one_flag_as_in_the_source(repo: Repo) -> None:
    options = """
p.add_argument("--amp", action="store_true", help="half")
p.add_argument("-n", "--no-amp", dest="amp", action="store_false")
p.add_argument("--no_aux_loss", dest="aux_loss", action="store_false")
p.add_argument("--no-shuffle", action="store_false")
p.add_argument("--fast", dest="mode", action="store_const", const="fast", default="mid")
p.add_argument("-s", "--slow", dest="mode", action="store_const", const="slow")
p.add_argument("--lr", dest="rate", type=float, default=0.1)
p.add_argument("-l", "--learning-rate", dest="rate", type=float)
p.add_argument("--resume", nargs="?", const=3, type=int)
p.add_argument("--tag", action="append")
p.add_argument("--best", dest="tag", action="append_const", const=2)
p.add_argument("--level", dest="level", type=int, default=3)
p.add_argument("--loud", dest="level", action="store_true")
"""
    source = f"import argparse\np = argparse.ArgumentParser()\n{options}p.parse_args()\n"
    assert asked(repo, source).flags == read(source).flags


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
