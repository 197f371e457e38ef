"""`git run purge`: deleted runs for good."""

from __future__ import annotations

import sys
from typing import Any

from gitrun.commands import declared
from gitrun.commands.screen import can_ask, require_yes
from gitrun.commands.selecting import add_deleted_trials, add_filters, build_query, open_project, report_runs
from gitrun.errors import UsageError
from gitrun.model.text import count_text


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--all", "everything", is_flag=True, help="Purge all deleted runs.")
@declared.option("--older-than", metavar="DATE", help="Purge only runs deleted before DATE, such as 30.days or 2026-11-01.")
@declared.option("--only", is_flag=True, help="Purge a batch without its trials.")
@declared.option("-n", "--dry-run", is_flag=True, help="Show what would be purged; purge nothing.")
@declared.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(runs: tuple[str, ...], older_than: str | None, *, everything: bool, **options: Any) -> int:  # noqa: ANN401
    r"""Deletes runs in the trash for good, with their files that are kept out of git. Of a batch also the deleted trials.

    \b
      git run purge 3fa2c1d8
      git run purge 2:5
      git run purge --status error
      git run purge --older-than 30.days
    """
    dry_run, yes, only = options.pop("dry_run"), options.pop("yes"), options.pop("only")
    query = build_query(options)
    # there is no way back, so no run is purged unless it is named or selected
    if not runs and not everything and not older_than and query.is_plain:
        raise UsageError("no deleted runs given", "To purge all: git run purge --all. To list them: git run list --deleted")
    project = open_project()
    selected = add_deleted_trials(project, project.trash.find(runs, query, older_than), only=only)
    if not selected:
        project.say("nothing to purge")
        return 0
    if dry_run:
        report_runs(project, "would purge", selected)
        return 0
    # in a script nobody can answer
    if sys.stdin.isatty() and not yes:
        if not can_ask():
            raise UsageError("nothing was purged: the question would not be on the terminal", "To purge without it: --yes")
        report_runs(project, "to be purged:", selected)
        require_yes(f"{count_text(len(selected), 'run')} will be deleted for good. Continue?")
    project.trash.purge(selected)
    report_runs(project, "purged", selected)
    return 0
