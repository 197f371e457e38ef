"""Pushes this repository's archive, in place of the runs that it keeps: one ref instead of thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.objects import Loose, Objects
from gitrun.model.run import ARCHIVE, is_id
from gitrun.sharing import remotes
from gitrun.store import folding
from gitrun.store.archive_tips import tips_in_archive
from gitrun.store.archives import PUBLIC, own_writers, read_archive, tips_of
from gitrun.store.publication import sync_to_disk
from gitrun.store.refs import RefEdit, archive_heads, ref_store, refs_of_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git


@dataclass(frozen=True, slots=True)
class PushedArchive:
    """The runs that an archive has brought to a remote: those new there, and those that were there before."""

    fresh: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


def push_archive(git: Git, remote: str, runs: Mapping[str, str], *, progress: bool) -> PushedArchive:
    """Pushes the archive that keeps some of these runs (id -> tip), if all that it keeps is to be pushed.

    Returns nothing if there is no such archive, or if the remote refuses it: then each run is pushed by its own ref.
    Raises GitFailed.
    """
    writer, heads = own_writers(git).get(PUBLIC, ""), archive_heads(git)
    if writer not in heads:
        return PushedArchive()
    listed = tips_in_archive(git, heads, writer)
    kept = {run for run, tip in listed.items() if runs.get(run) == tip}
    folded = kept - refs_of_runs(git, kept).keys()
    if not folded or not listed.keys() <= runs.keys():
        return PushedArchive()
    # where a run has a ref, that counts, and is moved as always
    folded -= remotes.list_tips(git, remote, sorted(folded)).keys()
    there = head_there(git, remote, writer)
    head, before = drop_unsent(git, writer, heads[writer], there)
    if head == there:
        return PushedArchive(same=tuple(sorted(folded)))
    if not send(git, remote, (writer, head, there), progress=progress):
        return PushedArchive()
    return PushedArchive(tuple(sorted(folded - before)), tuple(sorted(folded & before)))


def head_there(git: Git, remote: str, writer: str) -> str | None:
    """Returns the last commit of the archive at the remote; None without one, or if its push URLs differ. Raises GitFailed."""
    heads = set()
    for place in remotes.push_places(git, remote):
        answer = git.run_remote("ls-remote", "--quiet", "--", place, ARCHIVE + writer, progress=False)
        if answer.status:
            raise GitFailed(*remotes.failure_text(answer, f"cannot push to {remote}"))
        heads.add(answer.data.decode(errors="replace").partition("\t")[0])
    head = heads.pop() if len(heads) == 1 else ""
    return head if is_id(head) else None


def drop_unsent(git: Git, writer: str, head: str, there: str | None) -> tuple[str, frozenset[str]]:
    """Returns the commit of the archive to push, and the runs that the commit `there` already lists.

    Commits that the remote lacks must not list runs that were deleted since: their files would be pushed with the others. Such
    an archive is written again without them. Raises GitFailed, StaleRun.
    """
    with Objects(git) as objects:
        chain = read_archive(objects, head)
    position = next((number + 1 for number, commit in enumerate(chain) if commit.id == there), 0)
    old, new = chain[:position], chain[position:]
    alive = tips_of(chain)
    dead = {run for commit in new for run in commit.tips if run not in alive}
    if not dead:
        return head, frozenset(tips_of(old))
    loose = Loose(git)
    fresh = folding.rewrite(loose, new, dead, there if old else None)
    if git.durable:
        sync_to_disk(git, loose.ids)
    folding.record_replaced(git, [commit.id for commit in new])
    ref_store(git).apply([RefEdit(ARCHIVE + writer, fresh, head, "leave out deleted runs")])
    return fresh or "", frozenset(tips_of(old))


def send(git: Git, remote: str, move: tuple[str, str, str | None], *, progress: bool) -> bool:
    """Pushes the archive of a writer to a commit, from where it is there. Returns whether the remote took it."""
    writer, head, there = move
    ref = ARCHIVE + writer
    words = (*remotes.mirror_off(git, remote), "push", *remotes.PUSH, "--progress" if progress else "--no-progress")
    # only what this repository has replaced itself is replaced there, and only from where it was seen
    forced = there in folding.replaced_commits(git)
    lease = (f"--force-with-lease={ref}:{there}",) if forced else ()
    spec = f"{head}:{ref}"
    answer = git.run_remote(*words, *lease, "--", remote, spec, progress=progress)
    if answer.status and forced:
        option = "--push-option=gitrun.delete"
        answer = git.run_remote(*words, *lease, option, "--", remote, spec, progress=progress)
    return not answer.status
