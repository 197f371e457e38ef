"""`git run select`: the ids of runs, for other commands."""

from __future__ import annotations

import click

from gitrun.commands.render import out
from gitrun.project import Project


@click.command(add_help_option=False)
@click.argument("runs", nargs=-1)
def command(runs: tuple[str, ...]) -> None:
    r"""Prints the full ids of runs, one a line (default: the newest).

    \b
      git run --restart $(git run select 1)
      git run select train.py
    """
    project = Project()
    for name in runs or ("1",):
        out(project.find(name).id)
