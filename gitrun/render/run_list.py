"""Rows of a list of runs."""

from __future__ import annotations

from gitrun.dataclass import dataclass, field
from gitrun.lazy import shlex
from gitrun.model.run import RUNNING, short_id
from gitrun.model.text import age_text, count_columns, duration_text, label_text, number_text, safe_text, time_text
from gitrun.render.palette import PLAIN, Palette
from gitrun.render.text import GAP, NARROWEST, Shape, broken_row, claim_text, counts_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from gitrun.model.run import BrokenRun, Run
    from gitrun.views.listing import Distinction

DIGITS = 4
"""Digits of the metric."""
FLAGS_ROOM = 24
"""Columns that the flags get on a narrow terminal."""
OPERATION, DURATION, METRIC, SPARK = 2, 5, 6, 7
"""Places of cells in a row. The last cell has the label, flags and words, and sticks out if need be."""
WORDS = SPARK + 1
OPTIONAL = (DURATION, METRIC, SPARK)
"""Cells that are left out of all rows if they are empty in each."""


@dataclass(frozen=True, slots=True)
class ListStyle:
    """Form of a list of runs: for a person (`is_person`), with times relative to `now`; else with exact times.

    `bases` are the batches whose trials name their commits. `sparks` are drawn curves by run id.
    """

    now: datetime
    distinction: Distinction
    is_person: bool = False
    colours: Palette = PLAIN
    bases: Collection[str] = ()
    sparks: Mapping[str, str] = field(default_factory=dict)


def list_rows(
    runs: Sequence[tuple[int, Run]], broken: Sequence[BrokenRun], style: ListStyle, room: int
) -> tuple[list[list[str]], Shape]:
    """Returns numbered runs as rows of a table, unreadable ones last, with the layout of the table.

    A person gets headings. Where flags would have less than FLAGS_ROOM of the `room` in columns, the durations give way.
    """
    rows = [run_row(number, run, style) for number, run in runs]
    for number, identity, operation, when, state, reason in (broken_row(run, style.colours) for run in broken):
        rows.append([number, identity, operation, when, state, *("" for _ in OPTIONAL), reason])
    dropped = {at for at in OPTIONAL if not any(row[at] for row in rows)}
    widths = [NARROWEST if at == OPERATION else max((count_columns(row[at]) for row in rows), default=0) for at in range(WORDS)]
    kept = [width for at, width in enumerate(widths) if at not in dropped]
    if room - sum(kept) - len(GAP) * len(kept) < FLAGS_ROOM:
        dropped.add(DURATION)
    if style.is_person and rows:
        titles = ("#", "id", "operation", "started", "status", "took", style.distinction.metric, "curve", "flags")
        rows.insert(0, [style.colours.cell("heading", safe_text(title)) for title in titles])
    shown = [[cell for at, cell in enumerate(row) if at not in dropped] for row in rows]
    right = frozenset({DURATION} - dropped)
    # the operation is shortened, so that everything before the flags fits, and some of the flags
    return shown, Shape(elastic=OPERATION, whole=WORDS - len(dropped), right=right, spare=FLAGS_ROOM)


def run_row(number: int, run: Run, style: ListStyle) -> list[str]:
    """Returns a run as a row of the list."""
    attempt, mark = run.attempt, "*" if run.notes.marked else ""
    # a staged run has not started
    when = attempt.started or attempt.created
    return [
        # a trial is no line of the list: its number is that in its batch
        f"{number or f'#{attempt.trial}'}{mark}",
        style.colours.cell("id", short_id(run.id)),
        safe_text(run.operation),
        age_text(when, style.now) if style.is_person else time_text(when),
        style.colours.cell(attempt.shown_status, attempt.shown_status),
        time_spent(run, style.now),
        metric_cell(run, style),
        style.sparks.get(run.id, ""),
        words_cell(run, style),
    ]


def time_spent(run: Run, now: datetime) -> str:
    """Formats how long the attempt took, or has taken so far; empty if it has not started."""
    if run.status == RUNNING and run.attempt.started:
        # a clock may have been set back since the start
        return duration_text(max((now - run.attempt.started).total_seconds(), 0.0))
    return "" if run.attempt.duration is None else duration_text(run.attempt.duration)


def metric_cell(run: Run, style: ListStyle) -> str:
    """Formats the metric of the list, with its name if no heading has it; empty if the run lacks it.

    A batch has the value of its best trial.
    """
    value = run.metrics.get(style.distinction.metric)
    params, counts = run.attempt.params, run.attempt.counts
    if counts and counts.best and style.distinction.metric in {params.minimize, params.maximize}:
        value = counts.best.value
    if value is None:
        return ""
    text = number_text(value, DIGITS)
    return text if style.is_person else f"{safe_text(style.distinction.metric)}={text}"


def words_cell(run: Run, style: ListStyle) -> str:
    """Formats what is particular to a run: label, commit, flags, words behind `--`, counts of a batch, who claimed it."""
    attempt = run.attempt
    label = f"[{label_text(run.notes.label)}]" if run.notes.label else ""
    behind = f"-- {shlex.join(attempt.words_behind)}" if attempt.words_behind else ""
    flags = safe_text(" ".join(filter(None, (style.distinction.flags_of(run), behind))))
    commit = f"{short_id(attempt.base or '')}{GAP}" if attempt.batch in style.bases else ""
    words = " ".join(filter(None, (label, commit + flags)))
    return GAP.join(filter(None, (words, counts_text(attempt), claim_text(attempt))))
