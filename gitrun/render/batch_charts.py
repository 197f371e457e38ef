"""Charts of a batch as SVG: its history, each flag against the objective, and parallel coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.text import shorten
from gitrun.render.axes import Axis, is_number, make_axis
from gitrun.views.plots import LOGARITHMIC

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


def draw_batch(batch: RankedBatch, escape: Callable[[str], str]) -> list[tuple[str, str]]:
    """Draws the charts of a batch, as pairs of title and SVG; none with fewer than two values. `escape` is for texts."""
    drawn = [(run, value) for run in batch.ranked[:MOST] if (value := batch.value(run)) is not None and is_number(value)]
    if len(drawn) < 2:
        return []
    metric = batch.metric
    heights = make_axis(metric, [value for _, value in drawn])
    names = batch.flags[:FLAGS]
    tried = {name: [run.flags.get(name) for run, _ in drawn] for name in names}
    axes = {name: make_axis(name, values, log=name in batch.logs or is_wide(values)) for name, values in tried.items()}
    charts = [(f"{metric} by trial", draw_history(drawn, batch, heights, escape))]
    if axes:
        fades = batch.objective is not None
        charts.append(("parallel coordinates", draw_parallel(drawn, axes, heights, escape, fades=fades)))
    for name, axis in axes.items():
        points = [(axis.position_of(run.flags.get(name)), heights.position_of(value)) for run, value in drawn]
        charts.append((f"{metric} by {name}", draw_points(points, axis, heights, escape)))
    return charts


def is_wide(values: Iterable[object]) -> bool:
    """Returns whether positive numbers span two powers of ten, so that small ones need a logarithmic axis to be told apart."""
    numbers = [value for value in values if isinstance(value, int | float) and is_number(value)]
    return bool(numbers) and min(numbers) > 0 and max(numbers) / LOGARITHMIC >= min(numbers)


def draw_history(drawn: Drawn, batch: RankedBatch, values: Axis, escape: Callable[[str], str]) -> str:
    """Draws the value of each trial as a point, and the best value or median so far as a line, if there is a best one."""
    heights_by_trial = {run.attempt.trial or 0: values.position_of(value) for run, value in drawn}
    numbers = make_axis("trial", list(heights_by_trial))
    points = [(numbers.position_of(number), height) for number, height in heights_by_trial.items()]
    if batch.objective is None:
        return draw_points(points, numbers, values, escape)
    line, best = list[tuple[float | None, float | None]](), None
    for number, value in batch.milestones:
        if number not in heights_by_trial:
            continue
        x = numbers.position_of(number)
        # a step: the old best value lasts until this trial
        line += [(x, values.position_of(best))] if best is not None else []
        best = value if best is None else min(best, value) if batch.objective.minimize else max(best, value)
        line.append((x, values.position_of(best)))
    return draw_points(points, numbers, values, escape, draw_lines(line, 1.0))


def draw_points(
    points: Iterable[tuple[float | None, float | None]], across: Axis, up: Axis, escape: Callable[[str], str], more: str = ""
) -> str:
    """Draws points between two axes. Leaves out those without a position."""
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
    positions = [number / (len(axes) - 1) for number in range(len(axes))]
    for number, (x, axis) in enumerate(zip(positions, axes, strict=True)):
        anchor, lift = edge_anchor(x), 0 if number % 2 == 0 or len(axes) < 6 else 13
        labels += [draw_rule(x, 0.0, x, 1.0), label(escape, shorten(axis.name, 16), x_of(x), HIGH - 22 + lift, anchor)]
        beside, side = x_of(x) + tick_shift(x), tick_anchor(x)
        labels += [label(escape, shorten(text, 10), beside, y_of(y) + 4, side) for y, text in axis.ticks]
    lines: list[str] = []
    for rank, (run, value) in reversed(list(enumerate(drawn))):
        ys = [*(axis.position_of(run.flags.get(name)) for name, axis in flags.items()), values.position_of(value)]
        opacity = max(0.9 * (1 - rank / len(drawn)), 0.08) if fades else 0.4
        lines.append(draw_lines(list(zip(positions, ys, strict=True)), opacity))
    return frame("parallel coordinates", escape, (*lines, *labels))


def draw_lines(points: Iterable[tuple[float | None, float | None]], opacity: float) -> str:
    """Draws a line through points, in pieces if some have no position."""
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
    """Draws a thin line between two points."""
    return f'<line class="axis" x1="{x_of(x):.1f}" y1="{y_of(y):.1f}" x2="{x_of(to_x):.1f}" y2="{y_of(to_y):.1f}"/>'


def edge_anchor(x: float) -> str:
    """Returns the text anchor at a horizontal position that keeps the text inside the drawing."""
    return "start" if x <= 0.02 else "end" if x >= 0.98 else "middle"


def tick_anchor(x: float) -> str:
    """Returns the text anchor for the labels of a vertical axis: they are on its left at the left edge, else on its right."""
    return "end" if x <= 0.02 else "start"


def tick_shift(x: float) -> float:
    """Returns the distance of a label from its vertical axis, negative on the left."""
    return -8 if x <= 0.02 else 5


def label(escape: Callable[[str], str], text: str, x: float, y: float, anchor: str = "start") -> str:
    """Draws a short text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shorten(text, 40))}</text>' if text else ""


def frame(title: str, escape: Callable[[str], str], pieces: Iterable[str]) -> str:
    """Wraps the pieces of a chart."""
    return f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(title)}">{"".join(pieces)}</svg>'


def x_of(position: float) -> float:
    """Returns the horizontal coordinate of a position from 0 to 1."""
    return LEFT + (WIDE - LEFT - RIGHT) * position


def y_of(position: float) -> float:
    """Returns the vertical coordinate of a position from 0 (below) to 1."""
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * position
