"""`git run select`: the ids of runs, for other commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line
from gitrun.commands.selecting import add_filters, build_query, explain_no_match, open_project
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run_names import LATEST
from gitrun.render.text import run_json

if TYPE_CHECKING:
    from gitrun.views.select import Query


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option("--min", "least", metavar="NAME", help="Print the run with the smallest value of this metric or flag.")
@declared.option("--max", "most", metavar="NAME", help="Print the run with the largest value of this metric or flag.")
@declared.option("--all", "everything", is_flag=True, help="Print all runs that match, not only the newest.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(runs: tuple[str, ...], *, everything: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Prints full ids of runs, one a line: of the named runs, or of the newest that matches.

    \b
      git run --restart $(git run select 1)
      git run select --op train.py --min loss
      git run select --where 'lr<0.1' --all
    """
    query = build_query(options)
    require_one_wish(query, everything=everything)
    project = open_project()
    # without names this means run number 1, with the same error if there is none
    names = runs or ((LATEST,) if query.is_plain and not everything else ())
    selection = project.select(names, query, -1 if runs or everything else 1)
    if not selection.runs:
        # no output without an error would shorten the command line in which this is a $(...)
        raise NoMatch(explain_no_match(project, query), "To list all runs: git run list --all")
    if as_json:
        print_json([run_json(run) for _, run in selection.runs])
        return
    for _, run in selection.runs:
        print_line(run.id)


def require_one_wish(query: Query, *, everything: bool) -> None:
    """Raises UsageError if the options request the smallest, the largest or all runs at once."""
    wishes = {"--min": query.least, "--max": query.most, "--all": everything}
    names_given = [name for name, is_asked in wishes.items() if is_asked]
    if len(names_given) > 1:
        raise UsageError(f"{names_given[0]} and {names_given[1]} cannot be combined")
