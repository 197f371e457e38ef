"""`git run mark`: the run that its operation's name means."""

from __future__ import annotations

import click

from gitrun.model.refs import short
from gitrun.project import Project


@click.command(add_help_option=False)
@click.argument("runs", nargs=-1)
@click.option("--clear", is_flag=True, help="Take the mark away.")
def command(runs: tuple[str, ...], *, clear: bool) -> None:
    r"""Marks runs (default: the newest): `--restart train.py` takes the marked run of train.py, else the latest.

    \b
      git run mark 3fa2c1d8
      git run mark --clear 3fa2c1d8
    """
    project = Project()
    for run in [project.find(name) for name in runs or ("1",)]:
        changed = project.mark(run, marked=not clear)
        state = "is no longer marked" if clear else "is marked"
        project.say(
            f"run {short(run.id)} {state}" if changed else f"run {short(run.id)} {'was not' if clear else 'was already'} marked"
        )
