"""`git run list`: the runs, newest attempt first."""

from __future__ import annotations

import click

from gitrun.commands.render import broken_row, print_json, run_json, run_row, table
from gitrun.model.run import Run
from gitrun.project import Project

ROWS = 20


@click.command(add_help_option=False)
@click.option("--all", "everything", is_flag=True, help="All of them, not only the newest 20.")
@click.option("--json", "as_json", is_flag=True, help="As an array of JSON.")
def command(*, everything: bool, as_json: bool) -> None:
    r"""Lists runs: number, id, operation, time of the start, status, flags.

    \b
      git run list
      git run list --all --json
    """
    found = Project().list_all()
    shown = found if everything else found[:ROWS]
    if as_json:
        print_json([run_json(run) for run in shown])
        return
    numbered = enumerate(shown, 1)
    rows = [run_row(number, run) if isinstance(run, Run) else broken_row(run) for number, run in numbered]
    if rows:
        table(rows)
    if len(shown) < len(found):
        click.echo(f"gitrun: {len(found) - len(shown)} more; --all shows them", err=True)
    if not found:
        click.echo("gitrun: no runs here yet; git run <script> makes one", err=True)
