"""`git run mark`: the run that its operation's name means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from gitrun.commands.opening import open_project
from gitrun.commands.selecting import question_from, selected, selection, tell_changed


@click.command(add_help_option=False)
@click.argument("runs", nargs=-1)
@selection
@click.option("--clear", is_flag=True, help="Take the mark away.")
def command(runs: tuple[str, ...], *, clear: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Marks runs (default: the newest): `--restart train.py` takes the marked run of train.py, else the latest.

    \b
      git run mark 3fa2c1d8
      git run mark --clear 3fa2c1d8
    """
    project = open_project()
    found = selected(project, runs, question_from(options))
    subject = "clear the mark" if clear else "mark"
    changed = project.annotate(found, lambda notes: replace(notes, marked=not clear), subject)
    tell_changed(project, found, changed, "no longer marked" if clear else "marked")
