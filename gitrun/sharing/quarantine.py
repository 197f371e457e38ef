"""The quarantine: refs under `refs/gitrun/incoming/<token>/` keep fetched runs until they have been checked.

After a kill, each run's ref is where it was or where it was to go. The refs of a token whose lock is free are removed when
the next quarantine opens.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun import sharing, store
from gitrun.dataclass import dataclass, field
from gitrun.errors import BadRun, StaleRun
from gitrun.git.lock_state import is_held
from gitrun.git.locks import acquire
from gitrun.model.run import INCOMING, OUTBOX, RUNS, TRASH, run_ref, short_id
from gitrun.store import foreign
from gitrun.store.live import is_live
from gitrun.store.purged import purged_ids
from gitrun.store.refs import RefEdit, delete_temporary_refs, may_have_refs, ref_store, tips, tips_of, unsynced
from gitrun.store.trash import delete_runs
from gitrun.store.trust import is_trusted_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.sharing.validate import Chain, Inspector
    from gitrun.store.refs import RefStore

FEW = 100
"""Refs up to which each is synced to disk. With more, git's own sync suffices: they can be fetched again."""


ROUND = 500
"""Refs that git moves at a time. It locks all of them first, so ten thousand at once take three times as long."""

CHANGED = "it changed here at the same moment. Try again"


@dataclass(frozen=True, slots=True)
class IncomingRules:
    """The incoming runs to accept. `keep` selects ids among the sound ones; without it all are kept.

    Runs in `names` are accepted even if they were deleted here. With `merge`, diverged runs are merged.
    """

    names: frozenset[str] = frozenset()
    keep: Callable[[Sequence[Chain]], Collection[str]] | None = None
    merge: bool = False


@dataclass(slots=True)
class Received:
    """The outcome for each incoming run: lists of ids by outcome, `refused` with a reason, `same` as a count.

    `archives` has the reasons of archives that were refused as a whole, by writer.
    """

    fresh: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    archives: dict[str, str] = field(default_factory=dict)
    same: int = 0


@contextmanager
def open_quarantine(git: Git, under: str = INCOMING) -> Iterator[str]:
    """Opens a private ref prefix for the length of the `with`. Also removes those of dead processes."""
    remove_stale_quarantines(git)
    token = os.urandom(8).hex()
    # a kill frees this lock, and the next quarantine then removes the refs
    lock = acquire(git.state / "tokens" / token)
    try:
        yield f"{under}{token}/"
    finally:
        delete_temporary_refs(git, f"{under}{token}/")
        if lock:
            # before the release: a process that waits for the lock notices, and makes a new file
            lock.path.unlink(missing_ok=True)
            lock.release()


def remove_stale_quarantines(git: Git) -> None:
    """Removes private refs whose owners are dead."""
    if not any(may_have_refs(git, prefix) for prefix in (INCOMING, OUTBOX)):
        return
    refs = git.run("for-each-ref", "--format=%(refname)", INCOMING, OUTBOX).decode(errors="surrogateescape").splitlines()
    # refs/gitrun/incoming/<token>/<run id>
    for prefix in {"/".join(name.split("/")[:4]) + "/" for name in refs}:
        token = prefix.split("/")[3]
        if not is_held(git.state / "tokens" / token):
            delete_temporary_refs(git, prefix)
            (git.state / "tokens" / token).unlink(missing_ok=True)


def receive_runs(git: Git, there: Mapping[str, str], rules: IncomingRules, received: Received | None = None) -> Received:
    """Checks the quarantined runs (id -> tip) and moves the refs of those that are sound and wanted.

    Each ref moves from where it was seen. Runs deleted here are left out unless named. Returns the outcome, which is added to
    `received` if that is given.
    """
    received, local_tips = received or Received(), tips_of(git, there)
    trash = tips(git, TRASH).keys() if may_have_refs(git, TRASH) else set[str]()
    deleted = (trash | purged_ids(git)) - rules.names
    fresh: dict[str, str] = {}
    for run_id, tip in there.items():
        if local_tips.get(run_id) == tip:
            received.same += 1
        # a run in the trash and in place was left by a killed move: it still exists
        elif run_id in deleted and run_id not in local_tips:
            received.deleted.append(run_id)
        else:
            fresh[run_id] = tip
    if not fresh:
        return received

    with store.index.garbage_collector_off(), store.runs.local_reader(git) as reader:
        inspector = sharing.validate.Inspector(git, reader)
        chains = list(sound_chains(inspector, fresh, received.refused))
        kept_runs = rules.keep(chains) if rules.keep else fresh.keys()
        there_now = ((chain, local_tips.get(chain.run_id)) for chain in chains if chain.run_id in kept_runs)
        edits = [edit for chain, ours in there_now if (edit := decide_incoming(git, inspector, chain, ours, received))]
        if rules.merge:
            edits += merge_diverged(git, inspector, chains, local_tips, received)
        # before the refs move, so that readers find these runs dated and checked
        record_arrival(git, chains, {edit.ref.removeprefix(RUNS) for edit in edits})
    for stale in move_to_runs(git, edits):
        received.refused[stale] = CHANGED
        for runs in (received.fresh, received.forward, received.merged):
            if stale in runs:
                runs.remove(stale)
    return received


def record_arrival(git: Git, chains: Sequence[Chain], run_ids: Collection[str]) -> None:
    """Records the attempts and results of these runs as received now from elsewhere, and checked."""
    # oldest first, because the times recorded here keep this order in lists
    arrived = sorted((chain for chain in chains if chain.run_id in run_ids), key=lambda chain: (chain.time, chain.run_id))
    names = [name for chain in arrived for name in (*chain.attempts, *chain.results.values())]
    if names:
        foreign.record_received(git, foreign.unknown_ids(git, names), datetime.now(timezone.utc))


def sound_chains(inspector: Inspector, names: Mapping[str, str], refused: dict[str, str]) -> Iterator[Chain]:
    """Yields the chains of the refs that are runs; puts the reasons of the others into `refused`."""
    for run_id, tip in names.items():
        try:
            yield inspector.chain(run_id, tip)
        except BadRun as error:
            refused[run_id] = error.message


def decide_incoming(git: Git, inspector: Inspector, chain: Chain, ours: str | None, received: Received) -> RefEdit | None:
    """Decides about one sound run and records the outcome in `received`. Returns the ref move, or None.

    `ours` is the run's tip here, or None. Diverged runs are only recorded.
    """
    run_id = chain.run_id
    if ours is None:
        received.fresh.append(run_id)
        return RefEdit(run_ref(run_id), chain.tip, None, "fetch run")
    # a moved ref would keep the running attempt from recording its result
    if is_live(git.state, run_id):
        received.running.append(run_id)
    elif ours in chain.commits:
        received.forward.append(run_id)
        return RefEdit(run_ref(run_id), chain.tip, ours, "fetch run")
    else:
        try:
            return decide_changed(git, inspector.chain(run_id, ours), chain, received)
        except (BadRun, StaleRun) as error:
            what = "the run on this machine cannot be read: " if isinstance(error, BadRun) else ""
            received.refused[run_id] = what + error.message
    return None


def decide_changed(git: Git, mine: Chain, theirs: Chain, received: Received) -> RefEdit | None:
    """Decides as `decide_incoming` for a run that has new commits here: it is ahead, diverged, or has a rival result.

    An attempt has one result. A result made or trusted here replaces one that is neither, which moves to the trash. Any
    other rival is refused, whatever its date.
    """
    run_id = theirs.run_id
    rivals = {attempt_id for attempt_id, result in mine.results.items() if theirs.results.get(attempt_id, result) != result}
    if not rivals:
        (received.ahead if theirs.tip in mine.commits else received.diverged).append(run_id)
        return None
    if all(is_trusted_commit(git, theirs.results[attempt_id]) for attempt_id in rivals) and not any(
        is_trusted_commit(git, mine.results[attempt_id]) for attempt_id in rivals
    ):
        # to the trash, which removes the ref: so the edit below expects none
        delete_runs(git, {run_id: mine.tip})
        received.fresh.append(run_id)
        return RefEdit(run_ref(run_id), theirs.tip, None, "fetch run")
    attempt_id = next(attempt_id for attempt_id in mine.attempts if attempt_id in rivals)
    received.refused[run_id] = (
        f"its attempt {short_id(attempt_id)} has another result there ({short_id(theirs.results[attempt_id])}) than here "
        f"({short_id(mine.results[attempt_id])}). "
        f"To take the other: git run rm {short_id(run_id)}, then fetch {short_id(run_id)}"
    )
    return None


def merge_diverged(
    git: Git, inspector: Inspector, chains: Sequence[Chain], local_tips: Mapping[str, str], received: Received
) -> list[RefEdit]:
    """Merges the diverged runs and records them in `received`. Returns the ref moves."""
    theirs = {chain.run_id: chain for chain in chains}
    edits = []
    for run_id in received.diverged:
        tip = sharing.merge.merge_chains(git, inspector.chain(run_id, local_tips[run_id]), theirs[run_id])
        edits.append(RefEdit(run_ref(run_id), tip, local_tips[run_id], "merge run"))
    received.merged += received.diverged
    received.diverged = []
    return edits


def move_to_runs(git: Git, edits: Sequence[RefEdit]) -> list[str]:
    """Moves the refs of runs. Returns the ids of runs whose ref was not where it was expected."""
    refs = ref_store(git if len(edits) <= FEW else unsynced(git))
    # a file for each of ten thousand refs costs more than their checks
    rest = edits if len(edits) <= FEW else store.packed_refs.create_refs(git, edits)
    stale: list[str] = []
    for start in range(0, len(rest), ROUND):
        some = rest[start : start + ROUND]
        try:
            refs.apply(some)
        except StaleRun:
            # one changed ref fails the whole transaction, so each is moved alone
            stale += [edit.ref.removeprefix(RUNS) for edit in some if not try_to_move(refs, edit)]
    return stale


def try_to_move(refs: RefStore, edit: RefEdit) -> bool:
    """Moves one ref. Returns False if it was not where it was expected."""
    try:
        refs.apply([edit])
    except StaleRun:
        return False
    return True
