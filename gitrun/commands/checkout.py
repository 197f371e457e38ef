"""`git run checkout`: produced files back into the working tree."""

from __future__ import annotations

import click

from gitrun.model.refs import short
from gitrun.model.text import count_text
from gitrun.project import Project


@click.command(add_help_option=False)
@click.argument("run", default="1")
def command(run: str) -> int:
    r"""Copies what a run produced into the working tree (default: the newest run), never over a file that was changed.

    \b
      git run checkout 3fa2c1d8
    """
    project = Project()
    found = project.find(run)
    done, left = project.bring(found.id)
    project.say(f"brought here from run {short(found.id)}: {count_text(len(done), 'file')}")
    if left:
        project.say(f"left as they are: {', '.join(left)}")
    return 1 if left else 0
