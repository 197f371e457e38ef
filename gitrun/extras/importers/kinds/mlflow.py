"""Runs of MLflow, of a directory such as `mlruns` or of a database such as `mlflow.db`. Nothing in artifacts is loaded."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.extras.importers.foreign_files import list_files
from gitrun.extras.importers.imported import ImportedRun, LeftOut, read_ending, read_time
from gitrun.extras.importers.mlflow_stores import read_store
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.flags import parse_value
from gitrun.model.run import COMMAND, SCRIPT, Comment
from gitrun.model.tree import REGULAR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gitrun.extras.importers.imported import Context
    from gitrun.extras.importers.mlflow_stores import StoredRun
    from gitrun.git.exe import Git

TOOL, OWN = "mlflow", "mlflow."
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
DEFAULT = "Default"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that ran: operation, kind and command, and the commit of its source if that is in this repository."""

    operation: str
    kind: str
    command: tuple[str, ...]
    commit: str = ""


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of a store. Raises UsageError if there is none, MissingPackage without PyYAML."""
    with Objects(context.git) as objects:
        for run in read_store(context):
            created, ending = read_time(run.started, 1_000), read_ending(run.status)
            if run.is_deleted:
                yield LeftOut(run.run_id, "it was deleted in MLflow")
            elif ending is None:
                yield LeftOut(run.run_id, "MLflow recorded no end of it")
            elif created is None:
                yield LeftOut(run.run_id, "it has no time")
            else:
                yield read_stored_run(context, find_program(context.git, objects, run), run, created, ending)


def read_stored_run(
    context: Context, program: Program, run: StoredRun, created: datetime, ending: tuple[str, int]
) -> ImportedRun:
    """Returns one run."""
    listing = list_files(run.artifacts) if run.artifacts else None
    note, user = run.tags.get(f"{OWN}note.content", ""), run.tags.get(f"{OWN}user", "")
    lost = "changes that were not committed" if program.commit else "the source: MLflow recorded no commit that is here"
    return ImportedRun(
        key=run.run_id, tool=TOOL, operation=program.operation, kind=program.kind, command=program.command, created=created,
        flags={name: parse_value(value) for name, value in run.params.items()}, given=tuple(run.params),
        source_tree=program.commit, base=program.commit or None, status=ending[0], exit_status=ending[1],
        started=created, stopped=read_time(run.ended, 1_000), points=run.points,
        produced=listing.imported() if listing else (),
        label=run.name or None, tags=tuple(list_tags(run)),
        comments=(Comment(note, user if context.with_authors else "", created),) if note else (),
        parent=run.tags.get(f"{OWN}parentRunId", ""),
        author=(user, f"{user}@mlflow.invalid") if context.with_authors and user else None,
        left_out=(lost, *(listing.reasons() if listing else ["artifacts that are not beside the store"])),
    )  # fmt: skip


def find_program(git: Git, objects: Objects, run: StoredRun) -> Program:
    """Returns what ran: the script at the recorded commit if both are here, else the words that MLflow recorded."""
    name = run.tags.get(f"{OWN}source.name", "")
    commit = run.tags.get(f"{OWN}source.git.commit", "")
    is_id = COMMIT.fullmatch(commit) and len(commit) == git.object_format.digits
    # a commit only: an id may be that of a tree or a tag
    commit = commit if is_id and (one := objects.read(commit)) and one.kind == "commit" else ""
    path = find_script(GitTree(objects, commit), name) if commit else ""
    if path:
        return Program(path, SCRIPT, ("{python}", path), commit)
    operation = name.rpartition("/")[2] or run.experiment or TOOL
    try:
        words = tuple(shlex.split(name))
    except ValueError:
        words = ()
    return Program(operation, COMMAND, words or (operation,), commit)


def find_script(tree: GitTree, name: str) -> str:
    """Returns the path below the top of a script that MLflow names by an absolute or relative path; empty if there is none."""
    # /home/ann/project/src/train.py: the longest end of it that the commit has
    parts = [part for part in name.split("/") if part not in {"", ".", ".."}]
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end.endswith(".py") and tree.mode(end) in REGULAR), "")


def list_tags(run: StoredRun) -> Iterator[str]:
    """Yields the tags of the user, `name=value` or the name alone, and the experiment. MLflow's own are something else."""
    if run.experiment and run.experiment != DEFAULT:
        yield run.experiment
    for name, value in run.tags.items():
        if not name.startswith(OWN):
            yield f"{name}={value}" if value else name
