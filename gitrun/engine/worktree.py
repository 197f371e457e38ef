"""Slots: the pool of linked worktrees in which programs run, reused so that only what differs is written.

`slots/<n>/` holds `tree/<name>`, the worktree, named as the user's own is; `index`, which programs never see; `state`; and
`lock`. Git's record of it is `worktrees/gitrun-<n>`. A program may leave anything in its slot: each lease brings tree and
record back to what they must be, and a slot with which that fails is made anew.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun.engine.links import CACHES, prune
from gitrun.errors import GitFailed
from gitrun.store.live import directory_of
from gitrun.store.locks import acquire, is_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from gitrun.engine.snapshot import Seen
    from gitrun.git.exe import Git
    from gitrun.store.locks import Lock

TREE = "tree"
TAG = re.compile(rb"\.(?:cpython|pypy|graalpy)")
KEPT_IN_RECORD = frozenset({"HEAD", "commondir", "gitdir", "info"})
KEEP_CACHES = tuple(word for name in sorted(CACHES) for word in ("-e", os.fsdecode(name)))
# a slot has no watcher of its own, keeps no reflog (it would keep deleted runs), leaves submodules to their links, and
# its index is one file
STEADY = {
    "core.fsmonitor": "false",
    "core.logallrefupdates": "false",
    "core.splitindex": "false",
    "submodule.recurse": "false",
}


@dataclass(frozen=True, slots=True)
class State:
    """The attempt a slot was made ready for, its run while that has the slot, and the caches it left (None: not known)."""

    attempt: str = ""
    run: str = ""
    caches: tuple[str, ...] | None = None


class Slot:
    """A leased slot; to be used in a `with`. `tree` is the worktree, `git` the repository seen from it."""

    def __init__(self, git: Git, directory: Path, lock: Lock) -> None:
        self.directory = directory
        self.tree = directory / TREE / ((git.worktree or git.common_dir).name or TREE)
        self.git = replace(seen_from(git, self.tree), held=(lock.descriptor,))
        self._lock = lock

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    @property
    def is_ours(self) -> bool:
        """Whether the slot is still the one that was leased: somebody may have removed it, and another run made it again."""
        return is_at(self._lock.descriptor, self._lock.path)

    def save(self, state: State) -> int:
        """Writes the state down, all of it or nothing; when that was, by the file system's clock, in nanoseconds."""
        fresh = self.directory / "state.new"
        fresh.write_text(json.dumps({name: getattr(state, name) for name in State.__slots__}))
        fresh.replace(self.directory / "state")
        return (self.directory / "state").stat().st_mtime_ns

    def end(self, attempt: str, seen: Seen) -> None:
        """The attempt is over in an orderly way: its caches may stay for the next one."""
        self.save(State(attempt, caches=tuple(map(os.fsdecode, caches_in((*seen.untracked, *seen.ignored))))))


def directory_of_slot(tree: Path) -> Path:
    """The slot's directory, by its worktree."""
    return tree.parent.parent


def record_of(git: Git, directory: Path) -> Path:
    """Git's own record of the slot's worktree."""
    return git.common_dir / "worktrees" / f"gitrun-{directory.name}"


def read_state(directory: Path) -> State:
    """A slot's state; that of an unknown one if it does not read."""
    try:
        found = State(**json.loads((directory / "state").read_bytes()))
        return State(found.attempt, found.run, None if found.caches is None else tuple(found.caches))
    except (OSError, ValueError, TypeError):
        return State()


def lease(git: Git, attempt: str, run: str) -> Slot:
    """The first slot that is free, with `attempt` checked out and nothing else in it but caches. Raises GitFailed, OSError."""
    for number in itertools.count():
        directory = git.state / "slots" / str(number)
        lock = acquire(directory / "lock", wait=0)
        if lock is None:
            continue
        try:
            if is_free(git, directory, run):
                return check_out(git, directory, State(attempt, run), lock)
        except BaseException:
            lock.release()
            raise
        lock.release()
    raise GitFailed("there is no slot")


def is_free(git: Git, directory: Path, run: str) -> bool:
    """Whether a slot that is ours is nobody else's.

    A killed run's slot is kept until the next command has looked for what the run left. A worktree of the user may have
    the name of ours.
    """
    left = read_state(directory).run
    if left and left != run and directory_of(git.state, left).exists():
        return False
    try:
        back = (record_of(git, directory) / "gitdir").read_bytes()
    except OSError:
        return True
    return f"/slots/{directory.name}/{TREE}/".encode() in back


def check_out(git: Git, directory: Path, state: State, lock: Lock) -> Slot:
    """The slot with the attempt of `state` checked out; only files that differ are written."""
    slot = Slot(git, directory, lock)
    with suppress(GitFailed, OSError):
        refresh(slot, state, read_state(directory).caches)
        return slot
    # what a program left there was too much for git
    erase(os.fsencode(directory / TREE))
    (directory / "index").unlink(missing_ok=True)
    refresh(slot, state, None)
    return slot


def refresh(slot: Slot, state: State, caches: tuple[str, ...] | None) -> None:
    """Brings the slot to what `state` says. Raises GitFailed, OSError."""
    # from here on a kill leaves a slot whose caches nobody knows
    since = slot.save(state)
    settle(slot.tree)
    (slot.directory / "index.lock").unlink(missing_ok=True)
    point(slot.git, state.attempt)
    if not is_sparse(slot.git) and sparse_patterns(slot.git).exists():  # git would not write what it once left out
        sparse_patterns(slot.git).unlink()
        (slot.directory / "index").unlink(missing_ok=True)
    for path in unknown_to_git(os.fsencode(slot.tree), frozenset(map(os.fsencode, caches or ()))):
        erase(path)
    # a quarter cheaper than `read-tree --reset -u`; HEAD is there already
    slot.git.run("checkout", "--quiet", "--force", "--detach", state.attempt, "--")
    if is_sparse(slot.git):
        reveal(slot.git, state.attempt)
    slot.git.run("clean", "-ffdxq", *(KEEP_CACHES if caches is not None else ()))
    # the deepest first: a directory that disappears may leave a cache above it alone
    for cache in sorted(map(os.fsencode, caches or ()), key=lambda path: -path.count(b"/")):
        weed(os.path.realpath(os.fsencode(slot.tree)), cache, since)
    # a copy, with its time: git takes a file for unchanged only if it is older than the index
    shutil.copy2(slot.directory / "index", slot.git.git_dir / "index")


def settle(tree: Path) -> None:
    """Makes the slot's worktree the only thing beside it; one that had another name gets this one."""
    tree.parent.mkdir(exist_ok=True)
    others = [tree.parent / name for name in os.listdir(tree.parent) if name != tree.name]
    if others and not os.path.lexists(tree):
        others.pop().rename(tree)
    for other in others:
        erase(os.fsencode(other))


def point(git: Git, attempt: str) -> None:
    """Makes git's record of a slot and its worktree point to each other, with a detached HEAD at the attempt.

    The layout is that of gitrepository-layout(5); `git worktree add` would take a lock, and fail beside another one.
    """
    record, tree = git.git_dir, git.worktree or git.git_dir
    if not is_directory(os.fsencode(tree)):
        erase(os.fsencode(tree))
        tree.mkdir(parents=True)
    if not os.access(tree, os.R_OK | os.W_OK | os.X_OK):
        tree.chmod(0o700)
    if is_directory(os.fsencode(record)):
        for name in os.listdir(record):
            if name not in KEPT_IN_RECORD:
                erase(os.fsencode(record / name))
    else:
        erase(os.fsencode(record))
        record.mkdir(parents=True)
        (record / "locked").touch()  # until it is whole, it is not to be pruned
    put(record / "commondir", "../..\n")
    put(record / "HEAD", f"{attempt}\n")
    put(tree / ".git", f"gitdir: {record}\n")
    put(record / "gitdir", f"{tree}/.git\n")  # with it, it is a worktree for git, which must have a HEAD then
    (record / "locked").unlink(missing_ok=True)


def put(path: Path, text: str) -> None:
    """Makes the file hold this text, in place of whatever else lies there."""
    place, content = os.fsencode(path), os.fsencode(text)
    if os.path.lexists(place):
        if not stat.S_ISREG(os.lstat(place).st_mode):
            erase(place)
        elif path.read_bytes() == content:
            return
    # what a killed one of us leaves is the old text: git fsck calls a worktree without HEAD an error
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def seen_from(git: Git, tree: Path) -> Git:
    """The repository seen from the slot, through the slot's own index, sparse as the user's worktree is."""
    directory = directory_of_slot(tree)
    record = record_of(git, directory)
    settings = dict(STEADY)
    settings["core.sparsecheckout"] = "true" if is_sparse(git) else "false"
    if is_sparse(git):
        settings["core.sparsecheckoutcone"] = git.config.get("core.sparsecheckoutcone", ("true",))[-1]
        (record / "info").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sparse_patterns(git), record / "info" / "sparse-checkout")
    seen = git.at(tree, record, settings)
    return replace(seen, environ={**git.environ, "GIT_INDEX_FILE": str(directory / "index")})


def is_sparse(git: Git) -> bool:
    """Whether a worktree is a sparse checkout."""
    return git.config.get("core.sparsecheckout", ("false",))[-1] == "true" and sparse_patterns(git).exists()


def sparse_patterns(git: Git) -> Path:
    """Where git keeps what of a sparse checkout is to be there."""
    return git.git_dir / "info" / "sparse-checkout"


def reveal(git: Git, attempt: str) -> None:
    """Writes what the attempt has beyond its base also where the checkout is sparse: in the user's tree it is there."""
    words = ("-r", "-z", "--name-only", "--no-renames", "--diff-filter=AMT")
    listed = git.attempt("diff-tree", *words, f"{attempt}^1", attempt).stdout
    if listed:
        git.run("update-index", "--no-skip-worktree", "-z", "--stdin", stdin=listed)
        git.run("checkout-index", "-f", "-u", "-z", "--stdin", stdin=listed)


def caches_in(paths: Iterable[bytes]) -> set[bytes]:
    """The caches that are, or hold, these paths."""
    found = set()
    for path in paths:
        parts = path.rstrip(b"/").split(b"/")
        place = next((number for number, part in enumerate(parts, 1) if part in CACHES), None)
        if place:
            found.add(b"/".join(parts[:place]))
    return found


def weed(top: bytes, cache: bytes, since: int) -> None:
    """Takes away a cache beside which nothing is left, and of bytecode what may not be that of the source beside it.

    Bytecode is valid by the source's size and its mtime in whole seconds: two versions of one size written within a
    second would run the old code. So only that of regular files last written in a second before that of `since` stays:
    neither the checkout nor the program can write another version in that second.
    """
    place = top + b"/" + cache
    parent = place.rpartition(b"/")[0]
    if os.path.realpath(parent) != parent:
        return
    if not is_directory(place):
        erase(place)
    elif cache.endswith(b"__pycache__"):
        for name in os.listdir(place):
            stem = TAG.split(name, maxsplit=1)[0] if name.endswith(b".pyc") else name.partition(b".")[0]
            if not is_older(parent + b"/" + stem + b".py", since):
                erase(place + b"/" + name)
        if not os.listdir(place):
            os.rmdir(place)
    if all(name in CACHES for name in os.listdir(parent)):
        for name in os.listdir(parent):
            erase(parent + b"/" + name)
        prune(top, cache)


def unknown_to_git(top: bytes, caches: frozenset[bytes]) -> Iterator[bytes]:
    """What git does not clean below a directory: pipes, sockets, devices; and empty caches, all that are not in `caches`."""
    queue = [top]
    for directory in queue:
        with os.scandir(directory) as entries:
            others = [entry for entry in entries if not entry.is_file(follow_symlinks=False)]
        for entry in others:
            if not entry.is_dir(follow_symlinks=False):
                yield from () if entry.is_symlink() else (entry.path,)
            elif entry.name not in CACHES:
                queue.append(entry.path)
            elif entry.path[len(top) + 1 :] not in caches:
                yield entry.path


def is_older(source: bytes, since: int) -> bool:
    """Whether a regular file lies there that was last written in a second before that of `since` (nanoseconds)."""
    try:
        status = os.lstat(source)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime_ns // 10**9 < since // 10**9


def is_directory(path: bytes) -> bool:
    """Whether a directory lies there, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def erase(path: bytes) -> None:
    """Removes what lies there, however deep it is and whatever its permissions are; never through a link. Raises OSError."""
    if not is_directory(path):
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.chmod(path, 0o700)
    # each directory is moved up before it is read: no path becomes too long for the system, and nothing recurses
    prefix, numbers, queue = path + b"/" + os.urandom(8).hex().encode(), itertools.count(), [path]
    while queue:
        directory = queue.pop()
        for entry in list(os.scandir(directory)):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            queue.append(prefix + b".%d" % next(numbers))
            os.rename(entry.path, queue[-1])
        if directory != path:
            os.rmdir(directory)
    os.rmdir(path)
