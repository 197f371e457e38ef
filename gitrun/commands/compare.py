"""`git run compare`: many runs side by side."""

from __future__ import annotations

import csv
import sys
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun import views
from gitrun.commands import declared
from gitrun.commands.screen import is_read_by_person, print_json, read_palette, table
from gitrun.commands.selecting import add_filters, build_query, draw_sparks, explain_no_match, open_project, report_doubts
from gitrun.dataclass import replace
from gitrun.errors import BadRun, UnknownRun, UsageError
from gitrun.model.filters import PROPERTIES
from gitrun.model.flags import format_value
from gitrun.model.run import BATCH, rfc3339_text, short_id
from gitrun.model.text import duration_text, label_text, numbers_text, relative_text, safe_text
from gitrun.render.text import Shape
from gitrun.views.compare import HEAD, LAST, NEEDS, Column, chosen_columns, columns_of, drop_equal_properties, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.render.palette import Palette
    from gitrun.views.batches import RepeatedPoint
    from gitrun.views.select import Query

ROWS = 20
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of texts that spreadsheets evaluate as formulas."""
CURVE = "curve:"
"""The prefix, in the title of a column, of the metric whose curves are drawn."""
WIDEST = 200
"""Columns of a table for people; one run can have tens of thousands of names."""
FAMILIES = 1_000
"""Runs whose needs are read. The index lacks needs, and reading them takes git 0.3 ms for each run."""


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--min", "least", metavar="NAME", help="Sort by this metric or flag, smallest first.")
@declared.option("--max", "most", metavar="NAME", help="Sort by this metric or flag, largest first.")
@declared.option(
    "--top", "--limit", "-n", "limit", type=declared.int_range(min=1), metavar="N", help="Show only the first N runs."
)
@declared.option("--all", "everything", is_flag=True, help="Show all runs, not only the newest 20.")
@declared.option("--columns", metavar="NAMES", help="Show these columns (properties, flags, metrics), such as id,lr,loss.")
@declared.option("--spark", metavar="METRIC", help="Draw the curve of this metric in each row (at most 50).")
@declared.option("--equal", is_flag=True, help="Also show flags and metrics that are the same in all runs.")
@declared.option("--csv", "as_csv", is_flag=True, help="Print CSV with full values.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array with an object for each run.")
def command(runs: tuple[str, ...], *, everything: bool, as_csv: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Shows runs side by side, with the flags and metrics in which they differ (default: the newest 20).

    Of a batch, shows its trials, best first; without an objective, in their order.

    \b
      git run compare 1:5
      git run compare --op train.py --max acc --top 3
      git run compare 3fa2c1d8 --top 5
      git run compare --all --csv > runs.csv
    """
    names, equal, limit, spark = (options.pop(name) for name in ("columns", "equal", "limit", "spark"))
    require_table(spark, {"--csv": as_csv, "--json": as_json})
    query = sort_rows(build_query(options))
    is_sorted = query.sort is not None
    # named or filtered runs are all shown: the limit is for a plain call where there are many runs
    few = ROWS if not (runs or everything) and query.is_plain else -1
    project = open_project()
    runs, query = as_trials(project, runs, query)
    points = repeated_points(project, query)
    # by the medians of points, which no order of runs gives
    by_points = bool(points) and not is_sorted
    selection = project.select(runs, query, -1 if by_points else limit or few)
    selected = [run for _, run in selection.runs]
    if by_points:
        selected = views.batches.order_by_points(selected, points)[: limit or None]
    columns = choose_columns(project, selected, query, names, equal=equal)
    if points and names is None:
        columns += point_columns(points)
    columns = with_sparks(project, columns, selected, spark)
    if as_json:
        print_json(
            [{c.name: plain_cell(value) for c, value in zip(columns, row, strict=True)} for row in rows_of(columns, selected)]
        )
    elif as_csv:
        print_csv(columns, selected)
    else:
        show_table(project, columns, selected, is_chosen=bool(names))
    if selection.more and not limit:
        project.say(f"{selection.more} more. To compare all: --all")
    if not selected:
        is_empty = not runs and query.is_plain
        project.say("no runs here yet. To make one: git run <script>" if is_empty else explain_no_match(project, query))


def choose_columns(project: Project, runs: Sequence[Run], query: Query, names: str | None, *, equal: bool) -> list[Column]:
    """Returns the columns of these names, joined by commas; without names, those in which the runs differ, or `equal` too.

    Warns about names of both a flag and a metric.
    """
    if names is not None:
        report_doubts(project, runs, [name.strip() for name in names.split(",")])
        if runs:
            return chosen_columns(names, runs)
    return columns_of(runs, list_needs(project, runs), equal=equal, order=query.sort or "")


def show_table(project: Project, columns: Sequence[Column], runs: Sequence[Run], *, is_chosen: bool) -> None:
    """Prints the rows as a table for people, of WIDEST columns at most. Shows equal properties only if these are chosen."""
    shown = columns[:WIDEST]
    print_table(shown if is_chosen or not runs else drop_equal_properties(shown, runs), runs, read_palette(project))
    if len(columns) > WIDEST:
        project.say(f"{len(columns) - WIDEST:,} more columns. To see them: --columns NAMES, or --csv")


def as_trials(project: Project, names: tuple[str, ...], query: Query) -> tuple[tuple[str, ...], Query]:
    """Returns names and query for the trials of a batch, if one batch alone is named; else both as they are.

    The best trial is first, or trial 1 if the batch has no objective.
    """
    if len(names) != 1 or query.batch:
        return names, query
    named = [run for _, run in project.select(names).runs]
    if len(named) != 1 or named[0].attempt.kind != BATCH:
        return names, query
    order = query.sort or best_order(project, named[0])
    if order is None:
        project.say("the batch has no objective, so its trials are in order. To show the best first: --min METRIC, or --max")
    return (), replace(query, batch=named[0].id, sort=order or "trial")


def best_order(project: Project, batch: Run) -> str | None:
    """Returns the order that puts the best trial of a batch first, in the form of `--sort`; None if there is none."""
    with suppress(BadRun):
        for objective in project.runs.read_definition(batch).objectives[:1]:
            if any(trial.metrics.ask(objective.metric) is not None for trial in project.runs.shown_trials(batch)):
                return f"metric:{objective.metric}" if objective.minimize else f"-metric:{objective.metric}"
    return None


def repeated_points(project: Project, query: Query) -> list[RepeatedPoint]:
    """Returns the points of the batch of the query, best first, if it repeats them; else none."""
    with suppress(BadRun, UnknownRun):
        if query.batch:
            batch = project.find(query.batch)
            return views.batches.rank_points(project.runs.read_definition(batch), project.runs.shown_trials(batch))
    return []


def point_columns(points: Sequence[RepeatedPoint]) -> list[Column]:
    """Returns the columns of median, mean and standard deviation of the values at a trial's point."""
    by_trial = {trial.id: point for point in points for trial in point.trials}

    def column(name: str, of: Callable[[RepeatedPoint], float | None]) -> Column:
        return Column(name, lambda run: of(by_trial[run.id]) if run.id in by_trial else None)

    return [
        column("median", lambda point: point.median), column("mean", lambda point: point.mean),
        column("sd", lambda point: point.deviation),
    ]  # fmt: skip


def require_table(spark: str | None, forms: Mapping[str, bool]) -> None:
    """Raises UsageError if curves are asked for in one of these forms, which cannot draw them."""
    for name in (name for name, is_asked in forms.items() if spark and is_asked):
        raise UsageError(f"--spark and {name} cannot be combined")


def with_sparks(project: Project, columns: list[Column], runs: Sequence[Run], metric: str | None) -> list[Column]:
    """Returns the columns with one more, of the drawn curves of the metric, before those of flags; if there is a metric."""
    if not metric:
        return columns
    drawn = draw_sparks(project, runs, metric)
    start = next((at for at, column in enumerate(columns) if column.name not in HEAD), len(columns))
    return [*columns[:start], Column(f"{CURVE}{metric}", lambda run: drawn.get(run.id)), *columns[start:]]


def list_needs(project: Project, runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """Returns the needed runs by operation, for each run id; nothing for more than FAMILIES runs."""
    if len(runs) > FAMILIES:
        return {}
    return {run.id: needs for run, needs in zip(runs, project.runs.read_needs(runs), strict=True)}


def sort_rows(query: Query) -> Query:
    """Returns the query for all runs, best first if `--min` or `--max` asks for that. Raises UsageError."""
    # `-acc` sorts by acc, largest first
    orders = [*filter(None, (query.least, query.most and f"-{query.most}", query.sort))]
    if len(orders) > 1:
        raise UsageError("--min, --max and --sort cannot be combined")
    order = "--min" if query.least else "--max" if query.most else "--sort"
    # as a filter, --min or --max would select one run; here they only order
    return replace(query, least=None, most=None, sort=orders[0] if orders else None, order=order)


def print_csv(columns: Sequence[Column], runs: Sequence[Run]) -> None:
    """Prints the rows as CSV: full values, RFC 3339 times, empty cells for absent values, no formulas."""
    # the csv module ends lines with CR LF unless told otherwise
    writer = csv.writer(sys.stdout, lineterminator="\n")
    # names and labels may hold escape sequences, which a terminal would obey; a pipe gets exact values
    value_of = shown_cell if is_read_by_person() else exact_cell
    writer.writerow([value_of(column.name) for column in columns])
    writer.writerows([value_of(value) for value in row] for row in rows_of(columns, runs))


def print_table(columns: Sequence[Column], runs: Sequence[Run], colours: Palette) -> None:
    """Prints the rows as a table for people."""
    if not runs:
        return
    now = datetime.now(timezone.utc)
    names = [column.name for column in columns]
    values = list(rows_of(columns, runs))
    # column by column, because how far a number is rounded depends on the others
    cells = [
        [paint_rows(colours, name, text) for text in cell_texts(name, column, now)]
        for name, column in zip(names, zip(*values, strict=True), strict=True)
    ]
    # the operation is the column that a narrow terminal shortens
    elastic = names.index("operation") if "operation" in names else None
    whole = sum(name not in LAST for name in names)
    right = frozenset(at for at, column in enumerate(zip(*values, strict=True)) if holds_only_numbers(column))
    table(
        [[colours.cell("heading", safe_text(name)) for name in names], *zip(*cells, strict=True)], Shape(elastic, whole, right)
    )


def holds_only_numbers(values: Iterable[Any]) -> bool:
    """Returns whether a column has values, and all of them are numbers."""
    there = [value for value in values if value is not None]
    # True is an int in Python
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def paint_rows(colours: Palette, name: str, text: str) -> str:
    """Returns a cell in the colour of its column, if it has one."""
    text = label_text(text) if name == "label" else text
    return colours.cell({"id": "id", "status": text, "label": "label"}.get(name, ""), text)


def plain_cell(value: Any) -> Any:  # noqa: ANN401 - whatever a run has
    """Converts a value for JSON."""
    return rfc3339_text(value) if isinstance(value, datetime) else value


def exact_cell(value: Any) -> str | float:  # noqa: ANN401 - whatever a run has
    """Converts a value for CSV: a number, or a text that is no formula to a spreadsheet (OWASP, CSV injection)."""
    # True is an int in Python, but a word in a table
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if value is None or isinstance(value, datetime):
        return rfc3339_text(value) or ""
    text = value if isinstance(value, str) else format_value(value)
    # a label such as `=HYPERLINK(...)` would be evaluated when the file is opened; after an apostrophe it is text
    return f"'{text}" if text.startswith(FORMULA) else text


def shown_cell(value: Any) -> str | float:  # noqa: ANN401 - whatever a run has
    """Converts as `exact_cell`, but makes the text safe for a terminal."""
    cell = exact_cell(value)
    return safe_text(cell) if isinstance(cell, str) else cell


def cell_texts(name: str, values: Sequence[Any], now: datetime) -> list[str]:
    """Formats a column for people so that different numbers look different."""
    # a duration has a format of its own (3m20s)
    numbers = numbers_text([value if isinstance(value, float) and name != "duration" else None for value in values])
    return [shorten_cell(name, value, now) if text == "-" else text for value, text in zip(values, numbers, strict=True)]


def shorten_cell(name: str, value: Any, now: datetime) -> str:  # noqa: ANN401 - whatever a run has
    """Formats a value other than a metric for people; a flag as it would be typed."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return relative_text(value, now)
    # `needs:prepare` holds the id of a run
    if name.startswith(CURVE):
        return str(value)
    if name in {"id", "base"} or (name.startswith(NEEDS) and isinstance(value, str)):
        return safe_text(short_id(value))
    if name == "duration":
        return duration_text(value)
    return safe_text(value if isinstance(value, str) and name in PROPERTIES else format_value(value))
