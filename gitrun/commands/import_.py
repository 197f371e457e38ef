"""`git run import`: runs from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitrun.commands.selecting import open_project, question_from, selection
from gitrun.commands.sharing import FOR, QUIET, order_from, tell_received


@click.command(add_help_option=False)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("runs", nargs=-1)
@selection
@FOR
@QUIET
def command(file: Path, runs: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Brings the runs of FILE, a bundle of git run export, here (default: all of them), as git run pull would.

    \b
      git run import run.bundle
    """
    project = open_project()
    options["question"] = question_from(options)
    found = project.sharing.import_(file, order_from(project, runs, options, merge=True))
    return tell_received(project, found, str(file), quiet=options["quiet"])
