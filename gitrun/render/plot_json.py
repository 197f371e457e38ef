"""Plots as data: for programs, and as Vega-Lite for notebooks, editors and code hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.model.metrics import as_step_number
from gitrun.model.run import short_id
from gitrun.model.text import safe_text
from gitrun.render.tokens import HUES, light_tokens
from gitrun.views.plot_subjects import CURVES, HISTORY
from gitrun.views.plots import why_not_drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.views.plots import Panel, Plot

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
SIZE = {"width": 640, "height": 240}


def plot_rows(plot: Plot) -> list[dict[str, Any]]:
    """Returns an object for each curve, or for each point of a scatter or history; numbers may be nan or infinite."""
    return [row for panel in plot.panels for row in panel_rows(plot, panel)]


def panel_rows(plot: Plot, panel: Panel) -> Iterator[dict[str, Any]]:
    """Yields the objects of a panel."""
    for trace in panel.traces:
        one = plot.runs[trace.index]
        row = {"id": one.run.id, "operation": one.run.operation, "key": one.key, "metric": panel.metric}
        if plot.form == CURVES:
            yield row | {"steps": [plain_x(x) for x in trace.xs], "values": list(trace.ys)}
        elif panel.best:
            yield row | {"x": plain_x(trace.xs[0]), "y": trace.ys[0], "best": panel.best.ys[trace.index]}
        else:
            yield row | {"x": plain_x(trace.xs[0]), "y": trace.ys[0]}


def plain_x(x: float | str) -> float | str:
    """Returns an x for JSON, whole numbers without a fraction."""
    return x if isinstance(x, str) else as_step_number(float(x))


def vega_spec(plot: Plot) -> dict[str, Any]:
    """Returns the plot as a Vega-Lite specification with its data in it. Texts are safe: programs draw them as they are."""
    panels = [vega_panel(plot, panel) for panel in plot.panels]
    return {
        "$schema": SCHEMA,
        "description": f"{', '.join(safe_text(panel.metric) for panel in plot.panels)} of {len(plot.runs)} runs",
        "data": {"values": [row for panel in plot.panels for row in vega_rows(plot, panel)]},
        **(panels[0] if len(panels) == 1 else {"vconcat": panels}),
    }


def vega_rows(plot: Plot, panel: Panel) -> Iterator[dict[str, Any]]:
    """Yields the points of a panel. A value that cannot be drawn is null, which leaves a gap."""
    for trace in panel.traces:
        one = plot.runs[trace.index]
        row = {"run": f"{one.key} {short_id(one.run.id)}", "metric": safe_text(panel.metric)}
        row |= dict(flag_texts(plot, trace.index))
        for x, y in zip(trace.xs, trace.ys, strict=True):
            best = {"best": panel.best.ys[trace.index]} if panel.best else {}
            is_drawn = not why_not_drawn(y, log_y=plot.look.log_y)
            yield row | {"x": safe_text(x) if isinstance(x, str) else plain_x(x), "y": y if is_drawn else None} | best


def flag_texts(plot: Plot, index: int) -> Iterator[tuple[str, str]]:
    """Yields the flags in which a run differs, as one field for tooltips."""
    flags = " ".join(f"{name}={value}" for name, value in plot.runs[index].flags)
    if flags:
        yield "flags", safe_text(flags)


def vega_panel(plot: Plot, panel: Panel) -> dict[str, Any]:
    """Returns the view of a panel."""
    is_text = any(isinstance(x, str) for trace in panel.traces for x in trace.xs)
    x: dict[str, Any] = {"field": "x", "type": "nominal" if is_text else "quantitative", "title": safe_text(plot.x_name)}
    y: dict[str, Any] = {"field": "y", "type": "quantitative", "title": safe_text(panel.metric)}
    y["scale"] = {"type": "log"} if plot.look.log_y else {"zero": False}
    if not is_text:
        x["scale"] = {"type": "log"} if plot.log_x else {"zero": False}
    tooltips = [{"field": name} for name in ("run", "flags", "x", "y")]
    view: dict[str, Any] = {
        **SIZE,
        "transform": [{"filter": {"field": "metric", "equal": safe_text(panel.metric)}}],
        "mark": "line" if plot.form == CURVES else "point",
        "encoding": {"x": x, "y": y, "tooltip": tooltips},
    }
    if plot.form == CURVES:
        hues = [light_tokens()[f"hue-{number % HUES + 1}"] for number in range(min(len(plot.runs), HUES))]
        view["encoding"]["color"] = {"field": "run", "type": "nominal", "sort": None, "scale": {"range": hues}}
    if plot.form != HISTORY:
        return view
    line = {"mark": {"type": "line", "interpolate": "step-after"}, "encoding": {"x": x, "y": y | {"field": "best"}}}
    points = {"mark": view.pop("mark"), "encoding": view.pop("encoding")}
    return view | {"layer": [points, line]}
