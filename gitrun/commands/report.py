"""`git run report`: a review of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun import render
from gitrun.commands import declared
from gitrun.commands.selecting import open_project
from gitrun.errors import UnknownRun
from gitrun.render import markdown as md

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.history import Range
    from gitrun.views.report import Report

FORMATS = {"md": md.BUDGET, "html": 0, "json": 0}
"""Formats, and the size limit of each in characters (0: none)."""
MOST_RUNS = 1_000
"""Runs of each commit that a report for people describes: the newest. Older ones are counted."""
SUFFIXES = {".html": "html", ".htm": "html", ".json": "json"}


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[BASE..HEAD | RUN...]")
@declared.option(
    "--format", "form", type=declared.choice(list(FORMATS)), help="Print md, html or json (default: by --out, else md)."
)
@declared.option("--json", "as_json", is_flag=True, help="Print JSON; short for --format=json.")
@declared.option("--out", type=declared.path(path_type=Path), metavar="FILE", help="Write to FILE, not to stdout.")
@declared.option(
    "--junit", type=declared.path(path_type=Path), metavar="FILE", help="Also write JUnit XML, a test case for each run."
)
@declared.option(
    "--budget", type=declared.int_range(min=0), metavar="N", help="Write at most N characters (md: 60,000; 0: no limit)."
)
def command(words: tuple[str, ...], *, out: Path | None, junit: Path | None, **options: Any) -> None:  # noqa: ANN401
    r"""Writes a report on the runs of commits (default: those that are not in the upstream or main branch), or on RUNs.

    The same runs always give the same report. Text from the repository is escaped.

    \b
      git run report
      git run report main..topic --out report.html
      git run report 1:3 --format md --budget 20000
      git run report v1.0..HEAD --junit runs.xml
    """
    project = open_project()
    subject = find_subject(project, words)
    by_name = SUFFIXES.get(out.suffix.lower() if out else "", "md")
    form = "json" if options["as_json"] else options["form"] or by_name
    # programs get all runs
    report = project.runs.build_report(subject, -1 if junit or form == "json" else MOST_RUNS)
    text = render_report(report, form, FORMATS[form] if options["budget"] is None else options["budget"])
    if report.range and not report.all_runs:
        # the usual reason: its branch was rebased
        project.say(
            "note: runs of commits before a rebase are not in it. "
            "To report on all of a branch: git run report $(git run select --all --branch NAME)"
        )
    if junit:
        # text mode could write in another encoding, the locale's
        junit.write_bytes(render.junit.render_junit(report).encode())
    if out:
        out.write_bytes(text.encode())
    else:  # as UTF-8, whatever the locale is
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())


def find_subject(project: Project, words: Sequence[str]) -> Range | list[Run]:
    """Returns the commits or runs that the words name. Raises UnknownRun, UsageError."""
    # two dots make a range of commits; a range of runs has a colon (2:5)
    if not words or (len(words) == 1 and ".." in words[0]):
        return project.runs.read_range(words[0] if words else None)
    try:
        return [run for _, run in project.select(words).runs]
    except UnknownRun:
        # no run is called `v1.0`, but a commit is
        if len(words) == 1 and project.is_commit(words[0]):
            return project.runs.read_range(words[0])
        raise


def render_report(report: Report, form: str, budget: int) -> str:
    """Renders the report in a format."""
    if form == "json":
        return render.report_json.report_data(report)
    if form == "html":
        return render.html.render_page(report, budget)
    return md.render_markdown(report, budget)
