"""Keeping house: what of gitrun's own is not needed any more, how much it is, and how it goes.

Looking (`survey`) writes nothing; `sweep` does what was found. What is the user's stays: no reflog expires and no object
is pruned; refs and objects are only packed.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gitrun.engine.erasing import erase
from gitrun.engine.worktree import is_free, record_of
from gitrun.errors import GitFailed
from gitrun.model.refs import RUNS, TRASH, is_id
from gitrun.model.retention import Retention, superfluous
from gitrun.store import incoming, trash
from gitrun.store.collecting import is_collecting
from gitrun.store.live import is_live, recorded
from gitrun.store.locks import acquire, is_held
from gitrun.store.tips import tips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Run

T = TypeVar("T")
DECLARED = "scripts"
"""Where what is known of scripts is kept (engine/declared.py)."""
LITTLE = 1 << 20
"""Bytes of room below which a disk is full."""
DAY = 86_400.0
IDLE = 30 * DAY
"""Seconds after which a slot that nobody used is emptied."""
DEAD = DAY
"""Seconds after which what lies in `tmp/` is nobody's."""
LOOSE_REFS = 500
"""Loose refs of runs from which on they are packed: thousands make everything slow."""
LOOSE_OBJECTS, PACKS = 6_700, 50
"""Loose objects and packs from which on git itself, by default, packs them (gc.auto, gc.autoPackLimit)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which runs are kept, until when (seconds since 1970; None: for ever) deleted ones are, and whether all idle slots go."""

    retention: Retention = Retention()  # noqa: RUF009 - it is frozen
    expire: float | None = None
    slots: bool = False


@dataclass(frozen=True, slots=True)
class Pile:
    """A directory or file of ours that is not needed any more, and its size in bytes."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What there is to do: runs to delete, deleted ones (id -> tip) to purge, piles to remove, what to pack.

    `held` is the size in bytes of the files beside the repository that the purged runs have.
    """

    runs: tuple[Run, ...] = ()
    purged: Mapping[str, str] | None = None
    held: int = 0
    files: tuple[Pile, ...] = ()
    slots: tuple[Pile, ...] = ()
    leftovers: tuple[Pile, ...] = ()
    loose_refs: int = 0
    loose_objects: int = 0
    packs: int = 0

    @property
    def size(self) -> int:
        """Bytes that will be free, as far as that is known: objects go with git's own gc."""
        return self.held + sum(pile.size for pile in (*self.files, *self.slots, *self.leftovers))


def survey(git: Git, runs: Iterable[Run], rules: Rules, now: float) -> Sweep:
    """What is not needed of `runs`, newest attempt first, and of what lies beside them."""
    purged = expired(git, rules.expire, now)
    loose, packs = loose_objects(git)
    old = tuple(superfluous(runs, rules.retention))
    return Sweep(
        runs=old,
        purged=purged,
        held=sum(size_of(git.state / "files" / run) for run in purged),
        files=orphans(git),
        slots=idle_slots(git, 0.0 if rules.slots else IDLE, now),
        leftovers=leftovers(git, now),
        loose_refs=loose_refs(git, len(old)),
        loose_objects=loose,
        packs=packs,
    )


def sweep(git: Git, found: Sweep) -> None:
    """Does what was found. Raises GitrunError."""
    trash.settle(git)
    incoming.sweep(git)
    trash.note_unknown(git)
    if found.runs:
        trash.throw_away(git, {run.id: run.tip for run in found.runs})
    purge(git, found.purged or {})
    for pile in (*found.files, *found.leftovers):
        remove(pile.path)
    for pile in found.slots:
        empty(git, pile.path)
    pack(git, found)


def purge(git: Git, runs: Mapping[str, str]) -> None:
    """Takes the deleted runs (id -> tip) away for good, with the files that are kept beside the repository."""
    if runs:
        trash.note_purged(git, runs)
        trash.forget(git, runs)
    for run in runs:
        remove(git.state / "files" / run)


def with_room(git: Git, act: Callable[[], T]) -> T:
    """What `act` returns, which needs a little room on the disk.

    On a full disk what can be made again is removed first: idle slots, the index of runs, what is known of scripts.
    """
    try:
        return act()
    except (GitFailed, OSError):
        if not (is_full(git) and make_room(git)):
            raise
    return act()


def is_full(git: Git) -> bool:
    """Whether there is next to no room where the repository lies."""
    system = os.statvfs(git.common_dir)
    return system.f_bavail * system.f_frsize < LITTLE


def make_room(git: Git) -> bool:
    """Removes what can be made again, whatever its age; whether there was anything."""
    slots = idle_slots(git, 0.0, time.time())
    for pile in slots:
        empty(git, pile.path)
    caches = [name for name in names_in(git.state) if name.startswith("index.sqlite") or name == DECLARED]
    for name in caches:
        remove(git.state / name)
    return bool(slots or caches)


def remove(path: Path) -> None:
    """Takes away what lies there, as far as we may."""
    with suppress(OSError):
        erase(os.fsencode(path))


def expired(git: Git, before: float | None, now: float) -> dict[str, str]:
    """The deleted runs (id -> tip) whose time in the trash is over; that of which no time is known begins now."""
    if before is None:
        return {}
    known = trash.deleted_at(git)
    return {
        run: tip for run, tip in trash.deleted(git).items() if int(known.get(run, now)) <= before
    }  # git tells whole seconds


def orphans(git: Git) -> tuple[Pile, ...]:
    """The kept files of runs that are neither there nor in the trash."""
    found = [name for name in names_in(git.state / "files") if is_id(name)]
    if not found:
        return ()
    known = tips(git).keys() | tips(git, TRASH).keys() | set(recorded(git.state))
    return tuple(pile(git.state / "files" / name) for name in found if name not in known)


def idle_slots(git: Git, age: float, now: float) -> tuple[Pile, ...]:
    """The slots that nobody has used for so many seconds."""
    slots = [git.state / "slots" / name for name in names_in(git.state / "slots") if name.isdigit()]
    return tuple(pile(slot) for slot in slots if is_idle(git, slot) and now - time_of(slot / "state") >= age)


def is_idle(git: Git, slot: Path) -> bool:
    """Whether a slot is ours and nobody works in it, nor has died in it and is waited for."""
    return not is_held(slot / "lock") and is_free(git, slot, "")


def leftovers(git: Git, now: float) -> tuple[Pile, ...]:
    """What killed commands left in `tmp/`; nothing while a run may still need its part of it."""
    if any(is_live(git.state, run) for run in recorded(git.state)):
        return ()
    paths = (git.state / "tmp" / name for name in names_in(git.state / "tmp"))
    return tuple(pile(path) for path in paths if now - time_of(path) >= DEAD)


def empty(git: Git, slot: Path) -> None:
    """Takes a slot away with git's record of it, unless somebody has come for it; its lock goes last."""
    lock = acquire(slot / "lock", wait=0)
    if lock is None:
        return
    with lock:
        if not is_free(git, slot, ""):
            return
        remove(record_of(git, slot))
        for name in names_in(slot):
            if name != "lock":
                remove(slot / name)
        lock.path.unlink(missing_ok=True)
        with suppress(OSError):
            slot.rmdir()


def loose_refs(git: Git, deleted: int = 0) -> int:
    """How many refs of runs are to be packed, with those of the runs that are to be `deleted`; 0 if they are few."""
    count = deleted + sum(len(names_in(git.common_dir / place)) for place in (RUNS, TRASH))
    return count if count >= LOOSE_REFS and wanted(git, "gc.packrefs") and not is_collecting(git) else 0


def loose_objects(git: Git) -> tuple[int, int]:
    """About how many loose objects and how many packs there are to be packed; 0 if they are few.

    Both are judged as `git gc --auto` does: by the files of one of 256 directories.
    """
    if is_collecting(git):
        return 0, 0
    limit, packs_limit = number(git, "gc.auto", LOOSE_OBJECTS), number(git, "gc.autopacklimit", PACKS)
    store = git.common_dir / "objects"
    loose = 256 * sum(bool(re.fullmatch("[0-9a-f]{38}", name)) for name in names_in(store / "17"))
    packs = sum(name.endswith(".pack") for name in names_in(store / "pack"))
    return loose if 0 < limit < loose else 0, packs if limit > 0 and 0 < packs_limit < packs else 0


def pack(git: Git, found: Sweep) -> None:
    """Packs refs and objects, all that there are: nothing is lost, also what no ref leads to. Raises GitFailed."""
    if is_collecting(git):
        return
    if found.loose_refs:
        git.run("pack-refs", "--all")
    if found.loose_objects or found.packs:
        # git 2.39: --geometric does not know the packs of a partial clone
        whole = any(name.endswith(".promisor") or name == "extensions.partialclone" for name in git.config)
        git.run("repack", "-d", "-l", "-q", *(() if whole else ("--geometric=2",)))


def wanted(git: Git, name: str) -> bool:
    """Whether git's setting is not false."""
    return git.config.get(name, ("true",))[-1].lower() not in {"false", "no", "off", "0"}


def number(git: Git, name: str, default: int) -> int:
    """Git's setting as a number."""
    text = git.config.get(name, ("",))[-1]
    return int(text) if text.isdigit() else default


def pile(path: Path) -> Pile:
    """What lies there, with its size."""
    return Pile(path, size_of(path))


def size_of(path: Path) -> int:
    """The bytes of the files at and below a path, as far as we may look; never through a link."""
    total, queue = 0, [os.fsencode(path)]
    while queue:
        place = queue.pop()
        with suppress(OSError):
            if os.path.isdir(place) and not os.path.islink(place):
                queue += [entry.path for entry in os.scandir(place)]
            else:
                total += os.lstat(place).st_size
    return total


def names_in(path: Path) -> list[str]:
    """The names in a directory; none if there is none."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def time_of(path: Path) -> float:
    """When the file was written; long ago if there is none."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0
