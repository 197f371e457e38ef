"""`git run fetch`: runs from a remote."""

from __future__ import annotations

from functools import partial
from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project
from gitrun.commands.sharing import EVERY, FOR, QUIET, build_order, receive_with_trials, report_received, split_remote_and_names


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[REMOTE] [RUN]...")
@add_filters
@FOR
@EVERY
@QUIET
def command(words: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Fetches runs from a remote (default: all). Each is checked first, and none is executed until you trust it.

    Trials of a batch come with it. A run with new attempts on both sides is not changed; to merge it, use git run pull. A
    deleted run is fetched again only if you name it.

    \b
      git run fetch
      git run fetch origin 3fa2c1d8
      git run fetch --for main..topic
      git run fetch upstream --op train.py --since 2.weeks
    """
    project = open_project()
    options["question"] = build_query(options)
    # `fetch origin` names a remote, `fetch 3fa2c1d8` a run
    remote, names = split_remote_and_names(project, words)
    receive = partial(project.sharing.fetch, remote)
    received = receive_with_trials(project, receive, build_order(project, names, options, merge=False))
    return report_received(project, received, remote, quiet=options["quiet"])
