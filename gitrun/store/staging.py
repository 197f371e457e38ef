"""Records many new runs that are not to start now: `--stage-trials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.git.identity import format_identities
from gitrun.git.objects import Loose, Objects, edit_tree
from gitrun.git.pack import PackWriter
from gitrun.model.run import run_ref
from gitrun.store.attempts import attempt_message, plan_files, write_records
from gitrun.store.commits import commit_signed, signing_wanted, write_commit
from gitrun.store.publication import publish_many
from gitrun.store.refs import RefEdit
from gitrun.store.trust import append_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.plan import Plan


def stage_many(git: Git, plans: Sequence[Plan], extra_files: Mapping[str, bytes]) -> list[str]:
    """Commits the first attempts of new runs that are not to start now, and sets all their refs at once. Returns their ids.

    Raises StaleRun, OSError; raises GitFailed if a gc removed objects.
    """
    is_signed = signing_wanted(git)
    # git makes the commits that are signed, or whose author it has to find out, and has to see their trees
    by_git = is_signed or format_identities(git) is None
    writer = Loose(git) if by_git else PackWriter(git)
    run_ids: list[str] = []
    with Objects(git) as objects:
        for plan in plans:
            files = write_records(writer, {**plan_files(plan), **extra_files})
            tree = edit_tree(objects, writer, plan.source.whole, files)
            parents, message = [plan.source.base], attempt_message(plan)
            run_ids.append(
                commit_signed(git, tree, parents, message) if is_signed else write_commit(writer, tree, parents, message)
            )
        writer.finish()
        # before a ref leads to them: a kill in between must not make our own runs foreign ones
        append_lines(git, run_ids)
        edits = [RefEdit(run_ref(run_id), run_id, None, "stage run") for run_id in run_ids]
        publish_many(git, objects, edits, list(dict.fromkeys((*writer.ids, *run_ids))))
    return run_ids
