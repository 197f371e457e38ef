"""The trash: deleted runs are whole under `refs/gitrun/trash/` until purged, with the time of deletion.

Deleting and restoring set the new ref before they delete the old one. A kill in between leaves a run in both places. Readers
ignore its trash ref, and `finish_interrupted_moves` deletes it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import RunIsRunning, StaleRun, UnknownRun
from gitrun.git.locks import acquire, make_shared_directory
from gitrun.git.objects import Objects
from gitrun.model.run import INDEX, RUNS, TRASH, BrokenRun, Run, is_id, short_id
from gitrun.model.run_names import find_by_name, find_id, parse_id_prefix
from gitrun.store import archive_writer
from gitrun.store.live import is_live
from gitrun.store.publication import protect_moved
from gitrun.store.refs import RefEdit, missing_objects, ref_store, refs_of_runs, tips
from gitrun.store.runs import read_runs, reader_of_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.store.index import Index

MANY = 200
"""Runs from which reading through libgit2 pays for its import."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Restored runs, and those left in the trash because a different state of the run exists."""

    back: tuple[str, ...]
    left: tuple[str, ...]


def deleted_tips(git: Git) -> dict[str, str]:
    """Returns the tip of every deleted run by id. Ignores leftovers of runs that exist."""
    there = tips(git, TRASH)
    # an archived run that is in the trash is deleted, so only refs count
    now = refs_of_runs(git, there)
    return {
        run_id: tip
        for run_id, tip in there.items()
        if is_id(run_id) and is_id(tip) and not has_ancestor(git, now.get(run_id), tip)
    }


def deleted_runs(git: Git) -> list[Run | BrokenRun]:
    """Reads the deleted runs, newest attempt first, unreadable ones last."""
    deleted = deleted_tips(git)
    if len(deleted) < MANY:
        with Objects(git) as objects:
            return read_runs(git, objects, deleted, frozenset())
    with reader_of_all(git) as reader:
        return read_runs(git, reader, deleted, frozenset())


def find_deleted(runs: Sequence[Run | BrokenRun], name: str) -> Run | BrokenRun:
    """Returns the deleted run that `name` means: by id, number in their list, operation or label. Raises UnknownRun.

    `runs` are sorted newest first.
    """
    ids = {run.id: run for run in runs}
    if (run_id := find_id(name, ids)) is not None:
        return ids[run_id]
    sound = [run for run in runs if isinstance(run, Run)]
    if INDEX.fullmatch(name) and len(name) < 10 and int(name) <= len(sound):
        return sound[int(name) - 1]
    try:
        return find_by_name(name, sound)
    except UnknownRun as error:
        if not error.message.startswith("no run"):
            raise
        raise UnknownRun(f"no deleted run '{name}'", "To list deleted runs: git run list --deleted") from error


def find_unreadable(index: Index, names: Iterable[str]) -> dict[str, BrokenRun]:
    """Maps those of the names that are ids of unreadable runs to these runs."""
    broken = {run.id: run for run in index.broken() if is_id(run.id) and is_id(run.tip)}
    if not broken:
        return {}
    candidates = {name: index.ids(parse_id_prefix(name)) for name in names if parse_id_prefix(name)}
    return {name: broken[ids[0]] for name, ids in candidates.items() if len(ids) == 1 and ids[0] in broken}


def has_ancestor(git: Git, tip: str | None, older: str) -> bool:
    """Returns whether `tip` is the commit `older` or a descendant of it."""
    # exit status 0 is yes, 1 is no, and 128 a missing commit
    return tip == older or (tip is not None and git.attempt("merge-base", "--is-ancestor", older, tip).returncode == 0)


def delete_runs(git: Git, runs: Mapping[str, str]) -> frozenset[str]:
    """Moves the runs (id -> expected tip) to the trash, all or none. Returns those whose commits are missing.

    The refs of those are only deleted. Raises RunIsRunning. Raises StaleRun if a run has changed, or another state of it is
    in the trash.
    """
    for run_id in runs:
        if is_live(git.state, run_id):
            raise RunIsRunning(f"cannot delete run {short_id(run_id)}: it is running", f"git run stop {short_id(run_id)}")
    there, lost = tips(git, TRASH), runs_without_tip(git, runs)
    fresh = {
        run_id: tip for run_id, tip in runs.items() if run_id not in lost and not has_ancestor(git, there.get(run_id), tip)
    }
    for run_id, tip in fresh.items():
        if run_id in there and not has_ancestor(git, tip, there[run_id]):
            raise StaleRun(
                f"another state of run {short_id(run_id)} is already in the trash",
                f"To delete that one for good: git run purge {short_id(run_id)}",
            )
    # the time first, so that a kill leaves no deleted run without one
    record_deletions(git, runs.keys() - lost)
    protect_moved(git, [tip for run_id, tip in runs.items() if run_id not in lost])
    refs = ref_store(git)
    refs.apply([RefEdit(TRASH + run_id, tip, there.get(run_id), "delete run") for run_id, tip in fresh.items()])
    refs.apply([RefEdit(RUNS + run_id, None, tip, "delete run") for run_id, tip in runs.items()])
    # last: who looks at the trash already does not find them in an archive
    archive_writer.record_gone(git, runs.keys())
    return lost


def runs_without_tip(git: Git, runs: Mapping[str, str]) -> frozenset[str]:
    """Returns the runs (id -> tip) whose last commit is missing: git sets no ref to a missing commit."""
    missing = frozenset(missing_objects(git, runs.values()))
    return frozenset(run_id for run_id, tip in runs.items() if tip in missing)


def restore_runs(git: Git, runs: Mapping[str, str]) -> Restored:
    """Moves deleted runs (id -> tip) back, except where a different run of that id exists. Raises StaleRun."""
    now = refs_of_runs(git, runs)
    changed = tuple(run_id for run_id, tip in runs.items() if run_id in now and not has_ancestor(git, now[run_id], tip))
    back = {run_id: tip for run_id, tip in runs.items() if run_id not in changed}
    refs = ref_store(git)
    # a killed restoration may have set some refs already
    refs.apply([RefEdit(RUNS + run_id, tip, None, "restore run") for run_id, tip in back.items() if run_id not in now])
    refs.apply([RefEdit(TRASH + run_id, None, tip, "restore run") for run_id, tip in back.items()])
    record_deletions(git, (), run_ids=back)
    return Restored(tuple(back), changed)


def forget_runs(git: Git, runs: Mapping[str, str]) -> None:
    """Deletes runs (id -> tip) from the trash for good. Raises StaleRun."""
    ref_store(git).apply([RefEdit(TRASH + run_id, None, tip, "purge run") for run_id, tip in runs.items()])
    record_deletions(git, (), run_ids=runs)


def finish_interrupted_moves(git: Git) -> None:
    """Completes killed deletions and restorations: deletes trash refs of runs that exist. Raises StaleRun."""
    there = tips(git, TRASH)
    if not there:
        return
    now = refs_of_runs(git, there)
    forget_runs(git, {run_id: tip for run_id, tip in there.items() if run_id in now and has_ancestor(git, now[run_id], tip)})
    archive_writer.record_gone(git, there.keys() - now.keys())


def deletion_times(git: Git) -> dict[str, float]:
    """Returns the recorded deletion time of deleted runs, in seconds since 1970."""
    with suppress(OSError):
        # <run id> 1700000000
        lines = (line.split() for line in deletion_times_file(git).read_text().splitlines())
        return {words[0]: float(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}
    return {}


def last_deletion(git: Git) -> frozenset[str]:
    """Returns the ids of the runs in the trash from the latest deletion."""
    there = deleted_tips(git).keys()
    times = {run_id: at for run_id, at in deletion_times(git).items() if run_id in there}
    latest = max(times.values(), default=0.0)
    return frozenset(run_id for run_id, at in times.items() if at == latest)


def record_unknown_deletions(git: Git) -> None:
    """Records deleted runs without a time as deleted now, such as those whose refs were copied here."""
    times = deletion_times(git)
    fresh = [run_id for run_id in deleted_tips(git) if run_id not in times]
    if fresh:
        record_deletions(git, fresh)


def record_deletions(git: Git, runs: Iterable[str], run_ids: Iterable[str] = ()) -> None:
    """Records `runs` as deleted now, and removes `run_ids` from the record."""
    left_out = frozenset(run_ids)

    def written(times: dict[str, float]) -> dict[str, float]:
        # a second of its own identifies each deletion
        now = max(float(int(time.time())), max(times.values(), default=0.0) + 1)
        return {run_id: at for run_id, at in times.items() if run_id not in left_out} | dict.fromkeys(runs, now)

    update_deletion_times(git, written)


def update_deletion_times(git: Git, change: Callable[[dict[str, float]], dict[str, float]]) -> None:
    """Changes the deletion times atomically, under a lock."""
    with suppress(OSError):  # if it cannot be written, the time in the trash counts from the next gc
        make_shared_directory(git.state)
        lock = acquire(deletion_times_file(git).with_name("trash.lock"))
        if lock:
            with lock:
                fresh = deletion_times_file(git).with_name("trash.new")
                fresh.write_text("".join(f"{run_id} {at:.0f}\n" for run_id, at in change(deletion_times(git)).items()))
                fresh.replace(deletion_times_file(git))


def deletion_times_file(git: Git) -> Path:
    """Returns the file of deletion times: a line with id and time for each deleted run."""
    return git.state / "trash"
