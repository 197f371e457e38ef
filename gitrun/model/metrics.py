"""Metrics: named numbers that a program reports about itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, repeat
from operator import itemgetter
from types import MappingProxyType

from gitrun.dataclass import dataclass
from gitrun.lazy import array, heapq
from gitrun.model.text import is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, TypeAlias

    Packed: TypeAlias = dict[str, tuple[float, ...]]


STEP = "step"
"""Reserved name: its value is the step of the other metrics."""
MAX_METRICS = 1_000
"""Most metrics of an attempt; later ones are not recorded."""
MAX_NAME = 200
MAX_NAMES_LENGTH = 100_000
"""Most characters of all names together, as JSON, so that result.toml stays readable."""
MAX_POINTS, MAX_TOTAL_POINTS, MIN_POINTS = 10_000, 200_000, 100
"""Most points of one metric, most of all metrics, and points that each metric may always have."""
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Texts for numbers that JSON cannot express."""

FIRST, LAST, LEAST, MOST, COUNT = "first", "last", "min", "max", "count"
ASPECTS = (FIRST, LAST, LEAST, MOST, COUNT)
"""Aspects of a metric that a name can ask for: `loss:min`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over a whole attempt; nan counts as least or most only if there was no other value."""

    first: float
    last: float
    least: float
    most: float
    count: int

    def aspect(self, name: str) -> float:
        """Returns one of ASPECTS."""
        return {FIRST: self.first, LAST: self.last, LEAST: self.least, MOST: self.most, COUNT: self.count}[name]


class Metrics(Mapping[str, float]):
    """Immutable last values of metrics, in the order of their recording, with their summaries.

    Equal to any mapping with the same names and values. nan equals nan: this is a record and not a calculation.
    """

    __slots__ = ("_summaries", "_values")
    _values: dict[str, float]
    _summaries: dict[str, Summary]

    def __init__(
        self, values: Mapping[str, float] | Iterable[tuple[str, float]] = (), summaries: Mapping[str, Summary] | None = None
    ) -> None:
        self._values = {name: float(value) for name, value in dict(values).items()}
        self._summaries = {name: summary for name, summary in (summaries or {}).items() if name in self._values}

    @property
    def summaries(self) -> Mapping[str, Summary]:
        """Returns the summaries of metrics of which more than the last value is known."""
        return MappingProxyType(self._summaries)

    def ask(self, name: str) -> float | None:
        """Returns the last value of the metric `loss`, or the aspect in `loss:min`; None if it is unknown."""
        # a metric may itself be called `loss:min`
        if name in self._values:
            return self._values[name]
        metric, _, aspect = name.rpartition(":")
        if aspect not in ASPECTS or metric not in self._values:
            return None
        if metric in self._summaries:
            return self._summaries[metric].aspect(aspect)
        return self._values[metric] if aspect == LAST else None

    def pack(self) -> Packed:
        """Returns the metrics as tuples of numbers for `unpack`."""
        summaries = self._summaries
        return {
            name: (value, s.first, s.least, s.most, s.count) if (s := summaries.get(name)) else (value,)
            for name, value in self._values.items()
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Metrics:
        """Restores the output of `pack`; lists may replace the tuples, as after JSON."""
        unpacked = ((name, numbers) for name, numbers in packed.items() if len(numbers) > 1)
        return cls(
            {name: numbers[0] for name, numbers in packed.items()},
            {name: Summary(first, last, least, most, count) for name, (last, first, least, most, count) in unpacked},
        )

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(map(_comparable, self.items())) == dict(map(_comparable, other.items()))

    def __hash__(self) -> int:
        return hash(frozenset(map(_comparable, self.items())))

    def __reduce__(self) -> tuple[type[Metrics], tuple[dict[str, float], dict[str, Summary]]]:
        return Metrics, (self._values, self._summaries)


def _comparable(item: tuple[str, float]) -> tuple[str, float | str]:
    name, value = item
    return name, value if value == value else "nan"  # noqa: PLR0124 - nan alone is not equal to itself


def as_float(value: object) -> float | None:
    """Returns a value of TOML or JSON as a float; None if it is not a number, or too large for a float."""
    # a bool is an int in Python
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        # an int of more than 308 digits overflows
        return float(value)
    except OverflowError:
        return None


class Series:
    """One metric: exact summary, and points of row, step and value, evenly thinned above a limit."""

    __slots__ = ("count", "first", "last", "least", "most", "row", "rows", "step", "steps", "stride", "values")

    def __init__(self) -> None:
        # 24 bytes a point: lists of Python's numbers take several times that
        self.rows, self.steps, self.values = array.array("q"), array.array("d"), array.array("d")
        # every number is below the first least and above the first most
        self.first, self.last, self.least, self.most = math.nan, math.nan, math.inf, -math.inf
        self.count, self.stride, self.row, self.step = 0, 1, -1, 0.0

    def add(self, row: int, step: float, value: float, limit: int) -> None:
        """Adds one value."""
        if not self.count:
            self.first = value
        if value < self.least:  # noqa: PLR1730 - a call for each of a million values
            self.least = value
        if value > self.most:  # noqa: PLR1730 - as above
            self.most = value
        # every stride-th value is kept, so that the points stay evenly spread
        if self.count % self.stride == 0:
            self.rows.append(row)
            self.steps.append(step)
            self.values.append(value)
            if len(self.values) > limit:
                self.thin(limit)
        self.count += 1
        self.row, self.step, self.last = row, step, value

    def thin(self, limit: int) -> None:
        """Drops every second point until at most `limit` are left."""
        while len(self.values) > limit:
            self.rows, self.steps, self.values = self.rows[::2], self.steps[::2], self.values[::2]
            self.stride *= 2

    def summary(self) -> Summary:
        """Returns the summary over all values."""
        is_none = self.least > self.most  # only nan was added: it compares with nothing
        least, most = (math.nan, math.nan) if is_none else (self.least, self.most)
        return Summary(self.first, self.last, least, most, self.count)

    def points(self, name: str) -> Iterator[tuple[int, float, str, float]]:
        """Yields row, step, `name` and value of each point; always includes the last value."""
        yield from zip(self.rows, self.steps, repeat(name), self.values)
        # thinning may have dropped the last value
        if self.rows[-1] != self.row:
            yield self.row, self.step, name, self.last


class Steps:
    """A counter that gives steps to metrics without one.

    Steps count from 0 until a step is given: a name seen before in the current step starts the next one. A given step holds
    until the next one is given.
    """

    def __init__(self) -> None:
        self.current = 0.0
        self._is_given = False
        self._seen: set[str] = set()

    def set_step(self, step: float) -> None:
        """Sets the step; ignores a value that is not finite."""
        if math.isfinite(step):
            self.current, self._is_given = step, True

    def next_step(self, name: str) -> float:
        """Returns the step of a single metric."""
        if not self._is_given:
            if name in self._seen:
                self.current += 1
                self._seen = {name}
            else:
                self._seen.add(name)
        return self.current

    def shared_step(self, names: Collection[str]) -> float:
        """Returns the step of metrics that were reported together."""
        if not self._is_given:
            if not self._seen.isdisjoint(names):
                self.current += 1
                self._seen = set()
            self._seen.update(names)
        return self.current


class MetricCollector:
    """The series of the metrics from one source: the log, the output, or files.

    Keeps at most `most_points` points of a metric; summaries are exact. `echoes` maps names of flags to their values. A
    name among them becomes a metric, with all of its values, as soon as one value differs from the flag's: until then the
    program only prints its settings.
    """

    def __init__(self, most_points: int = MAX_POINTS, echoes: Mapping[str, float] | None = None) -> None:
        self.series: dict[str, Series] = {}
        self._echoes, self._held = dict(echoes or {}), dict[str, Series]()
        self.is_full = False
        self.steps = Steps()
        # nan equals no step, so the first value begins a row
        self._row, self._step = -1, math.nan
        self._room, self._most, self._limit = MAX_NAMES_LENGTH, most_points, most_points

    def admit(self, name: str) -> bool:
        """Returns whether values of this name are accepted; registers a new name if there is room."""
        if name in self.series or name in self._held:
            return True
        if not name or len(name) > MAX_NAME or name == STEP or not is_text(name):
            return False
        if name in self._echoes:
            self._held[name] = Series()
            return True
        return self._register(name, Series())

    def _register(self, name: str, series: Series) -> bool:
        """Makes the name a metric. Returns false if there are too many."""
        # with escapes, since a control character takes six characters
        room = self._room - len(json.dumps(name))
        if room < 0 or len(self.series) >= MAX_METRICS:
            self.is_full = True
            return False
        self._room = room
        self.series[name] = series
        # more metrics leave fewer points for each; `lines` thins what is over
        self._limit = min(self._most, points_per_metric(len(self.series)))
        return True

    def add(self, name: str, value: float, step: float) -> None:
        """Adds one value of a metric that `admit` has accepted."""
        series = self.series.get(name) or self._echo(name, value)
        # values of one step share a row, until a name comes a second time
        if step != self._step or series.row == self._row:
            self._row += 1
            self._step = step
        series.add(self._row, step, value, self._limit)

    def _echo(self, name: str, value: float) -> Series:
        """Returns the series of a flag's name. Makes it a metric if the value is not the flag's."""
        series = self._held[name]
        if not self.check_echo(name, value) and self._register(name, series):
            del self._held[name]
        return series

    def check_echo(self, name: str, value: float) -> bool:
        """Returns whether all values of this name were that of the flag, and this one is. Remembers one that differs."""
        if name in self._echoes and self._echoes[name] != value:
            del self._echoes[name]
        return name in self._echoes

    def add_all(self, values: Mapping[str, float], steps: Steps | None = None) -> None:
        """Adds values that were reported together, perhaps with a step; skips names that are not recorded."""
        steps = steps or self.steps
        if STEP in values:
            steps.set_step(values[STEP])
        admitted = [name for name in values if self.admit(name)]
        step = steps.shared_step(admitted) if admitted else 0.0
        for name in admitted:
            self.add(name, values[name], step)

    def lines(self, names: Collection[str] | None = None, limit: int = 0) -> Iterator[str]:
        """Yields the points as lines of JSON in order of arrival: `{"step": 3, "loss": 0.1}`. Thins the series."""
        chosen = {name: one for name, one in self.series.items() if one.count and (names is None or name in names)}
        for series in chosen.values():
            series.thin(limit or self._limit)
        points = [series.points(name) for name, series in chosen.items()]
        # each series is in the order of its rows, so merging needs no sort
        for _, row in groupby(heapq.merge(*points, key=itemgetter(0)), key=itemgetter(0)):
            points_of_row = list(row)
            yield json.dumps(
                {
                    STEP: as_step_number(points_of_row[0][1]),
                    **{name: as_json_number(value) for _, _, name, value in points_of_row},
                }
            )


@dataclass(frozen=True, slots=True)
class CollectedMetrics:
    """The metrics of an attempt from all sources; for a name in several sources, the first source counts."""

    sources: tuple[MetricCollector, ...]

    @property
    def series_by_source(self) -> list[dict[str, Series]]:
        """Returns, for each source, its recorded series, within the limits of an attempt."""
        used_names: set[str] = set()
        # the limits hold for all sources together: their names end up in one result.toml
        room, series_found = MAX_NAMES_LENGTH, []
        for source in self.sources:
            own = {}
            for name, series in source.series.items():
                weight = len(json.dumps(name))
                if series.count and name not in used_names and room >= weight and len(used_names) < MAX_METRICS:
                    room -= weight
                    used_names.add(name)
                    own[name] = series
            series_found.append(own)
        return series_found

    @property
    def is_full(self) -> bool:
        """Returns whether there were more metrics than are recorded."""
        names = {name for source in self.sources for name, series in source.series.items() if series.count}
        return any(source.is_full for source in self.sources) or len(names) > sum(map(len, self.series_by_source))

    def counts(self) -> tuple[int, int]:
        """Returns the number of all points, and of those that are kept."""
        series = [one for own in self.series_by_source for one in own.values()]
        return sum(one.count for one in series), sum(len(one.values) + (one.rows[-1] != one.row) for one in series)

    def metrics(self) -> Metrics:
        """Returns the last value and summary of each metric."""
        summaries = {name: series.summary() for own in self.series_by_source for name, series in own.items()}
        return Metrics({name: summary.last for name, summary in summaries.items()}, summaries)

    def lines(self) -> Iterator[str]:
        """Yields the points of all sources as lines of JSON, one source after the other."""
        names = self.series_by_source
        limit = points_per_metric(sum(map(len, names)))
        for source, own in zip(self.sources, names, strict=True):
            yield from source.lines(own, limit)


def points_per_metric(count: int) -> int:
    """Returns the most points of each metric if there are `count` metrics."""
    return max(MIN_POINTS, min(MAX_POINTS, MAX_TOTAL_POINTS // max(1, count)))


def as_step_number(step: float) -> float:
    """Returns a step as an int if it is a whole number."""
    return int(step) if step.is_integer() else step


def as_json_number(value: float) -> float | str:
    """Returns a value for JSON: nan and infinity as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def parse_float(text: str) -> float | None:
    """Parses a float; None if the text is not one."""
    try:
        return float(text)
    except ValueError:
        return None


def number_from_json(value: object) -> float | None:
    """Returns a metric's value from JSON as a float; None if it is not a number, or too large for a float."""
    return NON_FINITE.get(value) if isinstance(value, str) else as_float(value)
