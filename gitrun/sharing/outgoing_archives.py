"""Pushes this repository's archive, in place of the runs that it keeps: one ref instead of thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.objects import Loose, Objects
from gitrun.model.run import ARCHIVE, RUNS, is_id
from gitrun.sharing import remotes
from gitrun.store import archive_writer
from gitrun.store.archive_tips import archived_tips_of, commits_since, count_archived, tips_in_archive
from gitrun.store.archives import PUBLIC, own_writers, read_archive
from gitrun.store.publication import sync_to_disk
from gitrun.store.refs import RefEdit, archive_heads, list_refs, missing_objects, ref_store, refs_of_runs
from gitrun.store.trust import TrustedIds, revoked_ids, trusted_ids

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index


@dataclass(frozen=True, slots=True)
class PushedArchive:
    """The runs that an archive has brought to a remote: those new there, and those that were there before."""

    fresh: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnRuns:
    """The finished runs that were made here: those that a push has to look at (id -> tip), and the number of all others.

    With `archive`, the others are in an archive of which the remote has an earlier state.
    """

    runs: Mapping[str, str]
    archived: int = 0
    archive: bool = False


def own_runs(git: Git, index: Index, there: Mapping[str, str]) -> OwnRuns:
    """Returns the finished runs that were made here, for a push to a remote with these refs (ref -> object).

    Runs in the part of this repository's archive that the remote has need no look, unless they have refs here or there.
    """
    writer, heads = own_writers(git).get(PUBLIC, ""), archive_heads(git)
    new = commits_since(git, there[ARCHIVE + writer], heads[writer]) if writer in heads and ARCHIVE + writer in there else None
    # a run that is no longer trusted is in the archive, and not to be pushed
    if new is None or archived_tips_of(git, heads, revoked_ids(git), writer):
        trusted = trusted_ids(git)
        return OwnRuns({run.id: run.tip for run in made_here(index.with_attempts(trusted), trusted)})
    remote_tips = {ref.removeprefix(RUNS): tip for ref, tip in there.items() if ref.startswith(RUNS)}
    listed = archived_tips_of(git, heads, remote_tips, writer)
    looked_at = list_refs(git, RUNS).keys() | {RUNS + run_id for run_id, tip in listed.items() if remote_tips[run_id] != tip}
    names = {ref.removeprefix(RUNS) for ref in looked_at}.union(*(commit.tips for commit in new))
    others = trusted_elsewhere(git, heads, writer) if len(heads) > 1 else frozenset[str]()
    runs = made_here(index.with_attempts(names | others), TrustedIds(git))
    archived = count_archived(git, heads, writer) - len(archived_tips_of(git, heads, names, writer))
    return OwnRuns({run.id: run.tip for run in runs}, archived, bool(new))


def trusted_elsewhere(git: Git, heads: Mapping[str, str], writer: str) -> frozenset[str]:
    """Returns the ids of attempts and results that were made here or are trusted, except those of this writer's archive."""
    listed = tips_in_archive(git, heads, writer)
    return trusted_ids(git).difference(listed.keys(), listed.values())


def archived_there(git: Git, run_ids: Iterable[str], there: Mapping[str, str]) -> frozenset[str]:
    """Returns the tips of those of the runs that archives of a remote with these refs (ref -> object) list.

    Git walks back in time. If only the head of an archive is excluded, it meets the tip of a run there after all newer runs.
    """
    heads, names = archive_heads(git), frozenset(run_ids)
    tips: set[str] = set()
    for writer, head in heads.items():
        before = there.get(ARCHIVE + writer, "")
        # of an archive that is not here as it is there, nothing is known
        if before == head or (before and not missing_objects(git, [before])):
            new = commits_since(git, before, head)
            listed = names.difference(*(commit.tips for commit in new)) if new is not None else ()
            tips.update(archived_tips_of(git, heads, listed, writer).values())
    return frozenset(tips)


def made_here(runs: Iterable[Run], trusted: Container[str]) -> list[Run]:
    """Returns the finished runs whose first or last attempt is among the ids made here or `trusted`."""
    return [run for run in runs if run.attempt.stopped and (run.id in trusted or run.attempt.id in trusted)]


def push_archive(git: Git, remote: str, runs: Mapping[str, str], *, progress: bool, is_whole: bool) -> PushedArchive:
    """Pushes the archive that keeps some of these runs (id -> tip), if all that it keeps is to be pushed (`is_whole`).

    Returns nothing if there is no such archive, or if the remote refuses it: then each run is pushed by its own ref.
    Raises GitFailed.
    """
    writer, heads = own_writers(git).get(PUBLIC, ""), archive_heads(git)
    if writer not in heads:
        return PushedArchive()
    kept = {run_id for run_id, tip in archived_tips_of(git, heads, runs, writer).items() if runs[run_id] == tip}
    archived_only = kept - refs_of_runs(git, kept).keys()
    if not is_whole and (not archived_only or not tips_in_archive(git, heads, writer).keys() <= runs.keys()):
        return PushedArchive()
    # where a run has a ref, that counts, and is moved as always
    archived_only -= remotes.list_tips(git, remote, sorted(archived_only)).keys()
    there = head_there(git, remote, writer)
    head, new = drop_unsent(git, writer, heads, there)
    if head == there:
        return PushedArchive(same=tuple(sorted(archived_only)))
    if not send(git, remote, (writer, head, there), progress=progress):
        return PushedArchive()
    return PushedArchive(tuple(sorted(archived_only & new)), tuple(sorted(archived_only - new)))


def head_there(git: Git, remote: str, writer: str) -> str | None:
    """Returns the last commit of the archive at the remote; None without one, or if its push URLs differ. Raises GitFailed."""
    heads = set()
    for target in remotes.push_targets(git, remote):
        answer = git.run_remote("ls-remote", "--quiet", "--", target, ARCHIVE + writer, progress=False)
        if answer.status:
            raise GitFailed(*remotes.failure_text(answer, f"cannot push to {remote}"))
        heads.add(answer.data.decode(errors="replace").partition("\t")[0])
    head = heads.pop() if len(heads) == 1 else ""
    return head if is_id(head) else None


def drop_unsent(git: Git, writer: str, heads: Mapping[str, str], there: str | None) -> tuple[str, frozenset[str]]:
    """Returns the commit of the archive to push, and the runs that commits after the one `there` list.

    Commits that the remote lacks must not list runs that were deleted since: their files would be pushed with the others. Such
    an archive is written again without them. Raises GitFailed, StaleRun.
    """
    head, previous = heads[writer], there
    new = commits_since(git, there, head) if there else None
    if new is None:
        previous = None
        with Objects(git) as objects:
            new = read_archive(objects, head)
    listed = frozenset(run_id for commit in new for run_id in commit.tips)
    dead = listed - archived_tips_of(git, heads, listed, writer).keys()
    if not dead:
        return head, listed
    loose = Loose(git)
    fresh = archive_writer.rewrite(loose, new, dead, previous)
    if git.durable:
        sync_to_disk(git, loose.ids)
    archive_writer.record_replaced(git, [commit.id for commit in new])
    ref_store(git).apply([RefEdit(ARCHIVE + writer, fresh, head, "leave out deleted runs")])
    return fresh or "", listed


def send(git: Git, remote: str, move: tuple[str, str, str | None], *, progress: bool) -> bool:
    """Pushes the archive of a writer to a commit, from where it is there. Returns whether the remote took it."""
    writer, head, there = move
    ref = ARCHIVE + writer
    words = (*remotes.mirror_off(git, remote), "push", *remotes.PUSH, "--progress" if progress else "--no-progress")
    # only what this repository has replaced itself is replaced there, and only from where it was seen
    forced = there in archive_writer.replaced_commits(git)
    lease = (f"--force-with-lease={ref}:{there}",) if forced else ()
    spec = f"{head}:{ref}"
    answer = git.run_remote(*words, *lease, "--", remote, spec, progress=progress)
    if answer.status and forced:
        option = "--push-option=gitrun.delete"
        answer = git.run_remote(*words, *lease, option, "--", remote, spec, progress=progress)
    return not answer.status
