"""`git run gc`: finds and removes what no run needs.

`find_garbage` writes nothing, `collect_garbage` removes what it found. The user's data stays: reflogs do not expire and
objects are not pruned. Refs and objects are only packed.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.gc_lock import is_gc_running
from gitrun.git.lock_state import is_held
from gitrun.git.locks import acquire
from gitrun.model.run import PENDING, RUNNING, STAGED, TRASH, is_id
from gitrun.sharing import quarantine
from gitrun.store import archive_writer, purged, trash
from gitrun.store.live import is_live, recorded_runs
from gitrun.store.refs import count_loose_refs, pack_refs, run_places, tips
from gitrun.upkeep import archiving
from gitrun.upkeep.archiving import NEVER, ArchiveRules, runs_to_archive
from gitrun.workspace.erase import erase
from gitrun.workspace.slots import is_free
from gitrun.workspace.worktree_records import worktree_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Run


T = TypeVar("T")
FLAG_CACHE = "scripts"
"""Directory that caches the flags of scripts (source/flag_cache.py)."""
LITTLE = 1 << 20
"""Bytes of free space below which a disk counts as full."""
DAY = 86_400.0
IDLE = 30 * DAY
"""Seconds after which an unused slot is emptied."""
DEAD = DAY
"""Seconds after which files in `tmp/` belong to no running command."""
LOOSE_REFS = 500
"""Loose refs of runs above which they are packed. Thousands of them slow down every git command."""
LOOSE_OBJECTS, PACKS = 6_700, 50
"""Defaults of git's gc.auto and gc.autoPackLimit: loose objects and packs above which it packs them."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Rules for runs to delete; a run must match all given rules. Without rules, no run matches.

    `before` is in seconds since 1970 and compares with the creation of the last attempt. `keep` spares the newest runs of each
    operation. `statuses` limits deletion to runs with one of them.
    """

    before: float | None = None
    keep: int | None = None
    statuses: tuple[str, ...] = ()

    @property
    def keeps_all(self) -> bool:
        """Returns whether there are no rules."""
        return self == Retention()


@dataclass(frozen=True, slots=True)
class GcRules:
    """The rules of a cleanup: runs to keep, expiry of deleted runs, and whether to empty all idle slots.

    `expire` is in seconds since 1970; None keeps deleted runs for ever. `archive` says which runs lose their own refs.
    """

    retention: Retention = Retention()
    expire: float | None = None
    slots: bool = False
    archive: ArchiveRules = NEVER


@dataclass(frozen=True, slots=True)
class Garbage:
    """A file or directory of gitrun that is no longer needed, and its size in bytes."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class GcPlan:
    """The work found: runs to delete or archive, deleted runs (id -> tip) to purge, paths to remove, refs and objects to pack.

    `kept_size` is the size in bytes of the files kept outside git for the runs to purge.
    """

    runs: tuple[Run, ...] = ()
    archived: tuple[Run, ...] = ()
    purged: Mapping[str, str] | None = None
    kept_size: int = 0
    files: tuple[Garbage, ...] = ()
    slots: tuple[Garbage, ...] = ()
    leftovers: tuple[Garbage, ...] = ()
    loose_refs: int = 0
    loose_objects: int = 0
    packs: int = 0

    @property
    def size(self) -> int:
        """Returns the bytes that will be freed. Objects do not count: git's own gc removes them later."""
        return self.kept_size + sum(garbage.size for garbage in (*self.files, *self.slots, *self.leftovers))


def find_garbage(git: Git, runs: Iterable[Run], rules: GcRules, now: float) -> GcPlan:
    """Returns what is not needed of `runs`, given newest attempt first, and of gitrun's files."""
    purged = expired_runs(git, rules.expire, now)
    loose, packs = objects_to_pack(git)
    known = tuple(runs)
    old = tuple(runs_to_delete(known, rules.retention))
    deleted_ids = {run.id for run in old}
    return GcPlan(
        runs=old,
        archived=tuple(runs_to_archive(git, [run for run in known if run.id not in deleted_ids], rules.archive)),
        purged=purged,
        kept_size=sum(size_below(git.state / "files" / run_id) for run_id in purged),
        files=orphaned_files(git),
        slots=idle_slots(git, 0.0 if rules.slots else IDLE, now),
        leftovers=temporary_leftovers(git, now),
        loose_refs=refs_to_pack(git, len(old)),
        loose_objects=loose,
        packs=packs,
    )


def collect_garbage(git: Git, plan: GcPlan) -> None:
    """Removes and packs what `find_garbage` found. Raises GitrunError."""
    # first finish what killed deletions and transfers left behind
    trash.finish_interrupted_moves(git)
    quarantine.remove_stale_quarantines(git)
    trash.record_unknown_deletions(git)
    if plan.runs:
        trash.delete_runs(git, {run.id: run.tip for run in plan.runs})
    purge_runs(git, plan.purged or {})
    if plan.archived:
        archiving.archive_runs(git, plan.archived)
    for garbage in (*plan.files, *plan.leftovers):
        remove_path(garbage.path)
    for garbage in plan.slots:
        remove_slot(git, garbage.path)
    pack_repository(git, plan)


def purge_runs(git: Git, runs: Mapping[str, str]) -> None:
    """Removes the deleted runs (id -> tip) for good, with the files kept for them outside git."""
    if runs:
        # recorded first: after a kill, doctor still knows that the files of these runs may go
        purged.record_purged(git, runs)
        archive_writer.remove_purged(git, runs)
        trash.forget_runs(git, runs)
    for run_id in runs:
        remove_path(git.state / "files" / run_id)


def retry_with_room(git: Git, act: Callable[[], T]) -> T:
    """Returns the result of `act`, which needs a little disk space.

    On a full disk it removes caches and retries once: idle slots, the index of runs, the flags of scripts.
    """
    try:
        return act()
    except (GitFailed, OSError):
        if not (is_disk_full(git) and make_room(git)):
            raise
    return act()


def is_disk_full(git: Git) -> bool:
    """Returns whether the disk of the repository is full."""
    system = os.statvfs(git.common_dir)
    # not f_bfree, which includes the blocks reserved for root
    return system.f_bavail * system.f_frsize < LITTLE


def make_room(git: Git) -> bool:
    """Removes all caches, whatever their age. Returns whether there were any."""
    slots = idle_slots(git, 0.0, time.time())
    for garbage in slots:
        remove_slot(git, garbage.path)
    # SQLite keeps files such as index.sqlite-journal beside the index
    caches = [name for name in names_in(git.state) if name.startswith("index.sqlite") or name == FLAG_CACHE]
    for name in caches:
        remove_path(git.state / name)
    return bool(slots or caches)


def remove_path(path: Path) -> None:
    """Removes a path. Ignores what cannot be removed."""
    with suppress(OSError):
        erase(os.fsencode(path))


def expired_runs(git: Git, before: float | None, now: float) -> dict[str, str]:
    """Returns the deleted runs (id -> tip) that expired. A run without a time of deletion counts as deleted now."""
    if before is None:
        return {}
    times = trash.deletion_times(git)
    # git records whole seconds
    return {run_id: tip for run_id, tip in trash.deleted_tips(git).items() if int(times.get(run_id, now)) <= before}


def orphaned_files(git: Git) -> tuple[Garbage, ...]:
    """Returns the kept files of runs that are neither present nor in the trash nor running."""
    ids = [name for name in names_in(git.state / "files") if is_id(name)]
    if not ids:
        return ()
    places = run_places(git)
    run_ids = places.refs.keys() | places.archived_tips_of(ids).keys()
    run_ids |= tips(git, TRASH).keys() | set(recorded_runs(git.state))
    return tuple(measure_garbage(git.state / "files" / name) for name in ids if name not in run_ids)


def idle_slots(git: Git, age: float, now: float) -> tuple[Garbage, ...]:
    """Returns the slots that nobody has used for `age` seconds."""
    slots = [git.state / "slots" / name for name in names_in(git.state / "slots") if name.isdigit()]
    return tuple(
        measure_garbage(slot) for slot in slots if is_idle(git, slot) and now - modification_time(slot / "lock") >= age
    )


def is_idle(git: Git, slot: Path) -> bool:
    """Returns whether a slot is gitrun's, unlocked, and holds no run that waits for recovery."""
    return not is_held(slot / "lock") and is_free(git, slot, "")


def temporary_leftovers(git: Git, now: float) -> tuple[Garbage, ...]:
    """Returns what killed commands left in `tmp/`; nothing while a run is live, which may need its files there."""
    if any(is_live(git.state, run_id) for run_id in recorded_runs(git.state)):
        return ()
    paths = (git.state / "tmp" / name for name in names_in(git.state / "tmp"))
    return tuple(measure_garbage(path) for path in paths if now - modification_time(path) >= DEAD)


def remove_slot(git: Git, slot: Path) -> None:
    """Removes a slot and git's record of it, unless somebody uses it."""
    lock = acquire(slot / "lock", wait=0)
    if lock is None:
        return
    with lock:
        # asked again under the lock: a run may have used the slot since it was found
        if not is_free(git, slot, ""):
            return
        # after a kill here, doctor finds a slot without a record and removes the rest
        remove_path(worktree_record(git, slot))
        # the lock goes last, so that nobody takes over a half-removed slot
        for name in names_in(slot):
            if name != "lock":
                remove_path(slot / name)
        lock.path.unlink(missing_ok=True)
        with suppress(OSError):
            slot.rmdir()


def refs_to_pack(git: Git, deleted: int = 0) -> int:
    """Returns the number of loose refs of runs, with `deleted` more, if they should be packed; else 0."""
    count = deleted + count_loose_refs(git)
    return count if count >= LOOSE_REFS and git.is_enabled("gc.packrefs") and not is_gc_running(git) else 0


def objects_to_pack(git: Git) -> tuple[int, int]:
    """Returns the estimated numbers of loose objects and packs, each 0 if below git's limit.

    Estimates as `git gc --auto` does: from the files of one of the 256 directories of loose objects.
    """
    if is_gc_running(git):
        return 0, 0
    limit, packs_limit = number_setting(git, "gc.auto", LOOSE_OBJECTS), number_setting(git, "gc.autopacklimit", PACKS)
    store = git.common_dir / "objects"
    # git looks into the same directory, 17
    loose = 256 * sum(
        bool(re.fullmatch(f"[0-9a-f]{{{git.object_format.digits - 2}}}", name)) for name in names_in(store / "17")
    )
    packs = sum(name.endswith(".pack") for name in names_in(store / "pack"))
    # gc.auto=0 turns off both limits
    return loose if 0 < limit < loose else 0, packs if limit > 0 and 0 < packs_limit < packs else 0


def pack_repository(git: Git, plan: GcPlan) -> None:
    """Packs all refs and objects. Loses nothing, not even unreachable objects. Raises GitFailed."""
    if is_gc_running(git):
        return
    if plan.loose_refs:
        pack_refs(git)
    if plan.loose_objects or plan.packs:
        # git 2.39: --geometric ignores the packs of a partial clone
        whole = any(name.endswith(".promisor") or name == "extensions.partialclone" for name in git.config)
        # -l leaves out the objects of an alternate, which stay in its packs
        git.run("repack", "-d", "-l", "-q", *(() if whole else ("--geometric=2",)))


def number_setting(git: Git, name: str, default: int) -> int:
    """Returns a setting of git as a number, or the default."""
    text = git.config.get(name, ("",))[-1]
    return int(text) if text.isdigit() else default


def measure_garbage(path: Path) -> Garbage:
    """Returns the path with its size."""
    return Garbage(path, size_below(path))


def size_below(path: Path) -> int:
    """Returns the bytes of the files at and below a path, without following links. Unreadable ones count 0."""
    # os.walk of Python 3.11 exceeds the stack in directories nested 1,500 deep
    total, queue = 0, [os.fsencode(path)]
    while queue:
        directory = queue.pop()
        with suppress(OSError):
            if os.path.isdir(directory) and not os.path.islink(directory):
                queue += [entry.path for entry in os.scandir(directory)]
            else:
                total += os.lstat(directory).st_size
    return total


def names_in(path: Path) -> list[str]:
    """Returns the sorted names in a directory; empty if it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def modification_time(path: Path) -> float:
    """Returns the modification time of a file; 0 if it is missing."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def runs_to_delete(runs: Iterable[Run], retention: Retention) -> list[Run]:
    """Returns the runs to delete; `runs` are newest attempt first."""
    if retention.keeps_all:
        return []
    newer: Counter[str] = Counter()
    superfluous = []
    for run in runs:
        # counts runs that are kept for another reason, too
        newer[run.operation] += 1
        if not must_be_kept(run, retention.statuses) and matches_rules(run, newer[run.operation], retention):
            superfluous.append(run)
    return superfluous


def must_be_kept(run: Run, statuses: tuple[str, ...]) -> bool:
    """Returns whether a run must be kept: it is marked, labelled, running, staged or pending.

    Staged and pending runs may be deleted if `statuses` names their status.
    """
    waits = run.status == RUNNING or (run.status in {STAGED, PENDING} and run.status not in statuses)
    return run.notes.marked or bool(run.notes.label) or waits


def matches_rules(run: Run, rank: int, retention: Retention) -> bool:
    """Returns whether a run matches all rules; `rank` is its rank among its operation's runs, 1 for the newest."""
    return (
        (retention.before is None or run.attempt.created.timestamp() < retention.before)
        and (retention.keep is None or rank > retention.keep)
        and (not retention.statuses or run.status in retention.statuses)
    )
