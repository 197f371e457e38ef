"""Plots as SVG: one file without scripts, the same bytes for the same plot."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from gitrun.model.run import short_id
from gitrun.model.text import safe_text, shorten
from gitrun.render.axes import make_axis
from gitrun.render.plot_text import MARKED, panel_title, trace_text, words_of, x_texts
from gitrun.render.tokens import DASHES, HUES, light_tokens, read_tokens
from gitrun.views.plot_subjects import CURVES, HISTORY
from gitrun.views.plots import why_not_drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.render.axes import Axis
    from gitrun.views.plots import Panel, Plot, Trace

WIDE, HIGH = 760, 300
"""Size of a panel, in units of the drawing."""
LEFT, RIGHT, TOP, BOTTOM = 84, 48, 40, 44
"""Its margins."""
LETTER = (9, 12)
"""Width and height that the letters of a run need."""
ROW = 20
"""Height of a row of the list of runs."""
MOST_ROWS = 60
"""Runs that are listed; of more, the others are counted."""
STYLE = """
rect { fill: var(--back); } text { font: 13px var(--font); fill: var(--text); }
.soft { fill: var(--soft); } .axis { stroke: var(--line); } .curve { fill: none; stroke-width: 1.75; }
.best { fill: none; stroke: var(--text); }
"""


def draw_svg(plot: Plot) -> str:
    """Returns the plot as an SVG document, with its list of runs."""
    rows = legend_rows(plot)
    height = HIGH * len(plot.panels) + ROW * (len(rows) + 1)
    title = ", ".join(panel_title(plot, panel) for panel in plot.panels)
    across = make_axis(plot.x_name, plot.xs, log=plot.log_x)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {height}" width="{WIDE}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{read_tokens()}{STYLE}{hue_rules()}</style>",
        f'<rect width="{WIDE}" height="{height}"{paint("fill", "back")}/>',
    ]
    for number, panel in enumerate(plot.panels):
        parts.append(f'<g transform="translate(0 {HIGH * number})">')
        parts += [*draw_panel(plot, panel, across), "</g>"]
    parts += [*draw_legend(rows, HIGH * len(plot.panels)), "</svg>"]
    return "\n".join(parts) + "\n"


def hue_rules() -> str:
    """Returns a class for each hue, as line and as filling."""
    rules = (f".line-{n} {{ stroke: var(--hue-{n}); }} .dot-{n} {{ fill: var(--hue-{n}); }}" for n in range(1, HUES + 1))
    return "\n".join(rules) + "\n"


def escape(text: str) -> str:
    """Escapes a text for XML."""
    return html.escape(safe_text(text))


def paint(attribute: str, token: str) -> str:
    """Returns an attribute with a colour of the light scheme: viewers without CSS variables use it."""
    return f' {attribute}="{light_tokens()[token]}"'


def hue_of(index: int) -> int:
    """Returns the hue of the run at this index of the plot, from 1."""
    return index % HUES + 1


def draw_panel(plot: Plot, panel: Panel, across: Axis) -> Iterator[str]:
    """Yields the elements of a panel: title, axes, best line, traces, letters."""
    log_y = plot.look.log_y
    values = [y for trace in panel.traces for y in trace.ys if not why_not_drawn(y, log_y=log_y)]
    yield text_at(LEFT, 22, panel_title(plot, panel))
    if not values:
        yield text_at(LEFT, HIGH / 2, "no value that can be drawn", "soft")
        return
    up = make_axis(panel.metric, values, log=log_y)
    yield from draw_axes(across, up)
    if panel.best:
        yield f'<path class="best"{paint("stroke", "text")} d="{step_path(panel.best, across, up, log_y=log_y)}"/>'
    for trace in reversed(panel.traces):
        draw = draw_curve if plot.form == CURVES else draw_dot
        yield from draw(trace, across, up, log_y=log_y)
    if plot.form == HISTORY or len(plot.runs) > MARKED:
        return
    corners: list[tuple[float, float]] = []
    for trace in panel.traces:
        ends = [(x, y) for x, y in zip(trace.xs, trace.ys, strict=True) if not why_not_drawn(y, log_y=log_y)]
        if ends:
            x, y = x_of(across, ends[-1][0]) + 6, y_of(up, ends[-1][1]) + 4
            # letters of curves that end at the same value stand side by side
            while any(abs(x - beside) < LETTER[0] and abs(y - above) < LETTER[1] for beside, above in corners):
                x += LETTER[0]
            corners.append((x, y))
            yield text_at(x, y, plot.runs[trace.index].key, f"dot-{hue_of(trace.index)}")


def draw_axes(across: Axis, up: Axis) -> Iterator[str]:
    """Yields the rules and labels of both axes."""
    for position, words in up.ticks:
        y = TOP + (HIGH - TOP - BOTTOM) * (1 - position)
        yield f'<line class="axis"{paint("stroke", "line")} x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text_at(LEFT - 8, y + 4, shorten(words, 10), "soft", "end")
    share = 84 // max(len(across.ticks), 1)
    for position, words in across.ticks:
        anchor = "start" if position <= 0.02 else "end" if position >= 0.98 else "middle"
        yield text_at(LEFT + (WIDE - LEFT - RIGHT) * position, HIGH - BOTTOM + 18, shorten(words, share), "soft", anchor)
    yield text_at(LEFT + (WIDE - LEFT - RIGHT) / 2, HIGH - 6, across.name, "soft", "middle")


def draw_curve(trace: Trace, across: Axis, up: Axis, *, log_y: bool) -> Iterator[str]:
    """Yields the line of a curve, in pieces where values are not drawn; a dot for a single value, a triangle for infinity."""
    hue = hue_of(trace.index)
    dash = DASHES[trace.index // HUES % len(DASHES)]
    style = f'class="curve line-{hue}"{paint("stroke", f"hue-{hue}")}' + (f' stroke-dasharray="{dash}"' if dash else "")
    pieces: list[list[str]] = [[]]
    for x, y in zip(trace.xs, trace.ys, strict=True):
        if not why_not_drawn(y, log_y=log_y):
            pieces[-1].append(f"{x_of(across, x):.1f},{y_of(up, y):.1f}")
            continue
        pieces.append([])
        if math.isinf(y):
            tip, base = (TOP - 8, TOP) if y > 0 else (HIGH - BOTTOM + 8, HIGH - BOTTOM)
            at = x_of(across, x)
            points = f"{at:.1f},{tip} {at - 5:.1f},{base} {at + 5:.1f},{base}"
            yield f'<polygon class="dot-{hue}"{paint("fill", f"hue-{hue}")} points="{points}"/>'
    for piece in pieces:
        if len(piece) > 1:
            yield f'<polyline {style} points="{" ".join(piece)}"/>'
        elif piece:
            yield circle(piece[0], hue)


def draw_dot(trace: Trace, across: Axis, up: Axis, *, log_y: bool) -> Iterator[str]:
    """Yields the point of a run."""
    for x, y in zip(trace.xs, trace.ys, strict=True):
        if not why_not_drawn(y, log_y=log_y):
            yield circle(f"{x_of(across, x):.1f},{y_of(up, y):.1f}", hue_of(trace.index))


def circle(point: str, hue: int) -> str:
    """Returns the dot of a point `x,y`."""
    x, y = point.split(",")
    return f'<circle class="dot-{hue}"{paint("fill", f"hue-{hue}")} cx="{x}" cy="{y}" r="3.5"/>'


def step_path(best: Trace, across: Axis, up: Axis, *, log_y: bool) -> str:
    """Returns the path of the best value so far: it lasts until a better one comes."""
    points = [
        (x_of(across, x), y_of(up, y)) for x, y in zip(best.xs, best.ys, strict=True) if not why_not_drawn(y, log_y=log_y)
    ]
    first, *rest = points or [(0.0, 0.0)]
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)


def x_of(axis: Axis, value: float | str) -> float:
    """Returns the horizontal coordinate of a value."""
    return LEFT + (WIDE - LEFT - RIGHT) * (axis.position_of(value) or 0.0)


def y_of(axis: Axis, value: float) -> float:
    """Returns the vertical coordinate of a value."""
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * (axis.position_of(value) or 0.0)


def text_at(x: float, y: float, words: str, name: str = "", anchor: str = "") -> str:
    """Returns a short text. `name` is its class."""
    token = "soft" if name == "soft" else name.replace("dot", "hue") if name else "text"
    attributes = (f' class="{name}"' if name else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}{paint("fill", token)}>{escape(shorten(words, 96))}</text>'


def legend_rows(plot: Plot) -> list[tuple[int, str, str]]:
    """Returns index, letters and words of each run that is listed; of a history, the best run alone."""
    if plot.form == HISTORY:
        best = plot.panels[0].best.index if plot.panels[0].best else 0
        indexes: Iterable[int] = (best,)
    else:
        indexes = range(min(len(plot.runs), MOST_ROWS))
    several = len({one.run.operation for one in plot.runs}) > 1
    rows = []
    for index in indexes:
        one = plot.runs[index]
        values = [
            trace_text(plot, panel, trace, one) for panel in plot.panels for trace in panel.traces if trace.index == index
        ]
        words = "  ".join((short_id(one.run.id), words_of(one, several=several), *x_texts(plot, index), *values))
        rows.append((index, "best" if plot.form == HISTORY else one.key, words))
    return rows


def draw_legend(rows: Sequence[tuple[int, str, str]], top: int) -> Iterator[str]:
    """Yields the list of runs."""
    for number, (index, key, words) in enumerate(rows):
        yield text_at(LEFT - 8, top + ROW * (number + 1), key, f"dot-{hue_of(index)}", "end")
        yield text_at(LEFT, top + ROW * (number + 1), words)
