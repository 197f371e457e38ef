"""Charts of a batch as SVG: its history, each flag against the objective, and parallel coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.model.flags import format_value
from gitrun.model.text import number_text, safe_text, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gitrun.model.run import Run
    from gitrun.views.batches import RankedBatch

WIDE, HIGH, EDGE = 640, 240, 28
"""Size of a chart and its margin, in units of the drawing."""
MOST = 1_000
"""Trials that are drawn; of more, only the best."""
FLAGS = 12
"""Flags that are drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from 0 to 1 for one quantity: numbers by size, other values by their order of appearance."""

    name: str
    low: str
    high: str
    place: Callable[[object], float]


def make_axis(name: str, values: Sequence[object]) -> Axis:
    """Returns the axis on which all these values have a place."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and is_number(value)]
    if numbers and len(numbers) == len(values):
        low, high = min(numbers), max(numbers)
        # halves, since the difference of two huge numbers can be infinite
        span = high / 2 - low / 2 or 1.0
        return Axis(name, number_text(low), number_text(high), lambda value: (float(value) / 2 - low / 2) / span)  # type: ignore[arg-type]
    order = {text: place for place, text in enumerate(dict.fromkeys(map(value_label, values)))}
    texts = list(order)
    last = max(len(texts) - 1, 1)
    return Axis(name, texts[0], texts[-1] if len(texts) > 1 else "", lambda value: order[value_label(value)] / last)


def is_number(value: object) -> bool:
    """Returns whether a value is a finite number that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e308 < value < 1e308


def value_label(value: object) -> str:
    """Returns the value as a label; a dash for an absent one."""
    return "-" if value is None else shorten(safe_text(value if isinstance(value, str) else format_value(value)), 24)  # type: ignore[arg-type]


def draw_batch(batch: RankedBatch, escape: Callable[[str], str]) -> list[tuple[str, str]]:
    """Draws the charts of a batch, as pairs of title and SVG; none with fewer than two values. `escape` is for texts."""
    best = batch.best[:MOST]
    drawn = [(run, value) for run in best if (value := batch.value(run)) is not None]
    if len(drawn) < 2:
        return []
    metric = batch.objective.metric
    values = make_axis(metric, [value for _, value in drawn])
    names = batch.flags[:FLAGS]
    axes = [make_axis(name, [run.flags.get(name) for run, _ in drawn]) for name in names]
    charts = [(f"{metric} by trial", draw_history(drawn, values, escape, minimize=batch.objective.minimize))]
    if axes:
        charts.append(("parallel coordinates", draw_parallel(drawn, [*axes, values], escape)))
    charts += (
        (
            f"{metric} by {axis.name}",
            draw_points(
                [(axis.place(run.flags.get(axis.name)), values.place(value)) for run, value in drawn], axis, values, escape
            ),
        )
        for axis in axes
    )
    return charts


def draw_history(drawn: Sequence[tuple[Run, float]], values: Axis, escape: Callable[[str], str], *, minimize: bool) -> str:
    """Draws the value of each trial as a point, and the best value so far as a line."""
    known = sorted((run.attempt.trial or 0, value) for run, value in drawn)
    numbers = make_axis("trial", [number for number, _ in known])
    points = [(numbers.place(number), values.place(value)) for number, value in known]
    line, best = [], known[0][1]
    for (number, value), (x, _) in zip(known, points, strict=True):
        before, best = best, min(best, value) if minimize else max(best, value)
        # a step: the old best value lasts until this trial
        line += [(x, values.place(before)), (x, values.place(best))] if number != known[0][0] else [(x, values.place(best))]
    return draw_points(points, numbers, values, escape, polyline(line, 1.0))


def draw_points(
    points: Iterable[tuple[float, float]], across: Axis, up: Axis, escape: Callable[[str], str], more: str = ""
) -> str:
    """Draws points in a frame whose edges have labels."""
    dots = "".join(f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill-opacity="0.6"/>' for x, y in points)
    labels = (
        label(escape, across.low, EDGE, HIGH - 8), label(escape, across.high, WIDE - EDGE, HIGH - 8, "end"),
        label(escape, across.name, WIDE / 2, HIGH - 8, "middle"), label(escape, f"{up.name} {up.high}", EDGE, 16),
        label(escape, up.low, EDGE, HIGH - EDGE - 4),
    )  # fmt: skip
    return frame(f"{up.name} by {across.name}", escape, (*labels, more, f'<g class="dots">{dots}</g>'))


def draw_parallel(drawn: Sequence[tuple[Run, float]], axes: Sequence[Axis], escape: Callable[[str], str]) -> str:
    """Draws a line for each trial through its values on all axes; better trials are stronger."""
    pieces: list[str] = []
    places = [number / (len(axes) - 1) for number in range(len(axes))]
    for x, axis in zip(places, axes, strict=True):
        anchor = "start" if x == 0 else "end" if x == 1 else "middle"
        pieces += [
            f'<line class="axis" x1="{x_of(x):.1f}" y1="{EDGE}" x2="{x_of(x):.1f}" y2="{HIGH - EDGE}"/>',
            label(escape, axis.name, x_of(x), HIGH - 2, anchor), label(escape, axis.high, x_of(x), EDGE - 6, anchor),
            label(escape, axis.low, x_of(x), HIGH - EDGE + 12, anchor),
        ]  # fmt: skip
    for rank, (run, value) in enumerate(drawn):
        ys = [*(axis.place(run.flags.get(axis.name)) for axis in axes[:-1]), axes[-1].place(value)]
        pieces.append(polyline(list(zip(places, ys, strict=True)), max(0.9 * (1 - rank / len(drawn)), 0.08)))
    return frame("parallel coordinates", escape, pieces)


def polyline(points: Iterable[tuple[float, float]], opacity: float) -> str:
    """Draws a line through points."""
    path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" stroke-opacity="{opacity:.2f}"/>'


def label(escape: Callable[[str], str], text: str, x: float, y: float, anchor: str = "start") -> str:
    """Draws a short text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shorten(text, 32))}</text>' if text else ""


def frame(title: str, escape: Callable[[str], str], pieces: Iterable[str]) -> str:
    """Wraps the pieces of a chart."""
    return f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(title)}">{"".join(pieces)}</svg>'


def x_of(place: float) -> float:
    """Returns the horizontal position of a place from 0 to 1."""
    return EDGE + (WIDE - 2 * EDGE) * place


def y_of(place: float) -> float:
    """Returns the vertical position of a place from 0 (below) to 1."""
    return HIGH - EDGE - (HIGH - 2 * EDGE) * place
