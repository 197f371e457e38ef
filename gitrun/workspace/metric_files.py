"""Reads metric files that programs write: JSON, and the tables of DVCLive, Lightning and ultralytics.

| file | read as |
|---|---|
| `metrics.json` | numbers by name, nested ones as `train/loss`; JSON lines and an array of objects as points |
| `*.tsv` below `dvclive/` | the points of one metric, named after the path |
| `metrics.csv` with a column `step` or `epoch` | one metric per column, without empty cells (Lightning's CSVLogger) |
| `results.csv` whose first column is `epoch` | one metric per column (ultralytics) |
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING

from gitrun.model.metrics import STEP, number_from_json, parse_float
from gitrun.process.output_lines import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitrun.model.metrics import MetricCollector

MAX_FILES, MAX_FILE = 200, 64 << 20
"""The most metric files read of an attempt, and the most bytes of one."""
MAX_DEPTH = 8
"""The deepest nesting of objects that is read in a metrics.json."""
COUNTERS = (STEP, "iteration", "iter", "global_step", "epoch")
"""Columns and keys that hold the step; the first one present counts."""
DVCLIVE = "dvclive/"
# lightning_logs/version_3/metrics.csv
VERSION = re.compile(r"version_(\d+)/metrics\.csv$")


def list_metric_files(paths: Iterable[str]) -> list[str]:
    """Returns the paths that may be metric files, tables before JSON; of Lightning's `version_N` only the newest."""
    names = {"metrics.json": 1, "metrics.csv": 0, "results.csv": 0}
    ranks = {path: rank for path in paths if (rank := names.get(os.path.basename(path), 0 if is_dvclive(path) else -1)) >= 0}
    versions = {path: int(match[1]) for path in ranks if (match := VERSION.search(path))}
    newest = max(versions.values(), default=0)
    newest_files = (path for path in ranks if versions.get(path, newest) == newest)
    return sorted(newest_files, key=lambda path: (ranks[path], path))[:MAX_FILES]


def is_dvclive(path: str) -> bool:
    """Returns whether the path is a table of DVCLive."""
    return path.endswith(".tsv") and DVCLIVE in f"/{path}"


def gather_files(tree: Path, paths: Iterable[str], collector: MetricCollector) -> list[str]:
    """Adds the metrics of the files below `tree` to `collector`. Returns the paths of files above 64 MiB, which are not read.

    A name that an earlier file has is not read again.
    """
    large = []
    for path in list_metric_files(paths):
        file = open_regular(str(tree / path))
        if file is None:
            continue
        with file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            large.append(path)
            continue
        # an earlier file wins over a later one with the same metric
        before = frozenset(name for name, series in collector.series.items() if series.count)
        for values, step in read_points(path, data.decode(errors="replace")):
            fresh = {name: value for name, value in values.items() if name not in before and collector.admit(name)}
            for name, value in fresh.items():
                collector.add(name, value, step)
    return large


def read_points(path: str, text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the points of a metric file, each with its step; nothing if the file has no metrics."""
    if path.endswith(".json"):
        yield from read_json(text)
    else:
        yield from read_table(path, text)


def read_json(text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the points of a metrics.json: of one object, of an array of objects, or of JSON lines."""
    try:
        # json raises RecursionError for deep nesting
        whole = json.loads(text)
        rows = whole if isinstance(whole, list) and all(isinstance(one, dict) for one in whole) else [whole]
    except (ValueError, RecursionError):
        rows = list(read_json_lines(text))
    for count, one in enumerate(rows):
        values = dict(flatten_numbers(one))
        step = next((values[name] for name in COUNTERS if name in values), float(count))
        yield {name: value for name, value in values.items() if name not in COUNTERS}, step


def read_json_lines(text: str) -> Iterator[object]:
    """Yields the value of each JSON line; skips lines that are not JSON."""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def flatten_numbers(value: object, before: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Yields the numbers of a JSON object, with nested names joined by `/`."""
    for name, item in value.items() if isinstance(value, dict) else ():
        number = number_from_json(item)
        if number is not None:
            yield f"{before}{name}", number
        elif depth < MAX_DEPTH:
            yield from flatten_numbers(item, f"{before}{name}/", depth + 1)


def read_table(path: str, text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the rows of a table that has a step column, each with its step. Yields nothing for other tables."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.endswith(".tsv") else ",")
    try:
        # some versions of ultralytics pad the names of columns with blanks
        head = [name.strip() for name in next(rows, [])]
        counter = next((name for name in COUNTERS if name in head), None)
        # other programs write a results.csv too
        if counter is None or (os.path.basename(path) == "results.csv" and head[0] != "epoch"):
            return
        names = [dvclive_name(path)] * len(head) if is_dvclive(path) else head
        for row in rows:
            numbers = {
                column: value for column, cell in enumerate(row[: len(head)]) if (value := parse_float(cell)) is not None
            }
            step = numbers.get(head.index(counter))
            values = {names[at]: value for at, value in numbers.items() if head[at] not in (*COUNTERS, "timestamp")}
            if step is not None and values:
                yield values, step
    except csv.Error:  # such as a quoted cell that never ends
        return


def dvclive_name(path: str) -> str:
    """Returns the metric's name for a file of DVCLive, such as `train/loss`."""
    below = f"/{path}".rpartition(f"/{DVCLIVE}")[2].removesuffix(".tsv")
    # plots/metrics/train/loss is train/loss
    return re.sub(r"^(?:plots/)?(?:metrics/|scalars/|static/)?", "", below)
