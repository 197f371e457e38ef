"""`git run log RUN`: the attempts of a run."""

from __future__ import annotations

import click

from gitrun.commands.colour import palette
from gitrun.commands.render import out, print_json, status_text
from gitrun.model.refs import short
from gitrun.model.run import attempt_as_json
from gitrun.model.text import count_text, safe_lines, safe_text, time_text
from gitrun.project import Project

TAIL = 10
GAP = "  "


@click.command(add_help_option=False)
@click.argument("run", default="1")
@click.option("--json", "as_json", is_flag=True, help="As an array of JSON, oldest first.")
@click.option("-n", "--lines", default=TAIL, metavar="N", help=f"At most the last N lines of each output ({TAIL}).")
def command(run: str, *, lines: int, as_json: bool) -> None:
    r"""Shows every attempt of a run, newest first, with its flags and the end of its output.

    \b
      git run log 3fa2c1d8
    """
    project = Project()
    attempts = project.attempts(project.find(run))
    if as_json:
        print_json([attempt_as_json(attempt) for attempt in attempts])
        return
    colours = palette(project.git)
    for number, attempt in reversed(list(enumerate(attempts, 1))):
        when = time_text(attempt.started or attempt.created)
        name, status = colours.paint("id", short(attempt.id)), colours.paint(attempt.status, status_text(attempt))
        out(GAP.join((f"attempt {number}", name, when, status)))
        out(f"    {safe_text(attempt.operation)}  {safe_text(attempt.flags.text())}".rstrip())
        written = safe_lines(attempt.output)
        left_out = max(len(written) - max(lines, 0), 0)
        if left_out:
            out(f"    | … {count_text(left_out, 'line')} before")
        for line in written[left_out:]:
            out(f"    | {line}".rstrip())
