"""Follows the running trials of a batch, and names those that are not worth going on."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import replace
from gitrun.model.metrics import ASPECTS
from gitrun.model.points import parse_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.metrics import Series
    from gitrun.workspace.metrics import Meter

PACE = 0.3
"""Seconds between two questions to the pruner: each looks at all trials."""


class TrialWatch:
    """Reads the objective of running trials from their meters, and asks the pruner about those with new values."""

    def __init__(self, definition: BatchDefinition, batch_id: str) -> None:
        """Raises BadValue, MissingPackage."""
        self._pruner = lifecycle.samplers.make_pruner(definition, batch_id)
        self._metric = definition.objectives[0].metric if definition.objectives else ""
        self._counts: dict[int, int] = {}
        self._due = 0.0

    @property
    def is_active(self) -> bool:
        """Returns whether trials may be pruned."""
        return self._pruner is not None

    def begin(self, number: int, meter: Meter | None) -> None:
        """Follows a trial from its start on."""
        self._counts.pop(number, None)
        if meter and self.is_active:
            meter.watch_closely()

    def patience(self, meters: Mapping[int, Meter]) -> float:
        """Returns the seconds until `find_hopeless` is due; infinity if no trial has new values."""
        return max(self._due - time.monotonic(), 0.0) if any(self._list_changed(meters)) else math.inf

    def find_hopeless(self, meters: Mapping[int, Meter], trials: dict[int, Trial]) -> Iterator[tuple[int, int]]:
        """Updates the series of running trials. Yields number and last step of each that is not worth going on.

        Does nothing if it was called a moment ago.
        """
        if self._pruner is None or time.monotonic() < self._due:
            return
        changed = list(self._list_changed(meters))
        for number, series in changed:
            self._counts[number] = series.count
            trials[number] = replace(trials[number], series=points_of(series))
        trials_in_order = [trials[number] for number in sorted(trials)]
        for number, _ in changed:
            if self._pruner.should_stop(trials[number], trials_in_order):
                yield number, trials[number].series[-1][0]
        if changed:
            self._due = time.monotonic() + PACE

    def _list_changed(self, meters: Mapping[int, Meter]) -> Iterator[tuple[int, Series]]:
        """Yields the trials with values that the pruner has not seen."""
        for number, meter in meters.items() if self.is_active else ():
            series = next((series_read for name in series_names(self._metric) if (series_read := meter.series_of(name))), None)
            if series and series.count != self._counts.get(number):
                yield number, series


def series_names(metric: str) -> tuple[str, ...]:
    """Returns the metrics whose points an objective such as `loss:min` may mean, the likeliest first."""
    name, _, aspect = metric.rpartition(":")
    # a metric may itself be called `loss:min`
    return (metric, name) if name and aspect in ASPECTS else (metric,)


def points_of(series: Series) -> tuple[tuple[int, float], ...]:
    """Returns steps and values. Steps are whole numbers, as pruners need them."""
    return tuple(zip(map(int, series.steps), series.values, strict=True))


def read_points(data: bytes, metric: str) -> tuple[tuple[int, float], ...]:
    """Returns steps and values of an objective from the points that a result has recorded."""
    names = series_names(metric)
    points_by_name = parse_points(data, names)
    points = next((points_by_name[name] for name in names if name in points_by_name), None)
    return tuple(zip(map(int, points.steps), points.values, strict=True)) if points else ()
