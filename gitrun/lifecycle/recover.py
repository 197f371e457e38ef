"""Finishes runs whose supervisor died: they end as terminated, and their files are recorded."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import lifecycle
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun, GitrunError, StaleRun, Unfinished
from gitrun.git.locks import acquire
from gitrun.git.objects import Objects
from gitrun.lifecycle.parent import read_journal
from gitrun.lifecycle.results import collect_results, hand_on_files
from gitrun.model.plan import Outcome
from gitrun.model.record_files import BATCH, RESULT
from gitrun.model.run import TERMINATED, run_ref, short_id
from gitrun.model.text import shell_word
from gitrun.process.tree import kill_tagged
from gitrun.store import notes
from gitrun.store.attempts import AttemptHandle, Collected
from gitrun.store.commits import read_commit
from gitrun.store.live import LOCK, Live, directory_of, is_copied_record, is_live, is_still_supervised, owner_of, recorded_runs
from gitrun.store.purged import purged_ids
from gitrun.store.refs import RefEdit, ref_store, remove_lock_of_dead_supervisor, tip_of
from gitrun.store.runs import last_attempts
from gitrun.store.trash import deleted_tips
from gitrun.workspace.manifest import read_manifest
from gitrun.workspace.metrics import collect_metrics
from gitrun.workspace.slots import bind_git, is_given_back, slot_directory
from gitrun.workspace.workspace import Workspace

if TYPE_CHECKING:
    from gitrun.store.commits import Commit
    from gitrun.store.live import Owner
    from gitrun.workspace.session import Session

# SIGKILL, as if the program had been killed with its supervisor
KILLED = -9
WORKSPACE_PATIENCE = 10.0
"""Seconds to wait for processes that a dead supervisor had started in the slot."""


def recover(session: Session) -> None:
    """Finishes all runs of this repository whose supervisor died on this machine. Says which could not be finished."""
    # the result of a batch tells how its trials ended, so they are finished first
    for run_id in sorted(recorded_runs(session.git.state), key=lambda one: is_batch(session, one)):
        directory = directory_of(session.git.state, run_id)
        if is_live(session.git.state, run_id):
            continue
        try:
            # held if another command is finishing the run
            lock = acquire(directory / LOCK, wait=0)
            if lock:
                with Live(directory, lock) as live:
                    finish_run(session, run_id, live)
        # one broken run must not keep the others from being finished
        except (GitrunError, OSError) as error:
            session.say(f"warning: the outcome of run {short_id(run_id)}, which died, cannot be recorded: {error}")


def is_batch(session: Session, run_id: str) -> bool:
    """Returns whether the run is a batch."""
    owner = owner_of(session.git.state, run_id)
    if owner is None or not owner.in_place:  # a program in a slot, which needs no look into the repository
        return False
    with Objects(session.git) as objects:
        return objects.read(f"{owner.attempt}:{BATCH}", limit=0) is not None


def finish_run(session: Session, run_id: str, live: Live) -> None:
    """Finishes one run, unless it never began, has its result, or is still running. Raises GitrunError, OSError."""
    if is_still_supervised(session.git.state, run_id):
        return
    owner = owner_of(session.git.state, run_id)
    remove_lock_of_dead_supervisor(session.git, run_id)
    restore_ref(session, run_id)
    last = last_attempt(session, run_id)
    if last is None or last.has_result:
        live.close()
    else:
        # in a copied repository the processes belong to the original
        if owner is None or not is_copied_record(session.git.state, run_id, owner):
            kill_tagged(last.commit.id)
        try:
            record_death(session, run_id, last.commit, live)
        except StaleRun:  # a git process of the dead supervisor may have set the ref
            now = last_attempt(session, run_id)
            if now is None or not now.has_result:
                raise
            live.close()
    if last is not None:
        # the supervisor may have died between the result and its note
        notes.add_note_of_run(session.git, run_id)


def restore_ref(session: Session, run_id: str) -> None:
    """Restores a run's ref that somebody removed while its program ran, unless the run is in the trash or purged.

    Raises CannotRun if the attempt is gone too; its files stay where they are.
    """
    owner = owner_of(session.git.state, run_id)
    if (
        owner is None
        or tip_of(session.git, run_id) is not None
        or run_id in deleted_tips(session.git)
        or run_id in purged_ids(session.git)
    ):
        return
    with Objects(session.git) as objects:
        commit = read_commit(objects.read(owner.attempt))
    if commit is None or commit.kind != "attempt":
        directory = directory_of(session.git.state, run_id)
        raise Unfinished(f"it is no longer in the repository. To delete what it left: rm -r {shell_word(directory)}")
    ref_store(session.git).apply([RefEdit(run_ref(run_id), owner.attempt, None, "recover run")])
    session.say(
        f"note: run {short_id(run_id)} was deleted while it ran, and gitrun restored it. "
        f"To delete it: git run rm {short_id(run_id)}"
    )


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """The commit of an attempt, with whether its run has a result for it."""

    commit: Commit
    has_result: bool


def last_attempt(session: Session, run_id: str) -> RecordedAttempt | None:
    """Returns the run's last attempt; None if the run never began. Raises BadRun."""
    tip = tip_of(session.git, run_id)
    if tip is None:
        return None
    with Objects(session.git) as objects:
        last = last_attempts(objects, {run_id: tip}).get(tip)
        has_result = objects.read(f"{tip}:{RESULT}", limit=0) is not None
    if last is None:
        raise BadRun("its ref does not lead to an attempt", "To check the repository: git fsck")
    return RecordedAttempt(last.attempt, has_result)


def record_death(session: Session, run_id: str, attempt: Commit, live: Live) -> None:
    """Records the result of a dead supervisor's attempt: the recorded end of its program, or else the supervisor's death."""
    owner = owner_of(session.git.state, run_id)
    # the record may be that of an earlier attempt
    if owner is not None and owner.attempt != attempt.id:
        owner = None
    begun = datetime.fromtimestamp(owner.started, timezone.utc) if owner else attempt.time
    # the program may have written nothing
    stopped = max(begun, last_write(live))
    died = Outcome(TERMINATED, KILLED, begun, stopped, (stopped - begun).total_seconds(), reason="its supervisor died")
    outcome = replace(live.read_end() or died, steps=read_journal(live.journal))
    if is_batch(session, run_id):
        outcome = lifecycle.batch_trials.with_trials(session, run_id, outcome, live.trials)
    started = AttemptHandle(session.git, run_id, attempt.id, live, earlier=live.earlier)
    with ExitStack() as stack:
        workspace = lock_workspace(session, owner, stack)

        def collect() -> Collected:
            if workspace is None:
                files = () if owner and owner.in_place else hand_on_files(started)
                return Collected(replace(outcome, metrics=collect_metrics(live, outcome, None, session.say), files=files), {})
            return collect_results(session, started, workspace, outcome)

        started.finish(collect)


def lock_workspace(session: Session, owner: Owner | None, stack: ExitStack) -> Workspace | None:
    """Returns the workspace of the dead run, locked until `stack` closes; None if another run uses it or it is gone.

    Raises CannotRun if its lock is still held after 10 seconds.
    """
    if owner is None or owner.in_place:
        return None
    there = Path(owner.worktree)
    slot = session.git.state / "slots" / slot_directory(there).name  # the repository may have moved
    tree = slot / there.relative_to(slot_directory(there))
    if not tree.is_dir() or is_given_back(slot):
        return None
    lock = acquire(slot / "lock", WORKSPACE_PATIENCE)
    if lock is None:
        raise Unfinished("its workspace is still in use", "To try again: git run list")
    stack.enter_context(lock)
    # read again: another run may have used the slot while we waited for its lock
    if is_given_back(slot):
        return None
    linked = tuple(path.encode(errors="surrogateescape") for path in owner.linked)
    stamps = {os.fsencode(path): (mtime, inode) for path, mtime, inode in owner.given}
    git, lent = bind_git(session.git, tree), read_manifest(slot)
    return Workspace(tree, git, linked, frozenset(linked), stamps=stamps, outputs=owner.outputs, lent=lent)


def last_write(live: Live) -> datetime:
    """Returns the time of the last write to the run's output."""
    try:
        moment = live.output.stat().st_mtime
    except OSError:
        moment = 0.0
    return datetime.fromtimestamp(moment, timezone.utc)
