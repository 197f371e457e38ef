"""Writes `refs/notes/runs`, a projection of the runs for plain `git log --notes=runs`.

Nothing reads it back, it has no history, and `rebuild_notes` recreates it from the refs. An attempt's commit has its outcome
and the end of its output. A commit of the user's has the runs made of its tree or from it. Each run adds its own note when
it ends, unless `gitrun.notes` is false.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext, suppress

from gitrun import model, store
from gitrun.dataclass import dataclass, field
from gitrun.errors import GitFailed, GitrunError, StaleRun
from gitrun.git.gc_lock import hold_off_gc
from gitrun.git.locks import acquire, make_shared_directory
from gitrun.git.objects import Entry, Objects, edit_tree, tree_of_commit
from gitrun.model import record_files
from gitrun.model.run import short_id
from gitrun.model.settings import get_bool
from gitrun.model.text import ending_text, metrics_text, safe_lines, safe_text
from gitrun.model.tree import FILE
from gitrun.store.commits import data_command, open_writer, scratch_directory
from gitrun.store.publication import protect_from_gc, require_written
from gitrun.store.refs import RefEdit, read_ref, ref_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.locks import Lock
    from gitrun.git.objects import Loose
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import Attempt, Run
    from gitrun.store.index import Index

NOTES = "refs/notes/runs"
MESSAGE = b"Runs, as of now: made by gitrun, never read back\n"
TAIL, WIDEST = 10, 200
"""Lines of output in a note, and characters in a line."""
EXACT = ("run ", "and more runs of exactly this")
CHANGED = ("with changes: run ", "and more runs with changes")
"""Starts of a commit note's lines, and the line that stands for further runs, as pairs."""
MOST_METRICS = 20
WHO = "gitrun <gitrun@localhost>"
"""Fixed author of notes commits: asking git for the user takes longer than writing one."""
LARGEST = 16 << 20
"""Bytes of the largest output that is read for its last lines."""
MOST = 20
"""Runs in a commit's note."""
ROUND = 500
"""Runs whose output is in memory at a time."""
TOGETHER = 5.0
"""Seconds for which the notes of short trials wait for each other."""
PATIENCE = 60.0
"""Seconds that an ended run waits for other writers of notes."""


@dataclass(frozen=True, slots=True)
class Note:
    """The notes of an ended attempt: its own text, and its line in the note of the commit `base`.

    `source` is the tree of its source.
    """

    run_id: str
    attempt_id: str
    text: str
    line: str
    base: str | None
    source: str


def notes_wanted(git: Git) -> bool:
    """Returns whether runs write notes (`gitrun.notes`)."""
    return get_bool(git.config, "gitrun.notes", default=True)


def notes_exist(git: Git) -> bool:
    """Returns whether the repository has notes."""
    return read_ref(git, NOTES) is not None


def note_of_handle(run_id: str, attempt_id: str, plan: Plan, outcome: Outcome, output: Path) -> Note:
    """Returns the note of an ended attempt, with the end of the file `output`."""
    how = Ending(outcome.status, outcome.exit_status, outcome.duration, outcome.metrics)
    text = format_attempt_note(run_id, attempt_id, how, read_tail(output))
    return Note(
        run_id, attempt_id, text, format_line(run_id, plan.operation, plan.flags.text(plan.given), how),
        plan.source.base, plan.source.tree,
    )  # fmt: skip


def read_tail(output: Path) -> bytes:
    """Returns the end of an output file; empty if unreadable."""
    try:
        with output.open("rb") as file:
            # a character of UTF-8 has at most 4 bytes
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL * 4 * WIDEST))
            return file.read()
    except OSError:
        return b""


def rebuild_notes(git: Git, index: Index) -> int:
    """Rewrites all notes as one commit without parents. Returns their number. Raises GitrunError."""
    with lock_notes(git) as _:
        runs = index.readable_runs()
        mark = replace_notes(git, lambda writing: import_notes(git, notes_of_all_runs(writing.git, index, runs)))
        # -z ends every name, so the last field is empty
        return len(git.run("ls-tree", "-r", "-z", "--name-only", mark).split(b"\0")) - 1


def add_note(git: Git, note: Note) -> bool:
    """Adds the note of an ended run. Returns whether it was written. Errors are ignored: they must not fail a run.

    The notes of short trials are written together, by `add_waiting_notes`: a kill before that leaves them to the recovery of
    the batch.
    """
    remembered = git.processes.remembered if git.processes and git.processes.together else None
    waiting = None if remembered is None else remembered.setdefault(WaitingNotes, WaitingNotes())
    if not isinstance(waiting, WaitingNotes):
        return add_notes(git, [note])
    waiting.notes.append(note)
    return add_waiting_notes(git)


@dataclass(slots=True)
class WaitingNotes:
    """Notes of ended trials that are not written yet, and the time of the last ones that were."""

    notes: list[Note] = field(default_factory=list)
    written_at: float = 0.0


def add_waiting_notes(git: Git, *, at_once: bool = False) -> bool:
    """Adds the notes that wait, if the last ones were written more than TOGETHER seconds ago or `at_once` is set.

    Returns whether notes were written.
    """
    waiting = (git.processes.remembered or {}).get(WaitingNotes) if git.processes else None
    if not isinstance(waiting, WaitingNotes) or not waiting.notes:
        return False
    if not at_once and time.monotonic() - waiting.written_at < TOGETHER:
        return False
    notes, waiting.notes, waiting.written_at = waiting.notes, [], time.monotonic()
    return add_notes(git, notes)


def add_notes(git: Git, notes: Sequence[Note]) -> bool:
    """Adds the notes of ended runs. Returns whether they were written. Ignores errors, as `add_note` does."""
    with suppress(GitrunError, OSError, ValueError):
        if not notes_wanted(git) or not notes:
            return False
        with lock_notes(git) as _:
            replace_notes(git, lambda writing: commit_notes(writing, texts_with_notes(writing, notes)))
            return True
    return False


def texts_with_notes(writing: NotesWriting, notes: Iterable[Note]) -> dict[str, str]:
    """Returns the notes that ended runs change: those of their attempts, and those of the commits they were made from."""
    objects, texts = writing.objects, dict[str, str]()
    for note in notes:
        texts[note.attempt_id] = note.text
        base = objects.read(note.base) if note.base else None
        if note.base and base and base.data and base.kind == "commit":
            is_exact = note.source == tree_of_commit(base.data)
            before = texts[note.base].encode() if note.base in texts else read_note(objects, writing.before, note.base)
            texts[note.base] = replace_line(before, note, is_exact=is_exact)
    return texts


def read_note(objects: Objects, before: str | None, commit: str) -> bytes:
    """Returns the note of a commit in either layout of `git notes`; empty if it has none."""
    # 12/34... as here, or 1234... as git notes writes while there are few
    paths = (note_path(commit), commit.encode()) if before else ()
    contents = objects.read_many([f"{before}:{path.decode()}" for path in paths])
    return next((one.data for one in contents if one and one.data), b"")


def add_note_of_run(git: Git, run_id: str) -> bool:
    """Adds the note of an ended run from its recorded result, for callers that did not see it end.

    For a batch, also adds those of its trials that have none. Ignores errors, as `add_note` does.
    """
    with suppress(GitrunError, OSError):
        if not notes_wanted(git):
            return False
        from sqlite3 import Error  # slow to import, and only needed after a run was killed

        with suppress(Error):
            with store.index.Index(git) as index, Objects(git) as objects:
                run = index.get(run_id)
                if not isinstance(run, model.run.Run):
                    return False
                trials = index.trials_of(run_id) if run.attempt.kind == model.run.BATCH else []
                before = read_ref(git, NOTES)
                runs = [one for one in trials if one.attempt.result and not read_note(objects, before, one.attempt.id)]
                notes = [read_ended(objects, one) for one in (*runs, run)]
            return add_notes(git, notes)
    return False


def read_ended(objects: Objects, run: Run) -> Note:
    """Returns the note of an ended run, read from its result."""
    one, how = run.attempt, ending_of_attempt(run.attempt)
    output = objects.read(output_name(one), limit=LARGEST)
    text = format_attempt_note(run.id, one.id, how, (output.data if output else None) or b"")
    return Note(run.id, one.id, text, format_run(run), one.base, one.source)


def replace_line(old: bytes, note: Note, *, is_exact: bool) -> str:
    """Returns a commit's note with the run's line first among its kind, replacing an earlier line of that run."""
    lines = [safe_text(line) for line in old.decode(errors="replace").splitlines()]
    groups = {}
    for head, more in (EXACT, CHANGED):
        own = [line for line in lines if line.startswith(head) and not line.startswith(f"{head}{short_id(note.run_id)} ")]
        if (head == EXACT[0]) == is_exact:
            own.insert(0, head + note.line)
        groups[head] = [*own[:MOST], *([more] if more in lines or len(own) > MOST else [])]
    return "".join(f"{line}\n" for own in groups.values() for line in own)


def add_note_of_commit(git: Git, commit: str, tree: str) -> bool:
    """Writes the note of a user's commit, if it has runs. Returns whether it was written."""
    if not notes_wanted(git) or not git.state.exists():  # a commit hook creates no state in a repository without runs
        return False

    with store.index.Index(git) as index:
        text = format_commit_note(index, commit, tree)
    if not text:
        return False
    with lock_notes(git) as _:
        replace_notes(git, lambda writing: commit_notes(writing, {commit: text}))
    return True


def delete_notes(git: Git) -> bool:
    """Deletes the notes. Returns whether there were any. Later runs write notes again unless `gitrun.notes` is false."""
    with lock_notes(git) as _:
        before = read_ref(git, NOTES)
        if before:
            ref_store(git).apply([RefEdit(NOTES, None, before, "delete notes")])
        return before is not None


def lock_notes(git: Git) -> Lock:
    """Takes the lock for writing notes. Raises StaleRun after PATIENCE seconds."""
    make_shared_directory(git.state)
    # a race for the ref would cost all runs but one their notes
    lock = acquire(git.state / "notes.lock", PATIENCE)
    if lock is None:
        raise StaleRun("another process is writing the notes", "Try again")
    return lock


@dataclass(frozen=True, slots=True)
class NotesWriting:
    """A change of the notes that is being written: `before` is the commit to change (None: there are no notes)."""

    git: Git
    objects: Objects
    writer: Loose
    before: str | None


def replace_notes(git: Git, write: Callable[[NotesWriting], str]) -> str:
    """Moves the notes ref to the commit that `write` makes. Returns its id. Raises GitrunError, OSError.

    A gc may remove new objects that it found unreachable a moment before. Then the notes are written again without a gc. If
    that fails too, the ref is deleted: one that leads to missing objects would stop `git gc`, and notes can be rebuilt.
    """
    before = now = read_ref(git, NOTES)
    problem: GitFailed | None = None
    for holding in (nullcontext(), hold_off_gc(git)):
        with holding, Objects(git) as objects:
            writing = NotesWriting(git, objects, open_writer(git), before)
            try:
                commit_id = write(writing)
                writing.writer.finish()
                if commit_id != now:
                    ref_store(git).apply([RefEdit(NOTES, commit_id, now, "notes of runs")])
                    now = commit_id
                # packed first: objects that are present afterwards are safe from this gc
                protect_from_gc(git, [commit_id], [before])
                require_written(objects, writing.writer, [commit_id, *writing.writer.ids])
            except GitFailed as error:
                problem = error
            else:
                return commit_id
    if now and now != before:
        ref_store(git).apply([RefEdit(NOTES, None, now, "delete notes without objects")])
    raise problem or GitFailed("the notes cannot be written")


def commit_notes(writing: NotesWriting, notes: Mapping[str, str]) -> str:
    """Commits the notes with these texts (commit -> text) put in. Returns the id, `before` if they say so already.

    The commit has no parents.
    """
    objects, writer, before = writing.objects, writing.writer, writing.before
    # the flat layout of `git notes` for few notes
    changes: dict[bytes, Entry | None] = {os.fsencode(commit): None for commit in notes}
    changes |= {note_path(commit): Entry(FILE, writer.write("blob", text.encode())) for commit, text in notes.items()}
    tree = edit_tree(objects, writer, f"{before}^{{tree}}" if before else None, changes)
    tree_before = objects.read(f"{before}^{{tree}}", limit=0) if before else None
    if before and tree_before and tree_before.id == tree:
        return before
    who = f"{WHO} {int(time.time())} +0000"
    return writer.write("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\n".encode() + MESSAGE)


def import_notes(git: Git, notes: Iterable[tuple[str, str]]) -> str:
    """Commits exactly these notes with `git fast-import`, as one pack. Returns the id. The commit has no parents."""
    who = f"{WHO} {int(time.time())} +0000".encode()
    with scratch_directory(git) as directory:
        marks, words = (
            directory / "marks",
            [b"commit refs/gitrun/notes\nmark :1\ncommitter ", who, b"\n", data_command(MESSAGE)],
        )
        words += (b"M 100644 inline " + note_path(commit) + b"\n" + data_command(text.encode()) for commit, text in notes)
        # the reset drops the scratch ref before the end, so fast-import never writes it
        words.append(b"reset refs/gitrun/notes\n\n")
        git.run("fast-import", "--quiet", f"--export-marks={marks}", stdin=b"".join(words))
        # the file of marks has one line: :1 <id>
        return marks.read_text().split()[1]


def note_path(commit: str) -> bytes:
    """Returns the path of a commit's note in the tree: the fan-out that `git notes` uses for many."""
    return f"{commit[:2]}/{commit[2:]}".encode()


def notes_of_all_runs(git: Git, index: Index, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yields commit and note for every attempt, and for every commit that runs were made of or from."""
    with Objects(git) as objects:
        for start in range(0, len(runs), ROUND):
            some = [(run, one) for run in runs[start : start + ROUND] for one in all_attempts(git, objects, run)]
            outputs = objects.read_many([output_name(one) for _, one in some])
            for (run, one), output in zip(some, outputs, strict=True):
                # read_many leaves out the content of large blobs
                whole = objects.read(output.id, limit=LARGEST) if output and output.data is None else output
                yield (
                    one.id,
                    format_attempt_note(run.id, one.id, ending_of_attempt(one), (whole.data if whole else None) or b""),
                )
    trees: dict[str, str] = {}
    # git rev-list fails on the HEAD of a repository without commits
    head = ("HEAD",) if read_ref(git, "HEAD") else ()
    for line in (
        git.run("rev-list", "--no-commit-header", "--format=%H %T", "--branches", "--tags", "--remotes", *head)
        .decode()
        .splitlines()
    ):
        commit, tree = line.split(" ")
        trees[commit] = tree
    bases = {run.attempt.base: "" for run in runs if run.attempt.base}
    sources = {run.attempt.source for run in runs}
    for commit in [*bases, *(commit for commit, tree in trees.items() if tree in sources and commit not in bases)]:
        text = format_commit_note(index, commit, trees.get(commit, ""))
        if text:
            yield commit, text


def all_attempts(git: Git, objects: Objects, run: Run) -> tuple[Attempt, ...]:
    """Returns the attempts of a run, without reading anything if there is only one."""
    return (run.attempt,) if run.attempt.id == run.id else store.runs.read_attempts(git, objects, run)


def output_name(attempt: Attempt) -> str:
    """Returns the git name of an attempt's output."""
    return f"{attempt.left}:{record_files.OUTPUT}"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt: status, exit status, duration in seconds, and metrics."""

    status: str
    exit_status: int | None
    duration: float | None
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        text = ending_text(self.status, self.exit_status, self.duration)
        return text + (f": {metrics_text(self.metrics, MOST_METRICS)}" if self.metrics else "")


def ending_of_attempt(attempt: Attempt) -> Ending:
    """Returns the end of a recorded attempt."""
    return Ending(attempt.status, attempt.exit_status, attempt.duration, attempt.metrics)


def format_attempt_note(run_id: str, attempt_id: str, how: Ending, output: bytes) -> str:
    """Formats an attempt's note: outcome, metrics, and the last TAIL lines of output, safe for terminals."""
    again = f" (a restart of {short_id(run_id)})" if attempt_id != run_id else ""
    lines = safe_lines(output[-(TAIL * 4 * WIDEST) :].decode(errors="replace"))
    return "".join(f"{line}\n" for line in (f"{how}{again}", *(f"  | {line[:WIDEST]}".rstrip() for line in lines[-TAIL:])))


def format_commit_note(index: Index, commit: str, tree: str) -> str:
    """Formats a commit's note: runs of exactly its tree, and runs made from it with changes, newest first."""
    # one more than is shown tells whether there are more
    exact = index.made_of(tree, MOST + 1) if tree else []
    changed = index.made_from(commit, tree, MOST + 1)
    lines = []
    for (head, more), runs in ((EXACT, exact), (CHANGED, changed)):
        lines += [f"{head}{format_run(run)}" for run in runs[:MOST]]
        lines += [more] if len(runs) > MOST else []
    return "".join(f"{line}\n" for line in lines)


def format_run(run: Run) -> str:
    """Formats a run as one line of a note."""
    return format_line(run.id, run.operation, run.attempt.flags_text, ending_of_attempt(run.attempt))


def format_line(run_id: str, operation: str, flags: str, how: Ending) -> str:
    """Formats the line of a run in a commit's note."""
    text = f"{short_id(run_id)} {safe_text(operation)} {safe_text(flags)}".rstrip()
    return f"{text[:WIDEST]}: {how}"
