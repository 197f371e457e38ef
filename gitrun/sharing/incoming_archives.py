"""Receives archives of other repositories: each of their runs is checked as a fetched run is, then the archive's ref moves.

Runs that an archive and this repository have in different states get refs here, for the refs win over archives. Runs that an
archive no longer lists stay here: who deletes a run in one repository does not delete it in others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import sharing, store
from gitrun.dataclass import dataclass
from gitrun.errors import BadRun, StaleRun
from gitrun.git.objects import Objects
from gitrun.model.run import ARCHIVE, TRASH, run_ref
from gitrun.sharing.quarantine import CHANGED, decide_incoming, merge_diverged, move_to_runs, record_arrival, sound_chains
from gitrun.store import archive_writer
from gitrun.store.archive_tips import archived_tips_of, tips_in_archive
from gitrun.store.archives import is_writer, new_writer, own_writers, read_archive, tips_of
from gitrun.store.purged import purged_ids
from gitrun.store.refs import RefEdit, archive_heads, ref_store, tips
from gitrun.store.refs import tips_of as local_tips_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.sharing.quarantine import IncomingRules, Received
    from gitrun.sharing.validate import Chain


@dataclass(frozen=True, slots=True)
class IncomingArchive:
    """An archive whose objects are here: its writer, its last commit, all its commits, and the tips it lists (id -> tip).

    If it goes on from the commit `before`, which is its head here, the rest is what came after that; `gone` are the runs that
    it listed there and lists no more.
    """

    writer: str
    head: str
    commits: frozenset[str]
    tips: Mapping[str, str]
    before: str | None = None
    gone: frozenset[str] = frozenset()


def read_incoming(git: Git, heads: Mapping[str, str], known: Mapping[str, str], received: Received) -> list[IncomingArchive]:
    """Reads fetched archives (writer -> head commit). The reasons of unreadable ones go into `received`.

    Of those that are `known` (writer -> head commit here), reads what is new.
    """
    archives = []
    with Objects(git) as objects:
        for writer, head in sorted(heads.items()):
            before = known.get(writer)
            try:
                chain = read_archive(objects, head, (before,) if before else ()) if is_writer(writer) else []
            except BadRun as error:
                received.archives[writer] = error.message
                continue
            if not chain:
                received.archives[writer] = "its name is not one that gitrun gives"
                continue
            commits, listed = frozenset(commit.id for commit in chain), tips_of(chain)
            if before is None or chain[0].previous != before:  # all of it was read
                archives.append(IncomingArchive(writer, head, commits, listed))
                continue
            gone = {run_id for commit in chain for run_id in commit.gone} - listed.keys()
            archives.append(IncomingArchive(writer, head, commits | {before}, listed, before, frozenset(gone)))
    return archives


def receive_archive(
    git: Git, archive: IncomingArchive, refs: Collection[str], rules: IncomingRules, received: Received
) -> None:
    """Checks the runs of one archive that are new here, and moves its ref unless one of them is unsound.

    `refs` are the runs that have refs where the archive comes from: these count there, and were received before.
    """
    heads = archive_heads(git)
    before = heads.get(archive.writer)
    if archive.before not in {None, before}:
        received.archives[archive.writer] = CHANGED
        return
    if archive.writer in own_writers(git).values() and not take_own_archive(git, archive, before):
        return
    listed, here = read_local_state(git, heads, archive)
    deleted = tips(git, TRASH).keys() | purged_ids(git)
    differing = {run_id: tip for run_id, tip in archive.tips.items() if here.get(run_id) != tip}
    received.same += len(archive.tips) - len(differing)
    received.deleted += sorted(run_id for run_id in differing if run_id in deleted and run_id not in here)
    fresh = {run_id: tip for run_id, tip in differing.items() if run_id in here or run_id not in deleted}
    refused: dict[str, str] = {}
    with store.runs.local_reader(git) as reader:
        inspector = sharing.validate.Inspector(git, reader)
        with store.index.garbage_collector_off():
            chains = list(sound_chains(inspector, fresh, refused))
        if refused:
            run_id, reason = next(iter(refused.items()))
            received.archives[archive.writer] = f"its run {run_id[:8]}: {reason}"
            return
        edits = decide_archived(git, inspector, chains, here, received)
        if rules.merge:
            merges = merge_diverged(git, inspector, chains, here, received)
            merged = {edit.ref for edit in merges}
            edits = [edit for edit in edits if edit.ref not in merged] + merges
    # where the archive comes from, the ref of a run may be as far as it is here
    received.ahead[:] = [run_id for run_id in received.ahead if run_id not in refs]
    # what the archive listed before is kept by refs, unless another archive lists it too
    moved = {edit.ref for edit in edits}
    kept = {run_id: tip for run_id, tip in listed.items() if here.get(run_id) == tip and run_id not in archive.tips}
    edits += [RefEdit(run_ref(run_id), tip, tip, "keep run") for run_id, tip in kept.items() if run_ref(run_id) not in moved]
    record_arrival(git, chains, {chain.run_id for chain in chains})
    # refs first: after a kill the archive is still new, and is received again
    if stale := move_to_runs(git, edits):
        received.refused |= dict.fromkeys(stale, CHANGED)
        return
    try:
        ref_store(git).apply([RefEdit(ARCHIVE + archive.writer, archive.head, before, "fetch archive")])
    except StaleRun as error:
        received.archives[archive.writer] = error.message


def read_local_state(
    git: Git, heads: Mapping[str, str], archive: IncomingArchive
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Returns what the archive here listed before, and the tips of the runs here that it may concern: id -> tip each."""
    if archive.before:
        # the rest was checked when it came
        listed = archived_tips_of(git, heads, archive.gone, archive.writer)
        return listed, local_tips_of(git, archive.tips.keys() | archive.gone)
    return tips_in_archive(git, heads, archive.writer) if archive.writer in heads else {}, tips(git)


def decide_archived(
    git: Git, inspector: sharing.validate.Inspector, chains: Sequence[Chain], here: Mapping[str, str], received: Received
) -> list[RefEdit]:
    """Decides about the runs of an archive that are new or different here. Returns moves of refs, for the different ones."""
    edits = []
    for chain in chains:
        ours = here.get(chain.run_id)
        edit = decide_incoming(git, inspector, chain, ours, received)
        if ours is not None:  # a new run is kept by the archive itself
            # what stays as it is here may be in another archive only, over which this one could win
            edits.append(edit or RefEdit(run_ref(chain.run_id), ours, ours, "keep run"))
    return edits


def take_own_archive(git: Git, archive: IncomingArchive, ours: str | None) -> bool:
    """Returns whether an archive that has our name has to be received: another repository writes it too, as a copy of ours.

    If both have gone on, ours gets a new name first.
    """
    if archive.head in archive_writer.replaced_commits(git) or ours is None or archive.head == ours:
        return ours is None
    with Objects(git) as objects:
        mine = {commit.id for commit in read_archive(objects, ours)}
    if archive.head in mine:
        return False
    if ours not in archive.commits:
        content = next(each for each, writer in own_writers(git).items() if writer == archive.writer)
        # a kill before the move leaves the old archive to nobody, and all its runs here
        ref_store(git).apply([RefEdit(ARCHIVE + new_writer(git, content), ours, None, "rename archive")])
    return True
