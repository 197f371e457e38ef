"""`git run tag`: words on runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project, report_changed, select_runs
from gitrun.dataclass import replace
from gitrun.errors import UsageError

if TYPE_CHECKING:
    from gitrun.model.run import Notes


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="TAG[,TAG...] [RUNS]...")
@add_filters
@declared.option("--delete", "-d", is_flag=True, help="Remove the tags.")
def command(words: tuple[str, ...], *, delete: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Tags runs (default: your newest), or removes tags.

    \b
      git run tag paper,fig2 3fa2c1d8
      git run tag slow --where 'duration>3600'
      git run tag -d paper 2:5
    """
    # `paper,,fig2` has an empty part
    tags = frozenset(tag for tag in (words[0].split(",") if words else ()) if tag.strip())
    if not tags:
        raise UsageError("no tag given", "For example: git run tag TAG RUN")

    def change(notes: Notes) -> Notes:
        # sorted, so that the same tags are the same bytes
        return replace(notes, tags=tuple(sorted({*notes.tags} - tags if delete else {*notes.tags} | tags)))

    project = open_project()
    runs = select_runs(project, words[1:], build_query(options))
    tags_text = ", ".join(sorted(tags))
    changed = project.annotate(runs, change, f"{'untag' if delete else 'tag'} {tags_text}")
    report_changed(project, runs, changed, f"{'no longer tagged' if delete else 'tagged'} {tags_text}")
