"""`git run pull`: runs from a remote, merged with what was done here."""

from __future__ import annotations

from typing import Any

import click

from gitrun.commands.selecting import open_project, question_from, selection
from gitrun.commands.sharing import EVERY, FOR, QUIET, order_from, remote_and_names, tell_received


@click.command(add_help_option=False)
@click.argument("words", nargs=-1, metavar="[REMOTE] [RUN]...")
@selection
@FOR
@EVERY
@QUIET
def command(words: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""As git run fetch, and merges the runs that went on both here and there: no attempt and no annotation is lost.

    \b
      git run pull
      git run pull origin 3fa2c1d8
    """
    project = open_project()
    options["question"] = question_from(options)
    remote, names = remote_and_names(project, words)
    found = project.sharing.fetch(remote, order_from(project, names, options, merge=True))
    return tell_received(project, found, remote, quiet=options["quiet"])
