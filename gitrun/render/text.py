"""Runs as text for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time

from gitrun.dataclass import dataclass
from gitrun.model.metrics import ASPECTS
from gitrun.model.run import ERROR, PENDING, PRUNED, RUNNING, TERMINATED, BrokenRun, as_json, attempt_as_json, short_id
from gitrun.model.text import (
    count_columns,
    cut_to_columns,
    duration_text,
    encode_path,
    number_text,
    relative_text,
    safe_text,
    shorten,
    size_text,
    time_text,
)
from gitrun.render.palette import PLAIN, Cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import Any

    from gitrun.model.provenance import Basis
    from gitrun.model.run import Attempt, Run
    from gitrun.render.palette import Palette


BLOCKS = "▁▂▃▄▅▆▇█"

GAP = "  "
LINE = 69
"""Columns of a terminal of usual width, beside the names of rows."""
WIDEST = 500
"""Columns up to which a cell widens its column; longer cells stick out."""
NARROWEST = 12
"""Columns that a shortened cell keeps."""
FEW = 3
"""Files of a needed run that are named."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The layout of a table. The column `elastic` is shortened so that the first `whole` columns fit, and `spare` columns more.

    The cells of the columns `right` are aligned to the right.
    """

    elastic: int | None = None
    whole: int | None = None
    right: frozenset[int] = frozenset()
    spare: int = 0


def json_safe(value: Any) -> Any:  # noqa: ANN401 - whatever a verb shows
    """Replaces what JSON lacks: not-a-number and infinities by texts, dates and times by ISO 8601."""
    # Python would write NaN and Infinity, which other parsers of JSON refuse
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: json_safe(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Returns the width of each column in terminal columns."""
    return [min(max(map(count_columns, column)), WIDEST) for column in zip(*rows, strict=True)]


def shrink_columns(rows: Sequence[Sequence[str]], shape: Shape, room: int) -> Sequence[Sequence[str]]:
    """Shortens the column `shape.elastic` so that the others fit, to at most a third of `room`."""
    widths = column_widths(rows)
    if shape.elastic is None or sum(widths) + len(GAP) * (len(widths) - 1) <= room:
        return rows
    rest = sum(widths[: shape.whole]) + len(GAP) * len(widths[: shape.whole]) - widths[shape.elastic] + shape.spare
    most = min(room // 3, max(room - rest, NARROWEST))
    return [[shorten(cell, most) if at == shape.elastic else cell for at, cell in enumerate(row)] for row in rows]


def fold_words(words: Iterable[str], gap: str = " ") -> Iterator[str]:
    """Yields the words in lines of at most LINE columns. A longer word has a line of its own."""
    line = ""
    for word in words:
        if line and count_columns(line + gap + word) > LINE:
            yield line
            line = word
        else:
            line += gap + word if line else word
    yield line


def row_head(name: str) -> str:
    """Returns the first column of a row of `git run show`; blanks without a name."""
    return f"{name + ':' if name else '':<11}"


def label_first(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields rows of which the first has the name."""
    for number, line in enumerate(lines):
        yield "" if number else name, line


def join_cells(row: Sequence[str], widths: Sequence[int], room: int, right: Collection[int] = (), *, cut: str = "…") -> str:
    """Formats a row as a line of at most `room` terminal columns, with colours. `right` lists right-aligned columns.

    `cut` ends a line that is too long.
    """
    pieces: list[str] = []
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        blanks = " " * max(width - count_columns(cell), 0)
        pieces += [blanks, cell, GAP] if at in right else [cell, blanks + GAP]
    # no blanks at the end of a line
    while pieces and not pieces[-1].strip():
        pieces.pop()
    fits = sum(map(count_columns, pieces)) <= room
    joined, room_left = "", room if fits else room - len(cut)
    for piece in pieces:
        text = piece if fits else cut_to_columns(piece, room_left)
        room_left -= count_columns(text)
        # after the cut: half an escape sequence, or one without its reset, would colour what follows
        joined += piece.painted(text) if isinstance(piece, Cell) and text else text
        if len(text) < len(piece):
            break
    return joined.rstrip(" ") if fits else joined + cut


def claim_text(attempt: Attempt) -> str:
    """Formats who executes an attempt that has no result yet: `claimed by gpubox since 2026-11-29 11:03:35`, or empty."""
    if attempt.status != PENDING or not attempt.worker:
        return ""
    return f"claimed by {safe_text(attempt.worker)} since {time_text(attempt.created)}"


def counts_text(attempt: Attempt) -> str:
    """Formats the counts and the best trial of a batch: `3 of 4 completed, 1 error; best #4 loss=0.371`."""
    if (counts := attempt.counts) is None:
        return ""
    others = (f"{count:,} {name}" for name in (PRUNED, ERROR, TERMINATED, PENDING) if (count := getattr(counts, name)))
    text = ", ".join((f"{counts.completed:,} of {counts.total:,} completed", *others))
    if counts.best is None:
        return text
    metric = attempt.params.minimize or attempt.params.maximize or "loss"
    return f"{text}; best #{counts.best.number} {safe_text(metric)}={number_text(counts.best.value)}"


def broken_row(run: BrokenRun, colours: Palette = PLAIN) -> list[str]:
    """Returns an unreadable run as a row of the list."""
    state = colours.cell("unreadable", "unreadable")
    return ["?", colours.cell("id", safe_text(short_id(run.id))), "-", "-", state, safe_text(run.reason)]


def run_json(run: Run | BrokenRun) -> dict[str, Any]:
    """Returns a run as a JSON value, or an unreadable one with its reason."""
    return {"id": run.id, "error": run.reason} if isinstance(run, BrokenRun) else as_json(run)


def show_json(run: Run, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Returns a run with attempts, metric summaries and files as a JSON value."""
    files = [{"path": encode_path(f.path), "size": f.size, "sha256": f.sha256, "stored": f.stored} for f in run.attempt.files]
    series = {name: {aspect: summary.aspect(aspect) for aspect in ASPECTS} for name, summary in run.metrics.summaries.items()}
    return as_json(run) | {"attempts": [attempt_as_json(attempt) for attempt in attempts], "series": series, "files": files}


def basis_json(basis: Basis | None) -> dict[str, Any]:
    """Returns the needed files of other runs and the inputs as JSON values."""
    needs = [
        {
            "operation": n.operation,
            "run": n.run_id,
            "files": [
                {"path": encode_path(path), "sha256": sha256} for path, (_, sha256) in zip(n.paths, n.files, strict=True)
            ],
        }
        for n in (basis.needs if basis else ())
    ]
    inputs = [
        {"path": encode_path(one.path), "size": one.size, "sha256": one.sha256, "url": one.url or None}
        for one in (basis.inputs if basis else ())
    ]
    return {"needs": needs, "inputs": inputs}


def basis_rows(basis: Basis | None) -> list[tuple[str, str]]:
    """Returns the needed files of other runs and the inputs as pairs of name and text."""
    if basis is None:
        return []
    needs = ((need, need.paths) for need in basis.needs)
    inputs = ((one.path, size_text(one.size), f"sha256 {one.sha256[:12]}", one.url) for one in basis.inputs)
    return [
        *(("needs", f"{need.operation} {short_id(need.run_id)}{GAP}{join_few(paths)}") for need, paths in needs),
        *(("input", GAP.join(filter(None, cells))) for cells in inputs),
    ]


def join_few(paths: Sequence[str]) -> str:
    """Joins the first FEW paths, and counts the others."""
    more = f" and {len(paths) - FEW:,} more" if len(paths) > FEW else ""
    return ", ".join(paths[:FEW]) + more


def when_text(time: datetime | None, now: datetime) -> str:
    """Formats a time for people: `2026-11-22 10:14:03 (3 hours ago)`."""
    return f"{time_text(time)} ({relative_text(time, now)})" if time else "-"


def status_text(attempt: Attempt, now: datetime | None = None) -> str:
    """Formats the status with exit status and duration. With `now`, a running one has its duration so far."""
    if attempt.stopped:
        return attempt.ending
    if attempt.status != RUNNING or attempt.started is None or now is None:
        return ", ".join(filter(None, (attempt.status, claim_text(attempt))))
    # a clock may have been set back since the start
    return f"{attempt.status} for {duration_text(max((now - attempt.started).total_seconds(), 0.0))}"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Returns the values as a line of blocks: one for each value, or for the mean of several; a blank without finite ones."""
    count = min(width, len(values))
    parts = [values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)]
    means = [mean([value for value in part if math.isfinite(value)]) for part in parts]
    numbers = [value for value in means if value is not None]
    if not numbers:
        return ""
    low, span = min(numbers), max(numbers) - min(numbers)
    # the largest minus the smallest float can be inf
    if not math.isfinite(span):
        return ""
    heights = (" " if value is None else BLOCKS[round((value - low) / span * 7) if span else 0] for value in means)
    return "".join(heights)


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean of some numbers; None if there are none, or if their mean is not finite."""
    # divided before they are added: the sum of large floats can be inf
    average = sum(value / len(values) for value in values) if values else math.nan
    return average if math.isfinite(average) else None
