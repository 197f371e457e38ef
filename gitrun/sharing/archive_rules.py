"""The rules of a server for archives that are pushed to it: each of their runs must be as one that is pushed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.errors import BadRun
from gitrun.model.object_format import is_absent
from gitrun.model.run import ARCHIVE
from gitrun.store.archives import is_writer, read_archive

if TYPE_CHECKING:
    from gitrun.git.objects import ObjectReader
    from gitrun.sharing.hook_files import Update
    from gitrun.sharing.validate import Inspector


def reason_to_refuse_archive(inspector: Inspector, reader: ObjectReader, update: Update, *, may_delete: bool) -> str:
    """Returns why an archive's ref may not move as asked; empty if it may.

    An archive goes forward only, for only its writer moves it. A purge writes it again, which needs the right to delete.
    """
    if not is_writer(update.ref.removeprefix(ARCHIVE)):
        return "its name is not one that gitrun gives"
    try:
        chain = read_archive(reader, update.new)
        known = {commit.id for commit in chain}
        if not is_absent(update.old) and update.old not in known and not may_delete:
            return "it does not continue the archive here. To replace it: git push -o gitrun.delete"
        # what the archive here lists was checked when it came
        listed = {update.old} if update.old in known else set[str]()
        for commit in reversed(chain):
            if commit.id in listed:
                break
            for run_id, tip in commit.tips.items():
                inspector.chain(run_id, tip)
    except BadRun as error:
        return error.message
    return ""
