"""`git run mcp`: the runs of a repository as tools of a coding agent."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

from gitrun.commands import declared
from gitrun.errors import MissingPackage, UsageError

MODULE = "gitrun.extras.mcp"


@declared.command(add_help_option=False)
@declared.option("--allow-run", is_flag=True, help="Also let the agent start, restart and stop runs of the operations here.")
def command(*, allow_run: bool) -> None:
    r"""Serves the runs of this repository to a coding agent, over the Model Context Protocol on stdin and stdout.

    The agent can list, show, compare, diff and plot runs, and read their output and files. It can change nothing, unless
    --allow-run lets it run what git run ops lists. It can never run other commands, trust, push or delete runs.

    \b
      git run mcp
      git run mcp --allow-run
      claude mcp add gitrun -- git run mcp
    """
    if find_spec("mcp") is None:
        raise MissingPackage("git run mcp needs mcp", "To install it: pip install 'git-run-tracker[mcp]'")
    if sys.stdin.isatty():
        raise UsageError("git run mcp talks to a program, not to a person", "To set it up: git run help agents")
    starting = import_module(f"{MODULE}.starting")
    project = starting.open_at_top()
    # before the server has threads
    starter = starting.Starter(project) if allow_run else None
    import_module(f"{MODULE}.server").serve(project, starter, version("git-run-tracker"))
