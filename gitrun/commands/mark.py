"""`git run mark`: the run that its operation's name means."""

from __future__ import annotations

from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project, report_changed, select_runs
from gitrun.model.run import short_id


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--clear", is_flag=True, help="Remove the mark.")
def command(runs: tuple[str, ...], *, clear: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Marks a run (default: your newest): the name of its operation then means this run, as in `--restart train.py`.

    Each operation has at most one marked run, so another run of it loses its mark.

    \b
      git run mark 3fa2c1d8
      git run mark --clear 3fa2c1d8
    """
    project = open_project()
    selected = select_runs(project, runs, build_query(options))
    if clear:
        report_changed(project, selected, project.unmark_runs(selected), "no longer marked")
        return
    changed, earlier = project.mark_runs(selected)
    report_changed(project, selected, changed, "marked")
    for run in earlier:
        project.say(f"run {short_id(run.id)} {run.operation} is no longer marked")
