"""`git run comment`: what people say about runs."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project, report_changed, select_runs
from gitrun.dataclass import replace
from gitrun.errors import UsageError
from gitrun.model.run import Comment

HINT = "\n# Write a comment on {}. gitrun ignores lines that begin with '#'. An empty text adds no comment.\n"


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--message", "-m", metavar="TEXT", help="The comment. Without it, git's editor opens.")
def command(runs: tuple[str, ...], message: str | None, **options: Any) -> None:  # noqa: ANN401
    r"""Adds a comment to runs (default: your newest).

    \b
      git run comment 3fa2c1d8 -m 'diverges after epoch 7'
      git run comment 2:5
    """
    project = open_project()
    selected = select_runs(project, runs, build_query(options))
    if message is None:
        # a script has no terminal for the editor
        if not sys.stdin.isatty():
            raise UsageError("no comment given", "To give it: -m TEXT")
        what = f"run {selected[0].id[:8]}" if len(selected) == 1 else f"{len(selected)} runs"
        text = project.edit_text("RUN_COMMENT", HINT.format(what))
        # as in a commit message, lines that begin with # are for the user who writes it
        message = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    # to save nothing is how users of git cancel
    if not message.strip():
        raise UsageError("the comment is empty: nothing was changed")
    comment = Comment(message.strip(), project.author(), datetime.now(timezone.utc))
    changed = project.annotate(selected, lambda notes: replace(notes, comments=(*notes.comments, comment)), "comment")
    report_changed(project, selected, changed, "commented")
