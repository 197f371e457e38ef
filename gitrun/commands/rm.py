"""`git run rm`: runs into the trash."""

from __future__ import annotations

from typing import Any

from gitrun import commands
from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, explain_no_match, open_project, report_runs
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run import short_id


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--only", is_flag=True, help="Delete a batch without its trials.")
@declared.option("-n", "--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@declared.option(
    "--remote", is_flag=False, flag_value="", metavar="[REMOTE]", help="Also delete on the remote; name runs by their ids."
)
def command(runs: tuple[str, ...], *, dry_run: bool, remote: str | None, only: bool, **options: Any) -> int:  # noqa: ANN401
    r"""Deletes runs, of a batch its trials too. They stay in the trash until `git run purge` or `git run gc`.

    \b
      git run rm 3fa2c1d8
      git run rm 2:5
      git run rm --status error --until 2.weeks
      git run rm --remote origin 3fa2c1d8
    """
    query = build_query(options)
    # `--remote` without a name is the empty text
    if remote is not None:
        return commands.sharing.delete_on_remote(open_project(), remote, (runs, query), dry_run=dry_run, only=only)
    # other verbs take the newest run without a name, but not this one
    if not runs and query.is_plain:
        raise UsageError("no runs given", "To delete runs: git run rm 3fa2, or: git run rm --status error")
    project = open_project()
    # finds unreadable runs too, by their ids
    selected = project.runs_to_delete(runs, query)
    if not only:
        selected = [*selected, *project.trials_of(selected)]
    if not selected:
        raise NoMatch(explain_no_match(project, query), "To list all runs: git run list --all")
    if dry_run:
        report_runs(project, "would delete", selected)
        return 0
    lost = project.trash.remove(selected)
    report_runs(project, "deleted", selected)
    for run_id in sorted(lost):
        project.say(f"note: run {short_id(run_id)} had only its ref: its last commit is not here, so it is not in the trash")
    back = [run.id for run in selected if run.id not in lost]
    if back:
        name, them = (short_id(back[0]), "it") if len(back) == 1 else ("RUNS", "them")
        project.say(f"To restore {them}: git run restore {name}")
    return 0
