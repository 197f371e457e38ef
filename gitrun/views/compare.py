"""A table of runs: a row for each run, a column for every flag and metric in which they differ."""

from __future__ import annotations

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.errors import UsageError
from gitrun.model.flags import same_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from gitrun.model.run import Run

HEAD = ("id", "operation", "status", "label", "started", "duration")
"""The columns before those of flags and metrics."""
LAST = ("label", "started", "duration")
"""The columns of `HEAD` that are shown last to a person."""
NEEDS = "needs:"
"""The prefix, in the title of a column, of an operation whose runs were needed."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and a function that returns the value of a run (None if it has none)."""

    name: str
    of: Callable[[Run], Any]


def columns_of(
    runs: Sequence[Run], needs: Mapping[str, Mapping[str, str]] | None = None, *, equal: bool = False, order: str = ""
) -> list[Column]:
    """Returns the columns in which the runs differ. With `equal`, also the columns in which they do not.

    The columns of `HEAD` are always there, the metric of `order` (as `--sort` takes it), and `base` for trials of different
    commits. `needs` maps the id of a run to the runs that it needed, by operation.
    """
    needs = needs or {}
    flags = differing_names([run.flags for run in runs], equal=equal)
    metrics = differing_names([run.metrics for run in runs], equal=equal)
    ordering = order.removeprefix("-").removeprefix("metric:")
    if ordering not in metrics and any(ordering in run.metrics for run in runs):
        metrics.append(ordering)
    # a prefix tells a flag or a metric from another value of the same name
    both = {*model.filters.PROPERTIES, *(name for name in flags if name in metrics)}
    return [
        *(column_named(name) for name in HEAD),
        *([column_named("base")] if runs and have_several_commits(runs) else ()),
        *(flag_column(name, f"flag:{name}" if name in both else name) for name in flags),
        *(needed_column(needs, name) for name in differing_names([needs.get(run.id, {}) for run in runs], equal=equal)),
        *(metric_column(name, f"metric:{name}" if name in both else name) for name in metrics),
    ]


def have_several_commits(runs: Sequence[Run]) -> bool:
    """Returns whether the runs are trials of different commits."""
    return all(run.attempt.batch for run in runs) and len({run.attempt.base for run in runs}) > 1


def column_named(name: str) -> Column:
    """Returns the column of a property, a flag or a metric, with the names that filters use."""
    return Column(name, model.filters.PROPERTIES.get(name) or (lambda run: model.filters.look_up_value(run, name)))


def flag_column(name: str, title: str) -> Column:
    """Returns the column of a flag."""
    return Column(title, lambda run: run.flags.get(name))


def metric_column(name: str, title: str) -> Column:
    """Returns the column of a metric."""
    return Column(title, lambda run: run.metrics.get(name))


def differing_names(tables: Sequence[Mapping[str, Any]], *, equal: bool) -> list[str]:
    """Returns the names whose values differ between the tables, or all names with `equal`. The order is that of first use."""
    first: dict[str, Any] = {}
    count: dict[str, int] = {}
    other: set[str] = set()
    for table in tables:
        for name in table:
            value = table[name]
            count[name] = count.get(name, 0) + 1
            # one difference is enough: the rest of the values need not be compared
            if name not in other and not is_same_quickly(value, first.setdefault(name, value)):
                other.add(name)
    # a run without the name differs from those that have it
    return [name for name in first if equal or name in other or count[name] < len(tables)]


def is_same_quickly(value: object, other: object) -> bool:
    """Compares as same_value does, which it calls only if Python's `==` may give another answer."""
    # floats are left out, because nan equals nan here but not in Python
    if type(value) is type(other) and type(value) in {int, str, bool}:
        return value == other
    return same_value(value, other)


def needed_column(needs: Mapping[str, Mapping[str, str]], operation: str) -> Column:
    """Returns the column of the needed runs of an operation."""
    return Column(f"{NEEDS}{operation}", lambda run: needs.get(run.id, {}).get(operation))


def chosen_columns(names: str, runs: Sequence[Run]) -> list[Column]:
    """Returns the columns of these comma-separated names. Raises UsageError for a name that no run has."""
    columns = [column_named(name.strip()) for name in names.split(",") if name.strip()]
    if not columns:
        raise UsageError("--columns needs names", "For example: --columns id,lr,loss")
    for column in columns:
        if column.name not in model.filters.PROPERTIES and all(column.of(run) is None for run in runs):
            raise UsageError(f"no run has '{column.name}'", "To name a column: a property, a flag or a metric")
    return columns


def rows_of(columns: Sequence[Column], runs: Iterable[Run]) -> Iterator[list[Any]]:
    """Yields the values of each run in the columns."""
    getters = [column.of for column in columns]
    for run in runs:
        yield [of(run) for of in getters]


def drop_equal_properties(columns: Sequence[Column], runs: Sequence[Run]) -> list[Column]:
    """Drops the properties, other than the id, in which all runs are the same. Moves those in `LAST` to the end."""
    differing = [
        column
        for column in columns
        if column.name not in HEAD[1:] or any(not same_value(column.of(run), column.of(runs[0])) for run in runs)
    ]
    # sorting is stable, so the other columns keep their order
    return sorted(differing, key=lambda column: column.name in LAST)
