"""Slots: a pool of linked worktrees in which programs run. They are reused, so that only differing files are written.

`slots/<n>/` holds `tree/<parent>/<name>`, the worktree, named like the user's own and its parent; `index`, which programs
never see; `idle`, what a slot holds that nobody uses; `lent`, the manifest of lent files; and `lock`. Git's record of it is
`worktrees/gitrun-<n>`. A program may leave anything in its slot. Each lease repairs the tree and the record, and creates
both from nothing if that fails.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
from contextlib import suppress
from functools import lru_cache

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed
from gitrun.git.locks import acquire, is_file_at
from gitrun.git.status import copy_index
from gitrun.lazy import lazy_pattern, shutil
from gitrun.store.live import owner_of, recorded_runs
from gitrun.workspace import beside
from gitrun.workspace.erase import erase, is_directory
from gitrun.workspace.exact_files import check_out_paths as check_out_files
from gitrun.workspace.exact_files import has_own_filters, list_differing, match_bytes, match_modes, may_convert
from gitrun.workspace.lending import stamp_of
from gitrun.workspace.links import CACHES, remove_empty_parents
from gitrun.workspace.manifest import Manifest, keep_wanted, lend_files, read_manifest, write_manifest
from gitrun.workspace.ready_slots import describe_slot, find_ready, remember, remembered_slots
from gitrun.workspace.slot_index import (
    MOST_FILES,
    MOST_REUSED,
    check_out_record,
    find_layout,
    read_attempt_tree,
    read_slot_index,
)
from gitrun.workspace.survey import survey_checkout, survey_slot
from gitrun.workspace.worktree_records import replace_file, worktree_record, write_worktree_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from gitrun.git.exe import Git
    from gitrun.git.locks import Lock
    from gitrun.git.status import WorktreeStatus
    from gitrun.workspace.lending import Lending, Stamp
    from gitrun.workspace.slot_index import SlotIndex
    from gitrun.workspace.survey import Survey

TREE, EXACT = "tree", "exact"
# train.cpython-311.pyc
TAG = lazy_pattern(rb"\.(?:cpython|pypy|graalpy)")
# a slot has no fsmonitor, no reflog (it would keep deleted runs reachable), links for submodules, and a whole index
STEADY = {
    "core.fsmonitor": "false",
    "core.logallrefupdates": "false",
    "core.splitindex": "false",
    "index.skiphash": "false",
    "submodule.recurse": "false",
}


IDLE, USED = "idle", "state"
"""Names of a file of a slot: what the slot holds between leases, and which run uses it from the begin of one on.

Earlier versions know `state` alone: they read which run died in a slot, and write it for their own leases. So a slot that
has both files was last used by them.
"""


@dataclass(frozen=True, slots=True)
class Idle:
    """The caches in an idle slot, and the size in bytes of the lent copies there."""

    caches: tuple[str, ...] = ()
    copied: int = 0


class Slot:
    """A leased slot; a context manager. `tree` is the worktree, `git` is bound to it.

    `content` is like `git`, for commands that read or write contents. `user` is bound to the user's own worktree.
    `manifest` records what is lent. `unsteady` are lent files whose originals changed while they were copied. `index` tells
    how git has checked out the tracked files; None if only git can tell what a program changes.
    """

    def __init__(self, git: Git, directory: Path, lock: Lock, *, run_id: str = "", is_full: bool = False) -> None:
        self.directory, self.run_id = directory, run_id
        self.tree = worktree_path(directory, git.worktree or git.common_dir)
        self.user = git
        self.manifest, self.unsteady = Manifest(), tuple[bytes, ...]()
        self.index: SlotIndex | None = None
        self.git = replace(bind_git(git, self.tree, is_full=is_full), held_files=(lock.descriptor,))
        self.content = bind_content_git(git, self.git)
        self._lock = lock

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    @property
    def is_ours(self) -> bool:
        """Returns whether the slot is still the one that was leased.

        False if somebody removed it, even if a new run recreated it.
        """
        return is_file_at(self._lock.descriptor, self._lock.path)

    @property
    def leased(self) -> Stamp:
        """Returns the stamp of the lock, which every lease touches."""
        return stamp_of(os.fstat(self._lock.descriptor))

    def begin(self, attempt_id: str) -> int:
        """Marks the slot as used for an attempt. Returns the time of that, by the file system's clock, in nanoseconds.

        After a kill from here on, its caches are unknown.
        """
        # a rename makes no new file, and is on the disk before what the lease changes next
        with suppress(FileNotFoundError):
            (self.directory / IDLE).rename(self.directory / USED)
        use = {"attempt": attempt_id, "run": self.run_id, "caches": None, "copied": 0}
        replace_file(os.fsencode(self.directory / USED), json.dumps(use).encode(), atomic=False)
        os.utime(self._lock.descriptor)
        return self.leased[0]

    def end(self, status: WorktreeStatus, keep: int) -> None:
        """Ends an attempt.

        Caches and lent copies stay for the next one; all slots together keep up to `keep` bytes of copies.
        """
        caches = sorted(map(os.fsdecode, list_caches((*status.untracked, *status.ignored))))
        write_idle(self.directory, Idle(tuple(caches), self.manifest.size))
        os.utime(self._lock.descriptor)
        if ready := find_ready(self.user, self.directory):
            remember(self.user, self.directory, replace(ready, leased=self.leased))
        if self.manifest.copies:
            drop_copies(self, keep)


def worktree_path(directory: Path, top: Path) -> Path:
    """Returns the worktree of a slot. Its name and its parent's name are those of the user's directory `top`."""
    return directory / TREE / (top.parent.name or TREE) / (top.name or TREE)


@lru_cache(maxsize=16)
def slot_directory(tree: Path) -> Path:
    """Returns the slot's directory for a worktree."""
    return next(directory for directory in tree.parents if directory.parent.name == "slots" and directory.name.isdigit())


def drop_copies(slot: Slot, keep: int) -> None:
    """Removes lent copies from idle slots, least recently used first, until all slots hold at most `keep` bytes."""
    pool = slot.directory.parent
    idles = {path: idle for path in pool.iterdir() if path.name.isdigit() and (idle := read_idle(path))}
    total = sum(idle.copied for idle in idles.values())
    # our own slot is the last to lose its copies
    for path in sorted(idles, key=lambda one: (one == slot.directory, mtime_or_zero(one / "lock"))):
        if total <= keep:
            return
        lock = None if path == slot.directory else acquire(path / "lock", wait=0)
        # read again under the lock: a run may have used the slot
        idle = read_idle(path)
        if idle is None or not idle.copied or (path != slot.directory and lock is None):
            if lock:
                lock.release()
            continue
        tree = next(iter(list_worktrees(path / TREE)), None)
        for name in read_manifest(path).copies:
            with suppress(OSError):
                os.unlink(os.fsencode(tree or path) + b"/" + name)
        (path / IDLE).rename(path / USED)
        write_idle(path, replace(idle, copied=0))
        total -= idle.copied
        if lock:
            lock.release()


def mtime_or_zero(path: Path) -> int:
    """Returns the mtime of a file in nanoseconds; 0 if there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def write_idle(directory: Path, idle: Idle) -> None:
    """Marks a slot as idle, with what it holds. Raises OSError."""
    used = directory / USED
    text = json.dumps({"caches": idle.caches, "copied": idle.copied})
    # nobody reads it before it has its name
    replace_file(os.fsencode(used), text.encode(), atomic=False)
    used.rename(directory / IDLE)


def is_given_back(directory: Path) -> bool:
    """Returns whether the last run that used a slot has given it back."""
    return (directory / IDLE).exists() and not (directory / USED).exists()


def read_idle(directory: Path) -> Idle | None:
    """Returns what an idle slot holds, from JSON such as `{"caches": ["src/__pycache__"], "copied": 120}`.

    None if a run uses the slot or died in it, or an older version has used it.
    """
    if not is_given_back(directory):
        return None
    try:
        record = json.loads((directory / IDLE).read_bytes())
        return Idle(tuple(record["caches"]), record["copied"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def lease_slot(git: Git, attempt_id: str, run_id: str, lending: Lending | None = None) -> Slot:
    """Leases the first free slot, with `attempt_id` checked out and files lent (None: those already there).

    Raises GitFailed, OSError.
    """
    for number in itertools.count():
        directory = git.state / "slots" / str(number)
        # held if another run uses the slot
        lock = acquire(directory / "lock", wait=0)
        if lock is None:
            continue
        try:
            if is_free(git, directory, run_id):
                return prepare_slot(git, directory, (attempt_id, lending), lock, run_id)
        except BaseException:
            lock.release()
            raise
        lock.release()
    raise GitFailed("no slot is free")


def is_free(git: Git, directory: Path, run_id: str) -> bool:
    """Returns whether a locked slot may be used.

    A killed run's slot is reserved until a command has recovered the run. A worktree of the user may have the name of the
    slot's record.
    """
    if awaits_recovery(git, directory, run_id):
        return False
    try:
        # /home/ann/x/.git/gitrun/slots/0/tree/ann/x/.git
        back = (worktree_record(git, directory) / "gitdir").read_bytes()
    except OSError:
        return True
    return f"/slots/{directory.name}/{TREE}/".encode() in back


def awaits_recovery(git: Git, directory: Path, run_id: str = "") -> bool:
    """Returns whether another run than `run_id` has not given back a slot that nobody holds: it died there."""
    if is_given_back(directory):  # a run is recorded a little longer than it needs its slot
        return False
    owners = (owner_of(git.state, one) for one in recorded_runs(git.state) if one != run_id)
    return any(owner and not owner.in_place and f"/slots/{directory.name}/{TREE}/" in owner.worktree for owner in owners)


def prepare_slot(git: Git, directory: Path, what: tuple[str, Lending | None], lock: Lock, run_id: str) -> Slot:
    """Checks out the attempt and lends the files, writing only those that differ. Returns the slot.

    If that fails, deletes the worktree and tries again.
    """
    attempt_id, lending = what
    slot = Slot(git, directory, lock, run_id=run_id, is_full=lending is not None and lending.is_full)
    with suppress(GitFailed, OSError):
        if lending and reuse_slot(slot, attempt_id, lending):
            return slot
    remember(git, directory, None)
    with suppress(GitFailed, OSError):
        update_slot(slot, attempt_id, lending, read_idle(directory))
        return slot
    # git could not cope with what a program left there
    erase(os.fsencode(directory / TREE))
    if git.has_reftables:
        erase(os.fsencode(slot.git.git_dir))
    (directory / "index").unlink(missing_ok=True)
    update_slot(slot, attempt_id, lending)
    return slot


def reuse_slot(slot: Slot, attempt_id: str, lending: Lending) -> bool:
    """Brings a slot that is ready to another attempt of the same source, without git. Returns whether that was possible.

    After a failure anywhere the slot is an ordinary one. Raises GitFailed, OSError.
    """
    ready, idle = find_ready(slot.user, slot.directory), read_idle(slot.directory)
    if ready is None or idle is None or ready.lending != lending or ready.leased != slot.leased:
        return False
    path, tree = slot.directory / "index", read_attempt_tree(slot.user, attempt_id)
    # a `git status` may have written it again
    index = ready.index if path.read_bytes() == ready.index.data else read_slot_index(path, slot.user.object_format)
    if index is None or tree is None or not index.is_of(tree):
        return False
    since, top = slot.begin(attempt_id), os.fsencode(slot.tree)
    remember(slot.user, slot.directory, None)
    write_worktree_record(slot.git, attempt_id, keeps_index=True)
    for extra in ready.extras:
        erase(top + b"/" + extra)
    index = check_out_record(slot.user, top, index, tree, since)
    for cache in map(os.fsencode, idle.caches):
        if cache.rpartition(b"/")[0] in ready.names:  # others went with the directories that a program had added
            prune_bytecode(os.path.realpath(top), cache, since)
    slot.manifest = ready.manifest
    beside.link_siblings(slot.user.worktree if lending.top else None, slot.tree)
    copy_index(path, slot.git.git_dir / "index")
    remember(slot.user, slot.directory, replace(ready, index=index, extras=(), leased=None))
    return True


def update_slot(slot: Slot, attempt_id: str, lending: Lending | None, idle: Idle | None = None) -> None:
    """Brings the slot, which holds what `idle` says (None: unknown), to the attempt and lending. Raises GitFailed, OSError."""
    since, caches, slot.index = slot.begin(attempt_id), frozenset(map(os.fsencode, idle.caches if idle else ())), None
    place_worktree(slot.tree)
    # left by a git that was killed
    (slot.directory / "index.lock").unlink(missing_ok=True)
    write_worktree_record(slot.git, attempt_id, keeps_index=True)
    if not is_sparse(slot.git) and sparse_patterns(slot.git).exists():  # git would not write files that it once left out
        sparse_patterns(slot.git).unlink()
        (slot.directory / "index").unlink(missing_ok=True)
    manifest = read_manifest(slot.directory)
    wanted = keep_wanted(manifest, lending) if lending else manifest
    survey = reuse_checkout(slot, attempt_id, wanted, caches, since)
    tracked = list(slot.index.layout.entries) if slot.index else check_out(slot, attempt_id)
    survey = survey or remove_foreign(slot, tracked, wanted, caches)
    kept_paths = replace(wanted, copies=survey.copies, links=survey.links)
    converts = slot.index is None and may_convert(slot.user, tracked)
    for path in lending.bare if lending else ():
        replace_module_link(os.fsencode(slot.tree) + b"/" + path)
    if lending and slot.user.worktree:
        match_modes(slot.user, slot.git, tracked)
        match_or_check_out(slot, frozenset(tracked), is_exact=lending.exact, converts=converts)
    # deepest first: when a directory goes, a cache above it may be the last thing there
    for cache in sorted(caches, key=lambda path: -path.count(b"/")):
        prune_bytecode(os.path.realpath(os.fsencode(slot.tree)), cache, since)
    unsteady: list[bytes] = []
    if lending:
        kept_paths, unsteady = lend_files(slot.tree, lending, kept_paths)
    if kept_paths != manifest:
        write_manifest(slot.directory, kept_paths)
    slot.manifest, slot.unsteady = kept_paths, tuple(unsteady)
    if lending:
        beside.link_siblings(slot.user.worktree if lending.top else None, slot.tree)
    copy_index(slot.directory / "index", slot.git.git_dir / "index")
    if lending and not lending.bare and writes_whole_trees(slot):
        most = MOST_REUSED if remembered_slots(slot.user) is None else MOST_FILES
        index = slot.index or read_slot_index(slot.directory / "index", slot.git.object_format, most)
        slot.index = None if converts or (index and len(index.layout.entries) > MOST_REUSED) else index
        remember(slot.user, slot.directory, describe_slot(slot.git, index, lending, kept_paths) if index else None)


def writes_whole_trees(slot: Slot) -> bool:
    """Returns whether a checkout in the slot writes whole trees, without filters of the user's."""
    return slot.content == slot.git and not is_sparse(slot.git)


def reuse_checkout(slot: Slot, attempt_id: str, wanted: Manifest, caches: frozenset[bytes], since: int) -> Survey | None:
    """Checks out the record alone, and removes what is foreign, if the slot, leased at `since`, has the source of the attempt.

    Returns what was there; None if git has to look at the slot, which is as it was. Raises GitFailed, OSError.
    """
    path, top = slot.directory / "index", os.fsencode(slot.tree)
    index = read_slot_index(path, slot.git.object_format, MOST_REUSED)
    if (
        index is None
        or not writes_whole_trees(slot)
        or (slot.directory / EXACT).exists()
        or may_convert(slot.user, index.layout.entries)
    ):
        return None
    tree = read_attempt_tree(slot.user, attempt_id)
    survey = survey_checkout(top, index, wanted, caches) if tree and index.is_of(tree) else None
    if survey and tree:
        for extra in survey.foreign:
            erase(extra)
        slot.index = check_out_record(slot.user, top, index, tree, since)
    return survey


def remove_foreign(slot: Slot, tracked: Iterable[bytes], wanted: Manifest, caches: frozenset[bytes]) -> Survey:
    """Removes everything that is neither tracked, nor a cache to keep, nor a lent file that is wanted and untouched."""
    survey = survey_slot(os.fsencode(slot.tree), frozenset(tracked), wanted, caches)
    for path in survey.foreign:
        erase(path)
    return survey


def check_out(slot: Slot, attempt_id: str) -> list[bytes]:
    """Lets git check out the attempt. Returns the paths in the index. Raises GitFailed, OSError."""
    if slot.content == slot.git:
        # a quarter cheaper than `read-tree --reset -u`; HEAD is there already
        slot.git.run("checkout", "--quiet", "--force", "--detach", attempt_id, "--")
    else:
        # `content` is bound to the user's git directory, whose HEAD a checkout would move
        slot.content.run("read-tree", "--reset", "-u", attempt_id)
    if is_sparse(slot.git):
        check_out_hidden(slot.content, attempt_id)
    layout = find_layout((slot.directory / "index").read_bytes(), slot.git.object_format)
    return list(layout.entries) if layout else slot.git.run("ls-files", "-z")[:-1].split(b"\0")


def place_worktree(tree: Path) -> None:
    """Creates the directories above a slot's worktree. Moves a worktree that has another place or name in the slot."""
    parent, top = tree.parent, tree.parent.parent
    if not is_directory(os.fsencode(top)):  # a link is removed, never followed
        erase(os.fsencode(top))
        top.mkdir()
    if is_directory(os.fsencode(tree)) and is_directory(os.fsencode(parent)):
        return
    old_place = top.parent / "moved"
    erase(os.fsencode(old_place))
    old = next((path for path in list_worktrees(top)), None)
    if old:
        old.rename(old_place)
    if not is_directory(os.fsencode(parent)):
        erase(os.fsencode(parent))
        parent.mkdir()
    erase(os.fsencode(tree))
    if old:
        old_place.rename(tree)


def list_worktrees(top: Path) -> list[Path]:
    """Returns the worktrees one or two levels below a slot's `tree`. Earlier versions had only one level."""
    worktrees = []
    for one in sorted(path for path in top.iterdir() if is_directory(os.fsencode(path))):
        inner = [one] if (one / ".git").is_file() else list(one.iterdir())
        worktrees += [path for path in inner if is_directory(os.fsencode(path)) and (path / ".git").is_file()]
    return worktrees


def bind_git(git: Git, tree: Path, *, is_full: bool = False) -> Git:
    """Returns a `Git` bound to the slot's worktree and index, with the user's sparse checkout unless `is_full`."""
    directory = slot_directory(tree)
    record = worktree_record(git, directory)
    settings = dict(STEADY)
    follows = is_sparse(git) and not is_full
    settings["core.sparsecheckout"] = "true" if follows else "false"
    if follows:
        settings["core.sparsecheckoutcone"] = git.config.get("core.sparsecheckoutcone", ("true",))[-1]
        (record / "info").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sparse_patterns(git), record / "info" / "sparse-checkout")
    slot_git = git.at(tree, record, settings)
    return replace(slot_git, environ={**git.environ, "GIT_INDEX_FILE": str(directory / "index")})


def bind_content_git(user: Git, slot: Git) -> Git:
    """Returns a `Git` for commands that run filters in a slot. Some filters look for keys in the user's git directory."""
    return replace(slot, git_dir=user.git_dir) if has_own_filters(user) else slot


def is_sparse(git: Git) -> bool:
    """Returns whether a worktree is a sparse checkout."""
    return git.config.get("core.sparsecheckout", ("false",))[-1] == "true" and sparse_patterns(git).exists()


def sparse_patterns(git: Git) -> Path:
    """Returns the path of git's sparse-checkout patterns."""
    return git.git_dir / "info" / "sparse-checkout"


def check_out_hidden(git: Git, attempt_id: str) -> None:
    """Checks out files that the attempt changed even outside the sparse patterns: the user's tree has them."""
    words = ("-r", "-z", "--name-only", "--no-renames", "--diff-filter=AMT")
    changes = git.attempt("diff-tree", *words, f"{attempt_id}^1", attempt_id).stdout
    if changes:
        git.run("update-index", "--no-skip-worktree", "-z", "--stdin", stdin=changes)
        git.run("checkout-index", "-f", "-u", "-z", "--stdin", stdin=changes)


def list_caches(paths: Iterable[bytes]) -> set[bytes]:
    """Returns the caches that are, or contain, these paths."""
    caches = set()
    for path in paths:
        parts = path.rstrip(b"/").split(b"/")
        depth = next((number for number, part in enumerate(parts, 1) if part in CACHES), None)
        if depth:
            caches.add(b"/".join(parts[:depth]))
    return caches


def prune_bytecode(top: bytes, cache: bytes, since: int) -> None:
    """Removes bytecode that may not match its source, and a cache with nothing left beside it.

    Bytecode is valid by its source's size and mtime in whole seconds. Two versions of the same size written within a
    second would run the old code. So bytecode stays only for regular files last written in a second before that of
    `since`: neither the checkout nor the program can write another version in that second.
    """
    directory = top + b"/" + cache
    parent = directory.rpartition(b"/")[0]
    # a link on the way could lead out of the slot
    if os.path.realpath(parent) != parent:
        return
    if not is_directory(directory):
        erase(directory)
    elif cache.endswith(b"__pycache__"):
        for name in os.listdir(directory):
            stem = TAG.split(name, maxsplit=1)[0] if name.endswith(b".pyc") else name.partition(b".")[0]
            if not is_older(parent + b"/" + stem + b".py", since):
                erase(directory + b"/" + name)
        if not os.listdir(directory):
            os.rmdir(directory)
    if all(name in CACHES for name in os.listdir(parent)):
        for name in os.listdir(parent):
            erase(parent + b"/" + name)
        remove_empty_parents(top, cache)


def match_or_check_out(slot: Slot, tracked: frozenset[bytes], *, is_exact: bool, converts: bool) -> None:
    """Gives files the user's exact bytes (`is_exact`), or checks out again the files for which an earlier run did that."""
    record = slot.directory / EXACT
    before = frozenset(record.read_bytes().split(b"\0")) & tracked if record.exists() else frozenset()
    if is_exact and converts:
        paths = list_differing(slot.user, slot.content, tracked)
        if paths:
            record.write_bytes(
                b"\0".join(before.union(paths))
            )  # written first: after a kill the record must name every file with exact bytes
            match_bytes(slot.user, slot.content, paths)
    elif before and not is_exact:
        for path in before:
            erase(os.fsencode(slot.tree) + b"/" + path)
        check_out_files(slot.content, sorted(before))
        record.unlink()


def replace_module_link(path: bytes) -> None:
    """Replaces a link that an earlier run had for a submodule by an empty directory. git leaves such links in place."""
    if os.path.islink(path):
        os.unlink(path)
        os.mkdir(path)


def is_older(source: bytes, since: int) -> bool:
    """Returns whether the path is a regular file last written in a second before that of `since` (nanoseconds)."""
    try:
        status = os.lstat(source)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime_ns // 10**9 < since // 10**9
