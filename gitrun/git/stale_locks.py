"""Finds lock files that a killed git left behind: git never removes another process's lock."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.git.gc_lock import is_gc_alive
from gitrun.git.lock_state import is_held
from gitrun.model.diagnostics import Diagnostic
from gitrun.model.text import shell_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.git.exe import Git

ABANDONED_AFTER = 600.0
"""Seconds after which a lock counts as stale on systems without /proc."""
MIN_AGE = 1.0
"""Seconds for which a lock may belong to a program other than git. Such programs hold locks only briefly."""
TOP_LOCKS = (
    "HEAD.lock", "index.lock", "config.lock", "packed-refs.lock", "packed-refs.new", "shallow.lock", "gc.pid.lock",
    "objects/info/commit-graph.lock", "objects/info/commit-graphs/commit-graph-chain.lock",
    "objects/pack/multi-pack-index.lock",
)  # fmt: skip


def find_stale_locks(git: Git, locks_of_refs: Iterable[Path]) -> Iterator[Diagnostic]:
    """Yields lock files that no process holds, of refs and of everything else."""
    gc = git.common_dir / "gc.pid"
    if gc.exists() and not is_gc_alive(gc):
        words = "gc.pid says that git gc is running, but it is not"
        yield Diagnostic("lock", words, f"rm {shell_word(gc)}", str(gc), "remove")
    paths = [path for path in (*list_lock_files(git), *locks_of_refs) if is_abandoned(git, path)]
    for path in paths:
        name, hint = os.path.relpath(path, git.common_dir), f"If no git is running here: rm {shell_word(path)}"
        if is_users_index(git, path):
            yield Diagnostic("lock", f"no git that can be seen from here holds {name}", hint, str(path))
        else:
            yield Diagnostic("lock", f"a killed git left {name}", hint, str(path), "remove")


def is_users_index(git: Git, lock: Path) -> bool:
    """Returns whether the lock is on an index of the user's, which an editor may hold for hours.

    The git that holds it may be invisible: in a container, on another machine, or running elsewhere.
    """
    if lock.name != "index.lock" or lock.is_relative_to(git.state):
        return False
    try:
        return b"/gitrun/slots/" not in (lock.parent / "gitdir").read_bytes()
    except OSError:
        return True


def list_lock_files(git: Git) -> Iterator[Path]:
    """Yields all lock files in the repository but those of refs, held or not."""
    for name in TOP_LOCKS:
        if (git.common_dir / name).exists():
            yield git.common_dir / name
    for record in sorted((git.common_dir / "worktrees").glob("*")):
        yield from (record / name for name in ("index.lock", "HEAD.lock") if (record / name).exists())
    with suppress(OSError):  # unreadable if they are another user's
        for slot in sorted((git.state / "slots").iterdir()):
            lock = slot / "index.lock"
            if os.path.lexists(lock) and not is_held(lock.with_name("lock")):
                yield lock


def is_abandoned(git: Git, path: Path) -> bool:
    """Returns whether the holder of a lock file is dead. Waits up to a second for a young one to go."""
    try:
        stat = path.lstat()
        age = time.time() - stat.st_mtime
        if 0 <= age < MIN_AGE:
            time.sleep(MIN_AGE - age)
            if path.lstat().st_ino != stat.st_ino:
                return False
    except OSError:  # it was released
        return False
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - as short
        return age > ABANDONED_AFTER
    return not is_git_at_work(git)


def is_git_at_work(git: Git) -> bool:
    """Returns whether a git works in this repository, or may do so: another user's git whose directory is hidden."""
    processes = list_processes()
    ours = list_ancestors(os.getpid(), processes)
    wrappers = {parent for parent, name in processes.values() if name.startswith("git-run")}
    directories = tuple(map(os.path.realpath, (git.common_dir, *list_worktrees(git))))
    for pid, (_, name) in processes.items():
        # the `git` that waits for our own `git-run` holds no lock
        if not name.startswith("git") or name.startswith("git-run") or pid in ours or pid in wrappers:
            continue
        try:
            directory = str(Path(f"/proc/{pid}/cwd").readlink())
        except FileNotFoundError:
            continue
        except OSError:
            return True
        if any(directory == tree or directory.startswith(f"{tree}/") for tree in directories):
            return True
    return False


def list_worktrees(git: Git) -> Iterator[Path]:
    """Yields the working trees of the repository."""
    if git.worktree:
        yield git.worktree
    if git.common_dir.name == ".git":
        yield git.common_dir.parent
    for record in (git.common_dir / "worktrees").glob("*"):
        with suppress(OSError):
            yield Path(os.fsdecode((record / "gitdir").read_bytes().strip())).parent


def list_processes() -> dict[int, tuple[int, str]]:
    """Returns parent and name of every living process that is visible, by process id."""
    processes = {}
    for pid in (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with suppress(OSError, IndexError):
            before, _, after = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
            state, parent = after.split()[:2]
            # zombies and dead processes hold no files
            if state not in "ZX":
                processes[int(pid)] = (int(parent), before.partition("(")[2])
    return processes


def list_ancestors(pid: int, processes: dict[int, tuple[int, str]]) -> set[int]:
    """Returns the process and all its ancestors, as ids."""
    ancestors: set[int] = set()
    while pid in processes and pid not in ancestors:
        ancestors.add(pid)
        pid = processes[pid][0]
    return ancestors
