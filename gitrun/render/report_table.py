"""The table of runs in a report, the same in every format: columns for what differs, one line for what is equal."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.flags import same_value
from gitrun.model.run import COMPLETED, STATUSES, short_id
from gitrun.model.text import count_text, numbers_text
from gitrun.render.report_text import MANY, clip_text, delta_text, flag_text, flag_texts
from gitrun.views.report import latest_by_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from gitrun.model.run import Run
    from gitrun.views.history import Commit
    from gitrun.views.report import Report

    Values: TypeAlias = Mapping[str, Any]
    """The flags or the metrics of a run."""
    Cells: TypeAlias = Mapping[str, tuple["Cell", ...]]

MOST_ROWS, MOST_COMMITS = 50, 50
"""Runs and commits in the table."""
MOST_FLAGS, MOST_METRICS = 6, 4
"""Flags and metrics with a column each, for runs of one operation. If more of them differ, they share one column."""
MOST_OF_SEVERAL = 3
"""Flags, and metrics, with a column each for runs of several operations, of which each has its own."""
MOST_EQUAL = 12
"""Flags and metrics that are named as equal in all runs of an operation."""
MOST_OPERATIONS = 20
"""Operations that are named below or above the table."""
WITH_CHANGES = "with changes"


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as safe text, with its difference from the base; `name` is empty in a column of one name."""

    text: str
    delta: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of flags or metrics: its title, and the cells of each run that has values, by id."""

    title: str
    cells: Cells
    is_number: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the table. `note` says what other runs of the group have not in common with it: `with changes`, or nothing."""

    run: Run
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A commit with its runs; `commit` is None for runs that are listed without one. `note` is true of all of them."""

    commit: Commit | None
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """The table: its groups and columns.

    `operation` is empty if the runs have several, which then need a column. `equal` are pairs of an operation and texts for
    what is equal in all its runs. `unlisted` are the runs without a row. The others are numbers: of commits without a row, of
    trials in tables of their own, and of older runs that the report leaves out.
    """

    groups: tuple[Group, ...]
    columns: tuple[Column, ...]
    operation: str
    equal: tuple[tuple[str, tuple[str, ...]], ...]
    unlisted: tuple[Run, ...]
    unlisted_commits: int
    trials: int
    older: int = 0

    @property
    def runs(self) -> list[Run]:
        """Returns the runs of the rows, each once."""
        return list({row.run.id: row.run for group in self.groups for row in group.rows}.values())

    @property
    def caption(self) -> str:
        """Returns the caption: `50 of 167 runs, newest first`, or `2 runs, and 12 trials below`."""
        count, unlisted = len(self.runs), len(self.unlisted) + self.older
        runs = f"{count:,} of {count_text(count + unlisted, 'run')}, newest first" if unlisted else count_text(count, "run")
        return f"{runs}, and {count_text(self.trials, 'trial')} below" if self.trials else runs


def build_table(report: Report) -> ReportTable:
    """Returns the table of a report, with MOST_ROWS runs and MOST_COMMITS commits at most."""
    groups, unlisted_commits = group_runs(report)
    shown = {row.run.id for group in groups for row in group.rows}
    trials = {trial.id for batch in report.batches if batch.run.id in shown for trial in batch.trials}
    runs = [run for run in report.all_runs if run.id in shown or run.id not in trials]
    operations = list(dict.fromkeys(run.operation for run in runs))
    flags, equal_flags = split_names(report, runs, "flags")
    metrics, equal_metrics = split_names(report, runs, "metrics")
    rows = [run for run in runs if run.id in shown]
    equal = [(operation, (*equal_flags[operation], *equal_metrics[operation])) for operation in operations]
    return ReportTable(
        tuple(groups),
        (*flag_columns(report, rows, flags), *metric_columns(report, rows, metrics)),
        clip_text(operations[0], 80) if len(operations) == 1 else "",
        tuple((clip_text(operation, 80), texts) for operation, texts in equal if texts)[:MOST_OPERATIONS],
        tuple(run for run in runs if run.id not in shown),
        unlisted_commits,
        len(report.all_runs) - len(runs),
        report.older,
    )


def group_runs(report: Report) -> tuple[list[Group], int]:
    """Returns the rows by commit, newest first, and the number of commits without one. Each run has one row at most."""
    # a run with changes to one commit may be exactly another one: it is listed there alone
    exact = {run.id for commit in report.commits for run in commit.exact}
    batches = {batch.run.id for batch in report.batches}
    groups, listed = list[Group](), set[str]()
    for commit in report.commits[:MOST_COMMITS]:
        room = MOST_ROWS - sum(len(group.rows) for group in groups)
        rows = [*map(Row, commit.exact), *(Row(run, WITH_CHANGES) for run in commit.changed if run.id not in exact)]
        fresh = without_trials([row for row in rows if row.run.id not in listed], batches)
        if fresh and not room:
            break
        listed |= {row.run.id for row in rows}
        groups.append(group_commit(commit, fresh[:room], has_runs=bool(rows)))
    if report.runs:
        groups.append(Group(None, tuple(without_trials([Row(run) for run in report.runs], batches)[:MOST_ROWS])))
    return groups, len(report.commits) - len([group for group in groups if group.commit])


def without_trials(rows: Sequence[Row], batches: Collection[str]) -> list[Row]:
    """Returns the rows without the trials of those batches that are among them: a batch has a table of its own."""
    here = {row.run.id for row in rows} & set(batches)
    return [row for row in rows if row.run.attempt.batch not in here]


def group_commit(commit: Commit, rows: Sequence[Row], *, has_runs: bool) -> Group:
    """Returns a commit with these rows. What is noted of all of them is noted once."""
    if not rows:
        return Group(commit, (), "its runs are those above" if has_runs else "no run of exactly this")
    notes = {row.note for row in rows}
    return Group(commit, tuple(Row(row.run) for row in rows), notes.pop()) if len(notes) == 1 else Group(commit, tuple(rows))


def split_names(report: Report, runs: Sequence[Run], part: str) -> tuple[dict[str, set[str]], dict[str, list[str]]]:
    """Returns, by operation, the names of flags or metrics that differ, and texts for the others.

    They differ between the runs of the operation or from its base. A single run without a base has nothing to be equal to.
    """
    differing: dict[str, set[str]] = {}
    equal: dict[str, list[str]] = {}
    by_operation: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_operation[run.operation].append(run)
    for operation, runs_of_it in by_operation.items():
        base = report.bases.get(operation)
        tables = [getattr(run, part) for run in (*runs_of_it, *([base] if base else []))]
        names = list(dict.fromkeys(name for table in tables for name in table))
        same = {name for name in names if len(tables) > 1 and is_equal_in_all(name, tables)}
        differing[operation] = set(names) - same
        texts = [
            f"{clip_text(name, 60)}={value_in(part, tables[0][name])}"
            for name in ordered_names(runs_of_it[0], part)
            if name in same
        ]
        equal[operation] = texts if len(texts) <= MOST_EQUAL else [*texts[:MOST_EQUAL], f"{len(texts) - MOST_EQUAL} more"]
    return differing, equal


def is_equal_in_all(name: str, tables: Sequence[Values]) -> bool:
    """Returns whether all tables have the name, with the same value."""
    first = tables[0].get(name)
    return all(name in table and same_value(table[name], first) for table in tables)


def ordered_names(run: Run, part: str) -> Iterable[str]:
    """Returns the names of a run's flags, typed ones first, or of its metrics."""
    return run.flags.order(run.attempt.given) if part == "flags" else run.metrics


def value_in(part: str, value: Any) -> str:  # noqa: ANN401 - a flag or a number
    """Formats a flag or a metric."""
    return flag_text(value) if part == "flags" else numbers_text([value])[0]


def flag_columns(report: Report, rows: Sequence[Run], differing: Mapping[str, set[str]]) -> list[Column]:
    """Returns a column for each flag that differs, or one for all if there are many."""
    names = names_in_rows(rows, differing, "flags")
    cells = {name: flag_cells(report, rows, name, differing) for name in names}
    if len(names) > (MOST_FLAGS if len(differing) == 1 else MOST_OF_SEVERAL):
        return [share_column("flags", cells, rows)]
    numbers = {name: holds_numbers(run.flags[name] for run in rows if name in run.flags) for name in names}
    return [Column(clip_text(name, 60), cells[name], numbers[name]) for name in names]


def flag_cells(report: Report, rows: Sequence[Run], name: str, differing: Mapping[str, set[str]]) -> Cells:
    """Returns a flag of each run, with the value of its base if that is another."""
    present = [run for run in rows if name in differing[run.operation]]
    # all at once, because how far a number is rounded depends on the others
    texts = flag_texts([run.flags.get(name) for run in present])
    cells: dict[str, tuple[Cell, ...]] = {}
    for run, text in zip(present, texts, strict=True):
        base = report.bases.get(run.operation)
        old, new = base.flags.get(name) if base else None, run.flags.get(name)
        if old is not None or new is not None:
            differs = base is not None and not same_value(old, new)
            cells[run.id] = (Cell(clip_text(text), f"was {flag_text(old)}" if differs else ""),)
    return cells


def metric_columns(report: Report, rows: Sequence[Run], differing: Mapping[str, set[str]]) -> list[Column]:
    """Returns a column for each metric that differs, or one for all if there are many."""
    names = names_in_rows(rows, differing, "metrics")
    cells = {name: metric_cells(report, rows, name, differing) for name in names}
    if len(names) > (MOST_METRICS if len(differing) == 1 else MOST_OF_SEVERAL):
        return [share_column("metrics", cells, rows)]
    return [Column(clip_text(name, 60), cells[name], is_number=True) for name in names]


def metric_cells(report: Report, rows: Sequence[Run], name: str, differing: Mapping[str, set[str]]) -> Cells:
    """Returns a metric of each run with its difference from the base."""
    present = [run for run in rows if name in run.metrics and name in differing[run.operation]]
    texts = numbers_text([run.metrics[name] for run in present])
    olds = [base.metrics.get(name) if (base := report.bases.get(run.operation)) else None for run in present]
    return {
        run.id: (Cell(text, delta_text(run.metrics[name], old)),) for run, text, old in zip(present, texts, olds, strict=True)
    }


def names_in_rows(rows: Sequence[Run], differing: Mapping[str, set[str]], part: str) -> list[str]:
    """Returns the names that differ in the order of first use, newest run first."""
    first = dict.fromkeys(name for run in rows for name in ordered_names(run, part) if name in differing[run.operation])
    # flags that only a base has come last
    return list(first | dict.fromkeys(name for run in latest_by_operation(rows) for name in sorted(differing[run.operation])))


def share_column(title: str, columns: Mapping[str, Cells], rows: Sequence[Run]) -> Column:
    """Returns one column with the first cells of each run, and the number of the others."""
    shared: dict[str, tuple[Cell, ...]] = {}
    for run in rows:
        named = [
            Cell(cell.text, cell.delta, clip_text(name, 60))
            for name, cells in columns.items()
            for cell in cells.get(run.id, ())
        ]
        more = (Cell(f"… {len(named) - MANY} more"),) if len(named) > MANY else ()
        shared[run.id] = (*named[:MANY], *more)
    return Column(title, shared, is_number=False)


def holds_numbers(values: Iterable[Any]) -> bool:
    """Returns whether all values are numbers."""
    # True is an int in Python
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def equal_lines(table: ReportTable) -> list[tuple[str, tuple[str, ...]]]:
    """Returns what is equal in all runs of an operation, as pairs of operation and texts.

    If all runs have one operation, the operation of the pair is empty and the first text is the operation.
    """
    if not table.operation:
        return list(table.equal)
    texts = table.equal[0][1] if table.equal else ()
    return [("", (table.operation, *texts))] if texts or len(table.runs) + len(table.unlisted) > 1 else []


def count_unlisted(table: ReportTable) -> str:
    """Returns a sentence on the runs and commits without a row; empty if all have one."""
    if not (table.unlisted or table.older or table.unlisted_commits):
        return ""
    ended = {status: sum(run.attempt.shown_status == status for run in table.unlisted) for status in STATUSES}
    each = ", ".join(f"{count:,} {status}" for status, count in ended.items() if count)
    runs = f"{count_text(len(table.unlisted), 'more run')}: {each}" if table.unlisted else ""
    commits = count_text(table.unlisted_commits, "more commit") if table.unlisted_commits else ""
    older = count_text(table.older, "older run") if table.older else ""
    return f"… and {'; '.join(filter(None, (runs, older, commits)))}."


def metric_ranges(report: Report) -> list[tuple[str, tuple[str, Run], tuple[str, Run]]]:
    """Returns, for metrics of completed runs, the name, and its least and its largest value, each with the newest such run.

    Returns none for runs of several operations, and for fewer than three.
    """
    runs = [run for run in report.all_runs if run.status == COMPLETED]
    if len(runs) < 3 or len({run.operation for run in runs}) > 1:
        return []
    ranges = []
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        # nan is neither the least nor the largest
        valued = [(run.metrics[name], run) for run in runs if name in run.metrics and not math.isnan(run.metrics[name])]
        low, high = (choose(valued, key=lambda pair: pair[0], default=None) for choose in (min, max))
        if low and high and low[0] < high[0]:
            least, most = numbers_text([low[0], high[0]])
            ranges.append((clip_text(name, 60), (least, low[1]), (most, high[1])))
    return ranges[:MOST_METRICS]


def ranges_sentence(report: Report, quote: Callable[[str], str], name_run: Callable[[Run], str]) -> str:
    """Returns the least and the largest values of metrics, in markup; empty if there are none."""
    ranges = "; ".join(
        f"{quote(name)} from {low} ({name_run(least)}) to {high} ({name_run(most)})"
        for name, (low, least), (high, most) in metric_ranges(report)
    )
    return f"Completed runs have {ranges}." if ranges else ""


def bases_sentence(report: Report, quote: Callable[[str], str]) -> str:
    """Names the runs of the base for comparison, in markup; empty without a range of commits."""
    if not report.bases:
        return "There is no run of the base to compare with." if report.range else ""
    bases = (
        f"{quote(clip_text(operation, 80))} with {quote(short_id(run.id))}"
        for operation, run in list(report.bases.items())[:MOST_OPERATIONS]
    )
    return f"Compared with the latest completed run of the base: {', '.join(bases)}."


def fit_texts(texts: Sequence[str], room: int) -> tuple[list[str], int]:
    """Returns the first texts that fit into the budget (0: all), and the number of omitted ones."""
    used, fitted = 0, list[str]()
    for text in texts:
        # and a line end that joins it to the next one
        used += len(text) + 1
        if room and used > room:
            break
        fitted.append(text)
    return fitted, len(texts) - len(fitted)
