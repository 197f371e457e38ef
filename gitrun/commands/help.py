"""`git run help`: the man page."""

from __future__ import annotations

import click

from gitrun.git.exe import become


@click.command(add_help_option=False)
def command() -> None:
    """Opens the man page, as `git run --help` does."""
    become("help", "run")
