"""Plots as PNG or PDF, drawn by matplotlib: the extra `plot`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gitrun.model.text import safe_text, shorten
from gitrun.render.plot_text import MARKED, panel_title, words_of
from gitrun.render.tokens import HUES, light_tokens
from gitrun.views.plot_subjects import CURVES, HISTORY
from gitrun.views.plots import why_not_drawn

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.views.plots import Panel, Plot, Trace

DASHES = ("-", "--", ":", "-.")
UNDATED: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""Entries that matplotlib would add to a file: a version and a time, which differ from call to call. None leaves them out."""


def write_figure(plot: Plot, path: Path) -> None:
    """Writes the plot to a file of which the ending says the format. Raises OSError."""
    figure = Figure(figsize=(8, 3.2 * len(plot.panels)), layout="constrained")
    # without pyplot, which would look for a display
    FigureCanvasAgg(figure)
    for panel, axes in zip(plot.panels, figure.subplots(len(plot.panels), squeeze=False)[:, 0], strict=True):
        draw_panel(plot, panel, axes)
    figure.savefig(path, dpi=144, metadata=UNDATED.get(path.suffix.lower()))


def draw_panel(plot: Plot, panel: Panel, axes: Any) -> None:  # noqa: ANN401 - matplotlib has no types here
    """Draws the traces, the axes and the list of runs of a panel."""
    several = len({one.run.operation for one in plot.runs}) > 1
    for trace in panel.traces:
        one, hue = plot.runs[trace.index], light_tokens()[f"hue-{trace.index % HUES + 1}"]
        ys = [math.nan if why_not_drawn(y, log_y=plot.look.log_y) else y for y in trace.ys]
        dash = DASHES[trace.index // HUES % len(DASHES)] if plot.form == CURVES else ""
        mark = "" if len(ys) > 1 else "o"
        name = shorten(f"{one.key} {one.run.id[:8]} {words_of(one, several=several)}", 60)
        axes.plot(list(trace.xs), ys, linestyle=dash, marker=mark, color=hue, label=name.lstrip("_"))
    if panel.best:
        draw_best(panel.best, axes, log_y=plot.look.log_y)
    axes.set_yscale("log" if plot.look.log_y else "linear")
    if plot.log_x:
        axes.set_xscale("log")
    texts = [axes.set_title(panel_title(plot, panel)), axes.set_xlabel(safe_text(plot.x_name)), *axes.get_xticklabels()]
    if plot.form != HISTORY and len(plot.runs) <= MARKED:
        texts += axes.legend(fontsize="x-small").get_texts()
    for text in texts:
        # a name may have dollar signs, which would begin a formula
        text.set_parse_math(False)


def draw_best(best: Trace, axes: Any, *, log_y: bool) -> None:  # noqa: ANN401 - as above
    """Draws the best value so far."""
    ys = [math.nan if why_not_drawn(y, log_y=log_y) else y for y in best.ys]
    axes.step(list(best.xs), ys, where="post", color=light_tokens()["text"])
