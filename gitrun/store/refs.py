"""Keeps the refs of runs. Only this module moves refs, and only it knows how they are stored.

`RefStore` is all that other modules may ask of refs. `FileRefs` implements it for git's files: loose refs and
`packed-refs`; `Reftables` for reftables. What only exists with files (damaged refs, locks, loose refs to pack) has a function
of its own below.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from gitrun import git, store
from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import GitFailed, GitrunError, ObjectsGone, StaleRun
from gitrun.git.exe import Coprocess, failure_reason, unwritable_message
from gitrun.lazy import Protocol, shutil
from gitrun.model.run import ARCHIVE, INCOMING, OUTBOX, RUNS, TRASH, is_id, run_ref, short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git

TRANSACTION = [b"start: ok\n", b"prepare: ok\n", b"commit: ok\n"]
"""The answers of `git update-ref --stdin` to a transaction that succeeds."""
TABLES_LOCK = "reftable/tables.list.lock"
"""The lock of all refs in reftables."""
FEW = 100
"""Runs up to which git is asked for the ref of each."""
FEW_EDITS = 2
"""Edits up to which a transaction is given to a git that is kept: it gives no reason for a failure."""
FEW_FILES, SHORT = 50, 1 << 16
"""Loose refs, and bytes of `packed-refs`, up to which reading the files takes less time than a git."""
TRIES = 5
"""Times that refs are read again while another process archives runs."""
BUSY = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds between tries while another process, such as a gc that packs refs, holds a ref's lock."""
FORGOTTEN = 60.0
"""Seconds after which the lock of a ref is removed. No living git holds one for that long."""
SETTLED = 0.1
"""Seconds after which a directory's mtime is trustworthy: two changes within one clock tick have the same time."""
DYING = 1.0
"""Seconds that a git which outlives a killed supervisor has to move the ref that it has locked."""


@dataclass(frozen=True, slots=True)
class RefEdit:
    """One move of a ref from `expected` to `new`. None means that the ref does not exist before, or afterwards.

    `reason` is the message in the ref's reflog: a few constant words.
    """

    ref: str
    new: str | None
    expected: str | None
    reason: str


class RefStore(Protocol):
    """The store of the tips of runs."""

    def tips(self, under: str = RUNS) -> dict[str, str]:
        """Returns the tip of each ref below `under` by the rest of its name, which is a run's id."""

    def apply(self, edits: Sequence[RefEdit]) -> None:
        """Makes all edits, or none. Raises StaleRun if a ref is not where it is expected, ObjectsGone, GitFailed."""

    def token(self) -> str:
        """Returns a text that changes whenever any tip of a run has. Empty: the next change might not show in it."""


def ref_store(git: Git) -> RefStore:
    """Returns the store of the repository's refs."""
    return Reftables(git) if git.has_reftables else FileRefs(git)


def tips(git: Git, under: str = RUNS) -> dict[str, str]:
    """Returns the tip of each run by id, archived ones too; `ref: <target>` for a symbolic ref.

    `under` = TRASH: deleted runs.
    """
    return ref_store(git).tips(under)


def tips_of(git: Git, runs: Collection[str]) -> dict[str, str]:
    """Returns the tips of those of these runs that are here, archived ones too: id -> tip."""
    if len(runs) <= FEW:
        return {run_id: tip for run_id in runs if (tip := tip_of(git, run_id))}
    places = run_places(git)
    return places.archived_tips_of(runs) | {run_id: places.refs[run_id] for run_id in runs if run_id in places.refs}


def tip_of(git: Git, run_id: str) -> str | None:
    """Returns the run's last commit, which its ref points to or an archive lists; None if there is no such run."""
    return read_ref(git, run_ref(run_id)) or visible_archived_tip(git, run_id)


def visible_archived_tip(git: Git, run_id: str) -> str | None:
    """Returns the tip that an archive lists for a run, unless the run was deleted here."""
    tip = archived_tip(git, run_id)
    is_hidden = tip is None or read_ref(git, TRASH + run_id) is not None or run_id in store.purged.purged_ids(git)
    return None if is_hidden else tip


def archived_tip(git: Git, run_id: str) -> str | None:
    """Returns the tip that an archive lists for a run, deleted or not; None without one."""
    heads = archive_heads(git)
    return store.archive_tips.archived_tip(git, heads, run_id) if heads else None


def archive_heads(git: Git) -> dict[str, str]:
    """Returns the last commit of each archive by its writer."""
    return ref_store(git).tips(ARCHIVE) if may_have_refs(git, ARCHIVE) else {}


def list_refs(git: Git, *names: str) -> dict[str, str]:
    """Returns where refs of these names, or below these prefixes, point to, without what archives list: ref -> object."""
    return FileRefs(git).list_refs(*names)


def refs_of_runs(git: Git, runs: Collection[str]) -> dict[str, str]:
    """Returns those of the runs that have a ref of their own, with its tip: id -> tip."""
    names = [RUNS] if len(runs) > FEW else [run_ref(run_id) for run_id in runs]
    refs = list_refs(git, *names) if names else {}
    return {run_id: tip for ref, tip in refs.items() if (run_id := ref.removeprefix(RUNS)) in runs}


def read_ref(git: Git, ref: str) -> str | None:
    """Returns the object that the ref points to; None if there is no such ref."""
    if not git.has_reftables and ref.startswith((RUNS, TRASH, ARCHIVE, INCOMING, "refs/notes/")):
        # a git process takes longer than the rest of most callers
        loose = read_loose(git, ref)
        if loose:
            return loose
        if not os.path.lexists(git.common_dir / ref) and not is_packed(git, ref):
            return None
    return git.attempt("rev-parse", "--verify", "--quiet", ref).stdout.decode().strip() or None


def read_loose(git: Git, ref: str) -> str:
    """Returns the object that a loose ref points to; empty if the ref is packed, symbolic or missing."""
    with suppress(OSError):
        value = (git.common_dir / ref).read_bytes().rstrip().decode(errors="replace")
        return value if is_id(value) else ""
    return ""


def is_packed(git: Git, name: str) -> bool:
    """Returns whether `packed-refs` may have this ref, or one below a prefix that ends with `/`."""
    try:
        return f" {name}".encode(errors="surrogateescape") in (git.common_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return False


def may_have_refs(git: Git, prefix: str) -> bool:
    """Returns whether there may be refs below a prefix that ends with `/`. Starts no git."""
    return git.has_reftables or (git.common_dir / prefix).is_dir() or is_packed(git, prefix)


@dataclass(frozen=True, slots=True)
class RunPlaces:
    """Tells where runs are kept at one moment: by refs (id -> tip), or in archives (writer -> head commit), some deleted."""

    git: Git
    refs: Mapping[str, str]
    heads: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()

    @property
    def archives(self) -> str:
        """Returns a text that changes whenever the runs in archives do; empty without archives."""
        return " ".join([*map(":".join, sorted(self.heads.items())), *sorted(self.deleted)])

    def tips(self) -> dict[str, str]:
        """Returns the tips of all runs by id."""
        archived = store.archive_tips.archived_tips(self.git, self.heads) if self.heads else {}
        for run_id in self.deleted:
            archived.pop(run_id, None)
        # the ref of a run wins: it may have new attempts since it was archived
        return archived | dict(self.refs)

    def moved_since(self, archives: str) -> frozenset[str] | None:
        """Returns the runs that archives list otherwise than when `archives` was this text. None if these may be any."""
        words = archives.split()
        heads = dict(word.split(":") for word in words if ":" in word)
        # of an archive that is gone or new, too many runs differ to look at each
        if heads.keys() != self.heads.keys():
            return None
        changed = store.archive_tips.changed_runs(self.git, heads, self.heads)
        return None if changed is None else changed | (self.deleted ^ {word for word in words if ":" not in word})

    def archived_tips_of(self, runs: Collection[str]) -> dict[str, str]:
        """Returns the tips that archives list for these runs, whether they have refs or not: id -> tip."""
        listed = store.archive_tips.archived_tips_of(self.git, self.heads, runs) if self.heads and runs else {}
        return {run_id: tip for run_id, tip in listed.items() if run_id not in self.deleted}


def run_places(git: Git) -> RunPlaces:
    """Returns where all runs are kept now."""
    return FileRefs(git).run_places()


@dataclass(frozen=True, slots=True)
class FileRefs:
    """Refs in git's files. Git moves them, under its locks; reading and stamping look at the files where that is faster.

    Moves of runs and deleted runs run the repository's reference-transaction hook, are logged if the user wants reflogs
    of all refs, and are synced. Other refs are gitrun's own: no hook, no reflog. Refs of a fetch or push in progress are
    not even synced.
    """

    git: Git

    def tips(self, under: str = RUNS) -> dict[str, str]:
        """Returns the tips by id, in one git process. A symbolic ref has the tip `ref: <target>`."""
        if under != RUNS:
            return {ref.removeprefix(under): tip for ref, tip in self.list_refs(under).items()}
        return self.run_places().tips()

    def run_places(self) -> RunPlaces:
        """Returns where all runs are kept now."""
        both = self._list_refs_of_runs()
        refs = {ref.removeprefix(RUNS): tip for ref, tip in both.items() if not ref.startswith(ARCHIVE)}
        heads = {ref.removeprefix(ARCHIVE): head for ref, head in both.items() if ref.startswith(ARCHIVE) and is_id(head)}
        if not heads:
            return RunPlaces(self.git, refs)
        deleted = self.tips(TRASH).keys() | store.purged.purged_ids(self.git)
        hidden = store.archive_tips.archived_tips_of(self.git, heads, deleted).keys() if deleted else ()
        return RunPlaces(self.git, refs, heads, frozenset(hidden))

    def _list_refs_of_runs(self) -> dict[str, str]:
        """Returns the refs of runs and archives as they were at one moment, if no other process archives all the time."""
        place, refs = self._place_of_archives(), dict[str, str]()
        for _ in range(TRIES):
            before = directory_stamp(place)
            # git reads archives first: a run that is archived in between would be in neither
            few = None if self.git.has_reftables else read_few_refs(self.git, ARCHIVE, RUNS)
            refs = self.list_refs(RUNS, ARCHIVE) if few is None else few
            if before == directory_stamp(place):
                break
        return refs

    def _place_of_archives(self) -> Path:
        """Returns the path that changes whenever an archive moves."""
        return self.git.common_dir / ARCHIVE

    def list_refs(self, *prefixes: str) -> dict[str, str]:
        """Returns where the refs below the prefixes, or of these names, point to: ref -> object, or `ref: <target>`."""
        # the default format fails if one ref dangles
        lines = self.git.run("for-each-ref", "--format=%(objectname) %(refname) %(symref)", *prefixes)
        # <id> refs/runs/<run id> <target, if it is a symbolic ref>
        fields = (line.split(" ", 2) for line in lines.decode(errors="surrogateescape").splitlines())
        return {ref: f"ref: {target}" if target else tip for tip, ref, target in fields}

    def apply(self, edits: Sequence[RefEdit]) -> None:
        """Makes the edits in one transaction of git, which is all or none unless git is killed.

        Waits while another process holds a lock, up to the sum of BUSY. Afterwards the refs are on disk, if the
        repository is durable and they are runs.
        """
        remaining, waits = list(edits), list(BUSY)
        while remaining and (failure := self._transact(remaining)):
            now = self._read_again(remaining)
            # git fails if its last fsync does, although the refs have moved
            remaining = [edit for edit in remaining if now.get(edit.ref) != edit.new]
            with_archived = self._edits_of_archived(remaining, now)
            if with_archived != remaining:
                remaining = with_archived
                continue
            self._require_possible(remaining, now)
            if not remaining:
                break
            if not waits or unwritable_message(failure):
                which = (
                    f"the refs of {len(remaining)} runs"
                    if len(remaining) > 1
                    else f"the ref of {display_name(remaining[0].ref)}"
                )
                raise GitFailed(unwritable_message(failure) or f"cannot write {which}: {failure}")
            for edit in remaining:
                remove_old_lock(self.git, edit.ref)
            time.sleep(waits.pop(0))
        if self.git.durable:
            self._sync(edit.ref for edit in edits)

    def _sync(self, refs: Iterable[str]) -> None:
        """Syncs the names of these refs. Git synced their content."""
        for directory in sorted({ref.rpartition("/")[0] for ref in refs if belongs_to_run(ref)}):
            git.objects.fsync(self.git.common_dir / directory)

    def _transact(self, edits: Sequence[RefEdit]) -> str:
        """Runs one transaction. Returns git's reason if it fails, else an empty text."""
        of_runs = any(belongs_to_run(edit.ref) for edit in edits)
        git = unsynced(self.git) if all(edit.ref.startswith((INCOMING, OUTBOX)) for edit in edits) else self.git
        # the reflog of a projection or a temporary ref would only keep garbage alive
        quiet = () if of_runs else ("-c", "core.logAllRefUpdates=false")
        reason = "gitrun: " + ", ".join(dict.fromkeys(edit.reason for edit in edits))
        lines = "".join(map(transaction_line, edits)).encode(errors="surrogateescape")
        # --no-deref: git would move or delete the target of a symbolic ref
        words = (*quiet, "update-ref", "--no-deref", "-m", reason, "-z", "--stdin")
        if git.processes and len(edits) <= FEW_EDITS and self._transact_kept(words, lines, hooks=of_runs):
            return ""
        result = git.attempt(*words, stdin=lines, hooks=of_runs)
        return failure_reason(result.stderr) if result.returncode else ""

    def _transact_kept(self, words: Sequence[str], lines: bytes, *, hooks: bool) -> bool:
        """Runs one transaction in a process that is kept for more of them. Returns whether it succeeded.

        A failure ends the process, and its reason is lost.
        """
        with suppress(GitFailed), Coprocess(self.git, *words, hooks=hooks) as process:
            answers = process.ask(b"start\0" + lines + b"prepare\0commit\0")
            return [answers.readline() for _ in TRANSACTION] == TRANSACTION
        return False

    def _require_possible(self, edits: Sequence[RefEdit], now: Mapping[str, str | None]) -> None:
        """Raises StaleRun or ObjectsGone if an edit that failed cannot succeed. `now` is where the refs are."""
        for edit in edits:
            if now.get(edit.ref) != edit.expected:
                raise StaleRun(f"another process changed {display_name(edit.ref)}", "Try again")
        # git reports a missing object and a held lock alike
        for commit_id in missing_objects(self.git, [edit.new for edit in edits if edit.new]):
            raise ObjectsGone(f"git gc deleted {commit_id} before its ref was set", "Try again")

    def _edits_of_archived(self, edits: Sequence[RefEdit], now: Mapping[str, str | None]) -> list[RefEdit]:
        """Returns the edits as they are for runs that an archive lists at the expected tip: they have no refs yet.

        So who goes on with an archived run makes its ref in the same step, and a deletion has nothing to do.
        """
        absent = [edit for edit in edits if edit.ref.startswith(RUNS) and edit.expected and now.get(edit.ref) is None]
        heads = archive_heads(self.git) if absent else {}
        if not heads:
            return list(edits)
        archived = store.archive_tips.archived_tips_of(self.git, heads, [edit.ref.removeprefix(RUNS) for edit in absent])
        in_archive = {edit.ref for edit in absent if archived.get(edit.ref.removeprefix(RUNS)) == edit.expected}
        return [
            replace(edit, expected=None) if edit.ref in in_archive else edit
            for edit in edits
            if edit.ref not in in_archive or edit.new is not None
        ]

    def _read_again(self, edits: Sequence[RefEdit]) -> Mapping[str, str | None]:
        """Returns where the refs of the edits are now."""
        if len(edits) == 1:
            return {edits[0].ref: read_ref(self.git, edits[0].ref)}
        directories = {edit.ref.rpartition("/")[0] + "/" for edit in edits}
        return self.list_refs(*directories)

    def token(self) -> str:
        """Returns the state of the files of refs and of deleted runs, or an empty text if they changed a moment ago.

        Git renames loose refs into the directory, which changes it. Two changes within one tick of the file system's
        clock leave the same times. The ctime also reveals a write in place whose mtime was set back.
        """
        # the ids of deleted runs decide which runs of an archive there are
        deleted = (self.git.common_dir / TRASH, self.git.state / "purged")
        return stamp_files(
            self.git.common_dir / "packed-refs", self.git.common_dir / RUNS, self.git.common_dir / ARCHIVE, *deleted
        )


class Reftables(FileRefs):
    """Refs in reftables (git 2.45 and newer). Only git reads and moves them."""

    __slots__ = ()

    def _sync(self, refs: Iterable[str]) -> None:
        if any(refs):
            git.objects.sync_tables(self.git, self.git.common_dir / "reftable")

    def _place_of_archives(self) -> Path:
        return self.git.common_dir / "reftable" / "tables.list"

    def token(self) -> str:
        """Returns the state of the list of tables, which each move of any ref replaces, or an empty text as `FileRefs`."""
        return stamp_files(self._place_of_archives(), self.git.state / "purged")


def read_few_refs(git: Git, *prefixes: str) -> dict[str, str] | None:
    """Returns the refs below the prefixes from git's files: ref -> object. None if git should list them.

    That is so for many refs, without a repository, and for what git treats specially: symbolic refs, directories, bad content.
    """
    refs: dict[str, str] = {}
    try:
        for prefix in prefixes:
            paths = list_directory(git.common_dir / prefix)
            if len(refs) + len(paths) > FEW_FILES:
                return None
            for path in paths:
                # git writes a lock, and renames it to the ref
                if not path.name.endswith(".lock") and (content := read_short(path)) is not None:
                    refs[prefix + path.name] = content.removesuffix("\n")
        # after the loose refs: one that git packed in between is there
        packed = read_short(git.common_dir / "packed-refs") or ""
        if read_short(git.common_dir / "HEAD") is None:  # the repository was moved away, or its disk was
            return None
    except (OSError, ValueError):
        return None
    for line in packed.splitlines():
        tip, _, ref = line.partition(" ")
        if ref.startswith(prefixes):
            refs.setdefault(ref, tip)
    are_usual = all(ref.rpartition("/")[0] + "/" in prefixes and ref.rpartition("/")[2].isalnum() for ref in refs)
    are_ids = all(is_id(tip) and len(tip) == git.object_format.digits and tip.strip("0") for tip in refs.values())
    return dict(sorted(refs.items())) if are_usual and are_ids else None


def list_directory(path: Path) -> list[Path]:
    """Returns the paths in a directory; none if it does not exist."""
    with suppress(FileNotFoundError):
        return list(path.iterdir())
    return []


def read_short(path: Path) -> str | None:
    """Returns the text of a file; None if it does not exist. Raises OSError for a link, ValueError if long or not ASCII."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            data = os.read(descriptor, SHORT)
        finally:
            os.close(descriptor)
        if len(data) == SHORT:
            raise ValueError("too long")
        return data.decode("ascii")
    return None


def stamp_files(*paths: Path) -> str:
    """Returns a text that changes with these files and directories; empty if one of them changed a moment ago."""
    stamps, latest = [], 0.0
    for path in paths:
        try:
            status = path.stat()
        except OSError:  # local state can be another user's
            stamps.append("-")
            continue
        # git replaces packed-refs and tables.list by renaming, so that their inodes change too
        stamps.append(f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}")
        latest = max(latest, status.st_mtime)
    return " ".join(stamps) if time.time() - latest > SETTLED else ""


def directory_stamp(path: Path) -> tuple[int, ...]:
    """Returns numbers that change with a file or the entries of a directory, which may be absent."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns
    return ()


def transaction_line(edit: RefEdit) -> str:
    """Formats an edit as a command of `git update-ref -z --stdin`."""
    if edit.new is None:
        return f"delete {edit.ref}\0{edit.expected}\0"
    if edit.expected is None:
        return f"create {edit.ref}\0{edit.new}\0"
    return f"update {edit.ref}\0{edit.new}\0{edit.expected}\0"


def belongs_to_run(ref: str) -> bool:
    """Returns whether the ref is that of a run, deleted or not, or of an archive of runs."""
    return ref.startswith((RUNS, TRASH, ARCHIVE))


def display_name(ref: str) -> str:
    """Names the ref in a message: `run 3fa2c1d8`, or the ref itself if it is not a run's."""
    return f"run {short_id(ref.rpartition('/')[2])}" if ref.startswith((RUNS, TRASH)) else ref


def unsynced(git: Git) -> Git:
    """Returns the repository with unsynced writes, for what can be made again; as it is with reftables, which hold all refs."""
    return git if git.has_reftables else replace(git, config={**git.config, "gitrun.fsync": ("false",)})


def missing_objects(git: Git, object_ids: Collection[str]) -> list[str]:
    """Returns those of the objects that are not in the repository."""
    if not object_ids:
        return []
    stdin = "".join(f"{object_id}\n" for object_id in object_ids).encode()
    lines = git.run("cat-file", "--batch-check=%(objecttype)", stdin=stdin).decode(errors="replace").splitlines()
    return [object_id for object_id, line in zip(object_ids, lines, strict=True) if line.endswith(" missing")]


def delete_temporary_refs(git: Git, prefix: str) -> None:
    """Deletes all refs below `prefix`, which belong to one fetch or push. Ignores errors: the next one tries again."""
    # deleting the files first takes a fifth of git's time for ten thousand refs
    shutil.rmtree(git.common_dir / prefix, ignore_errors=True)
    with suppress(GitrunError, OSError):
        # a gc may have packed some of them
        packed = tips(git, prefix) if git.has_reftables or is_packed(git, prefix) else {}
        ref_store(git).apply([RefEdit(prefix + name, None, tip, "end of transfer") for name, tip in packed.items()])
    with suppress(OSError):
        (git.common_dir / prefix).parent.rmdir()


def detach_head(git: Git, commit_id: str) -> None:
    """Points HEAD of a leased slot's worktree to a commit, and to no branch. Syncs nothing. Raises GitFailed."""
    # a reflog would keep deleted runs reachable
    words = ("-c", "core.logAllRefUpdates=false", "-c", "core.fsync=none", "update-ref", "--no-deref", "-z", "--stdin")
    # without an expected value: a program left HEAD anywhere, and the lease keeps others away
    line = f"update HEAD\0{commit_id}\0\0".encode()
    kept = git.processes and FileRefs(git)._transact_kept(words, line, hooks=False)  # noqa: SLF001 - of this module
    if not kept and git.attempt(*words, stdin=line).returncode:
        # git waits a tenth of a second for a lock; one that is held longer was left by a git that was killed
        (git.git_dir / TABLES_LOCK).unlink(missing_ok=True)
        git.run(*words, stdin=line)


def pack_refs(repository: Git) -> None:
    """Moves loose refs into `packed-refs`: thousands of loose ones slow every git command. Raises GitFailed."""
    repository.run("pack-refs", "--all")
    git.objects.sync_tables(repository, repository.common_dir / "reftable")


def count_loose_refs(git: Git) -> int:
    """Returns the number of loose refs of runs, deleted ones included."""
    return sum(1 for prefix in (RUNS, TRASH) for _ in (git.common_dir / prefix).glob("*"))


def damaged_refs(git: Git) -> Mapping[str, Path]:
    """Returns the runs whose loose ref is malformed, with the path of its file. Git skips them with a warning."""
    paths = (git.common_dir / RUNS).glob("*")
    return {path.name: path for path in paths if is_id(path.name) and not is_sound(path)}


def is_sound(path: Path) -> bool:
    """Returns whether a ref's file holds an id or a symbolic ref. A file that is gone is not damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return data.startswith(b"ref: ") or is_id(data.rstrip().decode(errors="replace"))


def repair_ref(git: Git, run_id: str, tip: str) -> None:
    """Removes the run's damaged ref file, and sets the ref to `tip` unless that is empty. Raises StaleRun, GitFailed."""
    path = git.common_dir / run_ref(run_id)
    if is_sound(path):
        return
    # git refuses to update a ref whose file it cannot read
    path.unlink(missing_ok=True)
    now = tip_of(git, run_id)  # a packed ref may be left
    if tip and tip != now:
        ref_store(git).apply([RefEdit(run_ref(run_id), tip, now, "repair a damaged ref")])


def remove_abandoned_lock(repository: Git) -> None:
    """Removes the lock of all reftables if no git is at work in this repository, as after a kill."""
    path = repository.common_dir / TABLES_LOCK
    if path.exists() and git.stale_locks.is_abandoned(repository, path):
        with suppress(OSError):
            path.unlink()


def remove_old_lock(git: Git, ref: str) -> None:
    """Removes the lock that a killed git left on a ref at least FORGOTTEN seconds ago."""
    path = git.common_dir / (TABLES_LOCK if git.has_reftables else f"{ref}.lock")
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > FORGOTTEN:
            path.unlink()


def remove_lock_of_dead_supervisor(repository: Git, run_id: str) -> None:
    """Removes the lock that a git of a killed supervisor left on the run's ref. Waits DYING seconds first.

    Only a lock that is empty or holds the id of a run's commit counts as such. A git that is still alive fails without
    it, or finds the ref moved, and is retried.
    """
    path = repository.common_dir / f"{run_ref(run_id)}.lock"
    if repository.has_reftables:
        remove_abandoned_lock(repository)
    if not path.exists():
        return
    time.sleep(DYING)
    with suppress(OSError), git.objects.Objects(repository) as objects:
        if time.time() - path.stat().st_mtime >= DYING:
            content = path.read_text(errors="replace").strip()
            if not content or (is_id(content) and store.commits.read_commit(objects.read(content))):
                path.unlink()


def ref_lock_files(git: Git) -> Iterator[Path]:
    """Yields the lock files of refs, held or not."""
    if (lock := git.common_dir / TABLES_LOCK).exists():
        yield lock
    for directory, _, names in os.walk(git.common_dir / "refs"):
        yield from (Path(directory, name) for name in names if name.endswith(".lock"))
