"""Runs for MLflow: what `mlflow_child.py` hands to a server, in the user's Python, through MLflow's own client."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gitrun import process
from gitrun.errors import CannotRun, MissingPackage
from gitrun.git.exe import environment_for_programs
from gitrun.git.locks import make_private_directory
from gitrun.model.flags import format_value
from gitrun.model.run import BATCH, COMPLETED, ERROR, short_id
from gitrun.model.text import safe_text
from gitrun.source.interpreter import find_python
from gitrun.workspace.checkout import CheckoutRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gitrun.model.run import Run
    from gitrun.project import Project

CHILD = Path(__file__).with_name("mlflow_child.py")
STATUSES = {COMPLETED: "FINISHED", ERROR: "FAILED"}
"""MLflow's words for statuses; KILLED for all others."""
LONGEST = 6_000
"""Characters of a value that MLflow takes."""
# MLflow takes these characters in names
OTHER = re.compile(r"[^\w\-. :/]")
OUTPUT = "output.txt"


def export_runs(project: Project, runs: Sequence[Run], uri: str) -> tuple[int, int]:
    """Exports ended runs. Returns the numbers of new runs and of those that were there. Raises MissingPackage, CannotRun."""
    git = project.git
    environ, directory = environment_for_programs(git.environ), git.worktree or git.git_dir
    python = find_python(project.settings.python, git.environ, directory)
    try:
        process.run.capture_output((python, "-c", "import mlflow.tracking"), environ, directory)
    except CannotRun as error:
        hint = f"To install it: {python} -m pip install mlflow-skinny"
        raise MissingPackage(f"{python} cannot import mlflow ({error.message})", hint) from error
    above = git.state / "tmp"
    make_private_directory(above)
    # batches before their trials, which name them as parents
    ordered = sorted(runs, key=lambda run: run.attempt.kind != BATCH)
    with TemporaryDirectory(prefix="mlflow.", dir=above) as path:
        request = {"uri": uri, "runs": [describe_run(project, run, Path(path)) for run in ordered]}
        file = Path(path, "request.json")
        file.write_text(json.dumps(request))
        process.run.capture_output((python, str(CHILD), str(file)), environ, directory)
        answer = json.loads(file.with_suffix(".answer").read_text())
    return answer["new"], answer["there"]


def describe_run(project: Project, run: Run, directory: Path) -> dict[str, Any]:
    """Returns a run as the child reads it. Its output and produced files are put into a directory of its own."""
    attempt = run.attempt
    started, stopped = (milliseconds(time or attempt.created) for time in (attempt.started, attempt.stopped))
    files = directory / run.id
    if attempt.kind != BATCH:
        files.mkdir()
        paths = tuple(file.path for file in attempt.files)
        if paths:
            project.bring(run.id, CheckoutRequest(paths, files))
        if not (files / OUTPUT).exists():
            files.joinpath(OUTPUT).write_bytes(project.read_file(run, "output"))
    return {
        "id": run.id, "attempt": attempt.id, "operation": run.operation.removesuffix("+"), "batch": attempt.batch or "",
        "name": safe_text(run.notes.label or short_id(run.id)), "status": STATUSES.get(run.status, "KILLED"),
        "started": started, "stopped": stopped, "files": str(files) if files.exists() else "",
        "params": {clean_name(name): format_value(value)[:LONGEST] for name, value in run.flags.items()},
        "metrics": list_metrics(project, run, started, stopped),
        "tags": {
            "mlflow.source.name": run.operation, "mlflow.source.git.commit": attempt.base or "", "mlflow.user": attempt.author,
            **{f"tag.{clean_name(tag)}": "true" for tag in run.notes.tags},
        },
    }  # fmt: skip


def list_metrics(project: Project, run: Run, started: int, stopped: int) -> list[tuple[str, float, int, int]]:
    """Returns all points of the metrics: name, value, time, step. The record has no times, so they are spread over the run."""
    points: list[tuple[str, float, int, int]] = []
    for curve in project.runs.read_curves([run], list(run.metrics), sys.maxsize):
        count = max(len(curve.steps) - 1, 1)
        for at, (step, value) in enumerate(zip(curve.steps, curve.values, strict=True)):
            points.append((clean_name(curve.metric), value, started + (stopped - started) * at // count, round(step)))
    return points


def clean_name(name: str) -> str:
    """Returns a name with the characters that MLflow takes."""
    return OTHER.sub("_", name)[:250] or "_"


def milliseconds(time: datetime) -> int:
    """Returns a time in milliseconds since 1970."""
    return round(time.timestamp() * 1000)
