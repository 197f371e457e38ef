"""The details of a run in an HTML report: origin, differences from the run before, curves, the code's difference, output."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gitrun.model.run import short_id
from gitrun.model.text import numbers_text
from gitrun.render.axes import make_number_axis
from gitrun.render.markup import SIGNS, details_anchor, escape_text, join_lines, link_run, render_code
from gitrun.render.report_text import (
    clip_text,
    code_lines,
    code_title,
    curve_words,
    difference_rows,
    provenance_rows,
    status_words,
)
from gitrun.views.curves import thin_indexes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.views.curves import Curve
    from gitrun.views.report import Detail

WIDE, HIGH = 240, 40
"""Size of a metric's drawing."""
DIFF_CLASSES = {"+": "added", "-": "deleted", "@": "hunk"}
"""The class of a line of a difference by its first character."""


def render_detail(detail: Detail, *, is_open: bool) -> str:
    """Renders the section about a run. What it hides on a screen is printed."""
    run = detail.run
    status = f'<span class="{SIGNS.get(run.status, "soft")}"><b>{escape_text(status_words(run))}</b></span>'
    label = f" <b>{escape_text(clip_text(run.notes.label, 60))}</b>" if run.notes.label else ""
    heading = f"{link_run(run)} {render_code(clip_text(run.operation, 80))} {status}{label}"
    parts = [
        f'<section class="run"><details{" open" if is_open else ""}><summary>{heading}</summary></details>',
        # beside the details and not inside, so that a style sheet can print it: no browser prints what details hide
        f'<div class="inside" id="{details_anchor(run)}">',
        render_provenance(detail),
        render_differences(detail),
        *draw_curves(detail),
        render_code_changes(detail),
        render_output(detail),
    ]
    return "\n".join(filter(None, parts)) + "\n</div></section>"


def render_provenance(detail: Detail) -> str:
    """Renders the origin of a run as a table."""
    rows = (f'<tr><th scope="row">{name}</th><td>{escape_text(text)}</td></tr>' for name, text in provenance_rows(detail))
    return f'<table class="pairs"><caption>Origin</caption><tbody>{"".join(rows)}</tbody></table>'


def render_differences(detail: Detail) -> str:
    """Renders what differs from the run before as a table."""
    rows = difference_rows(detail)
    if not detail.previous:
        return ""
    if not rows:
        return '<p class="soft">Flags, metrics, environment and code are as in the run before it.</p>'
    cells = "".join(
        f'<tr><td data-label="what">{what}</td><th scope="row" data-label="name">{render_code(name)}</th>'
        f'<td data-label="before">{render_code(old)}</td><td data-label="now">{render_code(new)}</td></tr>'
        for what, name, old, new in rows
    ).replace('<td data-label="before"></td>', "<td></td>")
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("what", "name", "before", "now"))
    caption = "<caption>What differs from the run before it</caption>"
    return f'<table class="wide">{caption}<thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>'


def draw_curves(detail: Detail) -> Iterator[str]:
    """Yields the metrics of a run as curves, each with its values in words."""
    drawn = [figure for curve in detail.curves if (figure := draw_curve(detail, curve))]
    if drawn:
        yield f'<div class="curves">{"".join(drawn)}</div>'


def draw_curve(detail: Detail, curve: Curve) -> str:
    """Draws a metric's values as a line (SVG); empty for fewer than two finite values."""
    # more points than units of width would not show
    points_drawn = thin_indexes(curve.values, WIDE)
    known = [(curve.steps[at], curve.values[at]) for at in points_drawn if math.isfinite(curve.values[at])]
    if len(known) < 2:
        return ""
    across, up = (make_number_axis("", numbers, log=False) for numbers in zip(*known, strict=True))
    # two units stay free above and below, or half of the stroke would be cut off
    points = " ".join(
        f"{WIDE * (across.position_of(step) or 0):.1f},{HIGH - 2 - (HIGH - 4) * (up.position_of(value) or 0):.1f}"
        for step, value in known
    )
    # the drawing is stretched to the page, its stroke must not be
    line = f'<polyline points="{points}" vector-effect="non-scaling-stroke" stroke-width="1.5"/>'
    words = curve_words(detail, curve)
    values = [value for _, value in known]
    least, most = numbers_text([min(values), max(values)])
    title = clip_text(curve.metric, 60)
    label = f'role="img" aria-label="{escape_text(f"{title}: {words}")}"'
    return (
        f'<figure><figcaption>{render_code(title)} <span class="soft">{words}, between {least} and {most}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" {label}>{line}</svg></figure>'
    )


def render_code_changes(detail: Detail) -> str:
    """Renders the difference of the code as `git diff` shows it."""
    lines = code_lines(detail)
    if not lines:
        return ""
    return f'<h3>{escape_text(code_title(detail))}</h3>\n<pre class="diff">{render_diff(lines)}</pre>'


def render_diff(lines: Iterable[str]) -> str:
    """Renders the lines of a difference, each in the colour of what it does."""
    shown = []
    for line in lines:
        sign = "file" if line.startswith(("diff --git ", "--- ", "+++ ")) else DIFF_CLASSES.get(line[:1], "")
        text = escape_text(line)
        shown.append(f'<span class="{sign}">{text}</span>' if sign else text)
    return "\n".join(shown)


def render_output(detail: Detail) -> str:
    """Renders the end of a run's output."""
    if not detail.tail:
        return ""
    before = [f"… {detail.before} before. To see all: git run cat {short_id(detail.run.id)}"]
    return f"<h3>The end of its output</h3>\n<pre>{join_lines([*(before if detail.before else []), *detail.tail])}</pre>"
