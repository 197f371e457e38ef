"""Selects runs for a verb: filter options and run names, the same for every verb."""

from __future__ import annotations

import sys

from gitrun import model, render, views
from gitrun.commands import declared
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run import BATCH, STATUSES, BrokenRun, Run, short_id
from gitrun.model.text import count_text, label_text, relative_text
from gitrun.project import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any, TypeVar

    from gitrun.process.streams import Stream
    from gitrun.views.select import Query

    F = TypeVar("F", bound=Callable[..., Any])

WIDTH = 30
"""Characters of the bar."""
MANY = 2_000
"""Runs from which reading takes long enough for a bar."""


MOST = 10
"""Runs that are reported one by one; further ones are counted."""
SPARKS = 50
"""Runs whose curves are drawn in a table: each of them is read from git."""
SPARK_POINTS, SPARK_WIDTH = 320, 16
"""Points of such a curve that are read, and the terminal columns that it takes."""
OPTIONS = (
    declared.option("--op", "operations", multiple=True, metavar="NAME", help="Select runs of this operation (repeatable)."),
    declared.option("--label", "-l", "labels", multiple=True, metavar="TEXT", help="Select runs with this label (repeatable)."),
    declared.option(
        "--tag", "-t", "tags", multiple=True, metavar="TEXT", help="Select runs with this tag (repeated: with all of them)."
    ),
    declared.option(
        "--status",
        "statuses",
        multiple=True,
        type=declared.choice(STATUSES),
        metavar="STATUS",
        help="Select runs of this status (repeatable).",
    ),
    declared.option(
        "--branch", "branches", multiple=True, metavar="NAME", help="Select runs made on this branch (repeatable)."
    ),
    declared.option(
        "--author", "authors", multiple=True, metavar="TEXT", help="Select runs whose author's name or address contains TEXT."
    ),
    declared.option("--batch", metavar="ID", help="Select runs of this batch."),
    declared.option("--since", metavar="DATE", help="Select runs started since DATE: 2.weeks, yesterday, 2026-11-01."),
    declared.option("--until", metavar="DATE", help="Select runs started before DATE."),
    declared.option(
        "--where", "expression", metavar="EXPR", help="Select runs that match EXPR, such as 'lr<0.1 and status=completed'."
    ),
    declared.option("--sort", metavar="NAME", help="Sort by a flag, metric or property; -NAME: largest first."),
)


def add_filters(verb: F) -> F:
    """Adds the filter options to a verb. Pass its options to `build_query`."""
    # decorators apply from the bottom up, and the help shows them from the top down
    for option in reversed(OPTIONS):
        verb = option(verb)
    return verb


def build_query(options: dict[str, Any]) -> Query:
    """Builds the query from filter options, and removes these from `options`."""
    names = views.select.Query.__slots__
    return views.select.Query(**{name: options.pop(name) for name in names if name in options})


def select_runs(project: Project, names: Sequence[str], query: Query) -> list[Run]:
    """Returns the runs that names and filters select; without either, the newest. Raises UnknownRun."""
    # with a filter but no name, all runs are meant, not the newest
    names_or_latest = names or (() if not query.is_plain else (model.run_names.LATEST,))
    runs = [run for _, run in project.select(names_or_latest, query).runs]
    if not runs:
        raise NoMatch(explain_no_match(project, query), "To list all runs: git run list --all")
    return runs


def explain_no_match(project: Project, query: Query) -> str:
    """Explains why no run matches, for example because no run has the name in the filter."""
    # a misspelt flag in a filter matches no run
    with project.index() as index:
        name = views.select.unknown_name(index, query)
    return f"no run has '{name}'" if name else "no runs match"


def report_doubts(project: Project, runs: Sequence[Run], columns: Sequence[str]) -> None:
    """Warns about columns that are both a flag and a metric."""
    for name in columns:
        if views.select.is_flag_and_metric(runs, name):
            project.say(f"note: {name!r} is a flag and a metric; the column shows the flag. To show the metric: metric:{name}")


def draw_sparks(project: Project, runs: Sequence[Run], metric: str) -> dict[str, str]:
    """Returns the drawn curve of the metric by run id, for the first SPARKS runs. Raises UsageError if none of them has it."""
    curves = project.runs.read_curves(runs[:SPARKS], (metric,), SPARK_POINTS)
    if runs and not curves:
        raise UsageError(f"no run here has a curve of {metric!r}", "To see the metrics of a run: git run show ID")
    if len(runs) > SPARKS:
        project.say(f"note: --spark draws only the first {SPARKS} runs")
    return {curve.run_id: render.text.sparkline(curve.values, SPARK_WIDTH) for curve in curves}


def report_changed(project: Project, runs: Sequence[Run], changed: Sequence[str], state: str) -> None:
    """Reports what happened to the runs, and names the first that changed."""
    if len(runs) == 1:
        words = f"is {state}" if changed else "is unchanged"
        project.say(f"run {short_id(runs[0].id)} {runs[0].operation} {words}")
        return
    changed_ids = frozenset(changed)
    names = [f"{short_id(run.id)} {run.operation}" for run in runs if run.id in changed_ids]
    names_text = ", ".join(names[:MOST]) + (f" and {len(names) - MOST:,} more" if len(names) > MOST else "")
    same = len(runs) - len(changed)
    words = f"{count_text(len(changed), 'run')} {state}" + (f", {same} unchanged" if same else "")
    project.say(words + (f": {names_text}" if names_text else ""))


def add_deleted_trials(project: Project, runs: Sequence[Run | BrokenRun], *, only: bool) -> list[Run | BrokenRun]:
    """Returns deleted runs with the deleted trials of the batches among them; without these if `only` is set."""
    batches = {run.id for run in runs if isinstance(run, Run) and run.attempt.kind == BATCH}
    if only or not batches:
        return list(runs)
    run_ids = {run.id for run in runs}
    deleted = (run for run in project.trash.list_runs() if isinstance(run, Run) and run.id not in run_ids)
    return [*runs, *(run for run in deleted if run.attempt.batch in batches)]


def report_runs(project: Project, verb: str, runs: Sequence[Run | BrokenRun], now: datetime | None = None) -> None:
    """Reports what was done to each run, and to how many. With `now`, adds their ages."""
    for run in runs:
        project.say(f"{verb} run {describe_run(run, now)}")
    if len(runs) > 1:
        project.say(f"{verb} {count_text(len(runs), 'run')}")


def describe_run(run: Run | BrokenRun, now: datetime | None = None) -> str:
    """Identifies a run for people: id, operation, flags."""
    if isinstance(run, BrokenRun):
        return f"{short_id(run.id)}  (unreadable: {run.reason})"
    age = f"({relative_text(run.attempt.started or run.attempt.created, now)})" if now else ""
    label = f"[{label_text(run.notes.label)}] " if run.notes.label else ""
    return "  ".join(
        filter(None, (short_id(run.id), run.operation, label + run.attempt.brief_text, run.attempt.shown_status, age))
    )


def open_project(stdout: Stream | None = None, stderr: Stream | None = None) -> Project:
    """Opens the project of the current directory. A bar shows progress while a large index is built."""
    return Project(stdout=stdout, stderr=stderr, on_progress=show_progress if sys.stderr.isatty() else None)


def show_progress(count: int, total: int, *, act: str = "reading", least: int = MANY) -> None:
    """Redraws the bar in its line on stderr, and erases it at the end."""
    if total <= least:
        return
    filled = WIDTH * count // total
    line = f"gitrun: {act} runs [{'#' * filled}{'.' * (WIDTH - filled)}] {count:,} of {total:,}"
    # blanks erase the bar on every terminal, without escape sequences
    sys.stderr.write(f"\r{line}" if count < total else f"\r{' ' * len(line)}\r")
    sys.stderr.flush()
