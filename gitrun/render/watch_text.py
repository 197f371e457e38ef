"""The lines of `git run watch` for several runs: one for each that runs, and one for each that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.model.run import BATCH, short_id
from gitrun.model.text import duration_text, metrics_text, number_text, safe_text, shorten
from gitrun.render.text import GAP, column_widths, counts_text, join_cells, sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gitrun.model.run import Run
    from gitrun.render.palette import Palette
    from gitrun.views.watched import Progress

NAME, METRICS, SPARK = 24, 2, 12
"""Columns of an operation, metrics that are shown of a running run, and columns of the course of the first."""
ENDED_METRICS = 8
"""Metrics that are shown of a run in a line of its own."""


def running_lines(states: Sequence[Progress], now: datetime, columns: int, palette: Palette, *, has_blocks: bool) -> list[str]:
    """Returns a line of so many columns for each running run. `has_blocks` allows sparklines."""
    rows = [running_row(progress, now, palette, has_blocks=has_blocks) for progress in states]
    # a column that no run has would be two blanks
    shown = [at for at in range(len(rows[0])) if any(row[at] for row in rows)] if rows else []
    rows = [[row[at] for at in shown] for row in rows]
    widths = column_widths(rows)
    return [join_cells(row, widths, columns) for row in rows]


def progress_json(progress: Progress) -> dict[str, Any]:
    """Returns how far a running run is as a JSON object: id, step, last values of metrics, last line of output."""
    return {
        "id": progress.run.id, "step": progress.step, "metrics": dict(progress.metrics), "line": progress.last_line,
    }  # fmt: skip


def running_row(progress: Progress, now: datetime, palette: Palette, *, has_blocks: bool) -> list[str]:
    """Returns id, operation, elapsed time, step, metrics, sparkline and last line of output."""
    run = progress.run
    seconds = (now - (run.attempt.started or run.attempt.created)).total_seconds()
    is_batch = run.attempt.kind == BATCH
    return [
        palette.cell("id", short_id(run.id)),
        shorten(safe_text(run.operation) + trial_text(run), NAME),
        # a clock may have been set back since the start
        palette.cell("running", duration_text(max(seconds, 0.0))),
        "" if progress.step is None else f"step {number_text(progress.step)}",
        counts_text(run.attempt) if is_batch else metrics_text(progress.metrics, METRICS),
        sparkline(progress.values, SPARK) if has_blocks else "",
        "" if is_batch else progress.last_line,
    ]


def trial_text(run: Run) -> str:
    """Returns the number of a trial, ` #3`; empty for other runs."""
    return f" #{run.attempt.trial}" if run.attempt.batch else ""


def ended_line(run: Run, columns: int, palette: Palette) -> str:
    """Returns the line of a run that has ended: id, operation, flags, outcome, metrics."""
    attempt = run.attempt
    outcome = palette.cell(attempt.shown_status, attempt.ending)
    numbers = counts_text(attempt) if attempt.kind == BATCH else metrics_text(run.metrics, ENDED_METRICS)
    name = shorten(safe_text(run.operation) + trial_text(run), NAME)
    flags = "" if attempt.kind == BATCH else safe_text(attempt.brief_flags_text)
    cells = [cell for cell in (palette.cell("id", short_id(run.id)), name, outcome, numbers, flags) if cell]
    return join_cells(cells, [0] * len(cells), columns)


def format_metrics(run: Run) -> str:
    """Returns the metrics of a run behind a colon; empty if there are none."""
    return f": {metrics_text(run.metrics, ENDED_METRICS)}" if run.metrics else ""


def more_line(count: int) -> str:
    """Returns the line for runs that the window has no room for."""
    return f"…{GAP}and {count:,} more running"
