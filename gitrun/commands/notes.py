"""`git run notes`: runs in `git log`."""

from __future__ import annotations

import click

from gitrun.commands.opening import open_project
from gitrun.errors import UsageError
from gitrun.model.text import count_text


@click.command(add_help_option=False)
@click.option("--rebuild", is_flag=True, help="Make the notes anew from the runs; from then on each run adds its own.")
@click.option("--drop", is_flag=True, help="Take the notes away, and write no more.")
def command(*, rebuild: bool, drop: bool) -> None:
    r"""Shows runs in plain git: with notes, `git log --notes=runs` tells which runs were made of each commit.

    \b
      git run notes --rebuild
      git run notes --drop
    """
    if rebuild and drop:
        raise UsageError("--rebuild and --drop exclude each other", "give one of them")
    project = open_project()
    if rebuild:
        made = project.rebuild_notes()
        project.say(f"{count_text(made, 'commit')} with notes; git log --notes=runs shows them")
    elif drop:
        project.say("the notes are gone" if project.drop_notes() else "there were no notes")
    elif project.has_notes():
        project.say("git log --notes=runs shows runs; git run notes --rebuild makes its notes anew")
    else:
        project.say("there are no notes; git run notes --rebuild makes them for git log --notes=runs")
