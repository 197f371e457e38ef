"""The points of a grid, each computed from its index: a grid of ten million points needs no list."""

from __future__ import annotations

import random
import sys
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.errors import BadValue
from gitrun.model.space import Choice, format_given, order_flags
from gitrun.model.values import copy_value, format_value, same_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.space import Domain, Space
    from gitrun.model.values import Value


@dataclass(frozen=True, slots=True)
class Axis:
    """A flag of a grid with its values. `when` is as for its domain; `decides` says that a later flag depends on this one."""

    name: str
    values: Sequence[Value]
    when: Mapping[str, Sequence[Value]]
    decides: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """The points of a space, of the rows of a file, or of both crossed.

    Flags vary by name, the last fastest, each after those on which it depends; rows vary slowest. A flag of the space wins
    over that of a row. Flags that do not exist at a point are absent from it. Each point counts `repeat` times in a row.
    `ends` has the number of points up to each row, if rows differ in it.
    """

    count: int
    axes: tuple[Axis, ...]
    rows: Sequence[Mapping[str, Value]]
    repeat: int
    ends: Sequence[int] = ()

    def at(self, index: int) -> dict[str, Value]:
        """Returns the flags of a point, counted from 0. Raises IndexError."""
        if not 0 <= index < self.count:
            raise IndexError(f"no point {index} in a grid of {self.count}")
        rest = index // self.repeat
        if self.ends:
            row = bisect_right(self.ends, rest)
            rest -= self.ends[row - 1] if row else 0
        else:
            row, rest = divmod(rest, self.count // self.repeat // len(self.rows))
        return _walk(self.axes, self.rows[row], rest)


def point_at(space: Space, points: Sequence[Mapping[str, Value]], repeat: int, index: int) -> dict[str, Value]:
    """Returns the flags of a point of a grid (`lay_grid`), counted from 0. Raises BadValue, IndexError."""
    return lay_grid(space, points, repeat).at(index)


def lay_grid(space: Space, points: Sequence[Mapping[str, Value]] = (), repeat: int = 1) -> Grid:
    """Returns the grid of a space and of the rows of a file, if there are any.

    Raises BadValue for a range that has no separate values.
    """
    order = order_flags(space)
    deciding = {other for name in order for other in space[name].when}
    axes = tuple(Axis(name, list_values(name, space[name]), space[name].when, name in deciding) for name in order)
    # a flag of the space wins over that of a row
    overlaps = any(space.keys() & row.keys() for row in points)
    rows = [{name: row[name] for name in row if name not in space} for row in points] if overlaps else points or ({},)
    if deciding - set(order):
        ends = tuple(accumulate(count_below(axes, row) for row in rows))
        return Grid(ends[-1] * repeat, axes, rows, repeat, ends)
    return Grid(count_below(axes, {}) * len(rows) * repeat, axes, rows, repeat)


def list_values(name: str, domain: Domain) -> Sequence[Value]:
    """Returns the values of a domain: all whole numbers, or all steps, of a range. Raises BadValue if it has neither."""
    if isinstance(domain, Choice):
        return domain.values
    low, high = format_value(domain.low), format_value(domain.high)
    if domain.step is None and domain.kind == "float":
        raise BadValue(
            f"{format_given(name, domain)} is a range, and a grid needs single values",
            f"To try some of them: {name}=linspace[{low}:{high}:5]",
        )
    texts = [low, high, "1" if domain.step is None else format_value(domain.step)]
    return model.sequences.compute_sequence(format_given(name, domain), "range", texts)


def count_below(axes: Sequence[Axis], flags: Mapping[str, Value]) -> int:
    """Returns the number of points that the axes make beside the flags chosen before."""
    count = 1
    for index, axis in enumerate(axes):
        if not _exists(axis, flags):
            continue
        if axis.decides:
            later = axes[index + 1 :]
            return count * sum(count_below(later, {**flags, axis.name: value}) for value in axis.values)
        count *= len(axis.values)
    return count


def sample_points(count: int, most: int | None, seed: int) -> Sequence[int]:
    """Returns the indices of at most so many points of a grid, drawn by the seed, in the order of the grid."""
    if most is None or most >= count:
        return range(count)
    drawn = random.Random(seed)  # noqa: S311 - repeatable, not secret
    if count <= sys.maxsize:
        return sorted(drawn.sample(range(count), most))
    # len() of a range ends at sys.maxsize
    indexes: set[int] = set()
    while len(indexes) < most:
        indexes.add(drawn.randrange(count))
    return sorted(indexes)


def _exists(axis: Axis, flags: Mapping[str, Value]) -> bool:
    return all(
        name in flags and any(same_value(flags[name], value) for value in allowed) for name, allowed in axis.when.items()
    )


def _walk(axes: Sequence[Axis], row: Mapping[str, Value], rest: int) -> dict[str, Value]:
    """Returns the point `rest` below a row."""
    flags = {name: copy_value(name, value) for name, value in row.items()}
    for index, axis in enumerate(axes):
        if not _exists(axis, flags):
            continue
        later = axes[index + 1 :]
        if axis.decides:
            for value in axis.values:
                size = count_below(later, {**flags, axis.name: value})
                if rest < size:
                    break
                rest -= size
        else:
            position, rest = divmod(rest, count_below(later, flags))
            value = axis.values[position]
        flags[axis.name] = copy_value(axis.name, value)
    return flags
