"""Texts of a report, the same in every format. They depend on neither clock nor locale; times are in UTC."""

from __future__ import annotations

import math
from datetime import timezone
from typing import TYPE_CHECKING, Any

from gitrun.model.flags import format_value
from gitrun.model.run import short_id
from gitrun.model.text import number_text, numbers_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gitrun.model.flags import Value
    from gitrun.model.run import Run
    from gitrun.views.batches import RankedBatch
    from gitrun.views.curves import Curve
    from gitrun.views.report import Detail, Report

LONGEST = 120
MANY = 8
"""Flags and metrics named in a row of the table."""
MOST_TRIALS, MOST_FLAGS = 50, 12
"""Trials of a batch in its table, and flags that are columns of it."""


def clip_text(text: str, most: int = LONGEST) -> str:
    """Makes a text safe and cuts it to a maximal length."""
    # cut before escaping, which would take long for megabytes of text
    text = safe_text(text[: 4 * most])
    return text if len(text) <= most else text[: most - 1] + "…"


def flag_text(value: Value | None) -> str:
    """Formats a flag's value as typed; a hyphen for none."""
    return "-" if value is None else clip_text(format_value(value))


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever an environment has
    """Formats a value; a hyphen for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return number_text(value)
    # an environment may hold tables and times, which no flag can
    try:
        return clip_text(value if isinstance(value, str) else format_value(value))
    except (TypeError, ValueError):
        return clip_text(str(value))


def delta_text(value: float, base: float | None) -> str:
    """Formats the difference from the base: `+0.02 (+4.2 %)`; empty without a base."""
    if base is None:
        return ""
    apart = value - base
    # nan differs from itself, but says the same here
    if apart == 0 or (math.isnan(value) and math.isnan(base)):
        return "="
    if not math.isfinite(apart):
        return f"was {number_text(base)}"
    # a base near 0 would give a huge percentage
    percent = f" ({100 * apart / abs(base):+.1f} %)" if base and abs(apart / base) < 100 else ""
    return f"{apart:+.4g}{percent}"


def format_time(time: datetime | None) -> str:
    """Formats a time in UTC to the minute."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC") if time else "-"


def report_verdict(report: Report) -> str:
    """Returns the one-line verdict on the report."""
    if not report.all_runs:
        what = "No run was made" if report.commits or report.range else "No runs"
        commits = f"{len(report.commits)} commit{'' if len(report.commits) == 1 else 's'}"
        return f"{what} of the {commits} in {report.title}."
    if report.is_good:
        return "The latest run of every operation is completed."
    failed = report.failed
    names = ", ".join(f"{short_id(run.id)} ({run.attempt.shown_status})" for run in failed[:5])
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    return f"Not completed: the latest run of {len(failed)} operation{'s' if len(failed) > 1 else ''}: {names}{more}."


def status_words(run: Run) -> str:
    """Describes how the run ended, or its status."""
    return run.attempt.ending


def format_few(texts: list[str]) -> list[str]:
    """Returns the first texts, and a last one that counts the others."""
    return texts if len(texts) <= MANY else [*texts[:MANY], f"… {len(texts) - MANY} more"]


def difference_rows(detail: Detail) -> list[tuple[str, str, str, str]]:
    """Returns the differences from the run before as rows: part, name, old, new."""
    rows = []
    for what in ("flags", "metrics", "environment"):
        pairs = list(getattr(detail, what).items())
        for name, pair in pairs[:40]:
            old, new = numbers_text(pair) if what == "metrics" else map(flag_text if what == "flags" else value_text, pair)
            rows.append((what.removesuffix("s"), clip_text(name, 80), old, new))
        if len(pairs) > 40:
            rows.append((what.removesuffix("s"), f"… {len(pairs) - 40} more", "", ""))
    code = detail.code
    # without a run before it, the changes are those since its commit
    rows += [("code", clip_text(change.path), "", change.what) for change in code.paths if not code.commit]
    return rows + ([("code", "… more", "", "")] if code.more_paths and not code.commit else [])


def provenance_rows(detail: Detail) -> list[tuple[str, str]]:
    """Returns the origin of a run as pairs of name and text."""
    attempt = detail.run.attempt
    source = short_id(attempt.base) if attempt.base else "no commit"
    carried = [("carried over", clip_text(", ".join(format_few(list(attempt.carried)))))] if attempt.carried else []
    return [
        ("id", detail.run.id),
        ("author", clip_text(attempt.author) or "-"),
        ("signature", clip_text(detail.signed)),
        ("started", format_time(attempt.started)),
        ("source", f"commit {source}{' with uncommitted changes' if attempt.dirty else ''}, tree {attempt.source}"),
        *carried,
        (
            "compared with",
            f"run {short_id(detail.previous.id)}, the one before it" if detail.previous else "nothing: it is the first",
        ),
    ]


def code_title(detail: Detail) -> str:
    """Returns what the lines of the code's difference are compared with."""
    commit = detail.code.commit
    return f"Code: changes that are not in commit {short_id(commit)}" if commit else "Code: changes since the run before it"


def code_lines(detail: Detail) -> list[str]:
    """Returns the lines of the code's difference, and a last one if there are more."""
    return [*detail.code.lines, *([f"… more. To see all: git run diff {diff_words(detail)}"] if detail.code.more_lines else [])]


def diff_words(detail: Detail) -> str:
    """Returns the words of `git run diff` for a run and the one before it."""
    return " ".join(short_id(run.id) for run in (detail.previous, detail.run) if run)


def curve_ends(detail: Detail, curve: Curve) -> tuple[str, str, str]:
    """Returns the first and last value of a metric, and the number of its steps."""
    known = detail.run.metrics.summaries.get(curve.metric)
    ends = [known.first, known.last] if known else [curve.values[0], curve.values[-1]]
    first, last = numbers_text(ends)
    return first, last, f"{known.count if known else len(curve.values):,}"


def curve_words(detail: Detail, curve: Curve) -> str:
    """Describes the curve of a metric: `2.11 to 0.17 over 40 steps`."""
    first, last, steps = curve_ends(detail, curve)
    return f"{first} to {last} over {steps} step{'' if steps == '1' else 's'}"


def review_commands(report: Report) -> list[str]:
    """Returns the commands for reviewers."""
    runs = report.all_runs
    run_name = short_id(runs[0].id)
    pick = f"--for {report.title}" if report.range and report.range.base else " ".join(short_id(run.id) for run in runs[:10])
    return [
        f"git run fetch {pick}", f"git run show {run_name}", f"git run diff {run_name}", f"git run trust {run_name}",
        f"git run verify {run_name}", f"git run --restart {run_name}",
    ]  # fmt: skip


def trial_heading(batch: RankedBatch) -> list[str]:
    """Returns the headings of `trial_rows`."""
    commit = ["commit"] if batch.has_commits else []
    return ["trial", "run", *commit, "status", *batch.shown_metrics, *batch.flags[:MOST_FLAGS]]


def trial_rows(batch: RankedBatch) -> list[list[str]]:
    """Returns a row for each trial of a batch, the best first, at most `MOST_TRIALS`: number, run, status, values, flags."""
    trials = batch.ranked[:MOST_TRIALS]
    columns = [
        [f"#{run.attempt.trial}" for run in trials],
        [short_id(run.id) for run in trials],
        *([[short_id(run.attempt.base or "") for run in trials]] if batch.has_commits else []),
        [run.attempt.shown_status for run in trials],
        *(numbers_text([batch.value_of(run, metric) for run in trials]) for metric in batch.shown_metrics),
        *(flag_texts([run.flags.get(name) for run in trials]) for name in batch.flags[:MOST_FLAGS]),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def point_heading(batch: RankedBatch) -> list[str]:
    """Returns the headings of `point_rows`."""
    return [f"median {batch.metric}", "mean ± sd", "trials", *batch.flags[:MOST_FLAGS]]


def point_rows(batch: RankedBatch) -> list[list[str]]:
    """Returns a row for each point that a batch tries several times, the best first, at most `MOST_TRIALS`."""
    points = batch.points[:MOST_TRIALS]
    firsts = [point.trials[0] for point in points]
    means, deviations = (numbers_text(values) for values in zip(*((one.mean, one.deviation) for one in points), strict=True))
    columns = [
        numbers_text([point.median for point in points]),
        [f"{mean} ± {deviation}" for mean, deviation in zip(means, deviations, strict=True)],
        [point.numbers for point in points],
        *(flag_texts([run.flags.get(name) for run in firsts]) for name in batch.flags[:MOST_FLAGS]),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def flag_texts(values: Sequence[Value | None]) -> list[str]:
    """Returns the values of a flag, with floats as short as they differ; a dash for an absent one."""
    numbers = numbers_text([value if isinstance(value, float) else None for value in values])
    return [
        "-" if value is None else text if isinstance(value, float) else format_value(value)
        for value, text in zip(values, numbers, strict=True)
    ]
