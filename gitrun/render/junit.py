"""A report as JUnit XML for CI systems: a test case for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from gitrun.model.run import COMPLETED, ERROR, TERMINATED, short_id
from gitrun.render.report_text import clip_text, status_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.run import Run
    from gitrun.views.report import Report

WORDS = {COMPLETED: "", ERROR: "failure", TERMINATED: "error"}
"""JUnit's word for each status; unfinished runs are skipped."""


def render_junit(report: Report) -> str:
    """Returns the runs as a test suite."""
    runs = report.all_runs
    tails = {detail.run.id: "\n".join(detail.tail) for detail in report.details}
    kinds = [WORDS.get(run.status, "skipped") for run in runs]
    counts = " ".join(f'{name}="{kinds.count(kind)}"' for name, kind in COUNTED)
    time = sum(run.attempt.duration or 0.0 for run in runs)
    head = f'<testsuite name={quoteattr(f"runs of {report.title}")} tests="{len(runs)}" {counts} time="{time:.3f}">'
    cases = "".join(line for run in runs for line in render_case(run, tails.get(run.id, "")))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{head}\n{cases}</testsuite>\n</testsuites>\n'


COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))


def render_case(run: Run, tail: str) -> Iterator[str]:
    """Yields the lines of a run's test case."""
    name = clip_text(f"{short_id(run.id)} {run.attempt.flags_text}".strip(), 200)
    words = f'classname={quoteattr(clip_text(run.operation))} name={quoteattr(name)} time="{run.attempt.duration or 0.0:.3f}"'
    kind = WORDS.get(run.status, "skipped")
    if not kind:
        yield f"<testcase {words}/>\n"
        return
    # the tail has no control characters, which XML 1.0 forbids even when escaped
    inner = escape(tail) if kind != "skipped" else ""
    yield f"<testcase {words}>\n<{kind} message={quoteattr(status_words(run))}>{inner}</{kind}>\n</testcase>\n"
