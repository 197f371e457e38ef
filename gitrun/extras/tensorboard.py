"""A directory of runs for TensorBoard: one for each run, with its own event files, or with ones made of its metrics."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gitrun import process
from gitrun.errors import MissingPackage
from gitrun.git.locks import make_private_directory
from gitrun.model.run import short_id
from gitrun.model.text import safe_text
from gitrun.render.event_file import write_events
from gitrun.workspace.checkout import CheckoutRequest
from gitrun.workspace.tensorboard import PREFIX, list_event_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project

PROGRAM = "tensorboard"
LONGEST = 60
"""Characters of a directory's name, of which TensorBoard makes the name of a run."""
OLD = 86_400.0
"""Seconds after which a directory that a killed process left is removed."""


def find_program(environ: Mapping[str, str]) -> str:
    """Returns the user's tensorboard: of the active environment, else on PATH. Raises MissingPackage."""
    own = Path(environ["VIRTUAL_ENV"], "bin", PROGRAM) if environ.get("VIRTUAL_ENV") else None
    program = str(own) if own and own.is_file() else shutil.which(PROGRAM, path=environ.get("PATH"))
    if program is None:
        raise MissingPackage("no tensorboard on PATH", "To install it: pip install tensorboard")
    return program


def show_runs(project: Project, runs: Sequence[Run], environ: Mapping[str, str], port: int | None) -> int:
    """Runs the user's tensorboard with these runs until it ends. Returns its exit status. Raises MissingPackage."""
    program = find_program(environ)
    with open_directory(project) as directory:
        write_directory(project, runs, directory)
        words = (program, "--logdir", str(directory), "--host", "127.0.0.1", *(("--port", str(port)) if port else ()))
        return process.run.run_in_foreground(words, environ)


@contextmanager
def open_directory(project: Project) -> Iterator[Path]:
    """Yields a directory that is deleted afterwards. Removes those that killed processes have left for a day."""
    above = project.git.state / "tmp"
    make_private_directory(above)
    for leftover in above.glob(f"{PROGRAM}.*"):
        if time.time() - leftover.stat().st_mtime > OLD:
            shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=f"{PROGRAM}.", dir=above, ignore_cleanup_errors=True) as path:
        yield Path(path)


def write_directory(project: Project, runs: Sequence[Run], directory: Path) -> None:
    """Makes a directory for each run. A run that wrote event files keeps their scalars; the others get their metrics."""
    for run in runs:
        run_directory = directory / directory_name(run)
        run_directory.mkdir()
        own = list_event_files(file.path for file in run.attempt.files)
        if own:
            project.bring(run.id, CheckoutRequest(tuple(own), run_directory))
        curves = [] if own else project.runs.read_curves([run], list(run.metrics))
        run_directory.joinpath(f"{PREFIX}{run.attempt.created.timestamp():.0f}.gitrun").write_bytes(write_events(run, curves))


def directory_name(run: Run) -> str:
    """Returns `<id8> <label>`, or the flags without a label, as a name that leads nowhere else."""
    words = safe_text(run.notes.label or run.attempt.brief_text)
    return f"{short_id(run.id)} {words.replace('/', '_')}"[:LONGEST].strip()
