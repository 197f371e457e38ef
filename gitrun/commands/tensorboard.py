"""`git run tensorboard`: runs in the user's own TensorBoard."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, explain_no_match, open_project
from gitrun.errors import NoMatch
from gitrun.model.run import BATCH
from gitrun.model.text import count_text

EXTRA = "gitrun.extras.tensorboard"
MOST = 40
"""Runs that TensorBoard selects by itself; with more, it shows none at first."""


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--limit", "-n", type=declared.int_range(min=1), default=MOST, metavar="N", help="Show at most N runs (40).")
@declared.option("--all", "everything", is_flag=True, help="Show all runs, not only the newest 40.")
@declared.option("--port", type=declared.int_range(1, 65535), metavar="N", help="Let TensorBoard listen on port N.")
def command(runs: tuple[str, ...], *, limit: int, everything: bool, port: int | None, **options: Any) -> int:  # noqa: ANN401
    r"""Starts your tensorboard with runs (default: the newest 40), and ends with it. Only this machine can connect.

    Shows a run that wrote event files with these, any other with its metrics, and a batch by its trials.

    \b
      git run tensorboard
      git run tensorboard 1:5
      git run tensorboard --op train.py --where 'lr<0.1' -n 100
    """
    project = open_project()
    query = build_query(options)
    selection = project.select(runs, query)
    selected = [run for _, run in selection.runs]
    shown = [run for run in [*selected, *project.trials_of(selected)] if run.attempt.kind != BATCH]
    if not shown:
        raise NoMatch(explain_no_match(project, query), "To list all runs: git run list --all")
    count = len(shown) if everything else limit
    if len(shown) > count:
        project.say(f"{len(shown) - count:,} more. To show all: --all")
    project.say(f"TensorBoard shows {count_text(min(count, len(shown)), 'run')} as they are now. To stop: Ctrl-C")
    status: int = import_module(EXTRA).show_runs(project, shown[:count], dict(os.environ), port)
    return status if status >= 0 else 128 - status
