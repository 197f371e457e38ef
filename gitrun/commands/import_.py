"""`git run import`: runs from a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from gitrun.commands.selecting import add_filters, build_query, open_project
from gitrun.commands.sharing import FOR, QUIET, build_order, receive_with_trials, report_received


@click.command(add_help_option=False)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("runs", nargs=-1)
@add_filters
@FOR
@QUIET
def command(file: Path, runs: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Reads runs from FILE, a bundle written by git run export (default: all), and merges them as git run pull does.

    With a batch come its trials.

    \b
      git run import run.bundle
    """
    project = open_project()
    options["question"] = build_query(options)
    receive = partial(project.sharing.import_, file)
    received = receive_with_trials(project, receive, build_order(project, runs, options, merge=True))
    return report_received(project, received, str(file), quiet=options["quiet"])
