"""What people add to a run afterwards: each change is a commit on the run's tip, and none is lost to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.errors import StaleRun, UnknownRun
from gitrun.git.objects import Objects, TreeMaker, edit_tree
from gitrun.model import record
from gitrun.model.refs import short
from gitrun.store.runs import commit_tree, content, write_blobs
from gitrun.store.tips import publish, tip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Notes


def annotate(git: Git, run: str, change: Callable[[Notes], Notes], subject: str, scratch: Path) -> bool:
    """Whether `change` of the run's annotations changed them; then they are in a commit on its tip.

    When somebody else moves the tip in the same instant, the change is made again on what they made. Raises StaleRun.
    """
    problem = None
    for _ in range(20):
        tip = tip_of(git, run)
        if tip is None:
            raise UnknownRun(f"there is no run {short(run)} any more")
        with Objects(git) as objects, TreeMaker(git) as maker:
            before = record.read_notes(content(objects.read(f"{tip}:{record.NOTES}"), record.NOTES))
            after = change(before)
            if after == before:
                return False
            tree = edit_tree(
                objects,
                maker,
                f"{tip}^{{tree}}",
                write_blobs(git, scratch, {record.NOTES: record.notes_toml(after)}),
            )
            made = commit_tree(git, tree, [tip], record.message(subject, "annotation"))
            try:
                publish(git, objects, run, made, (tip, tip))
            except StaleRun as error:
                problem = error
            else:
                return True
    raise problem or StaleRun(f"run {short(run)} is changed all the time by somebody else")
