"""`refs/notes/runs`: what the refs of runs say, for plain `git log --notes=runs`.

It is a projection: nothing reads it back, it has no history, and `rebuild` makes it anew from the refs. An attempt's
commit has its outcome and the end of its output; a commit of the user's has the runs that were made of its tree or from it.
It is there once somebody has asked for it; from then on each finished run is added.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import GitrunError, StaleRun
from gitrun.git.exe import NO_ID
from gitrun.git.objects import FILE, Entry, Objects, TreeMaker, edit_tree
from gitrun.model import record
from gitrun.model.refs import short
from gitrun.model.text import ending_text, number_text, safe_lines, safe_text
from gitrun.store.commits import commit_tree, hash_files, scratch
from gitrun.store.locks import acquire
from gitrun.store.places import make_common
from gitrun.store.tips import read_ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt, Run
    from gitrun.store.index import Index
    from gitrun.store.locks import Lock

NOTES = "refs/notes/runs"
MESSAGE = b"Runs, as of now: made by git run notes, never read back\n"
TAIL, WIDEST = 10, 200
"""Lines of output in a note, and characters of a line."""
MOST = 20
"""Runs in the note of a commit."""
ROUND = 500
"""Runs whose output is in memory at a time."""
PATIENCE = 60.0
"""Seconds that a run which has ended waits for others that write their notes."""


def are_kept(git: Git) -> bool:
    """Whether somebody has asked for notes."""
    if (git.common_dir / NOTES).exists():
        return True
    with suppress(OSError):  # every run asks this when it has ended: a look takes less than a git
        return f" {NOTES}\n".encode() in (git.common_dir / "packed-refs").read_bytes()
    return False


def rebuild(git: Git, index: Index) -> int:
    """Makes all notes anew, one commit without parents; how many there are. Raises GitrunError."""
    with patient(git) as _:
        before = read_ref(git, NOTES)
        runs = index.readable_runs()
        mark = import_notes(git, notes_of_all(git, index, runs))
        publish(git, mark, before)
        return len(git.run("ls-tree", "-r", "-z", "--name-only", mark).split(b"\0")) - 1


def add(git: Git, run: str) -> bool:
    """Writes the notes of a run that has ended, if notes are kept; whether they are written. Raises nothing of ours."""
    with suppress(GitrunError, OSError):
        if not are_kept(git):
            return False
        from sqlite3 import Error

        from gitrun.model.run import Run
        from gitrun.store.index import Index

        with suppress(Error), patient(git) as _, Index(git) as index:
            before, found = read_ref(git, NOTES), index.get(run)
            if before and isinstance(found, Run):
                publish(git, edited(git, before, notes_of(git, index, found)), before)
                return True
    return False


def add_commit(git: Git, commit: str, tree: str) -> bool:
    """Writes the note of a commit of the user's, if notes are kept and it has runs; whether it is written."""
    if not are_kept(git):
        return False
    from gitrun.store.index import Index

    with Index(git) as index:
        text = commit_note(index, commit, tree)
        if not text:
            return False
        with patient(git) as _:
            before = read_ref(git, NOTES)
            if before:
                publish(git, edited(git, before, {commit: text}), before)
            return before is not None


def drop(git: Git) -> bool:
    """Takes the notes away, and no more are written; whether there were any."""
    with patient(git) as _:
        before = read_ref(git, NOTES)
        if before:
            git.run("update-ref", "--no-deref", "-d", NOTES, before)
        return before is not None


def patient(git: Git) -> Lock:
    """The lock under which notes are written. Raises StaleRun if it is not to be had in a minute."""
    make_common(git.state)
    lock = acquire(git.state / "notes.lock", PATIENCE)
    if lock is None:
        raise StaleRun("the notes are being written by somebody else", "try again")
    return lock


def publish(git: Git, made: str, before: str | None) -> None:
    """Makes the commit the notes that there are."""
    git.run("update-ref", "--no-deref", NOTES, made, before or NO_ID)


def edited(git: Git, before: str, notes: Mapping[str, str]) -> str:
    """A new commit, without parents, of the notes with these put in."""
    with scratch(git) as place, Objects(git) as objects, TreeMaker(git) as maker:
        paths = [place / commit for commit in notes]
        for path, text in zip(paths, notes.values(), strict=True):
            path.write_bytes(text.encode())
        changes: dict[bytes, Entry | None] = {os.fsencode(commit): None for commit in notes}  # as `git notes` has few
        blobs = zip(notes, hash_files(git, paths), strict=True)
        changes |= {path_of(commit): Entry(FILE, blob) for commit, blob in blobs}
        return commit_tree(git, edit_tree(objects, maker, f"{before}^{{tree}}", changes), [], MESSAGE)


def import_notes(git: Git, notes: Iterable[tuple[str, str]]) -> str:
    """A new commit, without parents, of exactly these notes: through `git fast-import`, into one pack."""
    who = git.run("var", "GIT_COMMITTER_IDENT").strip()
    with scratch(git) as place:
        marks, words = place / "marks", [b"commit refs/gitrun/notes\nmark :1\ncommitter ", who, b"\n", data(MESSAGE)]
        words += (b"M 100644 inline " + path_of(commit) + b"\n" + data(text.encode()) for commit, text in notes)
        # the scratch ref is forgotten before the end: fast-import never sets it
        words.append(b"reset refs/gitrun/notes\n\n")
        git.run("fast-import", "--quiet", f"--export-marks={marks}", stdin=b"".join(words))
        return marks.read_text().split()[1]


def data(content: bytes) -> bytes:
    """The bytes as fast-import reads them."""
    return b"data %d\n" % len(content) + content + b"\n"


def path_of(commit: str) -> bytes:
    """Where the note of a commit lies: as `git notes` lays them out when they are many."""
    return f"{commit[:2]}/{commit[2:]}".encode()


def notes_of_all(git: Git, index: Index, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Commit and note of every attempt, and of every commit of which runs were made."""
    with Objects(git) as objects:
        for start in range(0, len(runs), ROUND):
            some = [(run, one) for run in runs[start : start + ROUND] for one in attempts_of(git, objects, run)]
            outputs = objects.read_many([at_of(one) for _, one in some])
            for (run, one), output in zip(some, outputs, strict=True):
                yield one.id, attempt_note(run, one, output.data if output else b"")
    trees: dict[str, str] = {}
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
        text = commit_note(index, commit, trees.get(commit, ""))
        if text:
            yield commit, text


def notes_of(git: Git, index: Index, run: Run) -> dict[str, str]:
    """The notes that the run's last attempt changes, by commit."""
    base = run.attempt.base
    with Objects(git) as objects:
        output = objects.read(at_of(run.attempt), limit=1 << 21)
        found = {run.attempt.id: attempt_note(run, run.attempt, output.data if output else b"")}
        commit = objects.read(base) if base else None
    if base and commit and commit.data and commit.kind == "commit":
        found[base] = commit_note(index, base, commit.data[5:45].decode(errors="replace"))
    return found


def attempts_of(git: Git, objects: Objects, run: Run) -> tuple[Attempt, ...]:
    """The attempts of a run; nothing is read for a run that has one."""
    from gitrun.store.runs import attempts

    return (run.attempt,) if run.attempt.id == run.id else attempts(git, objects, run)


def at_of(attempt: Attempt) -> str:
    """Where the output of an attempt lies."""
    return f"{attempt.left}:{record.OUTPUT}"


def attempt_note(run: Run, attempt: Attempt, output: bytes | None) -> str:
    """What there is to say of an attempt: its outcome, and the end of what it wrote (None: too much to read)."""
    again = f" (a restart of {short(run.id)})" if attempt.id != run.id else ""
    lines = [f"{ending(attempt)}{again}"]
    if output is None:
        lines.append("  | (more output than fits here)")
    written = safe_lines((output or b"")[-(TAIL * 4 * WIDEST) :].decode(errors="replace"))
    lines += [f"  | {line[:WIDEST]}".rstrip() for line in written[-TAIL:]]
    return "".join(f"{line}\n" for line in lines)


def ending(attempt: Attempt) -> str:
    """How an attempt ended, and its metrics, on one line."""
    said = ending_text(attempt.status, attempt.exit_status, attempt.duration)
    numbers = " ".join(f"{safe_text(name)}={number_text(value)}" for name, value in attempt.metrics.items())
    return said + (f": {numbers}" if numbers else "")


def commit_note(index: Index, commit: str, tree: str) -> str:
    """The runs of exactly a commit's tree, then those that were made from it with changes, the newest of each."""
    exact = index.made_of(tree, MOST + 1) if tree else []
    changed = index.made_from(commit, tree, MOST + 1)
    lines = [f"run {words(run)}" for run in exact[:MOST]]
    lines += ["and more runs of exactly this"] if len(exact) > MOST else []
    lines += [f"with changes: run {words(run)}" for run in changed[:MOST]]
    lines += ["and more runs with changes"] if len(changed) > MOST else []
    return "".join(f"{line}\n" for line in lines)


def words(run: Run) -> str:
    """A run on one line."""
    said = f"{short(run.id)} {safe_text(run.operation)} {safe_text(run.attempt.flags_text)}".rstrip()
    return f"{said[:WIDEST]}: {ending(run.attempt)}"
