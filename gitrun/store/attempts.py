"""Begins an attempt: takes the live lock, commits the attempt and moves the run's ref to it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun.errors import GitrunError
from gitrun.git.objects import Objects, TreeMaker, edit_tree
from gitrun.model import encode
from gitrun.model.refs import run_ref
from gitrun.store import checkpoints
from gitrun.store.commits import commit_signed, commit_tree, is_wanted, write_blobs
from gitrun.store.kept_files import unpack
from gitrun.store.live import hold
from gitrun.store.refs import delete_ref, publish, set_ref, tip_of
from gitrun.store.trust import made_here, require_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.plan import Plan
    from gitrun.model.run import Run
    from gitrun.store.live import Live


@dataclass(frozen=True, slots=True)
class Started:
    """A recorded attempt with its live lock held. `run` and `attempt` are ids.

    `earlier` is the id of the attempt whose files this one inherits, or empty.
    """

    run: str
    attempt: str
    live: Live
    earlier: str = ""


def begin(git: Git, plan: Plan, beside: Mapping[str, bytes], scratch: Path) -> Started:
    """Commits the first attempt of a new run. `beside` has the contents of env.toml and lent.toml.

    Raises GitFailed if a gc removed objects first: no run exists, and the caller may try again.
    """
    files = {encode.FLAGS: encode.flags_toml(plan.flags), encode.RUN: encode.run_toml(plan), **beside}
    with Objects(git) as objects, TreeMaker(git) as maker:
        tree = edit_tree(objects, maker, plan.source.whole, write_blobs(git, scratch, files))
        made = commit_attempt(git, tree, [plan.source.base], message_of(plan))
        # the id is new, so this lock is free: held first, it shows the run as running from the start
        live = hold(git.state, made)
        try:
            publish(git, objects, made, made, (None, plan.source.base))
        except BaseException:
            give_up(git, live, made, made, None)
            raise
    return Started(made, made, live)


def begin_again(git: Git, plan: Plan, run: Run, beside: Mapping[str, bytes], scratch: Path) -> Started:
    """Commits another attempt of the run and moves its ref. Raises GitrunError.

    The run must be trusted, and its ref must still be at `run.tip`. Unless `plan.clean`, the tree includes files that the
    last attempt produced.
    """
    require_trusted(git, run, clean=plan.clean)
    if not plan.clean:
        # the small files of a fetched run are only in its result so far
        unpack(git, run.id, run.attempt)
    live, made, earlier = hold(git.state, run.id), "", "" if plan.clean else run.attempt.id
    try:
        # before the ref moves, so that recovery finds it after a crash
        live.take_over(earlier)
        with Objects(git) as objects, TreeMaker(git) as maker:
            over = {} if plan.clean else carried_over(git, objects, maker, run, plan)
            plan = replace(plan, carried=tuple(os.fsdecode(path) for path in over))
            files = {
                encode.FLAGS: encode.flags_toml(plan.flags),
                encode.RUN: encode.run_toml(plan),
                **beside,
            }
            notes = objects.read(f"{run.tip}:{encode.NOTES}")
            if notes and notes.data is not None:
                files[encode.NOTES] = notes.data
            tree = edit_tree(objects, maker, plan.source.whole, {**over, **write_blobs(git, scratch, files)})
            made = commit_attempt(git, tree, [plan.source.base, run.tip], message_of(plan))
            # the objects of the last result are known to be here: only new ones are checked
            publish(git, objects, run.id, made, (run.tip, run.attempt.left))
    except BaseException:
        give_up(git, live, run.id, made, run.tip)
        raise
    return Started(run.id, made, live, earlier)


def commit_attempt(git: Git, tree: str, parents: list[str | None], message: bytes) -> str:
    """Commits an attempt, signed if `gitrun.sign` is set. Records its id as made here. Returns the id."""
    made = commit_signed(git, tree, parents, message) if is_wanted(git) else commit_tree(git, tree, parents, message)
    made_here(git, made)
    return made


def carried_over(git: Git, objects: Objects, maker: TreeMaker, run: Run, plan: Plan) -> Mapping[bytes, Entry]:
    """Returns the entries by path that the last attempt passes on to the next one."""
    before = checkpoints.source_tree(objects, maker, run.attempt)
    return checkpoints.carried(git, objects, before, run.attempt.left, plan.source.whole)


def give_up(git: Git, live: Live, run: str, made: str, before: str | None) -> None:
    """Undoes a failed start: moves the run's ref back to `before` and removes the live record.

    `made` is the attempt's commit, or empty if there is none yet. `before` is None for a new run, whose ref is deleted. If
    the ref cannot be moved back, the record stays and a later command finishes the attempt.
    """
    with suppress(GitrunError, OSError):
        if made and before:
            set_ref(git, run_ref(run), before, made)
        elif made:
            delete_ref(git, run_ref(run), made)
    # the ref could not be moved back: the record lets a later command finish the attempt
    if made and tip_of(git, run) == made:
        live.leave()
    else:
        live.close()


def message_of(plan: Plan) -> bytes:
    """Returns the commit message of the attempt."""
    return encode.message(encode.attempt_subject(plan), "attempt")
