"""Annotations of runs: label, tags, comments and mark. Each change is a commit on the run's tip.

A change that races with another is made again on the new tip, so that neither is lost.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadValue, GitrunError, ObjectsGone, StaleRun, UnknownRun, UsageError
from gitrun.git.gc_lock import hold_off_gc
from gitrun.git.objects import Objects, fsync
from gitrun.model import decode, encode, record_files
from gitrun.model.plan import require_utf8
from gitrun.model.run import DIRECTORY, run_ref, short_id
from gitrun.model.text import safe_text
from gitrun.model.tree import FILE
from gitrun.store.commits import data_command
from gitrun.store.publication import publish_many
from gitrun.store.refs import RefEdit, tip_of, tips
from gitrun.store.runs import parse_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.run import Notes, Run
    from gitrun.store.index import Index

    Change: TypeAlias = Callable[[Notes], Notes]


TRIES = 20
NOWHERE = b"refs/gitrun/outbox/annotations"


@dataclass(frozen=True, slots=True)
class AnnotationEdit:
    """A change of annotations, and the subject of its commit."""

    change: Change
    subject: str


def annotate(git: Git, run_id: str, change: Change, subject: str) -> bool:
    """Changes one run's annotations with `change`. Returns whether they differ afterwards.

    A difference is committed on the run's tip. Raises UnknownRun, StaleRun, UsageError.
    """
    return bool(annotate_many(git, (run_id,), change, subject))


def annotate_many(git: Git, runs: Sequence[str], change: Change, subject: str) -> list[str]:
    """Applies one change to many runs. Returns the ids of the runs that it changed. Raises as `annotate_each`."""
    return annotate_each(git, dict.fromkeys(runs, AnnotationEdit(change, subject)))


def annotate_each(git: Git, edits: Mapping[str, AnnotationEdit]) -> list[str]:
    """Applies an edit to each run (id -> edit). Returns the ids of the runs that changed.

    Each changed run gets one annotation commit on its tip. All runs are tried together first. If a ref has moved or a gc
    interferes, the runs are retried one by one on their new tips. Raises UnknownRun, StaleRun, ObjectsGone, UsageError.
    """
    changed: list[str] = []
    rest: Sequence[str] = list(edits)
    problem: GitrunError = StaleRun("another process keeps changing the runs")
    # all at once costs one process for each step; one by one, a busy run does not hold up the others
    for one_by_one in (False, *([True] * TRIES)):
        remaining: list[str] = []
        for some in [[run_id] for run_id in rest] if one_by_one else [rest]:
            try:
                # a gc that prunes at once may have caused the failure
                with hold_off_gc(git) if one_by_one else nullcontext():
                    changed += try_to_annotate(git, {run_id: edits[run_id] for run_id in some})
            except (StaleRun, ObjectsGone) as error:
                remaining, problem = [*remaining, *some], error
        if not remaining:
            return changed
        rest = remaining
    raise problem


def try_to_annotate(git: Git, edits: Mapping[str, AnnotationEdit]) -> list[str]:
    """Tries once to edit all of the runs, or none. Returns the ids of the runs that changed.

    Raises StaleRun, ObjectsGone, UnknownRun, UsageError.
    """
    # one process for all refs instead of one for each run
    tips_now = tips(git) if len(edits) > 1 else {run_id: tip_of(git, run_id) or "" for run_id in edits}
    for run_id in edits:
        if not tips_now.get(run_id):
            raise UnknownRun(f"run {short_id(run_id)} no longer exists")
    with Objects(git) as objects:
        names = [f"{tips_now[run_id]}:{record_files.NOTES}" for run_id in edits]
        before = [parse_notes(content) for content in objects.read_many(names)]
        after = {
            run_id: notes for run_id, old in zip(edits, before, strict=True) if (notes := edits[run_id].change(old)) != old
        }
        if after:
            heads = commit_annotations(
                git, [(tips_now[run_id], encode_notes(run_id, notes), edits[run_id].subject) for run_id, notes in after.items()]
            )
            moves = [
                RefEdit(run_ref(run_id), head, tips_now[run_id], "annotate") for run_id, head in zip(after, heads, strict=True)
            ]
            publish_many(git, objects, moves, added_objects(objects, heads))
    return list(after)


def encode_notes(run_id: str, notes: Notes) -> bytes:
    """Encodes annotations as notes.toml. Raises UsageError if they are not UTF-8, or too large to be read back."""
    texts = (text for comment in notes.comments for text in (comment.text, comment.author))
    for text in (notes.label or "", *notes.tags, *texts):
        require_utf8(text)
    data = encode.encode_notes(notes)
    if len(data) > decode.MAX_TOML:
        raise BadValue(f"annotations of run {short_id(run_id)} cannot be larger than 1 MiB", "Use fewer words")
    return data


def commit_annotations(git: Git, annotated: Sequence[tuple[str, bytes, str]]) -> list[str]:
    """Commits annotations with one `git fast-import`. Returns the new commit ids in order; many commits become one pack.

    Each item is a tip, the new content of notes.toml, and a commit subject.
    """
    author, committer = (git.run("var", f"GIT_{role}_IDENT").strip() for role in ("AUTHOR", "COMMITTER"))
    head = b"commit %s\nmark :1\nauthor %s\ncommitter %s\n" % (NOWHERE, author, committer)
    # one mark serves all commits: get-mark writes its id before the next commit sets it again
    stream = [
        head + data_command(encode.commit_message(subject, "annotation"))
        + f"from {tip}\nM {FILE} inline {record_files.NOTES}\n".encode() + data_command(notes) + b"get-mark :1\n"
        for tip, notes, subject in annotated
    ]  # fmt: skip
    # fast-import needs a branch to commit on; the reset drops it again, because only a compare-and-swap may move a ref
    end = b"reset %s\n\ndone\n" % NOWHERE
    commit_ids = git.run("fast-import", "--quiet", "--done", stdin=b"".join(stream) + end).decode().split()
    if git.durable:
        # the name of a new pack is in the directory, which needs a sync of its own
        fsync(git.common_dir / "objects" / "pack")
    return commit_ids


def added_objects(objects: Objects, heads: Sequence[str]) -> list[str]:
    """Lists the objects that these annotation commits added. Raises ObjectsGone if one is missing."""
    names = [f"{head}{part}" for head in heads for part in ("", "^{tree}", f":{DIRECTORY}", f":{record_files.NOTES}")]
    # rounds of a hundred: the questions must fit into the pipe while git waits for its answers to be read
    rounds = (names[start : start + 100] for start in range(0, len(names), 100))
    infos = [info for some in rounds for info in objects.infos([name.encode() for name in some])]
    if None in infos:
        raise ObjectsGone("git gc deleted objects while gitrun wrote them", "Try again")
    return [info.id for info in infos if info]


SET = AnnotationEdit(lambda notes: replace(notes, marked=True), "mark")
CLEAR = AnnotationEdit(lambda notes: replace(notes, marked=False), "clear the mark")


def mark_runs(git: Git, index: Index, runs: Sequence[Run]) -> tuple[list[str], list[Run]]:
    """Marks the runs and unmarks others of the same operations, in one step.

    Returns the ids of newly marked runs, and the unmarked runs. Raises UsageError if two runs are of one operation,
    UnknownRun, StaleRun.
    """
    often = [name for name, count in Counter(run.operation for run in runs).items() if count > 1]
    if often:
        raise UsageError(
            f"only one run of '{safe_text(often[0])}' can be marked",
            "To group several runs: git run tag",
        )
    run_ids = {run.id for run in runs}
    earlier = [other for run in runs for other in index.marked(run.operation) if other.id not in run_ids]
    edits = {**dict.fromkeys(run_ids, SET), **{run.id: CLEAR for run in earlier}}
    changed = annotate_each(git, edits)
    return [run_id for run_id in changed if run_id in run_ids], [run for run in earlier if run.id in changed]


def unmark_runs(git: Git, runs: Sequence[Run]) -> list[str]:
    """Unmarks the runs. Returns the ids of those that were marked. Raises UnknownRun, StaleRun."""
    return annotate_each(git, {run.id: CLEAR for run in runs})
