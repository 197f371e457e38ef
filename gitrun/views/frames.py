"""Runs as columns for other programs: every property, and each flag and metric under a name that no other column can have."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gitrun.errors import MissingPackage
from gitrun.model.filters import PROPERTIES
from gitrun.model.flags import format_value
from gitrun.views.compare import Column, flag_column, metric_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitrun.model.run import Run

FLAG, METRIC = "flag.", "metric."
"""Prefixes of columns: a flag and a metric may have one name, and both may be called like a property."""
NAMES = (
    "id", "operation", "status", "label", "tags", "marked", "started", "stopped", "duration", "exit_status", "branch", "base",
    "batch", "trial",
)  # fmt: skip
FRAME, PARQUET = "gitrun.extras.frame", "gitrun.extras.parquet"
LARGEST = 1 << 63
"""Whole numbers of 64 bits are below this one."""


def frame_columns(runs: Sequence[Run]) -> list[Column]:
    """Returns the columns of a frame: properties, then flags and metrics in the order in which the runs have them."""
    flags = dict.fromkeys(name for run in runs for name in run.flags)
    metrics = dict.fromkeys(name for run in runs for name in run.metrics)
    return [
        *(Column(name, PROPERTIES[name]) for name in NAMES),
        *(flag_column(name, f"{FLAG}{name}") for name in flags),
        *(metric_column(name, f"{METRIC}{name}") for name in metrics),
    ]


def frame_values(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Returns the values of each column, one for each run; None where a run has none. Times are in UTC."""
    return {column.name: [column.of(run) for run in runs] for column in frame_columns(runs)}


def of_one_type(values: Sequence[Any]) -> list[Any]:
    """Returns a column for a format in which all its values have one type.

    Whole numbers become floats beside floats. Values of different types, lists, and whole numbers of more than 64 bits become
    texts, as they are typed.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if kinds == {int} and any(value is not None and not -LARGEST <= value < LARGEST for value in values):
        kinds = {object}
    if len(kinds) <= 1 and kinds <= {bool, int, float, str, datetime}:
        return list(values)
    return [value if value is None or isinstance(value, str) else format_value(value) for value in values]


def make_frame(runs: Sequence[Run]) -> Any:  # noqa: ANN401 - a DataFrame, which has types only where pandas is
    """Returns runs as a data frame of pandas. Raises MissingPackage."""
    if find_spec("pandas") is None:
        raise MissingPackage("runs_frame needs pandas", "To install it: pip install 'git-run-tracker[pandas]'")
    # an extra: the core imports nothing of it
    return import_module(FRAME).make_frame(frame_values(runs))


def write_parquet(runs: Sequence[Run], path: Path) -> None:
    """Writes runs as a Parquet file. Raises MissingPackage, OSError."""
    if find_spec("pyarrow") is None:
        hint = "To install it: pip install 'git-run-tracker[parquet]'. To write CSV, which needs nothing: --csv"
        raise MissingPackage("--parquet needs pyarrow", hint)
    import_module(PARQUET).write_parquet({name: of_one_type(column) for name, column in frame_values(runs).items()}, path)
