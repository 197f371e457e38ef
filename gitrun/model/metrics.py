"""Metrics: named numbers that a program reports about itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    Packed: TypeAlias = dict[str, tuple[float, ...]]

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
        self._summaries = {name: found for name, found in (summaries or {}).items() if name in self._values}

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
        known = self._summaries
        return {
            name: (value, s.first, s.least, s.most, s.count) if (s := known.get(name)) else (value,)
            for name, value in self._values.items()
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Metrics:
        """Restores the output of `pack`; lists may replace the tuples, as after JSON."""
        known = ((name, numbers) for name, numbers in packed.items() if len(numbers) > 1)
        return cls(
            {name: numbers[0] for name, numbers in packed.items()},
            {name: Summary(first, last, least, most, count) for name, (last, first, least, most, count) in known},
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
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
