"""Charts of a batch as SVG: its history, each flag against the objective, and parallel coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.model.flags import format_value
from gitrun.model.text import safe_text, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    from gitrun.model.run import Run
    from gitrun.views.batches import RankedBatch

    Drawn: TypeAlias = Sequence[tuple[Run, float]]
    """Trials with their values, best first."""

WIDE, HIGH = 640, 260
"""Size of a chart, in units of the drawing."""
LEFT, RIGHT, TOP, BOTTOM = 80, 80, 28, 44
"""Its margins."""
MOST = 1_000
"""Trials that are drawn; of more, only the best."""
FLAGS = 12
"""Flags that are drawn."""
TICKS = 8
"""Values of an axis of texts that are all named."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from 0 to 1 for one quantity: numbers by size or logarithm, other values by their order of appearance.

    `place` returns None for an absent value. `ticks` are places with their labels.
    """

    name: str
    ticks: tuple[tuple[float, str], ...]
    place: Callable[[object], float | None]


def make_axis(name: str, values: Sequence[object], *, log: bool = False) -> Axis:
    """Returns the axis on which all these values have a place, but for absent ones (None)."""
    present = [value for value in values if value is not None]
    numbers = [float(value) for value in present if isinstance(value, int | float) and is_number(value)]
    if numbers and len(numbers) == len(present):
        return make_number_axis(name, numbers, log=log and min(numbers) > 0)
    order = {text: place for place, text in enumerate(dict.fromkeys(map(value_label, present)))}
    # each value has a band of its own
    places = {text: (place + 0.5) / len(order) for text, place in order.items()}
    named = list(places) if len(places) <= TICKS else [next(iter(places)), list(places)[-1]]
    ticks = tuple((places[text], text) for text in named)
    return Axis(name, ticks, lambda value: None if value is None else places[value_label(value)])


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


def draw_batch(batch: RankedBatch, escape: Callable[[str], str]) -> list[tuple[str, str]]:
    """Draws the charts of a batch, as pairs of title and SVG; none with fewer than two values. `escape` is for texts."""
    drawn = [(run, value) for run in batch.ranked[:MOST] if (value := batch.value(run)) is not None and is_number(value)]
    if len(drawn) < 2:
        return []
    metric = batch.metric
    values = make_axis(metric, [value for _, value in drawn])
    names = batch.flags[:FLAGS]
    axes = {name: make_axis(name, [run.flags.get(name) for run, _ in drawn], log=name in batch.logs) for name in names}
    minimize = batch.objective.minimize if batch.objective else None
    charts = [(f"{metric} by trial", draw_history(drawn, values, escape, minimize=minimize))]
    if axes:
        fades = batch.objective is not None
        charts.append(("parallel coordinates", draw_parallel(drawn, axes, values, escape, fades=fades)))
    for name, axis in axes.items():
        places = [(axis.place(run.flags.get(name)), values.place(value)) for run, value in drawn]
        charts.append((f"{metric} by {name}", draw_points(places, axis, values, escape)))
    return charts


def draw_history(drawn: Drawn, values: Axis, escape: Callable[[str], str], *, minimize: bool | None) -> str:
    """Draws the value of each trial as a point, and the best value so far as a line, if there is a best one."""
    known = sorted((run.attempt.trial or 0, value) for run, value in drawn)
    numbers = make_axis("trial", [number for number, _ in known])
    points = [(numbers.place(number), values.place(value)) for number, value in known]
    if minimize is None:
        return draw_points(points, numbers, values, escape)
    line, best = [], known[0][1]
    for (number, value), (x, _) in zip(known, points, strict=True):
        before, best = best, min(best, value) if minimize else max(best, value)
        # a step: the old best value lasts until this trial
        line += [(x, values.place(before)), (x, values.place(best))] if number != known[0][0] else [(x, values.place(best))]
    return draw_points(points, numbers, values, escape, draw_lines(line, 1.0))


def draw_points(
    points: Iterable[tuple[float | None, float | None]], across: Axis, up: Axis, escape: Callable[[str], str], more: str = ""
) -> str:
    """Draws points between two axes. Leaves out those without a place."""
    dots = "".join(
        f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3.5" fill-opacity="0.6"/>'
        for x, y in points
        if x is not None and y is not None
    )
    rules = "".join(draw_rule(0.0, y, 1.0, y) for y, _ in up.ticks)
    labels = [label(escape, shorten(text, 10), LEFT - 8, y_of(y) + 4, "end") for y, text in up.ticks]
    wide = 72 // max(len(across.ticks), 3)
    labels += [label(escape, shorten(text, wide), x_of(x), HIGH - BOTTOM + 18, edge_anchor(x)) for x, text in across.ticks]
    labels += [label(escape, up.name, LEFT - 8, TOP - 12), label(escape, across.name, x_of(0.5), HIGH - 6, "middle")]
    return frame(f"{up.name} by {across.name}", escape, (rules, *labels, more, f'<g class="dots">{dots}</g>'))


def draw_parallel(drawn: Drawn, flags: dict[str, Axis], values: Axis, escape: Callable[[str], str], *, fades: bool) -> str:
    """Draws a line for each trial through its values on all axes, with a gap where it has none. Better trials are stronger."""
    axes = [*flags.values(), values]
    labels: list[str] = []
    places = [number / (len(axes) - 1) for number in range(len(axes))]
    for number, (x, axis) in enumerate(zip(places, axes, strict=True)):
        anchor, lift = edge_anchor(x), 0 if number % 2 == 0 or len(axes) < 6 else 13
        labels += [draw_rule(x, 0.0, x, 1.0), label(escape, shorten(axis.name, 16), x_of(x), HIGH - 22 + lift, anchor)]
        beside, side = x_of(x) + tick_shift(x), tick_anchor(x)
        labels += [label(escape, shorten(text, 10), beside, y_of(y) + 4, side) for y, text in axis.ticks]
    lines: list[str] = []
    for rank, (run, value) in reversed(list(enumerate(drawn))):
        ys = [*(axis.place(run.flags.get(name)) for name, axis in flags.items()), values.place(value)]
        opacity = max(0.9 * (1 - rank / len(drawn)), 0.08) if fades else 0.4
        lines.append(draw_lines(list(zip(places, ys, strict=True)), opacity))
    return frame("parallel coordinates", escape, (*lines, *labels))


def draw_lines(points: Iterable[tuple[float | None, float | None]], opacity: float) -> str:
    """Draws a line through points, in pieces if some have no place."""
    pieces: list[list[str]] = [[]]
    for x, y in points:
        if x is None or y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x_of(x):.1f},{y_of(y):.1f}")
    return "".join(
        f'<polyline points="{" ".join(piece)}" stroke-opacity="{opacity:.2f}"/>' for piece in pieces if len(piece) > 1
    )


def draw_rule(x: float, y: float, to_x: float, to_y: float) -> str:
    """Draws a thin line between two places."""
    return f'<line class="axis" x1="{x_of(x):.1f}" y1="{y_of(y):.1f}" x2="{x_of(to_x):.1f}" y2="{y_of(to_y):.1f}"/>'


def edge_anchor(x: float) -> str:
    """Returns how a text at a place stays inside the drawing."""
    return "start" if x <= 0.02 else "end" if x >= 0.98 else "middle"


def tick_anchor(x: float) -> str:
    """Returns how the label of a vertical axis stands beside it: outside at the edges."""
    return "end" if x <= 0.02 else "start"


def tick_shift(x: float) -> float:
    """Returns the distance of a label from its vertical axis."""
    return -8 if x <= 0.02 else 5


def label(escape: Callable[[str], str], text: str, x: float, y: float, anchor: str = "start") -> str:
    """Draws a short text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shorten(text, 40))}</text>' if text else ""


def frame(title: str, escape: Callable[[str], str], pieces: Iterable[str]) -> str:
    """Wraps the pieces of a chart."""
    return f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(title)}">{"".join(pieces)}</svg>'


def x_of(place: float) -> float:
    """Returns the horizontal position of a place from 0 to 1."""
    return LEFT + (WIDE - LEFT - RIGHT) * place


def y_of(place: float) -> float:
    """Returns the vertical position of a place from 0 (below) to 1."""
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * place
