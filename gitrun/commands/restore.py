"""`git run restore`: runs back out of the trash."""

from __future__ import annotations

from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_deleted_trials, add_filters, build_query, open_project, report_runs
from gitrun.model.run import short_id


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--all", "everything", is_flag=True, help="Restore all deleted runs.")
@declared.option("--only", is_flag=True, help="Restore a batch without its trials.")
def command(runs: tuple[str, ...], *, everything: bool, only: bool, **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Restores deleted runs, of a batch its trials too: by name, by number in `git run list --deleted`, or by filters.

    Without arguments, restores the runs that the last `git run rm` deleted.

    \b
      git run restore
      git run restore 3fa2c1d8
      git run restore 2:5
      git run restore --op train.py --status completed
      git run restore --all
    """
    query = build_query(options)
    project = open_project()
    # a plain call undoes the last `git run rm`, however many runs that deleted
    is_last = not runs and not everything and query.is_plain
    selected = project.trash.list_last() if is_last else project.trash.find(runs, query)
    selected = add_deleted_trials(project, selected, only=only or is_last)
    if not selected:
        project.say("nothing to restore")
        return 0
    restored = project.trash.restore(selected)
    report_runs(project, "restored", [run for run in selected if run.id in restored.back])
    # the run may have been fetched again since, with other commits
    for run_id in restored.left:
        project.say(
            f"error: run {short_id(run_id)} is not restored: it exists and has changed. "
            f"To delete it first: git run rm {short_id(run_id)}"
        )
    return 1 if restored.left else 0
