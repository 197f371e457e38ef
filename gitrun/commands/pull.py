"""`git run pull`: runs from a remote, merged with what was done here."""

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
    r"""Fetches runs as git run fetch does, and merges those that have changed on both sides. Nothing is lost.

    \b
      git run pull
      git run pull origin 3fa2c1d8
    """
    return fetch_selected(open_project(), words, options, merge=True)
