"""Runs in a table, a row each, with the columns that `git run list --csv` writes: `id`, `status`, `flag.lr`, `metric.loss`.

So whatever can write a table can be imported: the tables that Weights & Biases or Neptune export, or a spreadsheet.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import clean_text, read_bytes
from gitrun.extras.importers.imported import ImportedRun, LeftOut, MetricPoint, read_time
from gitrun.model.flags import parse_value
from gitrun.model.metrics import parse_float
from gitrun.model.run import COMMAND, COMPLETED, ERROR, TERMINATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.extras.importers.imported import Context

TOOL = "csv"
FLAG, METRIC = "flag.", "metric."
PLAIN = (
    "id", "operation", "status", "exit_status", "label", "tags", "marked", "base", "branch", "created", "started", "stopped",
    "duration",
)  # fmt: skip
"""Columns that are read beside flags and metrics."""
OF_BATCHES = ("batch", "trial")
STATUSES = {"": (COMPLETED, 0), COMPLETED: (COMPLETED, 0), ERROR: (ERROR, 1), TERMINATED: (TERMINATED, -15)}
# what W&B, MLflow and others write, and a trial that a pruner ended
STATUSES |= {
    "pruned": (TERMINATED, -15),
    "finished": (COMPLETED, 0),
    "failed": (ERROR, 1),
    "crashed": (ERROR, 1),
    "killed": (TERMINATED, -15),
}
LARGEST = 256 << 20


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of a table. Raises UsageError if it cannot be read, or has no column of flags or metrics."""
    if not context.source:
        raise UsageError("no file given", "For example: git run import csv runs.csv")
    data = read_bytes(context.directory / Path(context.source).expanduser(), LARGEST)
    if data is None:
        raise UsageError(f"cannot read {context.source}", "It must be a file of at most 256 MiB")
    text = data.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    try:
        head = [clean_text(name, 250).strip() for name in next(rows, [])]
        if not any(name.startswith((FLAG, METRIC)) for name in head):
            raise UsageError(
                f"{context.source} has no column of a flag or metric",
                "Name columns as git run list --csv does: flag.lr, metric.loss",
            )
        seen: dict[str, int] = {}
        for name in (name for name in head if name and name not in PLAIN and not name.startswith((FLAG, METRIC))):
            advice = (
                "a row has nothing of a batch" if name in OF_BATCHES else f"to read it, name it flag.{name} or metric.{name}"
            )
            yield LeftOut(context.source, f"column {name}: {advice}")
        for number, cells in enumerate(rows, 1):
            if cells:
                yield read_row(dict(zip(head, cells, strict=False)), number, seen)
    except csv.Error as error:
        raise UsageError(f"{context.source} is no table: {error}", "It must be CSV with a line of names") from error


def read_row(row: Mapping[str, str], number: int, seen: dict[str, int]) -> ImportedRun | LeftOut:
    """Returns the run of a row. `seen` counts equal rows, which are different runs."""
    # a row without an id is known by its cells, so that rows may be added above it
    digest = hashlib.sha256(repr(sorted(row.items())).encode(errors="surrogatepass")).hexdigest()[:16]
    seen[digest] = seen.get(digest, 0) + 1
    key = row.get("id", "") or (digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    status = row.get("status", "").strip().lower()
    if status not in STATUSES:
        return LeftOut(f"row {number}", "its status is none of completed, error and terminated")
    status, code = STATUSES[status]
    recorded = row.get("exit_status", "").strip()
    with suppress(ValueError):
        code = int(recorded) if status != COMPLETED and -256 < int(recorded) < 256 and int(recorded) else code
    created = parse_time(row.get("created", "")) or parse_time(row.get("started", ""))
    started, duration = parse_time(row.get("started", "")) or created, parse_float(row.get("duration", "") or "0")
    ended = started.timestamp() + duration if started and duration and math.isfinite(duration) and duration > 0 else None
    operation = row.get("operation", "").strip() or "unknown"
    return ImportedRun(
        key=key, tool=TOOL, operation=operation, kind=COMMAND, command=(operation,),
        created=created or datetime.fromtimestamp(0, timezone.utc),
        flags={name.removeprefix(FLAG): parse_value(cell) for name, cell in row.items() if name.startswith(FLAG) and cell},
        status=status, exit_status=code, started=started, stopped=parse_time(row.get("stopped", "")) or read_time(ended),
        points=partial(read_metric_cells, row), label=row.get("label") or None, tags=tuple(parse_tags(row.get("tags", ""))),
        marked=row.get("marked", "").strip().lower() == "true", base=row.get("base") or None, branch=row.get("branch") or None,
        left_out=() if created else ("its time: there is no column created or started that has one",),
    )  # fmt: skip


def read_metric_cells(row: Mapping[str, str]) -> Iterator[MetricPoint]:
    """Yields the metrics of a row, which are their last values."""
    for name, cell in row.items():
        value = parse_float(cell) if name.startswith(METRIC) else None
        if value is not None:
            yield MetricPoint(name.removeprefix(METRIC), 0, value)


def parse_tags(cell: str) -> list[str]:
    """Returns tags: a list as `git run list --csv` writes it, or words with commas or blanks between."""
    tags = parse_value(cell) if cell.startswith("[") else None
    return [str(tag) for tag in tags] if isinstance(tags, list) else cell.replace(",", " ").split()


def parse_time(text: str) -> datetime | None:
    """Returns a time in RFC 3339 (without a zone: UTC), or in seconds since 1970; None if it is none."""
    number = parse_float(text)
    if number is not None:
        return read_time(number) if math.isfinite(number) else None
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text.strip().replace("Z", "+00:00").removesuffix(" UTC"))
        time = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc) if time.timestamp() >= 0 else None
    return None
