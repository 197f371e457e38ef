"""Runs in a table, a row each, with the columns that `git run list --csv` writes: `id`, `status`, `flag.lr`, `metric.loss`.

So whatever can write a table can be imported: the tables that Weights & Biases or Neptune export, or a spreadsheet. Those of
`mlflow experiments csv` are read as they are.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import clean_text, read_bytes
from gitrun.extras.importers.imported import ImportedRun, LeftOut, MetricPoint, join_trials, read_ending, read_time
from gitrun.model.flags import parse_value
from gitrun.model.metrics import parse_float
from gitrun.model.run import COMMAND, COMPLETED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.extras.importers.imported import Context

TOOL = "csv"
FLAG, METRIC, TAG = "flag.", "metric.", "tags."
PLAIN = (
    "id", "operation", "status", "exit_status", "label", "tags", "marked", "base", "branch", "created", "started", "stopped",
    "duration", "batch", "trial",
)  # fmt: skip
"""Columns that are read beside flags and metrics."""
# what `mlflow experiments csv` writes
PREFIXES = {"params.": FLAG, "metrics.": METRIC}
OTHER_NAMES = {
    "run_id": "id", "start_time": "started", "end_time": "stopped", "tags.mlflow.source.name": "operation",
    "tags.mlflow.runName": "label", "tags.mlflow.source.git.commit": "base", "tags.mlflow.source.git.branch": "branch",
}  # fmt: skip
LARGEST, MOST_RUNS = 256 << 20, 100_000


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of a table. Raises UsageError if it cannot be read, or has no column of flags or metrics."""
    if not context.source:
        raise UsageError("no file given", "For example: git run import csv runs.csv")
    data = read_bytes(context.locate(context.source), LARGEST)
    if data is None:
        raise UsageError(f"cannot read {context.source}", "It must be a file of at most 256 MiB")
    text = data.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    try:
        head = [read_name(clean_text(name, 250).strip()) for name in next(rows, [])]
        if not any(name.startswith((FLAG, METRIC)) for name in head):
            raise UsageError(
                f"{context.source} has no column of a flag or metric",
                "Name columns as git run list --csv does: flag.lr, metric.loss",
            )
        seen: dict[str, int] = {}
        if unread := [name for name in head if name and name not in PLAIN and not name.startswith((FLAG, METRIC, TAG))]:
            advice = f"to read it, name it flag.{unread[0]} or metric.{unread[0]}"
            yield LeftOut(context.source, f"column {', '.join(unread[:20])}: {advice}")
        tables = (dict(zip(head, cells, strict=False)) for cells in islice(filter(None, rows), MOST_RUNS + 1))
        yield from join_batches([(row.get("batch", ""), read_row(row, number, seen)) for number, row in enumerate(tables, 1)])
    except csv.Error as error:
        raise UsageError(f"{context.source} is no table: {error}", "It must be CSV with a line of names") from error


def read_name(name: str) -> str:
    """Returns the name of a column as `git run list --csv` has it, for one of MLflow too."""
    prefix = next((one for one in PREFIXES if name.startswith(one)), "")
    return f"{PREFIXES[prefix]}{name.removeprefix(prefix)}" if prefix else OTHER_NAMES.get(name, name)


def join_batches(rows: Sequence[tuple[str, ImportedRun | LeftOut]]) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of rows, those with one cell `batch` as the trials of a batch. The batch may have a row of its own."""
    trials: dict[str, list[ImportedRun]] = {}
    for batch, run in rows:
        if batch and isinstance(run, ImportedRun):
            trials.setdefault(batch, []).append(run)
    batches = {run.key: run for batch, run in rows if isinstance(run, ImportedRun) and not batch and run.key in trials}
    yield from (run for batch, run in rows if isinstance(run, LeftOut) or not (batch or run.key in batches))
    for batch, runs in trials.items():
        yield from join_trials(batch, runs, batches.get(batch))


def read_row(row: Mapping[str, str], number: int, seen: dict[str, int]) -> ImportedRun | LeftOut:
    """Returns the run of a row. `seen` counts equal rows, which are different runs."""
    # a row without an id is known by its cells, so that rows may be added above it
    digest = hashlib.sha256(repr(sorted(row.items())).encode(errors="surrogatepass")).hexdigest()[:16]
    seen[digest] = seen.get(digest, 0) + 1
    key = row.get("id", "") or (digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    ending = read_ending(row.get("status") or COMPLETED)
    if ending is None:
        return LeftOut(f"row {number}", "its status is not completed, error or terminated")
    status, code = ending
    recorded = row.get("exit_status", "").strip()
    with suppress(ValueError):
        code = int(recorded) if status != COMPLETED and -256 < int(recorded) < 256 and int(recorded) else code
    created = parse_time(row.get("created", "")) or parse_time(row.get("started", ""))
    started, duration = parse_time(row.get("started", "")) or created, parse_float(row.get("duration", "") or "0")
    ended = started.timestamp() + duration if started and duration and math.isfinite(duration) and duration > 0 else None
    operation = row.get("operation", "").strip() or "unknown"
    trial = row.get("trial", "")
    return ImportedRun(
        key=key, tool=TOOL, operation=operation, kind=COMMAND, command=(operation,),
        created=created or datetime.fromtimestamp(0, timezone.utc),
        flags={name.removeprefix(FLAG): parse_value(cell) for name, cell in row.items() if name.startswith(FLAG) and cell},
        status=status, exit_status=code, started=started, stopped=parse_time(row.get("stopped", "")) or read_time(ended),
        points=partial(read_metric_cells, row), label=row.get("label") or None, tags=tuple(parse_tags(row)),
        marked=row.get("marked", "").strip().lower() == "true", base=row.get("base") or None, branch=row.get("branch") or None,
        trial=int(trial) if trial.isascii() and trial.isdecimal() and len(trial) < 10 else None,
        left_out=() if created else ("its time: neither column created nor column started has one",),
    )  # fmt: skip


def read_metric_cells(row: Mapping[str, str]) -> Iterator[MetricPoint]:
    """Yields the metrics of a row, which are their last values."""
    for name, cell in row.items():
        value = parse_float(cell) if name.startswith(METRIC) else None
        if value is not None:
            yield MetricPoint(name.removeprefix(METRIC), 0, value)


def parse_tags(row: Mapping[str, str]) -> list[str]:
    """Returns tags: a list as `git run list --csv` writes it, or words with commas or blanks between; `a=1` for tags.a."""
    cell = row.get("tags", "")
    tags = parse_value(cell) if cell.startswith("[") else None
    own = [f"{name.removeprefix(TAG)}={value}" for name, value in row.items() if name.startswith(TAG) and value]
    own = [tag for tag in own if not tag.startswith("mlflow.")]
    return [*([str(tag) for tag in tags] if isinstance(tags, list) else cell.replace(",", " ").split()), *own]


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
