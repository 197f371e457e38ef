"""`git run pull`: runs from a remote, merged with what was done here."""

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
    r"""Fetches runs as git run fetch does, and merges those with new attempts on both sides. Nothing is lost.

    \b
      git run pull
      git run pull origin 3fa2c1d8
    """
    project = open_project()
    options["question"] = build_query(options)
    # `pull origin` names a remote, `pull 3fa2c1d8` a run
    remote, names = split_remote_and_names(project, words)
    receive = partial(project.sharing.fetch, remote)
    received = receive_with_trials(project, receive, build_order(project, names, options, merge=True))
    return report_received(project, received, remote, quiet=options["quiet"])
