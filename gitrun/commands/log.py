"""`git run log`: the attempts of a run, or commits with the runs that were made of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line, read_palette
from gitrun.commands.selecting import open_project
from gitrun.errors import UnknownRun
from gitrun.model.run import attempt_as_json, rfc3339_text, short_id
from gitrun.model.run_names import LATEST
from gitrun.model.text import amount_text, count_text, label_text, relative_text, safe_lines, safe_text, time_text
from gitrun.render.text import GAP, run_json, status_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.run import Attempt, Run
    from gitrun.project import Project
    from gitrun.render.palette import Palette
    from gitrun.views.history import Commit

TAIL = 10
RUNS = 20
"""Runs that are shown of a commit."""


@declared.command(add_help_option=False)
@declared.argument("name", default=LATEST, metavar="[RUN | BASE..HEAD]")
@declared.option("-n", "--max-count", "limit", type=declared.int_range(min=0), metavar="N", help="Show at most the newest N.")
@declared.option("--all", "everything", is_flag=True, help=f"Show all runs of each commit, not only the newest {RUNS}.")
@declared.option("--lines", default=TAIL, metavar="N", help=f"Show at most the last N lines of each output ({TAIL}).")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array: attempts oldest first, commits newest first.")
def command(name: str, *, limit: int | None, everything: bool, lines: int, as_json: bool) -> None:
    r"""Shows the attempts of a run, newest first, with flags and the end of the output; or commits with their runs.

    \b
      git run log 3fa2c1d8
      git run log main~5..main
      git run log HEAD -n 3
    """
    project = open_project()
    run = find_run(project, name)
    if run is None:
        commits = project.runs.read_history(name, limit, most_runs=-1 if everything or as_json else RUNS)
        if as_json:
            print_json(list(map(commit_json, commits)))
        else:
            print_commits(commits, read_palette(project), datetime.now(timezone.utc))
        return
    # numbered from the first attempt, also if only the newest are shown
    numbered = list(enumerate(project.attempts(run), 1))
    numbered = numbered[max(0, len(numbered) - limit) :] if limit is not None else numbered
    if as_json:
        print_json([attempt_as_json(attempt) for _, attempt in numbered])
        return
    colours, now = read_palette(project), datetime.now(timezone.utc)
    for number, attempt in reversed(numbered):
        print_attempt(number, attempt, lines, (colours, now))


def find_run(project: Project, name: str) -> Run | None:
    """Returns the run of that name; None if only git knows the name. Raises UnknownRun."""
    # `main..topic` is a range even if a run has that label
    if ".." in name and project.is_commit(name):
        return None
    try:
        return project.find(name)
    except UnknownRun:
        # no name asks for the newest run, so git is not asked
        if name != LATEST and project.is_commit(name):
            return None
        raise


def print_attempt(number: int, attempt: Attempt, lines: int, look: tuple[Palette, datetime]) -> None:
    """Prints an attempt and the end of its output. Ages count from now."""
    colours, now = look
    when = time_text(attempt.started or attempt.created)
    name, status = colours.paint("id", short_id(attempt.id)), colours.paint(attempt.shown_status, status_text(attempt, now))
    print_line(GAP.join((f"attempt {number}", name, when, status)))
    print_line(f"    {safe_text(attempt.operation)}  {safe_text(attempt.brief_text)}".rstrip())
    output_lines = safe_lines(attempt.output)
    left_out = max(len(output_lines) - max(lines, 0), 0)
    if left_out:
        start = "\n".join(output_lines[:left_out])
        print_line(f"    | … {amount_text(start, left_out)} before")
    for line in output_lines[left_out:]:
        print_line(f"    | {line}".rstrip())


def print_commits(commits: Iterable[Commit], colours: Palette, now: datetime) -> None:
    """Prints a line for each commit, and below it one for each of its runs."""
    for commit in commits:
        # Ada Lovelace <ada@example.org>
        name = commit.author.partition(" <")[0]
        words = (relative_text(commit.time, now), safe_text(commit.subject), safe_text(f"({name})"))
        print_line(GAP.join((colours.paint("id", short_id(commit.id)), *words)))
        print_runs(commit.exact, colours, now, "")
        print_runs(commit.changed, colours, now, "changed")
        if commit.more:
            print_line(f"    and {count_text(commit.more, 'more run')}. To show all: --all")


def print_runs(runs: Sequence[Run], colours: Palette, now: datetime, word: str) -> None:
    """Prints a line for each run of a commit."""
    for run in runs:
        cells = (
            colours.paint("id", short_id(run.id)),
            safe_text(run.operation),
            colours.paint(run.attempt.shown_status, run.attempt.shown_status),
            relative_text(run.attempt.started or run.attempt.created, now),
            f"({word})" if word else "",
            f"[{label_text(run.notes.label)}]" if run.notes.label else "",
            safe_text(run.attempt.brief_text),
        )
        print_line(f"    {GAP.join(filter(None, cells))}")


def commit_json(commit: Commit) -> dict[str, Any]:
    """Returns a commit with its runs as a JSON value."""
    return {
        "id": commit.id, "author": commit.author, "time": rfc3339_text(commit.time), "subject": commit.subject,
        "exact": list(map(run_json, commit.exact)), "changed": list(map(run_json, commit.changed)),
    }  # fmt: skip
