"""`git run show`: one run, or several."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun import render
from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line, read_palette
from gitrun.commands.selecting import add_filters, build_query, open_project, select_runs
from gitrun.model.text import safe_lines

if TYPE_CHECKING:
    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.render.palette import Palette


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON with attempts, series, files and environment; an array for several runs.",
)
@declared.option(
    "--traceback", is_flag=True, help="Print the output, with paths of the workspace turned into paths that can be opened."
)
def command(runs: tuple[str, ...], *, as_json: bool, traceback: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Shows runs (default: your newest): flags, source, uncommitted changes, result, files, attempts.

    \b
      git run show
      git run show 3fa2c1d8 --json
      git run show 1:3
      git run show --traceback
    """
    project = open_project()
    selected = select_runs(project, runs, build_query(options))
    if traceback:
        for run in selected:
            print_openable(project, run)
        return
    if as_json:
        tables = [render.feed.full_json(project, run) for run in selected]
        # one run is an object, so that a program need not take it out of an array
        print_json(tables[0] if len(tables) == 1 else tables)
        return
    colours = read_palette(project)
    for number, run in enumerate(selected):
        if number:
            print_line("")
        print_run(project, run, colours)


def print_openable(project: Project, run: Run) -> None:
    """Prints the program's output, safe on a terminal, with paths that exist in the working tree."""
    data = project.runs.replace_paths(run, project.read_file(run, "output"))
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    # a program may print bytes that are not UTF-8
    for line in safe_lines(data.decode(errors="surrogateescape")):
        print_line(line)


def print_run(project: Project, run: Run, colours: Palette) -> None:
    """Prints the rows about a run."""
    slots = {"run": "id", "status": run.attempt.shown_status, "label": "label"}
    for name, text in render.run_page.run_rows(project, run, project.attempts(run), datetime.now(timezone.utc)):
        print_line(colours.paint("heading", render.text.row_head(name)) + colours.paint(slots.get(name, ""), text))
