"""Small ignored files that a run produced. They are kept beside the repository and also in the result.

The copies in `.gitrun/kept/` of the result's tree travel with the run. result.toml lists such files as local.
"""

from __future__ import annotations

import os

from gitrun.git.locks import make_private_directory
from gitrun.git.objects import Objects, entry_at
from gitrun.model.digest import sha256
from gitrun.model.record_files import KEPT
from gitrun.model.run import is_safe, kept_name
from gitrun.model.tree import EXECUTABLE, FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.run import Attempt, File, Run


def kept_entry(objects: Objects, attempt: Attempt, file: File) -> Entry | None:
    """Returns the entry of a local file in the attempt's result; None if it was too large to be included."""
    # paths of a fetched run may lead out of the directory
    entry = entry_at(objects, attempt.left, os.fsencode(f"{KEPT}/{file.path}")) if is_safe(file.path) else None
    return entry if entry and entry.mode in {FILE, EXECUTABLE} else None


def restore_kept(git: Git, run_id: str, attempt: Attempt, paths: Iterable[str] | None = None) -> None:
    """Restores the attempt's small local files to the place of local files, where they are missing.

    A file whose content differs from its sha256 in result.toml is left out. `paths` restricts the files.
    """
    paths_chosen = None if paths is None else set(paths)
    directory = kept_directory(git, run_id, attempt.id)
    missing = [file for file in missing_kept(git, run_id, attempt) if paths_chosen is None or file.path in paths_chosen]
    if not missing:
        return
    with Objects(git) as objects:
        for file in missing:
            entry = kept_entry(objects, attempt, file)
            content = objects.read(entry.id, file.size) if entry else None
            # a run from elsewhere may hold other content than its result.toml claims
            if entry and content and content.data is not None and sha256(content.data).hexdigest() == file.sha256:
                write_kept(directory, file.path, content.data, is_executable=entry.mode == EXECUTABLE)


def missing_kept(git: Git, run_id: str, attempt: Attempt) -> list[File]:
    """Returns the attempt's local files that are not at the place of local files."""
    directory = kept_directory(git, run_id, attempt.id)
    # lexists: a link that leads nowhere is there, and is not to be replaced
    return [file for file in attempt.files if file.stored == "local" and not os.path.lexists(directory / kept_name(file.path))]


def write_kept(directory: Path, path: str, data: bytes, *, is_executable: bool) -> None:
    """Writes a new file below `directory`. Does nothing if a symbolic link would lead it elsewhere."""
    make_private_directory(directory.parent)
    target = directory / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # a directory on the way may be a symbolic link
    if target.parent.resolve() != directory.resolve() / target.parent.relative_to(directory):
        return
    # renamed into place: several commands may restore the same file at once
    fresh = target.with_name(f".{os.urandom(8).hex()}.gitrun")
    fresh.write_bytes(data)
    fresh.chmod(0o755 if is_executable else 0o644)
    fresh.replace(target)


def unsent_files(git: Git, runs: Iterable[Run]) -> list[tuple[str, File]]:
    """Lists local files that are in no result, as pairs of run id and file. A push does not send them."""
    unsent = []
    with Objects(git) as objects:
        for run in runs:
            local = (file for file in run.attempt.files if file.stored == "local")
            unsent += [(run.id, file) for file in local if kept_entry(objects, run.attempt, file) is None]
    return unsent


def kept_directory(git: Git, run_id: str, attempt_id: str) -> Path:
    """Returns the directory for an attempt's files that are not in git."""
    return git.state / f"files/{run_id}/{attempt_id}"
