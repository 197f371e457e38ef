"""`git run cat`: a file of a run, byte for byte."""

from __future__ import annotations

import sys

import click

from gitrun.commands.opening import open_project
from gitrun.commands.render import out
from gitrun.errors import UsageError
from gitrun.model.text import safe_lines


@click.command(add_help_option=False)
@click.argument("run", default="1")
@click.option(
    "--output",
    "what",
    flag_value="output",
    default=True,
    help="What the program wrote (this is the default).",
)
@click.option("--flags", "what", flag_value="flags", help="The flags, as TOML.")
@click.option("--sourcecode", "what", flag_value="source", help="With -p: the file as it was when the run started.")
@click.option("-p", "--path", metavar="PATH", help="A file of the run: of its result, else of its source.")
def command(run: str, what: str, path: str | None) -> None:
    r"""Prints a file of a run (default: the newest): byte for byte into a pipe, made safe on a terminal.

    \b
      git run cat 3fa2c1d8
      git run cat --sourcecode -p train.py 3fa2c1d8
      git run cat -p model.pkl 3fa2c1d8 > model.pkl
    """
    if what == "source" and path is None:
        raise UsageError("--sourcecode needs a file", "name it with -p PATH")
    project = open_project()
    found = project.find(run)
    if not sys.stdout.isatty():
        sys.stdout.flush()
        project.copy_file(found, what, path, sys.stdout.buffer)
        return
    for line in safe_lines(project.read_file(found, what, path).decode(errors="replace")):
        out(line)
