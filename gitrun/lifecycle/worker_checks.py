"""Checks, before a worker claims a run, that this machine can execute it: program, environment, data and git-lfs files."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from gitrun import lifecycle, model, source, store, views, workspace
from gitrun.errors import BadRun, NotHere
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.run import STEPS, short_id
from gitrun.model.text import safe_text
from gitrun.source.operations import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitrun.model.provenance import InputFile
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session

NAMED = 3
"""Differences named in a message; further ones are counted."""
LFS = re.compile(rb"^[^#\n]*\bfilter=lfs\b", re.MULTILINE)


def require_possible(session: Session, run: Run, remote: str, *, same_env: bool) -> None:
    """Raises NotHere if the run cannot be executed on this machine. With `same_env`, also if its Python or packages differ."""
    require_program(session, run)
    fetch_lfs_files(session, run, remote)
    inputs = lifecycle.worker_inputs.require_inputs(session, run, remote)
    if missing := missing_data(session, run, inputs):
        raise NotHere(
            f"run {short_id(run.id)} needs data that is not here: {join_first(missing)}",
            "To have files fetched: declare them as inputs of the operation",
        )
    differences = environment_differences(session, run)
    if differences and same_env:
        raise NotHere(f"the environment of run {short_id(run.id)} is another: {join_first(differences)}")
    if differences:
        session.say(f"warning: the environment differs from that of run {short_id(run.id)}: {join_first(differences)}")


def require_program(session: Session, run: Run) -> None:
    """Raises NotHere if the program of the run is not installed."""
    program = next(iter(run.attempt.command), "")
    # a path is one in the source, and a Python is looked for when the run starts
    if run.attempt.kind == STEPS or program == PYTHON or not program or "/" in program:
        return
    if shutil.which(program, path=session.git.environ.get("PATH")) is None:
        raise NotHere(f"run {short_id(run.id)} needs the program {safe_text(program)}, which is not installed here")


def missing_data(session: Session, run: Run, inputs: tuple[InputFile, ...]) -> list[str]:
    """Returns sentences about what git ignores, was lent to the run, is none of its `inputs`, and differs in this clone."""
    with Objects(session.git) as objects:
        recorded = store.outputs.lent_record(objects, run.attempt.id) or ()
    # caches and environments of the other machine are no data
    data = [one for one in recorded if not is_machinery(one.path) and not lifecycle.worker_inputs.is_covered(one, inputs)]
    if not data:
        return []
    if session.git.worktree is None:
        return [f"{one.path} was lent to the run and is not here" for one in data]
    return list(workspace.lending.lent_changes(session.git.worktree, data, session.settings, session.git.state))


def is_machinery(path: str) -> bool:
    """Returns whether an ignored path is made by tools: hidden, a cache of bytecode, or an environment."""
    names = path.rstrip("/").split("/")
    return any(name.startswith(".") or name in {"__pycache__", "node_modules", "venv", "env"} for name in names)


def fetch_lfs_files(session: Session, run: Run, remote: str) -> None:
    """Fetches the files of git-lfs that the run's source names. Raises NotHere if that is not possible."""
    git = session.git
    with Objects(git) as objects:
        attributes = objects.read(f"{run.attempt.id}:.gitattributes")
    if attributes is None or not attributes.data or not LFS.search(attributes.data):
        return
    if shutil.which("git-lfs", path=git.environ.get("PATH")) is None:
        raise NotHere(f"run {short_id(run.id)} needs git-lfs, which is not installed here")
    result = git.run_remote("lfs", "fetch", remote, run.attempt.id, progress=False)
    if result.status:
        raise NotHere(f"git-lfs cannot fetch the files of run {short_id(run.id)}: {result.reason}")


def environment_differences(session: Session, run: Run) -> list[str]:
    """Returns sentences about versions of Python and of packages that differ from those recorded with the run."""
    record = workspace.run_files.read_object(session.git, f"{run.attempt.id}:{record_files.ENV}")
    recorded = model.decode.parse_toml(record, record_files.ENV) if record is not None else {}
    then, packages = recorded.get("python"), recorded.get("packages")
    if PYTHON not in run.attempt.command[:1] or not isinstance(then, dict) or not isinstance(packages, dict):
        return []
    path = source.interpreter.find_python(
        session.settings.python, session.git.environ, session.git.worktree or session.git.git_dir
    )
    python = source.interpreter.describe_python(path, session.git.environ, session.git.state)
    differences = [] if then.get("version") == python.version else [f"Python {then.get('version')}, here {python.version}"]
    return differences + list(package_differences(packages, source.environment.list_packages(python, session.git.state)))


def package_differences(recorded: Mapping[str, object], here: Mapping[str, str]) -> Iterable[str]:
    """Yields a sentence for each recorded package that has another version here or is missing."""
    for name, version in recorded.items():
        if here.get(name) != version:
            yield f"{name} {version}, {f'here {here[name]}' if name in here else 'missing here'}"


def list_step_runs(session: Session, run: Run) -> tuple[str, ...]:
    """Returns the ids of the runs of a pipeline's steps, and of those below them."""
    if run.attempt.kind != STEPS:
        return ()
    try:
        steps = views.lineage.read_family(session.git, run)[1]
    except BadRun:
        return ()
    with store.index.Index(session.git) as index:
        below = [step_run for step in steps if isinstance(step_run := index.get(step.run_id), model.run.Run)]
    return tuple(dict.fromkeys(one for step in below for one in (step.id, *list_step_runs(session, step))))


def join_first(sentences: list[str]) -> str:
    """Joins the first sentences and counts the others."""
    more = f" and {len(sentences) - NAMED:,} more" if len(sentences) > NAMED else ""
    return safe_text(", ".join(sentences[:NAMED])) + more
