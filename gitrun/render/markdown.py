"""A report as Markdown for comments on code hosts. Texts from the repository are in code spans or fences.

A code span has no mentions, issue references, links, HTML or emphasis.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from gitrun.model.run import short_id
from gitrun.render.report_table import bases_sentence, build_table, count_unlisted, equal_lines, fit_texts, ranges_sentence
from gitrun.render.report_text import (
    clip_text,
    code_lines,
    code_title,
    curve_ends,
    difference_rows,
    point_heading,
    point_rows,
    provenance_rows,
    report_verdict,
    review_commands,
    status_words,
    trial_heading,
    trial_rows,
)
from gitrun.render.text import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitrun.model.run import Run
    from gitrun.render.report_table import Cell, Column, ReportTable, Row
    from gitrun.views.batches import RankedBatch
    from gitrun.views.report import Detail, Report

# GitHub refuses comments of more than 65,536 characters
BUDGET = 60_000
NOTE = 160
"""Characters reserved for the note on omissions."""
TICKS = re.compile(r"`+")


def render_markdown(report: Report, budget: int) -> str:
    """Renders the report in at most `budget` characters (0: no limit). Omits sections from the end."""
    head = f"## Report on {code_span(report.title)}\n\n**{report_verdict(report)}**"
    if not report.all_runs:
        return f"{report_verdict(report)}\n"
    head += f" {report.counts}.\n"
    room = budget - len(head) - NOTE if budget else 0
    sections = [
        *map(render_trials, report.batches),
        list_commands(report),
        *map(render_differences, report.details),
        *(render_diff(detail) for detail in report.details if detail.code.lines),
        *map(render_output, report.details),
    ]
    table = build_table(report)
    # the last third is for the commands and details
    shown, omitted = fit_texts(list(table_rows(table)), room * 2 // 3 if budget else 0)
    more = f"… and {omitted:,} more rows." if omitted else ""
    lines = "\n".join((*table_head(table), *shown))
    ranges = ranges_sentence(report, code_span, lambda run: code_span(short_id(run.id)))
    foot = (more, count_unlisted(table), ranges, bases_sentence(report, code_span))
    parts = (f"### {table.caption}", *equal_texts(table), lines, *foot)
    kept, dropped = fit_texts(["\n\n".join(filter(None, parts)) + "\n", *sections], room)
    text = "\n".join((head, *kept))
    if dropped:
        text += f"\n_{dropped} section{'s' if dropped > 1 else ''} left out at the end to stay below {budget:,} characters._\n"
    return text


def render_trials(batch: RankedBatch) -> str:
    """Renders the trials of a batch as a table, after its points if it tries them several times."""
    name, trials = code_span(short_id(batch.run.id)), trial_rows(batch)
    text = f"### Trials of {name}, {batch.order}\n\n{span_table(trial_heading(batch), trials)}\n"
    text += count_hidden(len(batch.trials) - len(trials), "trials")
    if not batch.points:
        return text
    points = point_rows(batch)
    hidden = count_hidden(len(batch.points) - len(points), "points")
    return f"### Points of {name}, best first\n\n{span_table(point_heading(batch), points)}\n{hidden}\n{text}"


def span_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Renders a table whose cells are code."""
    lines = [[code_span(clip_text(cell, 60)) for cell in row] for row in (heading, *rows)]
    lines.insert(1, ["---"] * len(heading))
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def count_hidden(count: int, what: str) -> str:
    """Returns a line about what a table leaves out; empty if that is nothing."""
    return f"\n… and {count:,} more {what}.\n" if count else ""


def table_head(table: ReportTable) -> tuple[str, str]:
    """Returns the first two lines of the table: headings, and what separates them from the rows."""
    heads = ["commit", "run", *([] if table.operation else ["operation"]), "status", *map(column_title, table.columns)]
    rules = ["---"] * len(heads)
    rules[len(heads) - len(table.columns) :] = ("---:" if column.is_number else "---" for column in table.columns)
    return f"| {' | '.join(heads)} |", f"| {' | '.join(rules)} |"


def column_title(column: Column) -> str:
    """Returns the heading of a column."""
    return code_span(column.title)


def table_rows(table: ReportTable) -> Iterator[str]:
    """Yields a row for each run, and for each commit without runs."""
    for group in table.groups:
        commit = group.commit
        name = f"{code_span(short_id(commit.id))} {code_span(clip_text(commit.subject, 72))}" if commit else ""
        if group.rows and group.note:
            name += f" {group.note}"
        elif group.note:
            yield f"| {name} | {group.note} |{' |' * (len(table.columns) + 2 - bool(table.operation))}"
        for number, row in enumerate(group.rows):
            base = row.run.attempt.base
            # without a list of commits, each run says its own
            yield render_run_row(table, row, ("" if number else name) if commit else code_span(short_id(base or "")))


def render_run_row(table: ReportTable, row: Row, commit: str) -> str:
    """Returns a run as a row of the table."""
    run = row.run
    label = f"<br>{code_span(clip_text(run.notes.label, 60))}" if run.notes.label else ""
    cells = (
        commit,
        f"{code_span(short_id(run.id))}{f' {row.note}' if row.note else ''}{label}",
        *([] if table.operation else [code_span(clip_text(run.operation, 80))]),
        code_span(status_words(run)),
        *(cell_texts(column.cells.get(run.id, ())) for column in table.columns),
    )
    return f"| {' | '.join(cells)} |"


def cell_texts(cells: Sequence[Cell]) -> str:
    """Renders the values of a run in a column."""
    # a cell has one line in Markdown, and code hosts accept <br> there
    return "<br>".join(
        " ".join(filter(None, (code_span(f"{cell.name}={cell.text}" if cell.name else cell.text), code_span(cell.delta))))
        for cell in cells
    )


def equal_texts(table: ReportTable) -> Iterator[str]:
    """Yields lines on what is equal in all runs."""
    for operation, texts in equal_lines(table):
        words = f"Same in all runs of {code_span(operation)}:" if operation else "Same in all:"
        yield f"{words} {' '.join(map(code_span, texts))}"


def list_commands(report: Report) -> str:
    """Returns the commands for reviewers."""
    return f"### How to look at it\n\n{fence(review_commands(report), 'sh')}"


def render_differences(detail: Detail) -> str:
    """Renders a run's differences from the one before: values, metric curves and provenance."""
    parts = [render_summary(detail.run, ""), "| provenance | |\n| --- | --- |"]
    parts[-1] += "".join(f"\n| {name} | {code_span(text)} |" for name, text in provenance_rows(detail))
    rows = difference_rows(detail)
    if rows:
        lines = (f"| {what} | {code_span(name)} | {code_span(old)} | {code_span(new)} |" for what, name, old, new in rows)
        parts.append("| differs | name | before | now |\n| --- | --- | --- | --- |\n" + "\n".join(lines))
    elif detail.previous:
        parts.append("Flags, metrics, environment and code are as before.")
    drawn = [curve for curve in detail.curves if curve.values]
    if drawn:
        curves = ((code_span(clip_text(c.metric, 60)), sparkline(c.values, 32), *curve_ends(detail, c)) for c in drawn)
        lines = (f"| {' | '.join(row)} |" for row in curves)
        parts.append("| metric | course | first | last | steps |\n| --- | --- | --- | --- | --- |\n" + "\n".join(lines))
    # without empty lines around it, code hosts do not read Markdown inside <details>
    return "\n\n".join(parts) + "\n\n</details>\n"


def render_diff(detail: Detail) -> str:
    """Renders the difference of a run's code."""
    title = code_title(detail)
    summary = render_summary(detail.run, title[0].lower() + title[1:])
    return f"{summary}\n\n{fence(code_lines(detail), 'diff')}\n</details>\n"


def render_output(detail: Detail) -> str:
    """Renders the end of a run's output."""
    if not detail.tail:
        return f"{render_summary(detail.run, 'wrote nothing')}\n\n</details>\n"
    before = [f"… {detail.before} before"] if detail.before else []
    return f"{render_summary(detail.run, 'the end of its output')}\n\n{fence([*before, *detail.tail], 'text')}\n</details>\n"


def render_summary(run: Run, words: str) -> str:
    """Renders the line that opens a section. Code hosts read HTML there, not Markdown."""
    name = html.escape(f"{short_id(run.id)} {clip_text(run.operation, 80)}")
    return f"<details><summary>Run <code>{name}</code>{': ' if words else ''}{words}</summary>"


def fence(lines: Sequence[str], language: str) -> str:
    """Fences lines with more backticks than any of them contains."""
    # a fence ends at as many backticks as it began with
    longest = max((len(ticks) for line in lines for ticks in TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}{language}", *lines, f"{fence}\n"))


def code_span(text: str) -> str:
    r"""Renders a line of safe text as a code span that works in a table cell.

    A cell needs `\|` for a bar, which fails after a backslash. Such a text becomes two spans.
    """
    text = text.strip()
    if "\\|" in text:
        first, _, rest = text.partition("\\|")
        # the comment keeps the backticks of the two spans apart
        return f"{code_span(first + chr(92))}<!-- -->{code_span('|' + rest)}"
    # two backticks without text would be shown as they are
    if not text:
        return ""
    fence = "`" * (max((len(ticks) for ticks in TICKS.findall(text)), default=0) + 1)
    # a backtick at the edge would join the fence; Markdown drops one blank on each side
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")
