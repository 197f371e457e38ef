"""`git run rm`: runs into the trash."""

from __future__ import annotations

from typing import Any

import click

from gitrun import commands
from gitrun.commands.selecting import none_like, open_project, question_from, selection, tell_runs
from gitrun.errors import UnknownRun, UsageError
from gitrun.model.run import short_id


@click.command(add_help_option=False)
@click.argument("runs", nargs=-1)
@selection
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@click.option("--remote", is_flag=False, flag_value="", metavar="[REMOTE]", help="On the remote too; runs are named by ids.")
def command(runs: tuple[str, ...], *, dry_run: bool, remote: str | None, **options: Any) -> int:  # noqa: ANN401
    r"""Deletes runs, named or filtered. They lie in the trash, whole, until `git run purge` or `git run gc`.

    \b
      git run rm 3fa2c1d8
      git run rm 2:5
      git run rm --status error --until 2.weeks
      git run rm --remote origin 3fa2c1d8
    """
    question = question_from(options)
    if remote is not None:
        return commands.sharing.remove_there(open_project(), remote, (runs, question), dry_run=dry_run)
    if not runs and question.is_plain:
        raise UsageError("which runs are to be deleted?", "name them, or filter them: git run rm --status error")
    project = open_project()
    found = project.doomed(runs, question)
    if not found:
        raise UnknownRun(none_like(project, question), "git run list shows the runs")
    if dry_run:
        tell_runs(project, "would delete", found)
        return 0
    lost = project.remove(found)
    tell_runs(project, "deleted", found)
    for run in sorted(lost):
        project.say(f"of run {short_id(run)} there was only its ref; its last commit was not here, and nothing is in the trash")
    back = [run.id for run in found if run.id not in lost]
    if back:
        name, them = (short_id(back[0]), "it") if len(back) == 1 else ("RUNS", "them")
        project.say(f"git run restore {name} brings {them} back")
    return 0
