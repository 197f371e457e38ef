"""Plots as lines of text: in the dots of Braille characters, or in ASCII."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.run import COMPLETED, short_id
from gitrun.model.text import count_columns, cut_to_columns, label_text, number_text, numbers_text, safe_text, shorten
from gitrun.render.axes import make_axis
from gitrun.views.plot_subjects import CURVES, HISTORY, SCATTER
from gitrun.views.plots import why_not_drawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.render.axes import Axis
    from gitrun.render.palette import Palette
    from gitrun.views.plots import Panel, Plot, PlottedRun, Trace

COLOURS = 6
"""Slots of the palette for curves; further curves begin with the first again."""
SMALLEST = 10
"""The least columns and rows of a drawing."""
MARKED = 26
"""Points of a scatter that are marked with letters and listed; more of them are the same dot."""
GUTTER = 6
"""Columns on the right that are free for the letters of curves."""
WIDEST_LABEL = 16
LEFT_BITS, RIGHT_BITS = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
"""The bits of the dots in the two columns of a Braille character, from above."""
BEST = -1
"""The owner of the line through the best values so far, in place of the index of a run."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters of a drawing, and the dots that one of them has in a row and in a column."""

    across: int
    down: int
    tick: str
    side: str
    corner: str
    base: str
    above: str
    below: str
    point: str
    cut: str


BRAILLE = Marks(2, 4, "┤", "│", "└", "─", "▲", "▼", "●", "…")
ASCII = Marks(1, 1, "+", "|", "+", "-", "^", "v", "o", "~")


@dataclass(frozen=True, slots=True)
class TextPlot:
    """The lines of the drawings, and the rows of the list of runs below them."""

    lines: tuple[str, ...]
    legend: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a drawing in characters, and the width of the labels on its left."""

    columns: int
    rows: int
    labels: int


class Canvas:
    """Dots and characters in cells. Each belongs to an owner: the index of a run, or `BEST`."""

    def __init__(self, columns: int, rows: int, marks: Marks, keys: Sequence[str]) -> None:
        self._columns, self._rows, self.marks, self._keys = columns, rows, marks, keys
        self._dots: dict[tuple[int, int], int] = {}
        self._owners: dict[tuple[int, int], int] = {}
        self._texts: dict[tuple[int, int], str] = {}

    def dot_at(self, x: float, y: float) -> tuple[int, int]:
        """Returns the dot at these positions from 0 to 1: its distances from the left and from above."""
        wide, high = self._columns * self.marks.across - 1, self._rows * self.marks.down - 1
        return round(x * wide), high - round(y * high)

    def cell_at(self, x: float, y: float) -> tuple[int, int]:
        """Returns column and row of the cell at these positions from 0 to 1."""
        across, down = self.dot_at(x, y)
        return across // self.marks.across, down // self.marks.down

    def draw_dot(self, across: int, down: int, owner: int) -> None:
        """Draws a dot, over what is there."""
        cell = across // self.marks.across, down // self.marks.down
        bits = (LEFT_BITS, RIGHT_BITS)[across % self.marks.across][down % self.marks.down]
        self._dots[cell] = self._dots.get(cell, 0) | bits
        self._owners[cell] = owner

    def draw_line(self, start: tuple[int, int], end: tuple[int, int], owner: int) -> None:
        """Draws the dots from one to another, as Bresenham chooses them."""
        (x, y), (to_x, to_y) = start, end
        wide, high = abs(to_x - x), -abs(to_y - y)
        step_x, step_y = (1 if to_x > x else -1), (1 if to_y > y else -1)
        error = wide + high
        while True:
            self.draw_dot(x, y, owner)
            if (x, y) == (to_x, to_y):
                return
            twice = 2 * error
            if twice >= high:
                error, x = error + high, x + step_x
            if twice <= wide:
                error, y = error + wide, y + step_y

    def put(self, cell: tuple[int, int], text: str, owner: int) -> None:
        """Writes a text, over dots, from a cell on."""
        for at, char in enumerate(text):
            self._texts[cell[0] + at, cell[1]] = char
            self._owners[cell[0] + at, cell[1]] = owner

    def put_near(self, cell: tuple[int, int], text: str, owner: int) -> None:
        """Writes letters at a cell, or right of it where no other letters are; nowhere if there is no room."""
        column, row = cell
        for shift in range(GUTTER - len(text) + 1):
            for near in (row, row - 1, row + 1):
                cells = [(column + shift + at, near) for at in range(len(text))]
                if 0 <= near < self._rows and not any(one in self._texts for one in cells):
                    self.put(cells[0], text, owner)
                    return

    def lines(self, palette: Palette) -> list[str]:
        """Returns the rows, coloured by owner, without blanks at their ends."""
        lines = []
        for row in range(self._rows):
            cells = [self._cell(column, row) for column in range(self._columns + GUTTER)]
            while cells and cells[-1][1] == " ":
                cells.pop()
            groups = groupby(cells, key=lambda cell: cell[0])
            lines.append("".join(palette.paint(slot, "".join(char for _, char in group)) for slot, group in groups))
        return lines

    def _cell(self, column: int, row: int) -> tuple[str, str]:
        """Returns the palette's slot and the character of a cell."""
        owner = self._owners.get((column, row))
        if owner is None:
            return "", " "
        text = self._texts.get((column, row))
        if text is None:
            text = "*" if owner == BEST else self._keys[owner][-1]
            text = text if self.marks is ASCII else chr(0x2800 + self._dots[column, row])
        return slot_of(owner), text


def slot_of(owner: int) -> str:
    """Returns the palette's slot of an owner."""
    return "heading" if owner == BEST else f"curve-{owner % COLOURS + 1}"


def draw_text(plot: Plot, columns: int, rows: int, marks: Marks, palette: Palette) -> TextPlot:
    """Returns the plot in so many columns; each panel is drawn in so many rows."""
    scales = [panel_axis(panel, log_y=plot.look.log_y) for panel in plot.panels]
    # all drawings begin in the same column
    labels = [end_labels(values) for _, values in scales]
    wide = min(max((count_columns(label) for pair in labels for label in pair), default=0), WIDEST_LABEL)
    frame = Frame(max(columns - wide - 2 - GUTTER, SMALLEST), max(rows, 2), wide)
    across = make_axis(plot.x_name, plot.xs, log=plot.log_x)
    lines: list[str] = []
    for panel, (axis, values), ends in zip(plot.panels, scales, labels, strict=True):
        lines.append(cut_to_columns(panel_title(plot, panel), columns))
        if axis is None:
            lines.append(f"{'':{wide}} no value that can be drawn")
            continue
        canvas = Canvas(frame.columns, frame.rows, marks, [one.key for one in plot.runs])
        draw_panel(canvas, plot, panel, (across, axis))
        low, high = (canvas.cell_at(0.0, axis.position_of(value) or 0.0)[1] for value in (min(values), max(values)))
        lines += frame_lines(canvas.lines(palette), frame, {low: ends[0], high: ends[1]}, marks)
        lines += x_lines(plot, across, frame, marks)
    return TextPlot(tuple(lines), tuple(legend_rows(plot, palette)))


def panel_axis(panel: Panel, *, log_y: bool) -> tuple[Axis | None, list[float]]:
    """Returns the axis of a panel's values, and those of them that have a position on it; no axis without any."""
    values = [y for trace in panel.traces for y in trace.ys if not why_not_drawn(y, log_y=log_y)]
    return (make_axis(panel.metric, values, log=log_y) if values else None), values


def end_labels(values: Sequence[float]) -> tuple[str, ...]:
    """Returns the labels of the smallest and the largest value."""
    return tuple(numbers_text([min(values), max(values)])) if values else ()


def panel_title(plot: Plot, panel: Panel) -> str:
    """Returns the line above a panel: `loss`, `loss by lr, lr logarithmic`."""
    x, y = safe_text(plot.x_name), safe_text(panel.metric)
    logarithmic = " and ".join(name for name, is_log in ((x, plot.log_x), (y, plot.look.log_y)) if is_log)
    words = (
        y if plot.form == CURVES else f"{y} by {x}",
        "logarithmic" if logarithmic == y and plot.form == CURVES else f"{logarithmic} logarithmic" if logarithmic else "",
        f"smoothed by {plot.look.smoothing:g}" if plot.look.smoothing and plot.form == CURVES else "",
        f"the line is the {'largest' if panel.is_largest else 'smallest'} so far" if panel.best else "",
    )
    return ", ".join(filter(None, words))


def draw_panel(canvas: Canvas, plot: Plot, panel: Panel, axes: tuple[Axis, Axis]) -> None:
    """Draws the traces of a panel, the first run over the others, and then the letters."""
    if panel.best:
        draw_steps(canvas, panel.best, axes, log_y=plot.look.log_y)
    for trace in reversed(panel.traces):
        if plot.form == CURVES:
            draw_trace(canvas, trace, axes, log_y=plot.look.log_y)
    has_letters = len(plot.runs) <= MARKED and plot.form == SCATTER
    for trace in panel.traces:
        ends = [
            point_position(axes, x, y)
            for x, y in zip(trace.xs, trace.ys, strict=True)
            if not why_not_drawn(y, log_y=plot.look.log_y)
        ]
        if ends and plot.form == CURVES:
            column, row = canvas.cell_at(*ends[-1])
            canvas.put_near((column + 1, row), plot.runs[trace.index].key, trace.index)
        for end in ends if plot.form != CURVES else ():
            # the points of a history are of one colour: each is a run
            owner = panel.best.index if panel.best else trace.index
            if has_letters:
                canvas.put_near(canvas.cell_at(*end), plot.runs[trace.index].key, owner)
            else:
                canvas.put(canvas.cell_at(*end), canvas.marks.point, owner)


def point_position(axes: tuple[Axis, Axis], x: float | str, y: float) -> tuple[float, float]:
    """Returns the positions of a point on both axes."""
    return axes[0].position_of(x) or 0.0, axes[1].position_of(y) or 0.0


def draw_trace(canvas: Canvas, trace: Trace, axes: tuple[Axis, Axis], *, log_y: bool) -> None:
    """Draws a curve, with gaps at values without a position and marks at infinities."""
    before = None
    for x, y in zip(trace.xs, trace.ys, strict=True):
        if why_not_drawn(y, log_y=log_y):
            before = None
            if math.isinf(y):
                column, row = canvas.cell_at(axes[0].position_of(x) or 0.0, 1.0 if y > 0 else 0.0)
                canvas.put((column, row), canvas.marks.above if y > 0 else canvas.marks.below, trace.index)
            continue
        dot = canvas.dot_at(*point_position(axes, x, y))
        canvas.draw_line(before or dot, dot, trace.index)
        before = dot


def draw_steps(canvas: Canvas, best: Trace, axes: tuple[Axis, Axis], *, log_y: bool) -> None:
    """Draws the best value so far: it lasts until a better one comes."""
    before = None
    for x, y in zip(best.xs, best.ys, strict=True):
        if why_not_drawn(y, log_y=log_y):
            continue
        dot = canvas.dot_at(*point_position(axes, x, y))
        corner = (dot[0], before[1]) if before else dot
        canvas.draw_line(before or dot, corner, BEST)
        canvas.draw_line(corner, dot, BEST)
        before = dot


def frame_lines(rows: Sequence[str], frame: Frame, labels: Mapping[int, str], marks: Marks) -> Iterator[str]:
    """Yields the rows of a drawing with the axis and the labels of some rows on their left."""
    for number, row in enumerate(rows):
        label = shorten(labels.get(number, ""), frame.labels)
        side = marks.tick if number in labels else marks.side
        yield f"{' ' * (frame.labels - count_columns(label))}{label} {side}{row}".rstrip()


def x_lines(plot: Plot, axis: Axis, frame: Frame, marks: Marks) -> Iterator[str]:
    """Yields the axis below a drawing, and the labels of its ends or texts."""
    yield f"{'':{frame.labels}} {marks.corner}{marks.base * frame.columns}"
    left = f"{'':{frame.labels}}  "
    xs = plot.xs
    name = shorten(safe_text(plot.x_name), frame.columns // 2)
    if any(isinstance(x, str) for x in xs):
        yield (left + spread_labels([(position, label) for position, label in axis.ticks], frame.columns)).rstrip()
        return
    low, high = numbers_text([float(xs[0]), float(xs[-1])])
    if xs[0] == xs[-1]:
        yield f"{left}{low:^{frame.columns}}".rstrip() + f"  {name}"
        return
    room = frame.columns - len(low) - len(high)
    middle = f"{name:^{room}}" if count_columns(name) + 2 <= room else " " * max(room, 1)
    yield f"{left}{low}{middle}{high}"


def spread_labels(ticks: Sequence[tuple[float, str]], columns: int) -> str:
    """Returns labels below their positions from 0 to 1, each cut to its share of the columns."""
    share = max(columns // max(len(ticks), 1) - 1, 1)
    line = ""
    for position, label in ticks:
        text = shorten(label, share)
        start = min(max(round(position * columns - count_columns(text) / 2), count_columns(line) + bool(line)), columns)
        line += " " * (start - count_columns(line)) + text
    return line


def legend_rows(plot: Plot, palette: Palette) -> Iterator[tuple[str, ...]]:
    """Yields a row for each run that can be told from the others; of a history, the best run alone."""
    if plot.form == SCATTER and len(plot.runs) > MARKED:
        return
    several = len({one.run.operation for one in plot.runs}) > 1
    best = plot.panels[0].best if plot.form == HISTORY else None
    shown = [(at, one) for at, one in enumerate(plot.runs) if best is None or at == best.index]
    values = {at: [*x_texts(plot, at), *(trace_text(plot, *pair, one) for pair in traces_of(plot, at))] for at, one in shown}
    most = max(map(len, values.values()), default=0)
    for at, one in shown:
        key = palette.cell(slot_of(at), "best" if plot.form == HISTORY else one.key)
        # before the words, of which a narrow terminal shows only the beginning
        cells = [*values[at], *[""] * (most - len(values[at]))]
        yield key, palette.cell("id", short_id(one.run.id)), *cells, words_of(one, several=several)


def traces_of(plot: Plot, index: int) -> list[tuple[Panel, Trace]]:
    """Returns the traces of a run, each with its panel."""
    return [(panel, trace) for panel in plot.panels for trace in panel.traces if trace.index == index]


def x_texts(plot: Plot, index: int) -> list[str]:
    """Returns the x of a scatter's run, `duration=1.5`, unless it is among the flags that are shown."""
    if plot.form != SCATTER or plot.x_name.removeprefix("flag:") in dict(plot.runs[index].flags):
        return []
    x = plot.panels[0].traces[index].xs[0]
    return [f"{safe_text(plot.x_name)}={safe_text(x) if isinstance(x, str) else number_text(x)}"]


def words_of(one: PlottedRun, *, several: bool) -> str:
    """Returns what tells a run from the others: operation, label, flags, and its status if it did not complete."""
    run = one.run
    flags = " ".join(f"{safe_text(name)}={safe_text(value)}" for name, value in one.flags)
    label = f"[{label_text(run.notes.label)}]" if run.notes.label else ""
    operation = safe_text(run.operation) if several or not flags else ""
    status = run.attempt.shown_status if run.status != COMPLETED else ""
    return " ".join(filter(None, (operation, label, flags, status)))


def trace_text(plot: Plot, panel: Panel, trace: Trace, one: PlottedRun) -> str:
    """Returns the value of a run in a panel, `loss=0.07`, and how many of its values have no position in the drawing."""
    value = one.run.metrics.get(panel.metric, trace.ys[-1]) if plot.form == CURVES else trace.ys[-1]
    counts = ", ".join(f"{count:,} {kind}" for kind, count in trace.undrawn_counts(log_y=plot.look.log_y).items())
    return f"{safe_text(panel.metric)}={number_text(value)}" + (f" ({counts})" if counts else "")
