"""Moves ended runs into this repository's archive, and takes deleted ones out of it. Only this module moves archives here.

One transaction moves the archive and deletes the refs of its runs. Git moves refs before it deletes any, so a kill
leaves each run with its ref, or in the archive, or both, always with the same tip.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed, StaleRun
from gitrun.git.objects import Loose, Objects
from gitrun.model.run import ARCHIVE, RUNS, TRASH, is_id
from gitrun.store.archive_tips import archived_tips_of
from gitrun.store.archives import PUBLIC, SIZE, new_writer, own_writers, read_archive, read_archive_commit, write_archive_commit
from gitrun.store.live import is_live
from gitrun.store.publication import protect_moved, sync_to_disk
from gitrun.store.purged import purged_ids
from gitrun.store.refs import RefEdit, archive_heads, missing_objects, read_ref, ref_store, refs_of_runs, tips

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gitrun.git.exe import Git
    from gitrun.store.archives import ArchiveCommit

SEALS = 16
"""Commits without runs on top of an archive. A fetch reads that many commits below all refs, and the parents of each."""
TRIES = 10
"""Times that a change of the archive is tried while other processes change it or the runs."""


def move_to_archive(repository: Git, runs: Mapping[str, str], content: str = PUBLIC) -> list[str]:
    """Moves runs (id -> tip) into this repository's archive of PUBLIC or PRIVATE runs. Returns the ids that have no ref now.

    Leaves out runs that are running, whose ref has moved, whose last commit is missing, or that were deleted before:
    for those, the archive would not count. The runs come oldest first: git walks back in time, and when it looks for one of
    them it waits with those of one commit, not with all. Raises GitFailed, StaleRun.
    """
    writer = own_writers(repository).get(content) or new_writer(repository, content)
    names = list(runs)
    archived: list[str] = []
    for start in range(0, len(names), SIZE):
        archived += move_round(repository, writer, {run_id: runs[run_id] for run_id in names[start : start + SIZE]})
    seal(repository, writer)
    return archived


def seal(repository: Git, writer: str) -> None:
    """Puts SEALS commits without runs on top of an archive. Raises GitFailed."""
    name = head = read_ref(repository, ARCHIVE + writer)
    count = 0
    with Objects(repository) as objects:
        while name and count < SEALS and not (commit := read_archive_commit(objects, name)).tips:
            name, count = commit.previous, count + 1
    top, loose = head, Loose(repository)
    for _ in range(SEALS - count if name else 0):
        top = write_archive_commit(loose, top, {}).id
    if top != head:
        if repository.durable:
            sync_to_disk(repository, loose.ids)
        # who moves it in between seals it too
        with suppress(StaleRun):
            ref_store(repository).apply([RefEdit(ARCHIVE + writer, top, head, "archive runs")])


def move_round(repository: Git, writer: str, runs: Mapping[str, str]) -> list[str]:
    """Moves the runs of one commit into the archive, as `move_to_archive` does."""
    for _ in range(TRIES):
        heads = archive_heads(repository)
        some = archivable(repository, runs)
        if not some:
            return []
        listed = archived_tips_of(repository, heads, some, writer) if writer in heads else {}
        # a process that was killed has listed some of them
        fresh = {run_id: tip for run_id, tip in some.items() if listed.get(run_id) != tip}
        edits = [RefEdit(RUNS + run_id, None, tip, "archive run") for run_id, tip in some.items()]
        if fresh:
            protect_moved(repository, some.values())
            edits.insert(0, append_commit(repository, writer, heads.get(writer), fresh))
        with suppress(StaleRun):
            ref_store(repository).apply(edits)
            return list(some)
    raise StaleRun("other processes keep changing the runs", "Try again")


def archivable(repository: Git, runs: Mapping[str, str]) -> dict[str, str]:
    """Returns those of the runs (id -> tip) that can be archived: at rest, with a ref there, and nowhere deleted."""
    here, hidden = refs_of_runs(repository, runs), tips(repository, TRASH).keys() | purged_ids(repository)
    some = {
        run_id: tip
        for run_id, tip in runs.items()
        if here.get(run_id) == tip and is_id(run_id) and run_id not in hidden and not is_live(repository.state, run_id)
    }
    missing = frozenset(missing_objects(repository, some.values()))
    return {run_id: tip for run_id, tip in some.items() if tip not in missing}


def append_commit(repository: Git, writer: str, head: str | None, tips: Mapping[str, str], gone: Iterable[str] = ()) -> RefEdit:
    """Writes one more commit of an archive to disk. Returns the move of its ref."""
    loose = Loose(repository)
    commit = write_archive_commit(loose, head, tips, gone)
    if repository.durable:
        sync_to_disk(repository, loose.ids)
    return RefEdit(ARCHIVE + writer, commit.id, head, "archive runs")


def record_gone(repository: Git, runs: Collection[str]) -> None:
    """Records deleted runs as gone in this repository's archives, if they list them. Raises GitFailed, StaleRun."""
    for writer in own_writers(repository).values():
        record_gone_in(repository, writer, runs)


def record_gone_in(repository: Git, writer: str, runs: Collection[str]) -> None:
    """Records deleted runs as gone in one archive, as `record_gone` does."""
    for _ in range(TRIES):
        heads = archive_heads(repository)
        gone = archived_tips_of(repository, heads, runs, writer).keys() if writer in heads else ()
        if not gone:
            return
        with suppress(StaleRun):
            ref_store(repository).apply([append_commit(repository, writer, heads[writer], {}, gone)])
            return
    raise StaleRun("other processes keep changing the archive", "Try again")


def remove_purged(repository: Git, runs: Collection[str]) -> None:
    """Writes this repository's archives again without these runs. Raises GitFailed, StaleRun."""
    for writer in own_writers(repository).values():
        remove_from(repository, writer, runs)


def remove_from(repository: Git, writer: str, runs: Collection[str]) -> None:
    """Writes one archive again without these runs, if it lists any. Raises GitFailed, StaleRun.

    The commits before the first one that lists any of them stay. The others are remembered as replaced: a push may replace
    them on a remote.
    """
    for _ in range(TRIES):
        head = read_ref(repository, ARCHIVE + writer)
        if head is None:
            return
        with Objects(repository) as objects:
            chain = read_archive(objects, head)
        dead = frozenset(runs) & {run_id for commit in chain for run_id in (*commit.tips, *commit.gone)}
        if not dead:
            return
        loose = Loose(repository)
        new = rewrite(loose, chain, dead)
        if repository.durable:
            sync_to_disk(repository, loose.ids)
        # first, so that a kill leaves no archive on a remote that nobody dares to replace
        record_replaced(repository, [commit.id for commit in chain])
        with suppress(StaleRun):
            ref_store(repository).apply([RefEdit(ARCHIVE + writer, new, head, "purge archived runs")])
            return
    raise StaleRun("other processes keep changing the archive", "Try again")


def rewrite(loose: Loose, chain: Iterable[ArchiveCommit], dead: Collection[str], previous: str | None = None) -> str | None:
    """Writes the commits of an archive that follow `previous`, oldest first, without the dead runs.

    Returns the last one; `previous` if nothing is left. Those that never had runs stay on top.
    """
    head = previous
    for commit in chain:
        tips = {run_id: tip for run_id, tip in commit.tips.items() if run_id not in dead}
        gone = [run_id for run_id in commit.gone if run_id not in dead]
        if commit.previous == head and len(tips) == len(commit.tips) and len(gone) == len(commit.gone):
            head = commit.id
        elif tips or gone or (head != previous and not commit.tips and not commit.gone):
            head = write_archive_commit(loose, head, tips, gone).id
    return head


def record_replaced(repository: Git, commits: Iterable[str]) -> None:
    """Records commits of this repository's archive that a purge has replaced. Raises GitFailed."""
    try:
        with (repository.state / "replaced").open("a") as file:
            file.write("".join(f"{commit}\n" for commit in commits))
    except OSError as error:
        raise GitFailed(f"cannot purge archived runs: {error.strerror or error}") from error


def replaced_commits(repository: Git) -> frozenset[str]:
    """Returns the commits of this repository's archive that purges have replaced."""
    with suppress(OSError):
        return frozenset(filter(is_id, (repository.state / "replaced").read_text(errors="replace").split()))
    return frozenset()
