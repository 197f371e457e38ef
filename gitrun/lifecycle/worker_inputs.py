"""Inputs of runs that are handed out: pushed to the remote with the runs, and fetched by workers that lack the files.

Inputs with a URL are downloaded by each worker, files of git-lfs come with the source, and all others travel this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import lifecycle, model, source
from gitrun.errors import GitFailed, MissingInput, NotHere
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.entry import Input
from gitrun.model.run import short_id
from gitrun.model.text import count_text, safe_text
from gitrun.sharing import input_refs, secret_scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitrun.model.lent import Lent
    from gitrun.model.provenance import InputFile
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session


def publish_inputs(session: Session, remote: str, inputs: Iterable[tuple[InputFile, str]]) -> None:
    """Pushes inputs, each with the tree of the source that reads it. Says what workers do not get. Raises GitFailed."""
    files: dict[str, Path] = {}
    for one, tree in dict.fromkeys(inputs):
        if one.sha256 in files or one.url or is_in_source(session, one, tree):
            continue
        try:
            files[one.sha256] = find_file(session, one)
        except NotHere as error:
            session.say(f"warning: input {safe_text(one.path)} is not pushed: {error.message}. {error.hint}")
    count = input_refs.publish_inputs(session.git, remote, files) if files else 0
    if count:
        session.say(f"pushed {count_text(count, 'input')} to {remote}, for workers that lack the data")


def is_in_source(session: Session, one: InputFile, tree: str) -> bool:
    """Returns whether an input is a file of the source, which comes with the run."""
    with Objects(session.git) as objects:
        is_inside = not source.dependencies.is_outside(one.path)
        return is_inside and model.tree.is_regular_file(GitTree(objects, tree), one.path)


def find_file(session: Session, one: InputFile) -> Path:
    """Returns the file of an input in the working tree. Raises NotHere with the reason why it is not to be pushed."""
    hint = "Workers need it in their clone, or a url in the entry"
    top = session.git.worktree
    if top is None or source.dependencies.is_outside(one.path):
        raise NotHere("it is outside of the repository", hint)
    path = top / one.path
    if path.is_dir():
        raise NotHere("it is a directory", "To have its files pushed: name each of them")
    if model.secrets.is_secret_file(one.path, session.settings.secrets):
        raise NotHere("it looks like a secret", hint)
    if one.size > input_refs.LARGEST:
        raise NotHere(f"it is larger than {model.text.limit_text(input_refs.LARGEST)}", hint)
    with source.dependencies.Hashes(session.git) as hashes:
        if not path.is_file() or hashes.of(path) != one.sha256:
            raise NotHere("it has changed since the run was staged", hint)
    # as in runs that are pushed
    if one.size <= secret_scan.READABLE and model.secrets.find_secret(path.read_bytes()):
        raise NotHere("it may hold a secret", hint)
    return path


def inputs_of_runs(session: Session, runs: Iterable[Run]) -> Iterator[tuple[InputFile, str]]:
    """Yields the recorded inputs of runs, each with the tree of the run's source."""
    with Objects(session.git) as objects:
        for run in runs:
            basis = lifecycle.decide.recorded_basis(objects, run)
            yield from ((one, run.attempt.whole) for one in (basis.inputs if basis else ()))


def require_inputs(session: Session, run: Run, remote: str) -> tuple[InputFile, ...]:
    """Fetches the inputs of a run that this clone lacks, and returns all. Raises NotHere if one is another file here."""
    inputs = tuple(one for one, _ in inputs_of_runs(session, [run]))
    for one in inputs:
        if one.url:
            continue  # downloaded when the run starts
        problem = find_problem(session, run, one)
        if problem and fetch_input(session, remote, one):
            problem = find_problem(session, run, one)
        if problem:
            raise NotHere(f"run {short_id(run.id)} needs input {safe_text(one.path)}: {problem}")
    return inputs


def find_problem(session: Session, run: Run, one: InputFile) -> str:
    """Returns why an input is not here as it was recorded; empty if it is."""
    entry = Input(one.path, sha256=one.sha256)
    try:
        with Objects(session.git) as objects:
            source.dependencies.find_input(session, objects, entry, run.attempt.whole, run.operation)
    except MissingInput as error:
        return error.message
    return ""


def fetch_input(session: Session, remote: str, one: InputFile) -> bool:
    """Fetches an input from the remote into the cache of inputs. Returns whether the remote has it."""
    try:
        data = input_refs.fetch_input(session.git, remote, one.sha256)
    except GitFailed:
        return False
    if data is not None:
        source.input_cache.keep_input(session.git, one.sha256, data)
    return data is not None


def is_covered(lent: Lent, inputs: Iterable[InputFile]) -> bool:
    """Returns whether inputs are all that was lent at a path, so that nothing else of it is needed."""
    top = lent.path.rstrip("/")
    below = [one for one in inputs if one.path == top or one.path.startswith(f"{top}/")]
    is_whole = len(below) == lent.files and sum(one.size for one in below) == lent.size
    return bool(below) and (is_whole or any(one.path == top for one in below))
