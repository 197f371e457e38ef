"""What people add to runs afterwards: each change is a commit on the run's tip, and none is lost to another."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from gitrun.errors import GitrunError, ObjectsGone, StaleRun, UnknownRun
from gitrun.git.objects import FILE, Entry, Objects, TreeMaker, edit_tree
from gitrun.model import record
from gitrun.model.refs import short
from gitrun.store.collecting import gc_held_off
from gitrun.store.runs import content, hash_files
from gitrun.store.tips import Move, publish_many, tip_of, tips

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.run import Notes

    Change: TypeAlias = Callable[[Notes], Notes]

TRIES = 20


def annotate(git: Git, run: str, change: Change, subject: str, scratch: Path) -> bool:
    """Whether `change` of the run's annotations changed them; then they are in a commit on its tip. Raises UnknownRun."""
    return bool(annotate_many(git, (run,), change, subject, scratch))


def annotate_many(git: Git, runs: Sequence[str], change: Change, subject: str, scratch: Path) -> list[str]:
    """Those of the runs whose annotations `change` changed; they are in a commit on each one's tip.

    What somebody else moves in the same instant is changed again on what they made. Raises UnknownRun, StaleRun.
    """
    done: list[str] = []
    rest: Sequence[str] = runs
    problem: GitrunError = StaleRun("the runs are changed all the time by somebody else")
    for one_by_one in (False, *([True] * TRIES)):
        left: list[str] = []
        for some in [[run] for run in rest] if one_by_one else [rest]:
            try:
                with gc_held_off(git) if one_by_one else nullcontext():
                    done += attempt_many(git, some, change, subject, scratch)
            except (StaleRun, ObjectsGone) as error:
                left, problem = [*left, *some], error
        if not left:
            return done
        rest = left
    raise problem


def attempt_many(git: Git, runs: Sequence[str], change: Change, subject: str, scratch: Path) -> list[str]:
    """One try at all of the runs, which changes all of them or none. Raises StaleRun, ObjectsGone, UnknownRun."""
    known = tips(git) if len(runs) > 1 else {run: tip_of(git, run) or "" for run in runs}
    for run in runs:
        if not known.get(run):
            raise UnknownRun(f"there is no run {short(run)} any more")
    with Objects(git) as objects, TreeMaker(git) as maker:
        names = [f"{known[run]}:{record.NOTES}" for run in runs]
        before = [record.read_notes(content(found, record.NOTES)) for found in objects.read_many(names)]
        after = {run: notes for run, old in zip(runs, before, strict=True) if (notes := change(old)) != old}
        if not after:
            return []
        blobs = write_many(git, scratch, [record.notes_toml(notes) for notes in after.values()])
        trees = [
            edit_tree(objects, maker, f"{known[run]}^{{tree}}", {os.fsencode(record.NOTES): Entry(FILE, blob)})
            for run, blob in zip(after, blobs, strict=True)
        ]
        heads = commit_many(git, {run: (known[run], tree) for run, tree in zip(after, trees, strict=True)}, subject, scratch)
        moves = [Move(run, head, known[run]) for run, head in zip(after, heads, strict=True)]
        publish_many(git, objects, moves, [*blobs, *trees, *heads])
    return list(after)


def write_many(git: Git, scratch: Path, contents: Sequence[bytes], kind: str = "blob") -> list[str]:
    """The ids of new objects of these bytes."""
    paths = [scratch / f"{kind}.{number}" for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    return hash_files(git, paths, kind)


def commit_many(git: Git, trees: Mapping[str, tuple[str, str]], subject: str, scratch: Path) -> list[str]:
    """The ids of an annotation commit for each run: `trees` tells its parent and its tree."""
    author, committer = (
        git.run("var", f"GIT_{role}_IDENT").decode(errors="surrogateescape").strip() for role in ("AUTHOR", "COMMITTER")
    )
    words = record.message(subject, "annotation")
    heads = (
        os.fsencode(f"tree {tree}\nparent {parent}\nauthor {author}\ncommitter {committer}\n\n") + words
        for parent, tree in trees.values()
    )
    return write_many(git, scratch, list(heads), "commit")
