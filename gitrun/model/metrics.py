"""Metrics: the numbers that a program logged about itself, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


class Metrics(Mapping[str, float]):
    """The last value of each metric, in the order in which they were recorded; never changed.

    Equal to any mapping with the same names and values; nan equals nan, for it is a record and no calculation.
    """

    __slots__ = ("_values",)
    _values: dict[str, float]

    def __init__(self, values: Mapping[str, float] | Iterable[tuple[str, float]] = ()) -> None:
        self._values = {name: float(value) for name, value in dict(values).items()}

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

    def __reduce__(self) -> tuple[type[Metrics], tuple[dict[str, float]]]:
        return Metrics, (self._values,)


def _comparable(item: tuple[str, float]) -> tuple[str, float | str]:
    name, value = item
    return name, value if value == value else "nan"  # noqa: PLR0124 - nan alone is not equal to itself
