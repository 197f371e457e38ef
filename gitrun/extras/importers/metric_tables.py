"""Metrics in files and outputs of other tools, found as those of a program that gitrun runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.extras.importers.foreign_files import read_bytes
from gitrun.extras.importers.imported import MetricPoint
from gitrun.workspace.metric_files import list_metric_files, read_points
from gitrun.workspace.metric_lines import LineScanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

LARGEST = 64 << 20
"""The most bytes of a file of metrics."""


def read_metric_tables(files: Mapping[str, bytes | Path]) -> Iterator[MetricPoint]:
    """Yields the points of those files that hold metrics, tables before JSON. A name of an earlier file is not read again."""
    names: set[str] = set()
    for path in list_metric_files(files):
        content = files[path]
        data = content if isinstance(content, bytes) else read_bytes(content, LARGEST)
        fresh: set[str] = set()
        for values, step in read_points(path, (data or b"").decode(errors="replace")):
            fresh |= values.keys() - names
            yield from (MetricPoint(name, step, value) for name, value in values.items() if name not in names)
        names |= fresh


def read_printed_metrics(
    output: bytes, flags: Mapping[str, object], known: Iterable[MetricPoint] = ()
) -> Iterator[MetricPoint]:
    """Yields the points in `known`, then those in lines such as `loss: 0.1` whose names are not among them.

    A number that only repeats a flag is no metric.
    """
    names: set[str] = set()
    for point in known:
        names.add(point.name)
        yield point
    scanner = LineScanner({name: float(value) for name, value in flags.items() if isinstance(value, int | float)})
    scanner.feed(0, output)
    scanner.finish()
    for name, series in scanner.collector.series.items():
        if series.count and name not in names:
            yield from (MetricPoint(name, step, value) for step, value in zip(series.steps, series.values, strict=True))
