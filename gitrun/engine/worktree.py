"""Slots: the pool of linked worktrees in which programs run, reused so that only what differs is written."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.links import CACHES, is_cache, prune, unlink
from gitrun.errors import GitFailed
from gitrun.store.live import directory_of
from gitrun.store.locks import acquire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from gitrun.engine.snapshot import Seen
    from gitrun.git.exe import Git
    from gitrun.store.locks import Lock

BYTECODE = "__pycache__"
# a slot has no watcher of its own, keeps no reflog (it would keep deleted runs), and is sparse as the user's tree is
STEADY = {"core.fsmonitor": "false", "core.logallrefupdates": "false"}


@dataclass(frozen=True, slots=True)
class State:
    """What a slot holds: the attempt checked out, the run that has it, and what a killed run left to clear away."""

    admin: str = ""
    attempt: str = ""
    run: str = ""
    clean: bool = False
    links: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class Slot:
    """A leased slot; to be used in a `with`. `tree` is the worktree, `git` the repository seen from it."""

    def __init__(self, directory: Path, tree: Path, git: Git, state: State, lock: Lock) -> None:
        self.directory, self.tree, self.git, self.state = directory, tree, git, state
        self._lock = lock

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def save(self, state: State) -> None:
        """Writes the state down, all of it or nothing."""
        self.state = state
        write_state(self.directory, state)


def write_state(directory: Path, state: State) -> None:
    """Writes a slot's state, all of it or nothing."""
    fresh = directory / "state.new"
    fresh.write_text(json.dumps({name: getattr(state, name) for name in State.__slots__}))
    fresh.replace(directory / "state")


def read_state(directory: Path) -> State:
    """A slot's state; that of an unknown one if it does not read."""
    try:
        found = json.loads((directory / "state").read_bytes())
        return State(**{**found, "links": tuple(found["links"]), "changed": tuple(found["changed"])})
    except (OSError, ValueError, TypeError, KeyError):
        return State()


def lease(git: Git, attempt: str, run: str) -> Slot:
    """The first slot that nobody uses, with `attempt` checked out and nothing else in it. Raises GitFailed."""
    slots = git.state / "slots"
    number = 0
    while True:
        directory = slots / str(number)
        number += 1
        lock = acquire(directory / "lock", wait=0)
        if lock is None:
            continue
        state = read_state(directory)
        # a killed run's slot is kept until the next command has looked for what the run left
        if state.run and state.run != run and directory_of(git.state, state.run).exists():
            lock.release()
            continue
        try:
            return check_out(git, directory, state, (attempt, run), lock)
        except BaseException:
            lock.release()
            raise


def check_out(git: Git, directory: Path, state: State, run: tuple[str, str], lock: Lock) -> Slot:
    """The slot with `attempt` checked out; only files that differ are written."""
    attempt, name = run
    tree = directory / (git.worktree or git.common_dir).name
    if not is_sound(tree, state):
        state = create(git, directory, tree, attempt)
    slot = Slot(directory, tree, seen_from(git, tree, Path(state.admin)), state, lock)
    # from here on a kill leaves a slot that the next lease clears
    slot.save(State(admin=state.admin, attempt=attempt, run=name))
    (Path(state.admin) / "index.lock").unlink(missing_ok=True)
    if state.clean:
        drop_bytecode(slot, state, attempt)
    slot.git.run("update-ref", "--no-deref", "HEAD", attempt)
    slot.git.run("read-tree", "--reset", "-u", attempt)
    if not state.clean:
        unlink(tree, (os.fsencode(path) for path in state.links))
        slot.git.run("clean", "-ffdxq")
    return slot


def is_sound(tree: Path, state: State) -> bool:
    """Whether the slot's worktree and git's record of it point to each other."""
    try:
        back = (Path(state.admin) / "gitdir").read_text().strip() if state.admin else ""
    except OSError:
        return False
    return back == str(tree / ".git") and tree.is_dir() and restore_pointer(tree, state)


def restore_pointer(tree: Path, state: State) -> bool:
    """Whether the `.git` file of a slot is as git made it; a program may have taken it away or changed it."""
    pointer = tree / ".git"
    wanted = f"gitdir: {state.admin}\n"
    if pointer.is_symlink() or pointer.is_dir():
        return False
    if not pointer.exists() or pointer.read_text(errors="replace") != wanted:
        pointer.write_text(wanted)
    return True


def create(git: Git, directory: Path, tree: Path, attempt: str) -> State:
    """A new linked worktree at `tree` in place of whatever lies there, nothing checked out yet. Raises GitFailed."""
    # git 2.39: parallel `git worktree add` fails 11 times in 40
    lock = acquire(git.state / "slots" / "lock")
    with lock or open(os.devnull):
        if tree.exists() or tree.is_symlink():
            shutil.rmtree(tree) if tree.is_dir() and not tree.is_symlink() else tree.unlink()
        # a reflog that is once there is written on, whatever core.logAllRefUpdates then says
        quiet = replace(git, extra=("-c", "core.logAllRefUpdates=false"))
        quiet.run("worktree", "add", "--force", "--detach", "--no-checkout", str(tree), attempt)
    pointer = (tree / ".git").read_text().strip()
    if not pointer.startswith("gitdir: "):
        raise GitFailed(f"git worktree add left no worktree at {tree}")
    state = State(admin=pointer.removeprefix("gitdir: "), attempt=attempt)
    write_state(directory, state)
    return state


def seen_from(git: Git, tree: Path, admin: Path) -> Git:
    """The repository seen from the slot, sparse as the user's worktree is."""
    settings = dict(STEADY)
    patterns = git.git_dir / "info" / "sparse-checkout"
    sparse = git.config.get("core.sparsecheckout", ("false",))[-1] == "true" and patterns.exists()
    settings["core.sparseCheckout"] = "true" if sparse else "false"
    if sparse:
        settings["core.sparseCheckoutCone"] = git.config.get("core.sparsecheckoutcone", ("true",))[-1]
        (admin / "info").mkdir(exist_ok=True)
        shutil.copyfile(patterns, admin / "info" / "sparse-checkout")
    return git.at(tree, admin, settings)


def drop_bytecode(slot: Slot, state: State, attempt: str) -> None:
    """Removes the bytecode of every module that the coming checkout rewrites.

    Bytecode is valid by the source's size and its mtime in whole seconds: two versions of one size written within a
    second would run the old code. Raises GitFailed.
    """
    listed = slot.git.attempt("diff-tree", "-r", "-z", "--name-only", "--no-renames", state.attempt, attempt)
    if listed.returncode:  # the attempt that was here is gone: forget all bytecode
        slot.git.run("clean", "-ffdxq")
        return
    top = os.fsencode(slot.tree)
    changed = {*listed.stdout.split(b"\0")[:-1], *map(os.fsencode, state.changed)}
    for path in changed:
        if path.endswith(b".py"):
            forget(top, path)


def forget(top: bytes, path: bytes) -> None:
    """Removes the bytecode of one module, with directories that hold nothing else."""
    directory, _, name = path.rpartition(b"/")
    cache = b"/".join(part for part in (top, directory, BYTECODE.encode()) if part)
    stem = name[: -len(b".py")] + b"."
    try:
        found = [entry for entry in os.listdir(cache) if entry.startswith(stem)]
    except OSError:
        return
    for entry in found:
        os.unlink(cache + b"/" + entry)
    prune(top, (directory + b"/" if directory else b"") + BYTECODE.encode() + b"/x")


def clear(slot: Slot, seen: Seen, links: Iterable[bytes]) -> None:
    """Leaves in the slot what the attempt has and warm caches, so that the next lease need not look."""
    top = os.fsencode(slot.tree)
    unlink(slot.tree, links)
    linked = set(links)
    # caches last: whether they stay is told by what is then beside them
    for path in sorted((*seen.untracked, *seen.nested, *seen.ignored), key=is_cache):
        if path.rstrip(b"/") not in linked and not stays(top, path.rstrip(b"/")):
            remove(top, path.rstrip(b"/"))
    changed = tuple(os.fsdecode(path) for path in (*seen.changed, *seen.untracked))
    slot.save(State(admin=slot.state.admin, attempt=slot.state.attempt, clean=True, changed=changed))


def stays(top: bytes, path: bytes) -> bool:
    """Whether this is a cache beside something that is not one."""
    parent, _, name = path.rpartition(b"/")
    if name not in CACHES:
        parts = path.split(b"/")
        return BYTECODE.encode() in parts[:-1] and stays(top, b"/".join(parts[: parts.index(BYTECODE.encode()) + 1]))
    return any(entry not in CACHES and entry != b".git" for entry in os.listdir(top + b"/" + parent if parent else top))


def remove(top: bytes, path: bytes) -> None:
    """Removes what lies at the path, with directories above it that become empty."""
    place = top + b"/" + path
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)
    prune(top, path)
