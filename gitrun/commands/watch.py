"""`git run watch`: follows a run."""

from __future__ import annotations

import sys

import click

from gitrun.commands.opening import open_project
from gitrun.engine.streams import FileStream
from gitrun.model.refs import short


@click.command(add_help_option=False)
@click.argument("run", default="1")
def command(run: str) -> None:
    r"""Prints what a run writes until it ends (default: the newest); Ctrl-C ends the watching, not the run.

    \b
      git run watch 3fa2c1d8
    """
    project = open_project()
    sys.stdout.flush()
    found = project.watch(project.find(run), FileStream(1))
    project.say(f"run {short(found.id)} {found.status}")
