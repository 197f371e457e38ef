"""`git run watch`: follows a run, or several at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gitrun import commands
from gitrun.commands import declared
from gitrun.commands.selecting import open_project
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run import BATCH, RUNNING, short_id
from gitrun.model.run_names import LATEST
from gitrun.process.streams import FileStream
from gitrun.render.watch_text import format_metrics
from gitrun.views.select import Query

if TYPE_CHECKING:
    from gitrun.model.run import Run
    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@declared.option("--latest", is_flag=True, help="Watch the running run that was started last.")
@declared.option("--all", "everything", is_flag=True, help="Watch all runs on this machine, also those that start later.")
@declared.option("--json", "as_json", is_flag=True, help="Print what happens as JSON, an object a line, without the output.")
@declared.option("--remote", metavar="REMOTE", help="Watch a run that a worker of REMOTE executes.")
def command(runs: tuple[str, ...], *, latest: bool, everything: bool, as_json: bool, remote: str | None) -> int:
    r"""Prints the output of a run (default: your newest) until it ends. Ctrl-C stops watching, not the run.

    Of several runs, or the trials of a running batch, shows a line each, until all have ended; in a pipe, their lines of
    output behind their ids. The exit status is then that of the worst run.

    \b
      git run watch 3fa2c1d8
      git run watch --latest
      git run watch --all
      git run watch 1:4 | grep loss
      git run watch --json 3fa2c1d8
      git run watch --remote origin 3fa2c1d8
    """
    refuse_combinations(runs, {"--latest": latest, "--all": everything, "--remote": remote is not None})
    if remote and as_json:
        raise UsageError("--remote and --json cannot be combined")
    project = open_project(FileStream(1), FileStream(2))
    # the output goes to the descriptor, around Python's buffer
    sys.stdout.flush()
    chosen = [] if everything else [find_running(project)] if latest else find_named(project, runs)
    is_batch = bool(chosen) and chosen[0].attempt.kind == BATCH and chosen[0].status == RUNNING and not remote
    if everything or as_json or len(chosen) > 1 or is_batch:
        return commands.watch_several.watch_runs(project, chosen, everything=everything, as_json=as_json)
    watch_one(project, chosen[0], remote)
    return 0


def refuse_combinations(runs: tuple[str, ...], given: dict[str, bool]) -> None:
    """Raises UsageError for options and runs that do not go together."""
    asked = [name for name, is_given in given.items() if is_given]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} cannot be combined")
    if asked and runs and asked != ["--remote"]:
        raise UsageError(f"{asked[0]} cannot be combined with runs")
    if asked == ["--remote"] and len(runs) > 1:
        raise UsageError("--remote takes one run", "To watch the runs of this machine: git run watch --all")


def find_named(project: Project, names: tuple[str, ...]) -> list[Run]:
    """Returns the runs of these names; without any, the newest. Raises UnknownRun."""
    return [run for _, run in project.select(names).runs] if names else [project.find(LATEST)]


def watch_one(project: Project, run: Run, remote: str | None) -> None:
    """Prints the output of a run until it ends, and how it has ended."""
    if run.status == RUNNING and run.metrics:
        project.say(f"run {short_id(run.id)} is running{format_metrics(run)}")
    watched = project.watch(run, project.stdout) if remote is None else project.watch_remote(run, remote, project.stdout)
    project.say(f"run {short_id(watched.id)} {watched.attempt.ending}{format_metrics(watched)}")


def find_running(project: Project) -> Run:
    """Returns the newest running run. Raises UnknownRun."""
    running = project.select((), Query(statuses=("running",)), 1).runs
    if not running:
        raise NoMatch("no run is running on this machine", "To see the output of the newest run: git run watch")
    return running[0][1]
