"""Plots as values, for the forms in which they are rendered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from runs_made_up import made_up

from gitrun.model.metrics import Metrics
from gitrun.model.points import Points
from gitrun.views.curves import MOST_POINTS, draw_curve
from gitrun.views.plot_subjects import CURVES, HISTORY, SCATTER
from gitrun.views.plots import Panel, Plot, PlotLook, PlottedRun, Trace, best_so_far, letters_of, point_traces

if TYPE_CHECKING:
    from collections.abc import Sequence

SERIES: dict[str, list[float]] = {
    "flat": [0.5] * 20,
    "nan": [4, 3, math.nan, math.nan, 2, 1.5, 1, math.nan, 0.5, 0.25],
    "one point": [0.125],
    "inf": [1, 2, math.inf, 3, -math.inf, 2, 1],
    "10k points": [math.sin(step / 800) + (3 if step == 4_321 else 0) for step in range(10_000)],
}
"""The five series that every form must draw."""


def plotted(count: int, text: str = "", metric: str = "loss") -> tuple[PlottedRun, ...]:
    """Runs with their letters; all their texts are `text`, if there is one."""
    flags = ((text, text),) if text else ()
    runs = (
        made_up(f"{place:040x}", text or "train.py", metrics=Metrics({metric: place}), label=text or None)
        for place in range(count)
    )
    return tuple(PlottedRun(letters_of(place), run, flags) for place, run in enumerate(runs))


def curves_plot(*series: Sequence[float], text: str = "", metric: str = "loss", **look: Any) -> Plot:
    """A plot of these series, each of a run."""
    runs = plotted(len(series), text, metric)
    curves = [draw_curve("", metric, Points(range(len(values)), values), MOST_POINTS) for values in series]
    traces = tuple(Trace(place, curve.steps, curve.values) for place, curve in enumerate(curves))
    return Plot(CURVES, "step", (Panel(metric, traces),), runs, PlotLook(**look))


def points_plot(xs: Sequence[float | str], ys: Sequence[float], text: str = "", *, form: str = SCATTER, **look: Any) -> Plot:
    """A scatter, or a history, of runs with these values."""
    best = best_so_far(xs, ys, is_largest=False) if form == HISTORY else None
    panel = Panel(text or "loss", point_traces(xs, ys), best)
    return Plot(form, text or "lr", (panel,), plotted(len(xs), text), PlotLook(**look))
