"""`git run fetch`: runs from a remote."""

from __future__ import annotations

from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, open_project
from gitrun.commands.sharing import EVERY, FOR, QUIET, fetch_selected


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[REMOTE] [RUN]...")
@add_filters
@FOR
@EVERY
@QUIET
def command(words: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Fetches runs from a remote (default: all). Each is checked first, and none is executed until you trust it.

    Trials of a batch come with it. A run that has changed on both sides stays as it is; to merge it, use git run pull. A
    deleted run is fetched again only if you name it.

    \b
      git run fetch
      git run fetch origin 3fa2c1d8
      git run fetch --for main..topic
      git run fetch upstream --op train.py --since 2.weeks
    """
    return fetch_selected(open_project(), words, options, merge=False)
