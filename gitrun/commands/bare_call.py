"""`git run` without words: suggests what to do next."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import GitrunError, UsageError
from gitrun.model.refs import short
from gitrun.model.run import Run
from gitrun.model.status import RUNNING, STAGED
from gitrun.render.text import status_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.project import Project

FEW = 8
RESTART = "git run --restart {} runs it again"
AGAIN = {RUNNING: "git run stop {} ends it", STAGED: "git run --start {} starts it"}
"""Suggestions for the last run, by its status."""


def what_next(project: Project) -> UsageError:
    """Makes the error for an empty call, with the operations here and the last run."""
    error = UsageError(
        "nothing to run", "git run <script> runs a script, git run -- <command> anything else; git run -h says more"
    )
    error.detail = "\n".join(lines(project))
    return error


def lines(project: Project) -> Iterator[str]:
    """Yields a line about the operations, and one about the last run."""
    from gitrun.source.catalog import offers

    with suppress(GitrunError):
        names = [offer.name for offer in offers(project.git) if not offer.error]
        more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
        if names:
            yield f"here are: {', '.join(names[:FEW])}{more}; git run ops shows their flags"
    with project.index() as index:
        runs = index.newest(1).runs
    for run in runs:
        if isinstance(run, Run):
            name = short(run.id)
            again = AGAIN.get(run.status, RESTART).format(name)
            yield f"the last run: {name}, {run.operation}, {status_text(run.attempt)}; {again}"
