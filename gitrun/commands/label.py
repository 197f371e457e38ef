"""`git run label`: a name for runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from gitrun.commands.opening import open_project
from gitrun.commands.selecting import question_from, selected, selection, tell_changed
from gitrun.errors import UsageError


@click.command(add_help_option=False)
@click.argument("words", nargs=-1, metavar="TEXT [RUNS]...")
@selection
@click.option("--clear", is_flag=True, help="Take the label away; then all words are runs.")
def command(words: tuple[str, ...], *, clear: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Gives runs (default: the newest) a label, a name by which they can be called.

    \b
      git run label best 3fa2c1d8
      git run label baseline --where 'lr=0.1'
      git run label --clear 2:5
    """
    if not clear and not words:
        raise UsageError("a label is missing", "git run label TEXT RUN, or --clear RUN")
    label, names = (None, words) if clear else (words[0], words[1:])
    project = open_project()
    runs = selected(project, names, question_from(options))
    changed = project.annotate(
        runs, lambda notes: replace(notes, label=label), f"label {label}" if label else "clear the label"
    )
    tell_changed(project, runs, changed, f"labelled '{label}'" if label else "without a label")
