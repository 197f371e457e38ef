"""A report as one HTML file without scripts or external resources, readable on phones and in dark mode."""

from __future__ import annotations

import base64
import hashlib
import html
import math
from typing import TYPE_CHECKING

from gitrun.model.run import COMPLETED, ERROR, TERMINATED, short_id
from gitrun.model.text import count_text, numbers_text, safe_text
from gitrun.render.batch_charts import draw_batch
from gitrun.render.report_text import (
    clip_text,
    difference_rows,
    flag_words,
    metric_words,
    provenance_rows,
    report_verdict,
    review_commands,
    status_words,
    trial_heading,
    trial_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.model.run import Run
    from gitrun.views.batches import RankedBatch
    from gitrun.views.report import Detail, Report

STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --back: #fff; --panel: #f6f8fa;
  --good: #1a7f37; --bad: #cf222e; --draw: #0969da; }
@media (prefers-color-scheme: dark) { :root { --text: #f0f6fc; --soft: #9198a1; --line: #3d444d; --back: #0d1117;
  --panel: #151b23; --good: #3fb950; --bad: #f85149; --draw: #4493f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 72rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1.25rem 0 .35rem; color: var(--soft); }
code, pre { font: .86em/1.45 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; margin: .25rem 0;
  overflow-x: auto; white-space: pre; }
.verdict { border-left: 4px solid var(--soft); background: var(--panel); padding: .75rem 1rem; border-radius: 0 6px 6px 0; }
.verdict.good { border-color: var(--good); } .verdict.bad { border-color: var(--bad); }
.verdict strong { display: block; } .soft { color: var(--soft); } .good b { color: var(--good); } .bad b { color: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; white-space: nowrap; font-weight: 600; color: var(--soft); }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
tr.commit td { padding-top: 1.1rem; border-bottom-color: var(--soft); }
div.scroll { overflow-x: auto; } table.trials td, table.trials th { white-space: nowrap; padding-right: 1.25rem; }
table.trials td { font-variant-numeric: tabular-nums; }
td.number { font-variant-numeric: tabular-nums; } td div + div { margin-top: .15rem; }
b { font-weight: 600; } table.pairs td:first-child { color: var(--soft); width: 9rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .75rem 0; padding: .6rem 1rem; }
details[open] { padding-bottom: 1rem; } summary { cursor: pointer; }
svg { width: 100%; max-width: 22rem; height: 3rem; display: block; stroke: var(--draw); fill: none; }
svg.chart { max-width: 44rem; height: auto; } svg.chart .axis { stroke: var(--line); }
svg.chart text { font-size: 12px; fill: var(--text); stroke: var(--back); stroke-width: 3px; paint-order: stroke; }
svg.chart .dots { fill: var(--draw); stroke: none; }
h3 .soft { font-weight: 400; } .delta { white-space: nowrap; }
@media (min-width: 641px) { table.wide td:nth-child(2) { min-width: 6.5rem; } }
@media (max-width: 640px) {
  table.wide thead { display: none; }
  table.wide tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  table.wide td { display: flex; gap: .75rem; border: 0; padding: .1rem 0; }
  table.wide td:empty { display: none; }
  table.wide td[data-label]::before { content: attr(data-label); flex: 0 0 6rem; color: var(--soft); }
  table.wide tr.commit { border-bottom-color: var(--soft); padding-top: 1.2rem; }
  table.wide tr.commit td { display: block; padding: 0; }
  table.pairs td:first-child { width: 7rem; } svg.chart text { font-size: 18px; } details { padding: .6rem .75rem; }
}
@media print { details { border: 0; padding: 0; } }
"""
NOTE = 300
"""Characters reserved for the note on omissions."""
SIGNS = {COMPLETED: "good", ERROR: "bad", TERMINATED: "bad"}
WIDE, HIGH = 240, 40
"""Size of a metric's drawing."""


def render_page(report: Report, budget: int) -> str:
    """Renders the report in at most `budget` characters (0: no limit). Omits sections from the end."""
    head, end = render_head(report), "</main>\n</body>\n</html>\n"
    if not report.all_runs:
        return head + end
    groups = list(render_groups(report))
    sections = [
        *map(render_batch, report.batches),
        render_commands(report),
        *(render_detail(found, is_open=place == 0) for place, found in enumerate(report.details)),
    ]
    room = budget - len(head) - len(end) - NOTE if budget else 0
    # the last third is for the commands and details
    shown, left = fit_texts(groups, room * 2 // 3)
    more = f'<p class="soft">… and {left:,} more rows.</p>' if left else ""
    kept, dropped = fit_texts([render_table(shown) + more + render_bases(report), *sections], room)
    note = f'<p class="soft">{dropped} sections left out at the end to stay below {budget:,} characters.</p>' if dropped else ""
    return "\n".join((head, *kept, note + end))


def fit_texts(texts: Sequence[str], room: int) -> tuple[list[str], int]:
    """Returns the first texts that fit into the budget (0: all), and the number of omitted ones."""
    used, kept = 0, list[str]()
    for text in texts:
        # and a line end that joins it to the next one
        used += len(text) + 1
        if room and used > room:
            break
        kept.append(text)
    return kept, len(texts) - len(kept)


def escape_text(words: str) -> str:
    """Escapes a text for HTML."""
    # browsers obey bidi controls too, which html.escape keeps
    return html.escape(safe_text(words))


def render_code(words: str) -> str:
    """Renders a text as code."""
    return f"<code>{escape_text(words)}</code>" if words else ""


def render_head(report: Report) -> str:
    """Renders everything up to the first section: content policy, style and verdict."""
    # allows exactly this style sheet, and nothing else
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    # stops scripts and requests, should a text ever not be escaped
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    sign = "good" if report.is_good else "bad"
    counts = f'<span class="soft">{escape_text(report.counts)}</span>' if report.all_runs else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Report on {escape_text(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Report on {render_code(report.title)}</h1>\n"
        f'<p class="verdict{f" {sign}" if report.all_runs else ""}">'
        f"<strong>{escape_text(report_verdict(report))}</strong>{counts}</p>"
    )


def render_groups(report: Report) -> Iterator[str]:
    """Yields the table's rows in groups: a commit and its runs."""
    # a run with changes to one commit may be exactly another one: it is listed there alone
    exact = {run.id for commit in report.commits for run in commit.exact}
    for commit in report.commits:
        words = f"{render_code(short_id(commit.id))} <b>{escape_text(clip_text(commit.subject))}</b>"
        # Ada Lovelace <ada@example.org>
        author = escape_text(clip_text(commit.author.partition(" <")[0], 60))
        changed = [run for run in commit.changed if run.id not in exact]
        none = "" if commit.exact or changed else ' <span class="soft">no run of exactly this</span>'
        yield f'<tr class="commit"><td colspan="5">{words} <span class="soft">{author}</span>{none}</td></tr>'
        yield from (render_row(report, run, "") for run in commit.exact)
        yield from (render_row(report, run, "with changes") for run in changed)
    yield from (render_row(report, run, "") for run in report.runs)


def render_row(report: Report, run: Run, how: str) -> str:
    """Renders a run as a row."""
    label = f"<div>{escape_text(clip_text(run.notes.label, 60))}</div>" if run.notes.label else ""
    changed = f'<div class="soft">{how}</div>' if how else ""
    flags = render_lines(render_code(words) for words in flag_words(run, report)) if run.flags else ""
    same = '<span class="soft">as the base</span>' if run.flags else ""
    metrics = render_lines(
        f'{render_code(name)} {value} <span class="soft delta">{delta}</span>'
        for name, value, delta in metric_words(run, report)
    )
    return (
        (
            f'<tr><td data-label="run"><div>{render_code(short_id(run.id))}{changed}{label}</div></td>'
            f'<td data-label="operation"><div>{render_code(clip_text(run.operation, 80))}</div></td>'
            f'<td data-label="flags"><div>{flags or same}</div></td>'
            f'<td data-label="status" class="{SIGNS.get(run.status, "soft")}">'
            f"<div><b>{escape_text(status_words(run))}</b></div></td>"
            f'<td data-label="metrics" class="number"><div>{metrics}</div></td></tr>'
        )
        # only a cell without text is hidden on narrow screens (td:empty)
        .replace(' data-label="flags"><div></div>', ">")
        .replace(' data-label="metrics" class="number"><div></div>', ">")
    )


def render_lines(cells: Iterable[str]) -> str:
    """Renders each text on a line of its own."""
    return "".join(f"<div>{cell}</div>" for cell in cells)


def render_table(rows: Sequence[str]) -> str:
    """Renders the table of runs."""
    heads = "".join(f"<th>{name}</th>" for name in ("run", "operation", "flags", "status", "metrics"))
    return f'<table class="wide"><thead><tr>{heads}</tr></thead><tbody>\n' + "\n".join(rows) + "\n</tbody></table>"


def render_bases(report: Report) -> str:
    """Names the runs of the base for comparison."""
    if not report.bases:
        return '<p class="soft">There is no run of the base to compare with.</p>' if report.range else ""
    told = (
        f"{render_code(clip_text(operation, 80))} with {render_code(short_id(run.id))}"
        for operation, run in list(report.bases.items())[:20]
    )
    return f'<p class="soft">Compared with the latest completed run of the base: {", ".join(told)}.</p>'


def render_commands(report: Report) -> str:
    """Renders the commands for reviewers."""
    return f"<h2>How to look at it</h2>\n<pre>{join_lines(review_commands(report))}</pre>"


def join_lines(lines: Iterable[str]) -> str:
    """Renders lines as preformatted text."""
    return "\n".join(map(escape_text, lines))


def render_detail(detail: Detail, *, is_open: bool) -> str:
    """Renders the section about a run."""
    run = detail.run
    heading = f"{render_code(short_id(run.id))} {render_code(clip_text(run.operation, 80))}"
    status = f'<span class="{SIGNS.get(run.status, "soft")}"><b>{escape_text(status_words(run))}</b></span>'
    parts = [
        f"<details{' open' if is_open else ''}><summary>{heading} {status}</summary>",
        render_pairs(provenance_rows(detail)),
    ]
    rows = difference_rows(detail)
    if rows:
        cells = "".join(
            f'<tr><td data-label="what">{what}</td><td data-label="name">{render_code(name)}</td>'
            f'<td data-label="before">{render_code(old)}</td><td data-label="now">{render_code(new)}</td></tr>'
            for what, name, old, new in rows
        ).replace('<td data-label="before"></td>', "<td></td>")
        head = "<thead><tr><th></th><th>name</th><th>before</th><th>now</th></tr></thead>"
        parts.append(f'<h3>What differs from the run before it</h3><table class="wide">{head}<tbody>{cells}</tbody></table>')
    elif detail.previous:
        parts.append('<p class="soft">Flags, metrics, environment and code are as in the run before it.</p>')
    parts += [draw_series(name, values) for name, values in detail.series.items()]
    if detail.tail:
        before = [f"… {count_text(detail.before, 'line')} before"] if detail.before else []
        parts.append(f"<h3>The end of its output</h3>\n<pre>{join_lines([*before, *detail.tail])}</pre>")
    return "\n".join(filter(None, parts)) + "\n</details>"


def render_pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Renders names and texts in two columns."""
    return (
        '<table class="pairs">'
        + "".join(f"<tr><td>{name}</td><td>{escape_text(said)}</td></tr>" for name, said in rows)
        + "</table>"
    )


def render_batch(batch: RankedBatch) -> str:
    """Renders the trials of a batch as a table, and its charts."""
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape_text(clip_text(cell, 60))}</td>' for cell in row)}</tr>" for row in trial_rows(batch)
    )
    head = "".join(f"<th>{escape_text(clip_text(name, 60))}</th>" for name in trial_heading(batch))
    charts = "".join(
        f"<h3>{render_code(clip_text(title, 60))}</h3>\n{chart}\n" for title, chart in draw_batch(batch, escape_text)
    )
    title = f"<h2>Trials of {render_code(short_id(batch.run.id))}, {batch.order}</h2>"
    left = len(batch.trials) - len(trial_rows(batch))
    more = f'<p class="soft">… and {left:,} more trials.</p>' if left else ""
    table = f'<table class="trials"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'{title}\n<div class="scroll">{table}</div>{more}\n{charts}'


def draw_series(name: str, values: Sequence[float]) -> str:
    """Draws a metric's values as a line (SVG); empty for fewer than two finite values."""
    known = [(place, value) for place, value in enumerate(values) if math.isfinite(value)]
    if len(known) < 2:
        return ""
    # more points than units of width would not show
    known = known[:: max(1, len(known) // WIDE)]
    low, high = min(value for _, value in known), max(value for _, value in known)
    # halves, since the difference of two huge numbers can be infinite
    span = high / 2 - low / 2 or 1.0
    # two units stay free above and below, or half of the stroke would be cut off
    points = " ".join(
        f"{WIDE * place / (len(values) - 1):.1f},{HIGH - 2 - (HIGH - 4) * (value / 2 - low / 2) / span:.1f}"
        for place, value in known
    )
    # the drawing is stretched to the page, its stroke must not be
    line = f'<polyline points="{points}" vector-effect="non-scaling-stroke" stroke-width="1.5"/>'
    first, last, least, most = numbers_text([values[0], values[-1], low, high])
    words = f'<span class="soft">{first} to {last}, between {least} and {most}</span>'
    picture = f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="course">{line}</svg>'
    return f"<h3>{render_code(clip_text(name, 60))} {words}</h3>\n{picture}"
