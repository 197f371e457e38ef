"""The bytes of one recorded file of a run: in the repository, kept beside it, or still being written."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, BinaryIO

from gitrun.errors import UnknownRun
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.digest import sha256
from gitrun.model.run import RUNNING, File, Run, kept_name, short_id
from gitrun.store import live
from gitrun.store.kept_files import kept_directory, restore_kept

if TYPE_CHECKING:
    from gitrun.git.exe import Git


SOURCE, FLAGS, OUTPUT = "source", "flags", "output"
"""Parts of a run that can be read. `source` also takes a path."""


def copy_run_file(git: Git, run: Run, what: str, path: str | None, sink: BinaryIO) -> None:
    """Writes the run's output or flags to `sink`, or the file at `path` of its source or its results.

    Kept files are copied in pieces, since they may be large. Raises UnknownRun if the run has no such file.
    """
    beside = kept_directory(git, run.id, run.attempt.id)
    target = beside / (record_files.OUTPUT if path is None else kept_name(path))
    if path is None and what == OUTPUT and run.status == RUNNING:
        target = live.directory_of(git.state, run.id) / live.OUTPUT
    if path is not None and what != SOURCE:
        restore_kept(git, run.id, run.attempt, (path,))
    may_be_kept = what != FLAGS and (path is None or what != SOURCE)
    # not Path.is_file, which raises PermissionError; resolve() keeps links and `..` from leading out of the state directory
    if may_be_kept and os.path.isfile(target) and target.resolve().is_relative_to(git.state.resolve()):
        with target.open("rb") as source:
            shutil.copyfileobj(source, sink)
    elif path is not None:
        sink.write(read_recorded(git, run, what, os.path.normpath(path)))
    else:
        name = f"{run.attempt.id}:{record_files.FLAGS}" if what == FLAGS else f"{run.attempt.left}:{record_files.OUTPUT}"
        sink.write(read_object(git, name) or b"")


def read_recorded(git: Git, run: Run, what: str, path: str) -> bytes:
    """Returns the bytes of a file in the repository. Raises UnknownRun if it is missing or a directory."""
    produced = next((file for file in run.attempt.files if file.path == path), None) if what != SOURCE else None
    if produced and (data := read_produced(git, run.attempt.left, produced)) is not None:
        return data
    name, run_name = f"{run.attempt.id if what == SOURCE else run.attempt.left}:{path}", short_id(run.id)
    if git.attempt("cat-file", "-t", name).stdout == b"tree\n":
        raise UnknownRun(f"'{path}' is a directory of run {run_name}", f"To list its files: git run ls {run_name}")
    result = git.attempt("cat-file", "--filters", name)
    if result.returncode:
        raise UnknownRun(f"run {run_name} has no file '{path}'", f"To list its files: git run ls {run_name}")
    return result.stdout


def read_object(git: Git, name: str) -> bytes | None:
    """Returns the bytes of an object; None if it is missing."""
    with Objects(git) as objects:
        content = objects.read(name)
    return content.data if content else None


def read_produced(git: Git, commit_id: str, file: File) -> bytes | None:
    """Returns the bytes of a produced file in the repository as the program left them; None if it is missing."""
    result = git.attempt("cat-file", "blob", f"{commit_id}:{file.path}")
    # a file that went through a clean filter has other bytes in git
    if result.returncode or sha256(result.stdout).hexdigest() == file.sha256:
        return None if result.returncode else result.stdout
    return git.run("cat-file", "--filters", f"{commit_id}:{file.path}")
