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

MOST_FILES, LARGEST = 200, 64 << 20
"""The most metric files read of an attempt, and the most bytes of one."""
DEEPEST = 8
"""The deepest nesting of objects that is read in a metrics.json."""
COUNTERS = (STEP, "iteration", "iter", "global_step", "epoch")
"""Columns and keys that hold the step; the first one present counts."""
LIVE = "dvclive/"
VERSION = re.compile(r"version_(\d+)/metrics\.csv$")


def metric_files(paths: Iterable[str]) -> list[str]:
    """Returns the paths that may be metric files, tables before JSON; of Lightning's `version_N` only the newest."""
    names = {"metrics.json": 1, "metrics.csv": 0, "results.csv": 0}
    found = {path: rank for path in paths if (rank := names.get(os.path.basename(path), 0 if is_live(path) else -1)) >= 0}
    versions = {path: int(match[1]) for path in found if (match := VERSION.search(path))}
    newest = max(versions.values(), default=0)
    chosen = (path for path in found if versions.get(path, newest) == newest)
    return sorted(chosen, key=lambda path: (found[path], path))[:MOST_FILES]


def is_live(path: str) -> bool:
    """Returns whether the path is a table of DVCLive."""
    return path.endswith(".tsv") and LIVE in f"/{path}"


def gather(tree: Path, paths: Iterable[str], gathering: MetricCollector) -> list[str]:
    """Adds the metrics of the files below `tree` to `gathering`. Returns the paths of files above 64 MiB, which are not read.

    A name that an earlier file has is not read again.
    """
    large = []
    for path in metric_files(paths):
        file = open_regular(str(tree / path))
        if file is None:
            continue
        with file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            large.append(path)
            continue
        # an earlier file wins over a later one with the same metric
        before = frozenset(name for name, series in gathering.series.items() if series.count)
        for values, step in points(path, data.decode(errors="replace")):
            fresh = {name: value for name, value in values.items() if name not in before and gathering.takes(name)}
            for name, value in fresh.items():
                gathering.add(name, value, step)
    return large


def points(path: str, text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the points of a metric file, each with its step; nothing if the file has no metrics."""
    if path.endswith(".json"):
        yield from of_json(text)
    else:
        yield from of_table(path, text)


def of_json(text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the points of a metrics.json: of one object, of an array of objects, or of JSON lines."""
    try:
        # json raises RecursionError for deep nesting
        whole = json.loads(text)
        found = whole if isinstance(whole, list) and all(isinstance(one, dict) for one in whole) else [whole]
    except (ValueError, RecursionError):
        found = list(of_lines(text))
    for count, one in enumerate(found):
        values = dict(numbers(one))
        step = next((values[name] for name in COUNTERS if name in values), float(count))
        yield {name: value for name, value in values.items() if name not in COUNTERS}, step


def of_lines(text: str) -> Iterator[object]:
    """Yields the value of each JSON line; skips lines that are not JSON."""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def numbers(value: object, before: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Yields the numbers of a JSON object, with nested names joined by `/`."""
    for name, found in value.items() if isinstance(value, dict) else ():
        known = number_from_json(found)
        if known is not None:
            yield f"{before}{name}", known
        elif depth < DEEPEST:
            yield from numbers(found, f"{before}{name}/", depth + 1)


def of_table(path: str, text: str) -> Iterator[tuple[dict[str, float], float]]:
    """Yields the rows of a table that has a step column, each with its step. Yields nothing for other tables."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.endswith(".tsv") else ",")
    try:
        head = [name.strip() for name in next(rows, [])]
        counter = next((name for name in COUNTERS if name in head), None)
        # other programs write a results.csv too
        if counter is None or (os.path.basename(path) == "results.csv" and head[0] != "epoch"):
            return
        names = [live_name(path)] * len(head) if is_live(path) else head
        for row in rows:
            known = {column: value for column, cell in enumerate(row[: len(head)]) if (value := parse_float(cell)) is not None}
            step = known.get(head.index(counter))
            values = {names[at]: value for at, value in known.items() if head[at] not in (*COUNTERS, "timestamp")}
            if step is not None and values:
                yield values, step
    except csv.Error:  # such as a quoted cell that never ends
        return


def live_name(path: str) -> str:
    """Returns the metric's name for a file of DVCLive, such as `train/loss`."""
    below = f"/{path}".rpartition(f"/{LIVE}")[2].removesuffix(".tsv")
    return re.sub(r"^(?:plots/)?(?:metrics/|scalars/|static/)?", "", below)
