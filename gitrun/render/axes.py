"""Axes of charts: the position of a value between the ends of its axis, and the labels there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.flags import format_value
from gitrun.model.text import safe_text, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICKS = 8
"""Values of an axis of texts that are all named."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from 0 to 1 for one quantity: numbers by size or logarithm, other values by their order of appearance.

    `position_of` returns None for an absent value. `ticks` are positions with their labels.
    """

    name: str
    ticks: tuple[tuple[float, str], ...]
    position_of: Callable[[object], float | None]


def make_axis(name: str, values: Sequence[object], *, log: bool = False) -> Axis:
    """Returns the axis on which all these values have a position, but for absent ones (None)."""
    present = [value for value in values if value is not None]
    numbers = [float(value) for value in present if isinstance(value, int | float) and is_number(value)]
    if numbers and len(numbers) == len(present):
        return make_number_axis(name, numbers, log=log and min(numbers) > 0)
    order = {text: number for number, text in enumerate(dict.fromkeys(map(value_label, present)))}
    # each value has a band of its own
    positions = {text: (number + 0.5) / len(order) for text, number in order.items()}
    named = list(positions) if len(positions) <= TICKS else [next(iter(positions)), list(positions)[-1]]
    ticks = tuple((positions[text], text) for text in named)
    return Axis(name, ticks, lambda value: None if value is None else positions[value_label(value)])


def make_number_axis(name: str, numbers: Sequence[float], *, log: bool) -> Axis:
    """Returns the axis of these numbers, which are finite, and above 0 if it is logarithmic."""
    low, high = min(numbers), max(numbers)

    def scale(value: float) -> float:
        # halves, since the difference of two huge numbers can be infinite
        return math.log(value) / 2 if log else value / 2

    start, span = scale(low), scale(high) - scale(low)
    if span <= 0:
        return Axis(name, ((0.5, tick_text(low)),), lambda value: None if value is None else 0.5)
    middle = math.exp(2 * (start + span / 2)) if log else low + span
    # whole numbers have whole ticks
    middle = float(round(middle)) if all(number.is_integer() for number in numbers) else middle
    middle = min(max(middle, low), high)
    ticks = tuple(((scale(value) - start) / span, tick_text(value)) for value in dict.fromkeys((low, middle, high)))
    title = f"{name} (logarithmic)" if log else name
    return Axis(title, ticks, lambda value: None if value is None else (scale(float(value)) - start) / span)  # type: ignore[arg-type]


def tick_text(value: float) -> str:
    """Returns a number in three digits, as the label of a tick; a whole number with all of them."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"


def is_number(value: object) -> bool:
    """Returns whether a value is a finite number that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e308 < value < 1e308


def value_label(value: object) -> str:
    """Returns the value as a label."""
    return shorten(safe_text(value if isinstance(value, str) else format_value(value)), 24)  # type: ignore[arg-type]
