"""Curves: how metrics of runs went from step to step, in few enough points to draw, without losing a peak."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gitrun import workspace
from gitrun.dataclass import dataclass
from gitrun.git.objects import Objects
from gitrun.model.points import Points, parse_points
from gitrun.model.record_files import METRICS
from gitrun.model.run import RUNNING
from gitrun.process.output_lines import PART, open_regular, read_pieces
from gitrun.store.live import LOGGED_METRICS, OUTPUT, STREAMS, directory_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.metrics import Series
    from gitrun.model.run import Run


MOST_POINTS = 1_000
"""The points of a curve, unless the caller asks for more or fewer."""
LARGEST = 32 << 20
"""The maximum size of a record in bytes; a larger one is not read."""
POLL = 1.0
"""Seconds that one poll of a log may take before it looks whether there is more."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric of a run over its steps, in the order of the record. Values may be nan or infinite, steps are finite."""

    run_id: str
    metric: str
    steps: Sequence[float]
    values: Sequence[float]


def read_curves(
    git: Git, runs: Iterable[Run], metrics: Collection[str], points: int = MOST_POINTS, *, smoothing: float = 0.0
) -> list[Curve]:
    """Returns the curves of these metrics, run by run; none for a metric that a run does not have.

    A curve has at most `points` points (7 or more). A running run has the points that it has logged or printed so far.
    `smoothing` is the weight of `smooth_values`.
    """
    names = list(dict.fromkeys(metrics))
    curves: list[Curve] = []
    with Objects(git) as objects:
        for run in runs:
            points_by_name = read_live(git.state, run.id, names) if run.status == RUNNING else read_record(objects, run, names)
            for name in (name for name in names if name in points_by_name):
                smooth = Points(points_by_name[name].steps, smooth_values(points_by_name[name].values, smoothing))
                curves.append(draw_curve(run.id, name, smooth, points))
    return curves


def read_record(objects: Objects, run: Run, names: Collection[str]) -> dict[str, Points]:
    """Returns the recorded points of these metrics."""
    # a run without metrics has no record
    record = objects.read(f"{run.attempt.left}:{METRICS}", LARGEST) if names and run.metrics else None
    return parse_points(record.data, names) if record and record.data else {}


def read_live(state: Path, run_id: str, names: Collection[str]) -> dict[str, Points]:
    """Returns the points of these metrics that a running run has reported so far."""
    metrics = LiveMetrics(state, run_id)
    metrics.poll()
    return {name: points for name in names if (points := metrics.points_of(name))}


class LiveMetrics:
    """The metrics of a running run that it logs or prints, read piece by piece while it writes.

    Those that are found by the user's patterns or in files are not among them until the run ends.
    """

    def __init__(self, state: Path, run_id: str) -> None:
        directory = directory_of(state, run_id)
        self._output, self._switches, self._at = directory / OUTPUT, directory / STREAMS, 0
        self._logged = workspace.logged_metrics.LoggedMetrics(directory / LOGGED_METRICS)
        self._rules = workspace.metric_lines.read_rules(directory)
        self._scanner = workspace.metric_lines.LineScanner(self._rules.flags)

    def poll(self, seconds: float = math.inf) -> None:
        """Reads whole lines that are new since the last poll, for about so many seconds of each source."""
        end = time.monotonic() + seconds
        while self._logged.poll(min(POLL, seconds)) and time.monotonic() < end:
            pass
        end = time.monotonic() + seconds
        if self._rules.only_patterns or self._at >= PART:
            return
        if file := open_regular(str(self._output)):
            with file:
                for stream, data in read_pieces(file, str(self._switches), self._at):
                    self._at += len(data)
                    self._scanner.feed(stream, data)
                    # as much as its supervisor reads before the end
                    if self._at >= PART or time.monotonic() > end:
                        break

    def last_values(self) -> dict[str, float]:
        """Returns the last value of each metric; logged ones come first."""
        series = {**self._scanner.collector.series, **self._logged.collector.series}
        names = dict.fromkeys((*self._logged.collector.series, *self._scanner.collector.series))
        return {name: series[name].last for name in names if series[name].count}

    def points_of(self, name: str) -> Points | None:
        """Returns the points of a metric so far; None if there are none."""
        if (series := self.series_of(name)) is None:
            return None
        rows = list(series.points(name))
        return Points(tuple(step for _, step, _, _ in rows), tuple(value for *_, value in rows))

    def series_of(self, name: str) -> Series | None:
        """Returns the series of a metric so far; None if there is none. What is logged takes precedence."""
        collectors = (self._logged.collector, self._scanner.collector)
        return next((series for one in collectors if (series := one.series.get(name)) and series.count), None)


def draw_curve(run_id: str, metric: str, points: Points, most: int) -> Curve:
    """Returns the curve of these points, thinned to at most `most`."""
    indexes = list(thin_indexes(points.values, most))
    return Curve(run_id, metric, tuple(points.steps[at] for at in indexes), tuple(points.values[at] for at in indexes))


def smooth_values(values: Sequence[float], weight: float) -> Sequence[float]:
    """Returns the exponential moving average of the values, without the pull of its start (as TensorBoard draws it).

    `weight` is that of the values before, from 0 (nothing changes) to below 1. Leaves nan and infinities as they are.
    """
    if not weight:
        return values
    smooth, average, share = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            average, share = weight * average + (1 - weight) * value, weight * share + (1 - weight)
        smooth.append(average / share if math.isfinite(value) else value)
    return smooth


def thin_indexes(values: Sequence[float], most: int) -> Sequence[int]:
    """Returns the indexes of at most `most` values (7 or more), in order: the first, the last, and some of each bucket.

    These are the minimum and maximum of its finite values, and the first nan and the first of each infinity.
    """
    if len(values) <= most:
        return range(len(values))
    kinds = {repr(value) for value in values if not math.isfinite(value)}
    buckets = max((most - 2) // (2 + len(kinds)), 1)
    indexes = {0, len(values) - 1}
    for number in range(buckets):
        bucket = range(len(values) * number // buckets, len(values) * (number + 1) // buckets)
        indexes.update(bucket_indexes(values, bucket))
    return sorted(indexes)


def bucket_indexes(values: Sequence[float], bucket: range) -> Iterator[int]:
    """Yields the indexes of a bucket that stand for it."""
    finite = [at for at in bucket if math.isfinite(values[at])]
    if finite:
        yield min(finite, key=values.__getitem__)
        yield max(finite, key=values.__getitem__)
    if len(finite) < len(bucket):
        # nan equals nothing, its text does
        yield from {repr(values[at]): at for at in reversed(bucket) if not math.isfinite(values[at])}.values()
