"""Begins and finishes attempts: the one place where an attempt, its result and its live record come and go.

The order of the writes is the protocol that crash recovery relies on. Beginning: the live lock, the attempt's commit, the
run's ref. Finishing: the result's commit, the run's ref, the note, and last the live record. A process that dies in
between leaves a live record, from which `lifecycle/recover.py` finishes the attempt. A batch moves the ref of a trial that
has ended, and that of the next one, in one transaction.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import nullcontext, suppress

from gitrun import model, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, GitFailed, GitrunError, ObjectsGone, StaleRun
from gitrun.git.gc_lock import hold_off_gc, is_gc_running
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import Entry, Loose, Objects, edit_tree, fsync
from gitrun.lazy import shutil
from gitrun.model import encode, record_files
from gitrun.model.record_files import KEPT
from gitrun.model.run import BATCH, MAX_DEPTH, is_safe, run_ref
from gitrun.model.secrets import is_secret_file
from gitrun.model.settings import read_settings
from gitrun.model.tree import EXECUTABLE, FILE
from gitrun.store.commits import commit_signed, open_writer, read_commit, signing_wanted, write_commit, write_files
from gitrun.store.kept_files import kept_directory, restore_kept
from gitrun.store.live import SHORTENED, hold_live
from gitrun.store.publication import Move, publish
from gitrun.store.refs import RefEdit, read_loose, ref_store, tip_of
from gitrun.store.trust import record_made_here, require_trusted, trust_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.git.objects import TreeWriter
    from gitrun.git.status import WorktreeStatus
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import File, Run
    from gitrun.store.live import Live


Changes: TypeAlias = "Mapping[bytes, Entry | None]"
MOST_IGNORED = 1_000
"""Ignored files that one result can hold."""
LARGEST_OUTPUT, KEPT_HALF = 10 << 20, 5 << 20
"""Bytes of output above which a result holds only the first and last 5 MiB."""
RECORD_WAITS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each try to record a result, while a gc or an annotation interferes."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The whole outcome of an attempt, with metrics and files, and the changes of its result to the tree.

    `status` are the states of the files in the worktree; None if there is no worktree. `lost` are files that could not be read.
    """

    outcome: Outcome
    changes: Changes
    status: WorktreeStatus | None = None
    lost: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptHandle:
    """A recorded attempt whose live lock this process holds. Use it in a `with`.

    `finish` records the result. Without it, the end of the `with` keeps the live record and releases the lock, so that the
    next command finishes the attempt. `earlier` is the id of the attempt whose files this one inherits, or empty. `plan` is
    None if a dead supervisor began the attempt.
    """

    git: Git
    run_id: str
    id: str
    live: Live
    earlier: str = ""
    plan: Plan | None = None

    def __enter__(self) -> AttemptHandle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.leave()

    @property
    def kept(self) -> Path:
        """Returns the directory beside the repository for files of the attempt that are not in git."""
        return kept_directory(self.git, self.run_id, self.id)

    @property
    def inherited(self) -> Path | None:
        """Returns the directory with the kept files of the attempt that this one continues; None if it starts without any."""
        return kept_directory(self.git, self.run_id, self.earlier) if self.earlier else None

    def finish(
        self,
        collect: Callable[[], Collected],
        release: Callable[[Collected], None] | None = None,
        prepared: PreparedResult | None = None,
    ) -> Outcome:
        """Commits the result that `collect` returns, and ends the attempt as `end` does. Returns the outcome.

        `collect` is called again if a gc removed its objects. `prepared` is the same result if `prepare` has made it. Raises
        StaleRun and GitFailed as `record_result` does; the live record stays.
        """
        return self.end(record_result(self.outlasting(), collect, prepared), release)

    def prepare(self, collect: Callable[[], Collected]) -> PreparedResult:
        """Returns the result that `collect` returns, for `begin` to record it together with the begin of another attempt.

        Raises StaleRun, GitFailed and OSError; nothing is recorded, and `finish` may be called.
        """
        attempt = self.outlasting()
        with Objects(attempt.git) as objects:
            tip = read_tip(objects, attempt.run_id)
            require_unmoved(objects, tip, attempt)
            return prepare_result(objects, attempt, collect, tip, tip)

    def end(self, collected: Collected, release: Callable[[Collected], None] | None = None) -> Outcome:
        """Adds the note of an attempt whose result is recorded, and removes the live record. Returns the outcome.

        `release` gives the workspace back: it is called first, while other processes still see the run as running.
        """
        git, outcome = self.outlasting().git, collected.outcome
        if release:
            release(collected)
        if self.plan:
            # before the record is removed, so that a later command can write the note if gitrun is killed here
            store.notes.add_note(git, store.notes.note_of_handle(self.run_id, self.id, self.plan, outcome, self.live.output))
            if self.plan.kind == BATCH:
                store.notes.add_waiting_notes(git, at_once=True)
        self.live.close()
        return outcome

    def outlasting(self) -> AttemptHandle:
        """Returns the attempt with a repository that needs no worktree: the program may have removed that of the start."""
        git = self.git.outlasting_worktree()
        return self if git is self.git else replace(self, git=git)

    def renew(self) -> bool:
        """Rebuilds the live record and the trust entry if somebody removed them. Returns whether the record was gone.

        Raises StaleRun if another attempt of the run is running.
        """
        was_removed = self.live.renew()
        if was_removed or not trust_file(self.git).exists():
            record_made_here(self.git, self.id)
        return was_removed

    def close(self) -> None:
        """Removes the live record without a result: the attempt is staged, or only repeats a recorded one."""
        self.live.close()

    def leave(self) -> None:
        """Releases the lock and keeps the live record, for the next command. Does nothing after `finish` or `close`.

        A background process that inherited the lock keeps it.
        """
        self.live.leave()


@dataclass(frozen=True, slots=True)
class PreparedResult:
    """The result of an ended attempt that is not recorded yet. `writer` has its objects, perhaps still in memory."""

    attempt: AttemptHandle
    collected: Collected
    id: str
    tip: str
    writer: Loose

    @property
    def move(self) -> Move:
        """Returns the move of the run's ref that records the result."""
        return Move(RefEdit(run_ref(self.attempt.run_id), self.id, self.tip, "record result"), self.attempt.id)


def begin(git: Git, plan: Plan, extra_files: Mapping[str, bytes], ended: PreparedResult | None = None) -> AttemptHandle:
    """Commits the first attempt of a new run. `extra_files` has the contents of env.toml and lent.toml.

    Records the result of another attempt that has `ended`, in the same transaction. Raises GitFailed if a gc removed objects
    first, and StaleRun if the other run was changed: no run exists, that result is not recorded or is broken, and the caller
    may try again.
    """
    files = {**plan_files(plan), **extra_files}
    with Objects(git) as objects:
        writer = ended.writer if ended else open_writer(git)
        tree = edit_tree(objects, writer, plan.source.whole, write_records(writer, files))
        run_id = commit_attempt(writer, tree, [plan.source.base], attempt_message(plan))
        # before a ref leads to them: a kill in between must not make our own runs foreign ones
        record_made_here(git, *((ended.id,) if ended else ()), run_id)
        # the id is new, so this lock is free: held first, it shows the run as running from the start
        live = hold_live(git.state, run_id)
        try:
            begun = Move(RefEdit(run_ref(run_id), run_id, None, "start run"), commit_like(objects, plan))
            publish(git, objects, *((ended.move,) if ended else ()), begun, writer=writer)
        except BaseException:
            undo_begin(git, live, run_id, run_id, None)
            raise
    return AttemptHandle(git, run_id, run_id, live, plan=plan)


def commit_like(objects: Objects, plan: Plan) -> str | None:
    """Returns a commit that is here whole and has most of what the attempt has; None if there is none."""
    # a trial has the changed files of its batch
    if plan.batch and plan.source.dirty and objects.read(f"{plan.batch}^{{tree}}"):
        return plan.batch
    return plan.source.base


def begin_again(git: Git, plan: Plan, run: Run, extra_files: Mapping[str, bytes]) -> AttemptHandle:
    """Commits another attempt of the run and moves its ref. Raises GitrunError.

    The run must be trusted, and its ref must still be at `run.tip`. Unless `plan.clean`, the tree includes files that the
    last attempt produced.
    """
    require_trusted(git, run, clean=plan.clean)
    if not plan.clean:
        # the small files of a fetched run are only in its result so far
        restore_kept(git, run.id, run.attempt)
    live, attempt_id, earlier = hold_live(git.state, run.id), "", "" if plan.clean else run.attempt.id
    try:
        # before the ref moves, so that recovery finds it after a crash
        live.record_earlier(earlier)
        with Objects(git) as objects:
            writer = Loose(git)
            over = {} if plan.clean else inherited_entries(objects, writer, run, plan)
            plan = replace(plan, carried=tuple(os.fsdecode(path) for path in over))
            files = {**plan_files(plan), **extra_files}
            notes = objects.read(f"{run.tip}:{record_files.NOTES}")
            if notes and notes.data is not None:
                files[record_files.NOTES] = notes.data
            tree = edit_tree(objects, writer, plan.source.whole, {**over, **write_records(writer, files)})
            attempt_id = commit_attempt(writer, tree, [plan.source.base, run.tip], attempt_message(plan))
            record_made_here(git, attempt_id)
            # the objects of the last result are known to be here: only new ones are checked
            publish(git, objects, Move(RefEdit(run_ref(run.id), attempt_id, run.tip, "restart run"), run.attempt.left))
    except BaseException:
        undo_begin(git, live, run.id, attempt_id, run.tip)
        raise
    return AttemptHandle(git, run.id, attempt_id, live, earlier=earlier, plan=plan)


def plan_files(plan: Plan) -> dict[str, bytes]:
    """Returns the files that record the plan of an attempt, by path: flags, run, and those of a batch."""
    contents = {record_files.FLAGS: encode.encode_flags(plan.flags), record_files.RUN: encode.encode_run(plan)}
    if plan.batch_definition:
        contents[record_files.BATCH] = encode.encode_table(model.batch_record.encode_batch(plan.batch_definition))
        if plan.batch_definition.points:
            contents[record_files.POINTS] = model.batch_record.encode_points(plan.batch_definition.points)
    return contents


def write_records(writer: Loose, contents: Mapping[str, bytes]) -> dict[bytes, Entry]:
    """Stores the contents (path -> bytes) as blobs. Returns their tree entries by path."""
    return {os.fsencode(path): Entry(FILE, writer.write("blob", data)) for path, data in contents.items()}


def commit_attempt(writer: Loose, tree: str, parents: list[str | None], message: bytes) -> str:
    """Commits an attempt, signed if `gitrun.sign` is set. Returns its id."""
    is_signed = signing_wanted(writer.git)
    return commit_signed(writer.git, tree, parents, message) if is_signed else write_commit(writer, tree, parents, message)


def inherited_entries(objects: Objects, writer: TreeWriter, run: Run, plan: Plan) -> Mapping[bytes, Entry]:
    """Returns the entries by path that the last attempt passes on to the next one."""
    before = store.checkpoints.source_tree(objects, writer, run.attempt)
    return store.checkpoints.files_to_carry(objects, before, run.attempt.left, plan.source.whole)


def undo_begin(git: Git, live: Live, run_id: str, attempt_id: str, before: str | None) -> None:
    """Undoes a failed start: moves the run's ref back to `before` and removes the live record.

    `attempt_id` is empty if there is no commit yet. `before` is None for a new run, whose ref is deleted. If
    the ref cannot be moved back, the record stays and a later command finishes the attempt.
    """
    with suppress(GitrunError, OSError):
        if attempt_id:
            ref_store(git).apply([RefEdit(run_ref(run_id), before, attempt_id, "undo failed start")])
    # the ref could not be moved back: the record lets a later command finish the attempt
    if attempt_id and tip_of(git, run_id) == attempt_id:
        live.leave()
    else:
        live.close()


def attempt_message(plan: Plan) -> bytes:
    """Returns the commit message of the attempt."""
    return encode.commit_message(encode.attempt_subject(plan), "attempt")


def record_result(
    attempt: AttemptHandle, collect: Callable[[], Collected], prepared: PreparedResult | None = None
) -> Collected:
    """Commits the result that `collect` returns and moves the run's ref to it. Returns what was recorded.

    Annotations made during the run stay below the result. A `prepared` result is recorded as it is if that is still possible.
    `collect` is called again if a gc removed its objects. Raises StaleRun if somebody else moved the run on. Raises GitFailed
    if the repository is not writable: the live record stays, for a later command to finish the attempt.
    """
    git = attempt.git
    # the ref may have moved to a prepared result before its objects were lost
    parent, broken = (prepared.tip, {prepared.id}) if prepared else ("", set[str]())
    for wait in RECORD_WAITS:
        time.sleep(wait)
        # a gc is rare, so the first try goes without its lock
        holding = hold_off_gc(git) if wait else nullcontext()
        with holding, Objects(git) as objects:
            tip = read_tip(objects, attempt.run_id)
            parent = parent if tip in broken else skip_broken_result(objects, tip)
            require_unmoved(objects, parent, attempt)
            try:
                result, prepared = prepared or prepare_result(objects, attempt, collect, tip, parent), None
                # if a later line fails, this commit may be at the tip, but without all of its objects
                broken.add(result.id)
                # before the ref is set: readers treat a result that is not recorded here as foreign
                record_made_here(git, result.id)
                publish(git, objects, result.move, writer=result.writer)
            except (StaleRun, GitFailed) as error:
                problem: StaleRun | GitFailed = error
            except OSError as error:
                problem = GitFailed(f"cannot write the result: {error.strerror or error}")
            else:
                return result.collected
        if wait and not isinstance(problem, StaleRun | ObjectsGone) and not is_gc_running(git):
            break  # other failures, such as a full disk, do not pass in a moment
    is_full = problem.message.endswith(os.strerror(errno.ENOSPC))
    raise type(problem)(
        f"{problem.message}. What the run left is in {attempt.live.directory}",
        "To record it: free space there, then git run list" if is_full else "To try again: git run list",
    )


def prepare_result(
    objects: Objects, attempt: AttemptHandle, collect: Callable[[], Collected], tip: str, parent: str
) -> PreparedResult:
    """Makes the commit of the result that `collect` returns, upon `parent`. Raises StaleRun, GitFailed, OSError."""
    writer, collected = open_writer(attempt.git), collect()
    files = result_entries(writer, attempt, collected.outcome)
    tree = edit_tree(objects, writer, f"{parent}^{{tree}}", {**collected.changes, **files})
    message = encode.commit_message(encode.outcome_subject(collected.outcome), "result")
    return PreparedResult(attempt, collected, commit_result(writer, tree, parent, message), tip, writer)


def read_tip(objects: Objects, run_id: str) -> str:
    """Returns the commit that the run's ref points to; empty if there is none."""
    loose = read_loose(objects.git, run_ref(run_id))
    at = None if loose else objects.read(run_ref(run_id), limit=0)
    # during a gc, cat-file can miss an object for a moment
    return loose or (at.id if at else tip_of(objects.git, run_id) or "")


def commit_result(writer: Loose, tree: str, parent: str, message: bytes) -> str:
    """Commits a result, signed if `gitrun.sign` is set. Returns its id. If signing fails, commits it unsigned."""
    if signing_wanted(writer.git):
        with suppress(CannotRun):
            return commit_signed(writer.git, tree, [parent], message)
    return write_commit(writer, tree, [parent], message)


def skip_broken_result(objects: Objects, tip: str) -> str:
    """Returns `tip`, or its parent if `tip` is a result that lost objects to a gc."""
    commit = read_commit(objects.read(tip)) if tip else None
    if commit and commit.kind == "result" and objects.read(f"{tip}:{record_files.RESULT}", limit=0) is None:
        return commit.parents[0]
    return tip


def require_unmoved(objects: Objects, tip: str, attempt: AttemptHandle) -> None:
    """Raises StaleRun unless the tip is the attempt, or only annotations were added to it."""
    while tip != attempt.id:
        commit = read_commit(objects.read(tip)) if tip else None
        if commit is None or commit.kind not in {"annotation", "merge"} or not commit.parents:
            raise StaleRun(f"run {attempt.run_id[:8]} was changed while it ran. What it left is in {attempt.live.directory}")
        tip = commit.parents[0]


def result_entries(writer: Loose, attempt: AttemptHandle, outcome: Outcome) -> dict[bytes, Entry]:
    """Writes result.toml, output, metrics and small ignored files. Returns their tree entries by path."""
    git, live = attempt.git, attempt.live
    output = shorten_output(live.output, attempt.kept / record_files.OUTPUT, live.directory / SHORTENED)
    records = {record_files.RESULT: encode.encode_result(outcome)}
    if outcome.metrics:
        records[record_files.METRICS] = live.series
    entries = write_records(writer, records)
    files = {record_files.OUTPUT: output}
    files |= (ignored := select_ignored(git, attempt.kept, outcome.files))
    ids = write_files(writer, files.values())
    runnable = {name for name, source in ignored.items() if os.access(source, os.X_OK)}
    modes = (EXECUTABLE if name in runnable else FILE for name in files)
    return entries | {os.fsencode(name): Entry(mode, blob_id) for name, mode, blob_id in zip(files, modes, ids, strict=True)}


def select_ignored(git: Git, directory: Path, files: Iterable[File]) -> dict[str, Path]:
    """Selects ignored files for the result, by their path in it: smallest first, up to `gitrun.maxIgnored` bytes in all.

    Leaves out files that look like secrets, symbolic links, files too large for git, and those very deep in directories.
    """
    settings = read_settings(git.config)
    room, files_selected = settings.max_ignored, dict[str, "Path"]()
    most = min(room, settings.max_produced)  # a file too large for a result is too large here as well
    local = [
        file
        for file in files
        if file.stored == "local" and 0 <= file.size <= most and is_safe(file.path) and file.path.count("/") <= MAX_DEPTH
    ]
    for file in sorted(local, key=lambda file: (file.size, file.path))[:MOST_IGNORED]:
        source = directory / file.path
        if file.size > room or is_secret_file(file.path, settings.secrets) or source.is_symlink() or not source.is_file():
            continue
        room -= file.size
        files_selected[f"{KEPT}/{file.path}"] = source
    return files_selected


def shorten_output(output: Path, whole: Path, short: Path) -> Path:
    """Returns the path of the output to commit. Above 10 MiB that is `short`, made of its first and last 5 MiB.

    The whole of such an output is kept at `whole`.
    """
    output.touch()
    size = output.stat().st_size
    if size <= LARGEST_OUTPUT:
        return output
    make_private_directory(whole.parent)
    # a result that is recorded again, after a gc, has kept it already
    if not whole.exists():
        keep_full_output(output, whole)
    with output.open("rb") as source, short.open("wb") as target:
        target.write(source.read(KEPT_HALF))
        target.write(
            f"\n[gitrun: {size - 2 * KEPT_HALF} bytes left out; the whole is in {whole.name} under gitrun/files]\n".encode()
        )
        source.seek(-KEPT_HALF, os.SEEK_END)
        target.write(source.read())
    return short


def keep_full_output(output: Path, whole: Path) -> None:
    """Keeps the output at `whole` as a hard link, or as a copy where links are not supported. Syncs it to disk."""
    try:
        os.link(output, whole)
    except OSError:
        # renamed when it is complete: a kill leaves no half copy that a later try would take for the whole
        fresh = whole.with_name(whole.name + ".new")
        shutil.copyfile(output, fresh)
        fresh.replace(whole)
    fsync(whole)
    fsync(whole.parent)
