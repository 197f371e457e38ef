"""`git run status`: how many runs are running, and how many no remote has."""

from __future__ import annotations

from gitrun.commands import declared
from gitrun.commands.screen import print_line
from gitrun.commands.selecting import open_project
from gitrun.model.text import count_text


@declared.command(add_help_option=False)
@declared.option("--porcelain", is_flag=True, help="Print a number a line, for prompts and scripts: running 1, unpushed 3.")
def command(*, porcelain: bool) -> None:
    r"""Counts the runs that are running on this machine, and those that no remote has, as far as gitrun knows.

    gitrun knows what it pushed or fetched itself. Runs count as unpushed only if there is a remote.

    \b
      git run status
      git run status --porcelain
    """
    project = open_project()
    running, unpushed = project.count_running(), project.sharing.count_unpushed()
    if porcelain:
        print_line(f"running {running}")
        print_line(f"unpushed {unpushed}")
    else:
        print_line(f"{count_text(running, 'run')} running, {unpushed:,} not pushed")
