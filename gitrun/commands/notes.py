"""`git run notes`: runs in `git log`."""

from __future__ import annotations

from gitrun.commands import declared
from gitrun.commands.selecting import open_project
from gitrun.errors import UsageError
from gitrun.model.text import count_text


@declared.command(add_help_option=False)
@declared.option("--rebuild", is_flag=True, help="Write all notes again from the runs.")
@declared.option("--drop", is_flag=True, help="Delete the notes; runs that end later write new ones.")
def command(*, rebuild: bool, drop: bool) -> None:
    r"""Writes runs into git notes, so that `git log --notes=runs` shows them with their commits.

    \b
      git run notes --rebuild
      git run notes --drop
    """
    if rebuild and drop:
        raise UsageError("--rebuild and --drop cannot be combined")
    project = open_project()
    if rebuild:
        count = project.notes.rebuild()
        project.say(f"{count_text(count, 'commit')} with notes. To see them: git log --notes=runs")
    elif drop:
        project.say("removed the notes" if project.notes.drop() else "there are no notes")
        # the next run that ends would bring the notes back
        if project.settings.notes:
            project.say("note: runs that end write notes again. To turn that off: git config gitrun.notes false")
    elif project.notes.exist():
        project.say("runs have notes. To see them: git log --notes=runs")
    else:
        project.say("there are no notes. To make them: git run notes --rebuild")
