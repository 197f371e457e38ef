"""Reads and moves the refs of runs. A ref moves only from its expected tip, after its objects are on disk."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed, ObjectsGone, StaleRun
from gitrun.git.exe import NO_ID, failure_reason
from gitrun.git.gc_lock import is_gc_running
from gitrun.git.objects import fsync
from gitrun.model.run import EMPTY_TREE, RUNS, is_id, run_ref, short_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object, Objects

FORGOTTEN = 60.0
"""Seconds after which the lock file of a run's ref counts as stale."""
BUSY = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds between tries while another process, such as a gc that packs refs, holds a ref's lock."""


@dataclass(frozen=True, slots=True)
class Move:
    """The move of a run's ref from commit `expected` to commit `new`."""

    run: str
    new: str
    expected: str


def tips(git: Git, under: str = RUNS) -> dict[str, str]:
    """Returns the tip of each run's ref by run id; `ref: <target>` for a symbolic ref. `under` = TRASH: deleted runs."""
    # the default format fails if one ref dangles
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname) %(symref)", under).decode(errors="surrogateescape")
    found = (line.split(" ", 2) for line in lines.splitlines())
    return {name.removeprefix(under): f"ref: {leads}" if leads else tip for tip, name, leads in found}


def broken_refs(git: Git) -> frozenset[str]:
    """Returns the runs whose loose ref is malformed. Git skips them with a warning."""
    return frozenset(path.name for path in (git.common_dir / RUNS).glob("*") if is_id(path.name) and not is_ref(path))


def is_ref(path: Path) -> bool:
    """Returns whether a ref's file holds an id or a symbolic ref. A file that is gone is not broken."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return data.startswith(b"ref: ") or is_id(data.rstrip().decode(errors="replace"))


def mend_ref(git: Git, run: str, tip: str) -> None:
    """Removes the run's broken ref file, and sets the ref to `tip` unless that is empty. Raises StaleRun, GitFailed."""
    path = git.common_dir / run_ref(run)
    if is_ref(path):
        return
    path.unlink(missing_ok=True)
    now = read_ref(git, run_ref(run))  # a packed ref may be left
    if tip and tip != now:
        set_ref(git, run_ref(run), tip, now)


def tip_of(git: Git, run: str) -> str | None:
    """Returns the commit that the run's ref points to; None if there is no such run."""
    return read_ref(git, run_ref(run))


def read_ref(git: Git, ref: str) -> str | None:
    """Returns the object that the ref points to; None if there is no such ref."""
    return git.attempt("rev-parse", "--verify", "--quiet", ref).stdout.decode().strip() or None


def publish(git: Git, objects: Objects, run: str, new: str, old: tuple[str | None, str | None]) -> None:
    """Moves a run's ref to commit `new`. `old` is its expected tip (None: it does not exist) and a known ancestor.

    Afterwards all objects of `new` are in the repository and safe from a running gc. Raises StaleRun if the ref was
    elsewhere. Raises ObjectsGone, with the ref moved, if a gc removed objects first.
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
    """Moves the refs of many runs in one transaction, each as `publish` does. `needed` lists all new objects.

    Raises StaleRun if one ref was elsewhere; none has moved. Raises ObjectsGone, with the refs moved, if a gc removed
    objects first.
    """
    if git.durable:
        harden(git, needed)
    lines = (f"update {run_ref(move.run)}\0{move.new}\0{move.expected}\0" for move in moves)
    done = git.attempt("update-ref", "--no-deref", "-z", "--stdin", stdin="".join(lines).encode(), hooks=True)
    if done.returncode:
        raise StaleRun(f"one of {len(moves)} runs was changed by somebody else: {failure_reason(done.stderr)}", "try again")
    if git.durable:  # git synced the refs' contents; this syncs their names
        fsync(git.common_dir / RUNS)
    for move in moves if is_gc_running(git) else ():
        shield(git, move.new, move.expected)
    gone = absent(objects, needed)
    if gone:
        raise ObjectsGone(f"git gc took away {len(gone)} objects while they were written, {gone[0]} first", "try again")


def set_ref(git: Git, ref: str, new: str, expected: str | None) -> None:
    """Moves the ref from `expected` (None: it does not exist) to `new`. Raises StaleRun, ObjectsGone, GitFailed.

    Reads the ref again after an error: git reports one if its last fsync fails, although the ref has moved.
    """
    for wait in (*BUSY, None):
        done = git.attempt("update-ref", "--no-deref", ref, new, expected or NO_ID, hooks=True)
        now = read_ref(git, ref) if done.returncode else new
        if now == new:
            break
        if now != expected:
            raise StaleRun(f"run {short_id(ref.removeprefix(RUNS))} was changed by somebody else", "try again")
        # git reports a missing object and a held lock alike
        if git.attempt("cat-file", "-e", new).returncode:
            raise ObjectsGone(f"git gc took away {new} before its ref was set", "try again")
        if wait is None:
            raise GitFailed(
                f"the ref of run {short_id(ref.removeprefix(RUNS))} cannot be written: {failure_reason(done.stderr)}"
            )
        break_lock(git.common_dir / f"{ref}.lock")
        time.sleep(wait)
    if git.durable:
        fsync(git.common_dir / ref)
        fsync((git.common_dir / ref).parent)


def break_lock(path: Path) -> None:
    """Removes the lock of a run's ref that a killed git left. No living git holds one for FORGOTTEN seconds."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > FORGOTTEN:
            path.unlink()


def delete_ref(git: Git, ref: str, expected: str) -> None:
    """Deletes the ref if it is at `expected`. Raises StaleRun."""
    done = git.attempt("update-ref", "--no-deref", "-d", ref, expected, hooks=True)
    if done.returncode and read_ref(git, ref) is not None:
        raise StaleRun(f"run {short_id(ref.removeprefix(RUNS))} was changed by somebody else", "try again")


def needs(git: Git, objects: Objects, new: str, known: str | None) -> list[str]:
    """Returns the objects of commit `new` that the tree of `known` (None: empty) lacks. Raises ObjectsGone."""
    done = git.attempt("diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", known or EMPTY_TREE, new)
    (top,) = objects.infos([f"{new}^{{tree}}".encode()])
    if done.returncode or top is None:
        raise ObjectsGone(f"an object of a new commit is missing: {failure_reason(done.stderr)}", "try again")
    fields = (line.split(b" ") for line in done.stdout.split(b"\0")[:-1:2])
    ids = {words[3].decode() for words in fields if words[1] not in {b"000000", b"160000"}}
    return [new, top.id, *sorted(ids)]


def harden(git: Git, names: Sequence[str]) -> None:
    """Syncs the directory entries of these loose objects. Git has synced their contents (core.fsync)."""
    store = git.common_dir / "objects"
    for start in sorted({name[:2] for name in names}):
        fsync(store / start)
    fsync(store)


def shield(git: Git, new: str, known: str | None) -> None:
    """Packs what `new` needs if a gc is running. Git keeps packs younger than the gc's scan of refs."""
    if is_gc_running(git):
        asked = f"{new}\n" + (f"^{known}\n" if known else "")
        git.attempt("pack-objects", "--revs", "-q", str(git.common_dir / "objects" / "pack" / "pack"), stdin=asked.encode())


def absent(objects: Objects, names: Sequence[str]) -> list[str]:
    """Returns the objects that are not in the repository."""
    found: list[Object | None] = []
    for start in range(0, len(names), 100):
        found += objects.infos([name.encode() for name in names[start : start + 100]])
    return [name for name, info in zip(names, found, strict=True) if info is None]


def stamp(git: Git) -> tuple[str, float]:
    """Returns a token that changes with every ref change, and the time of the latest one.

    Loose refs are renamed into `refs/runs`, which changes that directory; packed ones change `packed-refs`. The ctime also
    reveals a write in place whose mtime was set back.
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
