"""`git run list`: the runs, newest attempt first."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

from gitrun import commands, views
from gitrun.commands import declared
from gitrun.commands.screen import find_colour, is_read_by_person, print_json, read_palette, room_on_stdout, table
from gitrun.commands.selecting import (
    add_filters,
    build_query,
    draw_sparks,
    explain_no_match,
    open_project,
    report_doubts,
)
from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError
from gitrun.model.run import BATCH, BrokenRun, Run
from gitrun.model.text import safe_text
from gitrun.render.run_list import ListStyle, list_rows
from gitrun.render.text import Shape, run_json
from gitrun.views.listing import tell_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gitrun.project import Project
    from gitrun.render.palette import Palette
    from gitrun.views.select import Query

ROWS = 20
FOR_PERSONS = {"id": "id:short", "started": "started:relative", "stopped": "stopped:relative"}
"""Columns that people see in another form than programs."""


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--limit", "-n", type=declared.int_range(min=1), default=ROWS, metavar="N", help="Show at most N runs (20).")
@declared.option("--all", "everything", is_flag=True, help="Show all runs, not only the newest 20.")
@declared.option(
    "--trials", is_flag=False, flag_value="", metavar="[BATCH]", help="Show the trials of batches, or of one, under their line."
)
@declared.option("--flat", is_flag=True, help="Show trials of batches among the other runs.")
@declared.option("--deleted", is_flag=True, help="Show deleted runs, which git run restore restores.")
@declared.option(
    "--columns", metavar="NAMES", help="Show these columns (properties, flags, metrics), such as id,status,lr,loss."
)
@declared.option("--spark", metavar="METRIC", help="Draw the curve of this metric in each line (at most 50).")
@declared.option(
    "--format",
    "form",
    metavar="FORMAT",
    help="Print a line for each run, such as '%(id:short) %(flag:lr) %(started:relative)'.",
)
@declared.option("-z", "zero", is_flag=True, help="With --format: end lines with NUL instead of LF, and escape nothing.")
@declared.option("--csv", "as_csv", is_flag=True, help="Print CSV: all properties, flags (flag.lr) and metrics (metric.loss).")
@declared.option("--parquet", metavar="FILE", help="Write the columns of --csv into a Parquet file.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(runs: tuple[str, ...], *, limit: int, everything: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Lists runs: number, id, operation, start, status, duration, a metric, and the flags that differ.

    A batch is one line, with counts and its best trial.

    \b
      git run list
      git run list --op train.py --where 'lr<0.1 and status=completed' --sort=-acc
      git run list --trials 3fa2c1d8
      git run list 2:5 --columns id,lr,acc
      git run list --sort=loss --spark loss
      git run list --all --json
      git run list --all --csv > runs.csv
    """
    require_one_shape(options, as_json=as_json)
    project = open_project()
    query = build_query(options)
    if query.flat and options["trials"] is not None:
        raise UsageError("--trials and --flat cannot be combined")
    most = -1 if everything else limit
    if options["trials"]:
        runs = (*runs, options["trials"])
    if options["deleted"]:
        listed = list_deleted(project, most)
    else:
        listed = list_existing(project, runs, query, most)
        if options["trials"] is not None:
            listed = with_trials(project, listed)
    print_shape(project, listed, query, options | {"as_json": as_json})
    # on stderr, so that a pipe gets runs only
    if listed.more:
        project.say(f"{listed.more} more. To show all: --all")
    if not listed.runs and not listed.broken and not as_json:
        project.say(explain_nothing(project, query, deleted=options["deleted"]))


def print_shape(project: Project, listed: Listed, query: Query, options: dict[str, Any]) -> None:
    """Prints or writes the runs in the format that the options ask for."""
    runs_shown = [run for _, run in listed.runs]
    if options["as_json"]:
        print_json([*map(run_json, runs_shown), *map(run_json, listed.broken)])
    elif options["as_csv"]:
        commands.compare.print_csv(views.frames.frame_columns(runs_shown), runs_shown)
    elif options["parquet"] is not None:
        views.frames.write_parquet(runs_shown, Path(options["parquet"]))
    elif options["form"] is not None:
        print_lines(runs_shown, project, options["form"], zero=options["zero"])
    elif options["columns"]:
        names = [name.strip() for name in options["columns"].split(",")]
        report_doubts(project, runs_shown, names)
        print_columns(runs_shown, names, read_palette(project))
    else:
        print_rows(project, listed, query, options["spark"])


def require_one_shape(options: dict[str, Any], *, as_json: bool) -> None:
    """Raises UsageError if the options request two output formats at once."""
    options_given = {"--json": as_json, "--format": options["form"] is not None, "--columns": bool(options["columns"])}
    options_given |= {"--csv": options["as_csv"], "--parquet": options["parquet"] is not None}
    shapes = [name for name, is_asked in options_given.items() if is_asked]
    if len(shapes) > 1:
        raise UsageError(f"{shapes[0]} and {shapes[1]} cannot be combined")
    if options["spark"] and shapes:
        raise UsageError(f"--spark and {shapes[0]} cannot be combined")
    if options["zero"] and shapes != ["--format"]:
        raise UsageError("-z needs --format", "For example: git run list -z --format '%(id)'")


@dataclass(frozen=True, slots=True)
class Listed:
    """Numbered runs, unreadable ones, and the number of further runs."""

    runs: Sequence[tuple[int, Run]]
    broken: Sequence[BrokenRun]
    more: int


def list_existing(project: Project, names: Sequence[str], query: Query, limit: int) -> Listed:
    """Returns the selected runs; if all are listed, also unreadable ones."""
    selection = project.select(names, query, limit)
    # an unreadable run has no flags or times, so no filter can match it
    broken = project.broken() if not names and query.is_plain and not selection.more else []
    broken_shown = broken if limit < 0 else broken[:limit]
    return Listed(selection.runs, broken_shown, selection.more + len(broken) - len(broken_shown))


def with_trials(project: Project, listed: Listed) -> Listed:
    """Adds the trials of each listed batch under its line."""
    pairs: list[tuple[int, Run]] = []
    for number, run in listed.runs:
        pairs.append((number, run))
        if run.attempt.kind == BATCH:
            pairs += ((0, trial) for trial in project.runs.shown_trials(run))
    return replace(listed, runs=pairs)


def list_deleted(project: Project, limit: int) -> Listed:
    """Returns the runs in the trash."""
    runs = project.trash.list_runs()
    runs_shown = runs if limit < 0 else runs[:limit]
    numbered = [(number, run) for number, run in enumerate(runs_shown, 1) if isinstance(run, Run)]
    return Listed(numbered, [run for run in runs_shown if isinstance(run, BrokenRun)], len(runs) - len(runs_shown))


def explain_nothing(project: Project, query: Query, *, deleted: bool) -> str:
    """Explains why the list is empty."""
    if deleted:
        return "no deleted runs"
    return "no runs here yet. To make one: git run <script>" if query.is_plain else explain_no_match(project, query)


def print_rows(project: Project, listed: Listed, query: Query, spark: str | None) -> None:
    """Prints the runs as a table, unreadable ones last."""
    runs = [run for _, run in listed.runs]
    bases: dict[str, set[str | None]] = {}
    for run in runs:
        if run.attempt.batch:
            bases.setdefault(run.attempt.batch, set()).add(run.attempt.base)
    orders = [name for name in (query.sort, query.least, query.most) if name]
    style = ListStyle(
        now=datetime.now(timezone.utc),
        distinction=tell_apart(runs, orders),
        is_person=is_read_by_person(),
        colours=read_palette(project),
        bases=[batch for batch, commits in bases.items() if len(commits) > 1],
        sparks=draw_sparks(project, runs, spark) if spark else {},
    )
    rows, shape = list_rows(listed.runs, listed.broken, style, room_on_stdout())
    if rows:
        table(rows, shape)


def print_columns(runs: Sequence[Run], names: Sequence[str], colours: Palette) -> None:
    """Prints chosen columns; for people with headings and readable ids and times. Raises UsageError."""
    now, person = datetime.now(timezone.utc), is_read_by_person()
    # programs get full ids and exact times
    cells = [views.formats.column_renderer(FOR_PERSONS.get(name, name) if person else name) for name in names]
    rows = [[safe_text(cell(run, now)) for cell in cells] for run in runs]
    # without runs there are no columns to check, hence not strict; a misspelt name is empty in all runs
    for name, texts in zip(names, zip(*rows, strict=True), strict=False):
        if name not in views.formats.ATOMS and ":" not in name and not any(texts):
            raise UsageError(f"no run has '{name}'", f"To sort by a key: {', '.join(views.formats.ATOMS)}, a flag or a metric")
    head = [[colours.cell("heading", safe_text(name)) for name in names]] if person else []
    if rows:
        table([*head, *rows], Shape(elastic=names.index("operation") if "operation" in names else None))


def print_lines(runs: Sequence[Run], project: Project, form: str, *, zero: bool) -> None:
    """Prints the runs in the given format, byte for byte like git's `--format`. Raises UsageError."""
    # with -z even a terminal gets the exact bytes
    safe = safe_text if is_read_by_person() and not zero else str
    line, now = views.formats.read_format(form, lambda name: find_colour(project, name), safe), datetime.now(timezone.utc)
    sys.stdout.flush()
    for run in runs:
        # a path that is not UTF-8 gets its own bytes back
        sys.stdout.buffer.write(line(run, now).encode(errors="surrogateescape") + (b"\0" if zero else b"\n"))
    sys.stdout.buffer.flush()
