"""`git run label`: a name for runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.selecting import add_filters, build_query, open_project, report_changed, select_runs
from gitrun.dataclass import replace
from gitrun.errors import UsageError
from gitrun.model.text import count_text, label_text
from gitrun.store.resolve import meaning_before_label

if TYPE_CHECKING:
    from collections.abc import Collection

    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="TEXT [RUNS]...")
@add_filters
@declared.option("--clear", is_flag=True, help="Remove the label; all words name runs.")
def command(words: tuple[str, ...], *, clear: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Labels runs (default: your newest). A label names a run in other commands.

    \b
      git run label best 3fa2c1d8
      git run label baseline --where 'lr=0.1'
      git run label --clear 2:5
    """
    if not clear and not words:
        raise UsageError("no label given", "To set one: git run label TEXT RUN. To remove it: git run label --clear RUN")
    label, names = (None, words) if clear else (words[0], words[1:])
    project = open_project()
    runs = select_runs(project, names, build_query(options))
    changed = project.annotate(
        runs, lambda notes: replace(notes, label=label), f"label {label}" if label else "clear the label"
    )
    report_changed(project, runs, changed, f"labelled '{label_text(label)}'" if label else "without a label")
    if label and (reason := explain_label(project, label, {run.id for run in runs})):
        project.say(reason)


def explain_label(project: Project, label: str, run_ids: Collection[str]) -> str:
    """Explains why the new label does not name its run; empty if it does, or if several runs got it."""
    with project.index() as index:
        # names are tried in the order id, number, operation, label
        if other := meaning_before_label(index, label):
            return f"note: as the name of a run, '{label}' means {other}, not this label"
        # several runs of one call share the label on purpose
        others = [run for run in index.named(label) if run.id not in run_ids]
    if not others:
        return ""
    note = f"note: {count_text(len(others), 'other run')} {'has' if len(others) == 1 else 'have'} this label too"
    return f"{note}: '{label}' does not name one run"
