"""`git run show`: one run."""

from __future__ import annotations

import click

from gitrun.commands.colour import palette
from gitrun.commands.render import out, print_json, show_json, summary
from gitrun.model.refs import short
from gitrun.project import Project


@click.command(add_help_option=False)
@click.argument("run", default="1")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with attempts, files and environment.")
def command(run: str, *, as_json: bool) -> None:
    r"""Shows a run: flags, source, result, files, attempts (default: the newest).

    \b
      git run show
      git run show 3fa2c1d8 --json
    """
    project = Project()
    found = project.find(run)
    attempts = project.attempts(found)
    if as_json:
        print_json(show_json(found, attempts) | {"environment": project.environment(found)})
        return
    colours, slots = palette(project.git), {"run": "id", "status": found.status}
    for name, text in summary(found):
        out(f"{name + ':':<11}{colours.paint(slots.get(name, ''), text)}")
    if len(attempts) > 1:
        out(f"attempts:  {len(attempts)} (git run log {short(found.id)})")
    out(f"restart:   git run --restart {short(found.id)}")
