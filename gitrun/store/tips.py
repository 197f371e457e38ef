"""The tips of runs: where each run's ref is, and how it moves: from where it was expected, after all it needs is on disk."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed, ObjectsGone, StaleRun
from gitrun.git.exe import NO_ID, last_words
from gitrun.git.objects import fsync
from gitrun.model.refs import EMPTY_TREE, RUNS, is_id, run_ref, short
from gitrun.store.collecting import is_collecting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object, Objects

FORGOTTEN = 60.0
"""Seconds after which the lock of a run's ref is nobody's any more."""
BUSY = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds between tries while somebody, a gc that packs refs, say, holds the lock of a ref."""


@dataclass(frozen=True, slots=True)
class Move:
    """A run whose ref goes from one commit to another."""

    run: str
    new: str
    expected: str


def tips(git: Git, under: str = RUNS) -> dict[str, str]:
    """The commit that each run's ref points to, by the name of the run; of a symbolic ref `ref: ` and where it leads.

    With `under` = TRASH these are the deleted runs.
    """
    # one dangling ref makes the default format fail
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname) %(symref)", under).decode(errors="surrogateescape")
    found = (line.split(" ", 2) for line in lines.splitlines())
    return {name.removeprefix(under): f"ref: {leads}" if leads else tip for tip, name, leads in found}


def broken_refs(git: Git) -> frozenset[str]:
    """The runs whose ref is a file that git cannot read as one; git passes over them with a warning."""
    return frozenset(path.name for path in (git.common_dir / RUNS).glob("*") if is_id(path.name) and not is_ref(path))


def is_ref(path: Path) -> bool:
    """Whether the file of a ref holds an id, or the name of another ref; one that is gone by now is no broken one."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return data.startswith(b"ref: ") or is_id(data.rstrip().decode(errors="replace"))


def mend_ref(git: Git, run: str, tip: str) -> None:
    """Takes the run's broken ref away, and puts it at `tip`, unless that is empty. Raises StaleRun, GitFailed."""
    path = git.common_dir / run_ref(run)
    if is_ref(path):
        return
    path.unlink(missing_ok=True)
    now = read_ref(git, run_ref(run))  # it may have been packed before
    if tip and tip != now:
        set_ref(git, run_ref(run), tip, now)


def tip_of(git: Git, run: str) -> str | None:
    """The commit that the run's ref points to now."""
    return read_ref(git, run_ref(run))


def read_ref(git: Git, ref: str) -> str | None:
    """The object that the ref points to now; None if there is no such ref."""
    return git.attempt("rev-parse", "--verify", "--quiet", ref).stdout.decode().strip() or None


def publish(git: Git, objects: Objects, run: str, new: str, old: tuple[str | None, str | None]) -> None:
    """Moves the run's ref to commit `new`; `old` is where it must be now (None: nowhere) and a commit that new builds on.

    Afterwards all that `new` needs is in the repository and stays there, also if a gc is under way. Raises StaleRun if
    the ref was elsewhere; ObjectsGone, with the ref moved, if a gc was quicker than we.
    """
    expected, known = old
    needed = needs(git, objects, new, known)
    if git.durable:
        harden(git, needed)
    set_ref(git, run_ref(run), new, expected)
    shield(git, new, known)
    gone = absent(objects, needed)
    if gone:
        raise ObjectsGone(f"git gc took away {len(gone)} objects while they were written, {gone[0]} first", "try again")


def publish_many(git: Git, objects: Objects, moves: Sequence[Move], needed: Sequence[str]) -> None:
    """Moves many runs' refs at once, or none: each as `publish` does. `needed` are all objects that the moves brought.

    Raises StaleRun if one ref was not where it was expected, ObjectsGone, with the refs moved, if a gc was quicker than we.
    """
    if git.durable:
        harden(git, needed)
    lines = (f"update {run_ref(move.run)}\0{move.new}\0{move.expected}\0" for move in moves)
    done = git.attempt("update-ref", "--no-deref", "-z", "--stdin", stdin="".join(lines).encode(), hooks=True)
    if done.returncode:
        raise StaleRun(f"one of {len(moves)} runs was changed by somebody else: {last_words(done.stderr)}", "try again")
    if git.durable:  # what is in them git has synced
        fsync(git.common_dir / RUNS)
    for move in moves if is_collecting(git) else ():
        shield(git, move.new, move.expected)
    gone = absent(objects, needed)
    if gone:
        raise ObjectsGone(f"git gc took away {len(gone)} objects while they were written, {gone[0]} first", "try again")


def set_ref(git: Git, ref: str, new: str, expected: str | None) -> None:
    """Moves the ref from `expected` (None: must not exist) to `new`. Raises StaleRun if it is elsewhere; GitFailed.

    After an error the ref is read again: a failed last fsync is an error although the ref is there.
    """
    for wait in (*BUSY, None):
        done = git.attempt("update-ref", "--no-deref", ref, new, expected or NO_ID, hooks=True)
        now = read_ref(git, ref) if done.returncode else new
        if now == new:
            break
        if now != expected:
            raise StaleRun(f"run {short(ref.removeprefix(RUNS))} was changed by somebody else", "try again")
        if git.attempt("cat-file", "-e", new).returncode:
            raise ObjectsGone(f"git gc took away {new} before its ref was set", "try again")
        if wait is None:
            raise GitFailed(f"the ref of run {short(ref.removeprefix(RUNS))} cannot be written: {last_words(done.stderr)}")
        break_lock(git.common_dir / f"{ref}.lock")
        time.sleep(wait)
    if git.durable:
        fsync(git.common_dir / ref)
        fsync((git.common_dir / ref).parent)


def break_lock(path: Path) -> None:
    """Takes away the lock of a run's ref that a killed git has left: no living one holds it for so long."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > FORGOTTEN:
            path.unlink()


def delete_ref(git: Git, ref: str, expected: str) -> None:
    """Takes the ref away, if it is where it is expected. Raises StaleRun."""
    done = git.attempt("update-ref", "--no-deref", "-d", ref, expected, hooks=True)
    if done.returncode and read_ref(git, ref) is not None:
        raise StaleRun(f"run {short(ref.removeprefix(RUNS))} was changed by somebody else", "try again")


def needs(git: Git, objects: Objects, new: str, known: str | None) -> list[str]:
    """The objects of commit `new` that are not in the tree of commit `known` (None: all). Raises ObjectsGone."""
    done = git.attempt("diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", known or EMPTY_TREE, new)
    (top,) = objects.infos([f"{new}^{{tree}}".encode()])
    if done.returncode or top is None:
        raise ObjectsGone(f"an object of a new commit is missing: {last_words(done.stderr)}", "try again")
    fields = (line.split(b" ") for line in done.stdout.split(b"\0")[:-1:2])
    ids = {words[3].decode() for words in fields if words[1] not in {b"000000", b"160000"}}
    return [new, top.id, *sorted(ids)]


def harden(git: Git, names: Sequence[str]) -> None:
    """The names of these objects are on the disk; their content is, for git writes it so (core.fsync)."""
    store = git.common_dir / "objects"
    for start in sorted({name[:2] for name in names}):
        fsync(store / start)
    fsync(store)


def shield(git: Git, new: str, known: str | None) -> None:
    """Keeps what `new` needs from a gc that looked before its ref was set: it spares what is in a pack made since."""
    if is_collecting(git):
        asked = f"{new}\n" + (f"^{known}\n" if known else "")
        git.attempt("pack-objects", "--revs", "-q", str(git.common_dir / "objects" / "pack" / "pack"), stdin=asked.encode())


def absent(objects: Objects, names: Sequence[str]) -> list[str]:
    """Those of the objects that are not in the repository."""
    found: list[Object | None] = []
    for start in range(0, len(names), 100):
        found += objects.infos([name.encode() for name in names[start : start + 100]])
    return [name for name, info in zip(names, found, strict=True) if info is None]


def stamp(git: Git) -> tuple[str, float]:
    """What is another text when a run's ref has changed, and the time of the last change as the file system tells it.

    A loose ref is written by a rename within `refs/runs`, a packed one by a rename of `packed-refs`;
    who writes that in place, and sets its time back, changes its ctime.
    """
    found, latest = [], 0.0
    for place in (git.common_dir / "packed-refs", git.common_dir / RUNS):
        try:
            status = place.stat()
        except FileNotFoundError:
            found.append("-")
            continue
        found.append(f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}")
        latest = max(latest, status.st_mtime)
    return " ".join(found), latest
