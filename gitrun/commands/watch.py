"""`git run watch`: follows a run."""

from __future__ import annotations

import sys

import click

from gitrun.engine.streams import FileStream
from gitrun.model.refs import short
from gitrun.project import Project


@click.command(add_help_option=False)
@click.argument("run", default="1")
def command(run: str) -> None:
    r"""Prints what a run writes until it ends (default: the newest); Ctrl-C ends the watching, not the run.

    \b
      git run watch 3fa2c1d8
    """
    project = Project()
    sys.stdout.flush()
    found = project.watch(project.find(run), FileStream(1))
    project.say(f"run {short(found.id)} {found.status}")
