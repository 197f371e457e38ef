"""Which runs a verb is about: the options that filter them and the names that pick them, the same for every verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitrun.errors import UnknownRun
from gitrun.model.names import LATEST
from gitrun.model.refs import short
from gitrun.model.status import STATUSES
from gitrun.model.text import count_text
from gitrun.views.select import Question, is_both, unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project

F = TypeVar("F", bound="Callable[..., Any]")

MOST = 10
"""Runs that are told one by one; of more only how many."""
OPTIONS = (
    click.option("--op", "operations", multiple=True, metavar="NAME", help="Runs of this operation (may be repeated)."),
    click.option("--label", "-l", "labels", multiple=True, metavar="TEXT", help="Runs with this label (may be repeated)."),
    click.option("--tag", "-t", "tags", multiple=True, metavar="TEXT", help="Runs with this tag (repeated: with all of them)."),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        type=click.Choice(STATUSES),
        metavar="STATUS",
        help="Runs of this status (may be repeated).",
    ),
    click.option("--branch", "branches", multiple=True, metavar="NAME", help="Runs made on this branch (may be repeated)."),
    click.option("--author", "authors", multiple=True, metavar="TEXT", help="Runs whose author's name or address has it."),
    click.option("--batch", metavar="ID", help="Runs of this batch."),
    click.option("--since", metavar="DATE", help="Runs started since then: 2.weeks, yesterday, 2026-11-01."),
    click.option("--until", metavar="DATE", help="Runs started until then."),
    click.option("--where", "expression", metavar="EXPR", help="Runs for which it holds: 'lr<0.1 and status=completed'."),
    click.option("--sort", metavar="NAME", help="In the order of a flag, metric or property; -NAME: from large to small."),
)


def selection(verb: F) -> F:
    """Adds the options that filter runs to a verb, which takes them with `question_from`."""
    for option in reversed(OPTIONS):
        verb = option(verb)
    return verb


def question_from(options: dict[str, Any]) -> Question:
    """The question that the options ask; their values are then taken out of `options`."""
    return Question(**{name: options.pop(name) for name in Question.__slots__ if name in options})


def selected(project: Project, names: Sequence[str], question: Question) -> list[Run]:
    """The runs that are named or that fit; the newest if neither a name nor a filter is given. Raises UnknownRun."""
    asked = names or (() if not question.is_plain else (LATEST,))
    runs = [run for _, run in project.select(asked, question).runs]
    if not runs:
        raise UnknownRun(none_like(project, question), "git run list shows the runs")
    return runs


def none_like(project: Project, question: Question) -> str:
    """Why no run is what the question means: it may be that no run at all has what it asks for."""
    name = unheard(project.list_runs(), question)
    return f"no run has '{name}'" if name else "no run is like that"


def tell_doubts(project: Project, runs: Sequence[Run], columns: Sequence[str]) -> None:
    """Says which of the columns show a flag although there is a metric of that name."""
    for name in columns:
        if is_both(runs, name):
            project.say(f"note: {name!r} is a flag and a metric; the column has the flag. To show the metric: metric:{name}")


def tell_changed(project: Project, runs: Sequence[Run], changed: Sequence[str], state: str) -> None:
    """Says what became of the runs; those that changed are named by id and operation, the first of many."""
    if len(runs) == 1:
        words = f"is {state}" if changed else "is as it was: nothing to change"
        project.say(f"run {short(runs[0].id)} {runs[0].operation} {words}")
        return
    done = frozenset(changed)
    names = [f"{short(run.id)} {run.operation}" for run in runs if run.id in done]
    named = ", ".join(names[:MOST]) + (f" and {len(names) - MOST:,} more" if len(names) > MOST else "")
    same = len(runs) - len(changed)
    words = f"{count_text(len(changed), 'run')} {state}" + (f", {same} as they were" if same else "")
    project.say(words + (f": {named}" if named else ""))
