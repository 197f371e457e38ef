"""`git run watch`: follows a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitrun.commands.selecting import open_project
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run import RUNNING, short_id
from gitrun.model.run_names import LATEST
from gitrun.model.text import metrics_text
from gitrun.process.streams import FileStream
from gitrun.views.select import Query

if TYPE_CHECKING:
    from gitrun.model.run import Run
    from gitrun.project import Project

SHOWN = 8
"""Metrics named in a line."""


@click.command(add_help_option=False)
@click.argument("run", required=False)
@click.option("--latest", is_flag=True, help="Watch the running run that was started last.")
@click.option("--remote", metavar="REMOTE", help="Watch a run that a worker of REMOTE executes.")
def command(run: str | None, *, latest: bool, remote: str | None) -> None:
    r"""Prints the output of a run (default: your newest) until it ends. Ctrl-C stops watching, not the run.

    \b
      git run watch 3fa2c1d8
      git run watch --latest
      git run watch --remote origin 3fa2c1d8
    """
    if latest and (run is not None or remote is not None):
        raise UsageError("--latest cannot be combined with a run or --remote")
    project = open_project(FileStream(1), FileStream(2))
    # the output goes to the descriptor, around Python's buffer
    sys.stdout.flush()
    run_found = find_running(project) if latest else project.find(run or LATEST)
    if run_found.status == RUNNING and run_found.metrics:
        project.say(f"run {short_id(run_found.id)} is running{format_metrics(run_found)}")
    watched = (
        project.watch(run_found, project.stdout) if remote is None else project.watch_remote(run_found, remote, project.stdout)
    )
    project.say(f"run {short_id(watched.id)} {watched.attempt.ending}{format_metrics(watched)}")


def format_metrics(run: Run) -> str:
    """Formats the metrics so far, after a colon; empty if there are none."""
    return f": {metrics_text(run.metrics, SHOWN)}" if run.metrics else ""


def find_running(project: Project) -> Run:
    """Returns the newest running run. Raises UnknownRun."""
    running = project.select((), Query(statuses=("running",)), 1).runs
    if not running:
        raise NoMatch("no run is running on this machine", "To see the output of the newest run: git run watch")
    return running[0][1]
