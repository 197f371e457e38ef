"""A report as one HTML file without scripts or external resources, readable on phones, in dark mode and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.run import short_id
from gitrun.model.text import count_text
from gitrun.render.assets import policy_hash, read_asset
from gitrun.render.batch_charts import draw_batch
from gitrun.render.markup import (
    SIGNS,
    details_anchor,
    escape_text,
    join_lines,
    link_run,
    render_code,
    row_anchor,
    unlink_missing,
)
from gitrun.render.report_details import render_detail
from gitrun.render.report_table import bases_sentence, build_table, count_unlisted, equal_lines, fit_texts, ranges_sentence
from gitrun.render.report_text import (
    clip_text,
    point_heading,
    point_rows,
    report_verdict,
    review_commands,
    status_words,
    trial_heading,
    trial_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitrun.render.report_table import Cell, Column, Group, ReportTable, Row
    from gitrun.views.batches import RankedBatch
    from gitrun.views.history import Commit
    from gitrun.views.report import Report

STYLES = ("tokens.css", "report.css")
NOTE = 300
"""Characters reserved for the note on omissions."""


def render_page(report: Report, budget: int) -> str:
    """Renders the report in at most `budget` characters (0: no limit). Omits sections from the end."""
    head, end = render_head(report), "</main>\n</body>\n</html>\n"
    if not report.all_runs:
        return unlink_missing(head + end)
    table = build_table(report)
    sections = [
        *map(render_batch, report.batches),
        render_commands(report),
        *(render_detail(detail, is_open=number == 0) for number, detail in enumerate(report.details)),
    ]
    room = budget - len(head) - len(end) - NOTE if budget else 0
    # the last third is for the commands and details
    shown, omitted = fit_texts(list(render_groups(table)), room * 2 // 3)
    more = f'<p class="soft">… and {omitted:,} more rows.</p>' if omitted else ""
    first = "\n".join(filter(None, (render_equal(table), render_table(table, shown) + more, render_foot(report, table))))
    kept, dropped = fit_texts([first, *sections], room)
    note = f'<p class="soft">{dropped} sections left out at the end to stay below {budget:,} characters.</p>' if dropped else ""
    return unlink_missing("\n".join((head, *kept, note + end)))


def render_head(report: Report) -> str:
    """Renders everything up to the first section: content policy, style and verdict."""
    style = "".join(map(read_asset, STYLES))
    # allows exactly this style sheet, and nothing else: no scripts and requests, should a text ever not be escaped
    policy = f"default-src 'none'; style-src {policy_hash(style)}; base-uri 'none'; form-action 'none'"
    sign = "good" if report.is_good else "bad"
    counts = f'<span class="soft">{escape_text(report.counts)}</span>' if report.all_runs else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Report on {escape_text(report.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Report on {render_code(report.title)}</h1>\n"
        f'<p class="verdict{f" {sign}" if report.all_runs else ""}">'
        f"<strong>{render_verdict(report)}</strong>{counts}</p>"
    )


def render_verdict(report: Report) -> str:
    """Renders the verdict with links to the failed runs."""
    words = escape_text(report_verdict(report))
    for run in report.failed if report.all_runs else ():
        words = words.replace(short_id(run.id), link_run(run), 1)
    return words


def render_equal(table: ReportTable) -> str:
    """Renders what is equal in all runs."""
    lines = (
        f"Same in all{f' runs of {render_code(operation)}' if operation else ''}: {' '.join(map(render_code, texts))}"
        for operation, texts in equal_lines(table)
    )
    return "".join(f'<p class="equal">{line}</p>' for line in lines)


def render_groups(table: ReportTable) -> Iterator[str]:
    """Yields the table's rows in groups: a commit and its runs."""
    width = 3 + len(table.columns) - bool(table.operation)
    for group in table.groups:
        if group.commit:
            yield render_commit(group, group.commit, width)
        yield from (render_row(table, row) for row in group.rows)


def render_commit(group: Group, commit: Commit, width: int) -> str:
    """Renders a commit as the heading of its runs."""
    words = f"{render_code(short_id(commit.id))} <b>{escape_text(clip_text(commit.subject))}</b>"
    # Ada Lovelace <ada@example.org>
    author = escape_text(clip_text(commit.author.partition(" <")[0], 60))
    note = f' <span class="soft">{", ".join(filter(None, (author, group.note)))}</span>'
    scope = "rowgroup" if group.rows else "row"
    return f'<tr class="commit"><th scope="{scope}" colspan="{width}">{words}{note}</th></tr>'


def render_row(table: ReportTable, row: Row) -> str:
    """Renders a run as a row."""
    run = row.run
    label = f" <b>{escape_text(clip_text(run.notes.label, 60))}</b>" if run.notes.label else ""
    note = f' <span class="soft">{row.note}</span>' if row.note else ""
    operation = "" if table.operation else f'<td data-label="operation">{render_code(clip_text(run.operation, 80))}</td>'
    status = f'<td data-label="status" class="{SIGNS.get(run.status, "soft")}"><b>{escape_text(status_words(run))}</b></td>'
    name = f'<th scope="row" data-label="run"><div>{link_run(run, details_anchor(run))}{note}{label}</div></th>'
    cells = (render_cells(column, column.cells.get(run.id, ())) for column in table.columns)
    return f'<tr id="{row_anchor(run)}">{name}{operation}{status}{"".join(cells)}</tr>'


def render_cells(column: Column, cells: Sequence[Cell]) -> str:
    """Renders the values of a run in a column."""
    # only a cell without text is hidden on narrow screens (td:empty)
    if not cells:
        return "<td></td>"
    shown = " ".join(
        f"{render_code(f'{cell.name}={cell.text}' if cell.name else cell.text)}"
        + (f' <span class="soft delta">{escape_text(cell.delta)}</span>' if cell.delta else "")
        for cell in cells
    )
    kind = ' class="shared"' if cells[0].name else number_class(column)
    return f'<td data-label="{escape_text(column.title)}"{kind}><div>{shown}</div></td>'


def number_class(column: Column) -> str:
    """Returns the attribute that aligns a column of numbers."""
    return ' class="number"' if column.is_number else ""


def render_table(table: ReportTable, rows: Sequence[str]) -> str:
    """Renders the table of runs."""
    operation = () if table.operation else ('<th scope="col">operation</th>',)
    columns = (f'<th scope="col"{number_class(column)}>{render_code(column.title)}</th>' for column in table.columns)
    heads = "".join(('<th scope="col">run</th>', *operation, '<th scope="col">status</th>', *columns))
    return (
        f'<div class="scroll"><table class="wide runs"><caption>{table.caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def render_foot(report: Report, table: ReportTable) -> str:
    """Renders what belongs to the table: the runs without a row, the ranges of metrics, and what they are compared with."""
    ranges = ranges_sentence(report, render_code, link_run)
    lines = filter(None, (count_unlisted(table), ranges, bases_sentence(report, render_code)))
    return "".join(f'<p class="soft">{line}</p>' for line in lines)


def render_commands(report: Report) -> str:
    """Renders the commands for reviewers."""
    return f"<h2>How to look at it</h2>\n<pre>{join_lines(review_commands(report))}</pre>"


def render_batch(batch: RankedBatch) -> str:
    """Renders the trials of a batch as a table, after its points if it tries them several times, and its charts."""
    shown = trial_rows(batch)
    rows = "".join(render_trial(batch, rank, row) for rank, row in enumerate(shown))
    head = render_heading(trial_heading(batch))
    charts = "".join(
        f"<section><h3>{render_code(clip_text(title, 60))}</h3>\n{chart}</section>\n"
        for title, chart in draw_batch(batch, escape_text)
    )
    title = f"<h2>Trials of {link_run(batch.run)}, {batch.order}</h2>"
    omitted = len(batch.trials) - len(shown)
    caption = f"{len(shown):,} of {len(batch.trials):,} trials" if omitted else f"{len(shown):,} trials"
    table = f'<table class="trials"><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    pictures = f'<div class="charts">{charts}</div>' if charts else ""
    return f'{render_points(batch) if batch.points else ""}{title}\n<div class="scroll">{table}</div>\n{pictures}'


def render_heading(names: Sequence[str]) -> str:
    """Renders the headings of a table."""
    return "".join(f'<th scope="col">{escape_text(clip_text(name, 60))}</th>' for name in names)


def render_points(batch: RankedBatch) -> str:
    """Renders the points of a batch that tries them several times as a table."""
    shown = point_rows(batch)
    rows = "".join(f"<tr>{''.join(f'<td>{escape_text(clip_text(cell, 60))}</td>' for cell in row)}</tr>" for row in shown)
    caption = f"{len(shown):,} of {count_text(len(batch.points), 'point')}" if len(shown) < len(batch.points) else ""
    caption = caption or count_text(len(shown), "point")
    table = f'<table class="points"><caption>{caption}</caption><thead><tr>{render_heading(point_heading(batch))}</tr></thead>'
    table += f"<tbody>{rows}</tbody></table>"
    return f'<h2>Points of {link_run(batch.run)}, best first</h2>\n<div class="scroll">{table}</div>\n'


def render_trial(batch: RankedBatch, rank: int, row: Sequence[str]) -> str:
    """Renders a trial as a row, with the id of its run if the run has no row of its own."""
    run = batch.ranked[rank]
    name = f'<th scope="row">{link_run(run, details_anchor(run))}</th>'
    first, *rest = (f"<td>{escape_text(clip_text(cell, 60))}</td>" for cell in (row[0], *row[2:]))
    return f'<tr id="{row_anchor(run)}">{first}{name}{"".join(rest)}</tr>'
