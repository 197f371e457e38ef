"""Git's records of the worktrees of slots, `worktrees/gitrun-<n>`.

With refs in files, gitrun writes a record by hand: `git worktree add` takes a lock and fails beside another one. With
reftables only git can write a record, because HEAD is in a reftable of its own.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext, suppress

from gitrun.dataclass import replace
from gitrun.git.locks import acquire
from gitrun.git.objects import fsync, sync_tables
from gitrun.store.refs import detach_head
from gitrun.workspace.erase import erase, is_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.git.exe import Git

# everything else in a record, such as locks and MERGE_HEAD, is removed
KEPT_IN_RECORD = frozenset({"HEAD", "commondir", "gitdir", "info", "refs", "reftable"})
INDEX = "index"
"""git's index for programs in the slot. The next lease overwrites it."""
SECTOR = 512
"""Bytes that a disk writes as a whole."""
NEW = b".new"
"""End of the name of what is not complete yet: a file, or git's new worktree in a slot's `tree`."""


def worktree_record(git: Git, directory: Path) -> Path:
    """Returns the directory of git's record of the slot's worktree."""
    return git.common_dir / "worktrees" / f"gitrun-{directory.name}"


def write_worktree_record(git: Git, attempt_id: str, *, keeps_index: bool = False) -> None:
    """Makes git's record of a slot and its worktree point to each other, with a detached HEAD at the attempt.

    Removes the index, unless `keeps_index` says that it is about to be overwritten. The layout follows
    gitrepository-layout(5). Raises GitFailed, OSError.
    """
    record, tree = git.git_dir, git.worktree or git.git_dir
    if not is_directory(os.fsencode(tree)):
        erase(os.fsencode(tree))
        tree.mkdir(parents=True)
    if not os.access(tree, os.R_OK | os.W_OK | os.X_OK):
        tree.chmod(0o700)
    if git.has_reftables and not (record / "reftable" / "tables.list").is_file():
        add_worktree(git, attempt_id)
    elif is_directory(os.fsencode(record)):
        for name in os.listdir(record):
            if name not in KEPT_IN_RECORD and not (keeps_index and name == INDEX and may_overwrite(os.lstat(record / name))):
                erase(os.fsencode(record / name))
    else:
        erase(os.fsencode(record))
        record.mkdir(parents=True)
        (record / "locked").touch()  # protects the incomplete record from git worktree prune
    here = os.fsencode(record)
    replace_file(here + b"/commondir", b"../..\n")
    if not git.has_reftables:
        replace_file(here + b"/HEAD", os.fsencode(f"{attempt_id}\n"))
    replace_file(os.fsencode(tree) + b"/.git", os.fsencode(f"gitdir: {record}\n"))
    replace_file(here + b"/gitdir", os.fsencode(f"{tree}/.git\n"))  # last: it makes this a worktree for git, which needs a HEAD
    (record / "locked").unlink(missing_ok=True)
    if git.has_reftables:
        detach_head(git, attempt_id)
        sync_tables(git, record / "reftable")


def add_worktree(git: Git, attempt_id: str) -> None:
    """Lets git write the record of a slot's worktree. Raises GitFailed, OSError."""
    record, tree = git.git_dir, git.worktree or git.git_dir
    # slots/3/tree/<parent>/<name>: git names a record after its directory, and a killed add still belongs to the slot
    fresh = tree.parent.parent / os.fsdecode(NEW) / record.name
    environ = {name: value for name, value in git.environ.items() if name != "GIT_INDEX_FILE"}
    whole = replace(git, git_dir=git.common_dir, worktree=None, environ=environ, extra=())
    # git 2.39: 11 of 40 parallel `git worktree add` failed
    with acquire(git.state / "worktree.lock") or nullcontext():
        erase(os.fsencode(record))
        erase(os.fsencode(fresh.parent))
        # git 2.48: relative paths would be a setting of the user's repository
        settings = ("-c", "worktree.useRelativePaths=false", "-c", "core.logAllRefUpdates=false")
        whole.run(*settings, "worktree", "add", "--quiet", "--detach", "--no-checkout", "--", str(fresh), attempt_id)
    for name in ("HEAD", "commondir") if git.durable else ():
        fsync(record / name)  # git fsck ends at a record whose gitdir a power cut left, but not its commondir
    (fresh / ".git").replace(tree / ".git")
    replace_file(os.fsencode(record) + b"/gitdir", os.fsencode(f"{tree}/.git\n"))
    erase(os.fsencode(fresh.parent))


def may_overwrite(status: os.stat_result) -> bool:
    """Returns whether it is a regular file as gitrun makes them, without a second name, which would get new content too."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and not status.st_mode & 0o111


def replace_file(target: bytes, content: bytes, *, atomic: bool = True) -> None:
    """Replaces whatever is at a path by a file with this content. Raises OSError.

    A file is overwritten where that may be: on ext4 a new one is costly where many were deleted. If `atomic` is set, the old
    or the new content remains after a kill or a power cut. One write of the same length within a sector does that: no signal
    comes between its bytes, and the disk gets all of them or none.
    """
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        pass
    except OSError:  # a link, a directory, a socket, or a file that nobody may write
        erase(target)
    else:
        try:
            status = os.fstat(descriptor)
            if may_overwrite(status):
                size = status.st_size
                if size == len(content) and os.read(descriptor, size) == content:
                    return
                if not atomic or size == len(content) <= SECTOR:
                    if os.pwrite(descriptor, content, 0) < len(content):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
                    # never to nothing first: ext4 would begin to write at once when the file is closed
                    if size > len(content):
                        os.ftruncate(descriptor, len(content))
                    return
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(status.st_mode):
            erase(target)
    write_atomically(target, content)


def write_atomically(target: bytes, content: bytes) -> None:
    """Writes a small file under another name, then gives it its own. Raises OSError.

    So the old text remains after a kill: git fsck reports a worktree without HEAD.
    """
    with suppress(FileNotFoundError):  # a kill left it, or a program planted a link there
        os.unlink(target + NEW)
    descriptor = os.open(target + NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(content)
    os.replace(target + NEW, target)
