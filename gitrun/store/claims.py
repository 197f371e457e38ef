"""Claims: the runs of a remote that this machine has claimed, and what it trusts of the claims of other workers.

Each own claim is a file `.git/gitrun/claims/<run id>` with the name of the remote. It is written before the claim is pushed,
and removed once the result is there, or somebody else has the run. So a result is handed over even after a crash.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import fsync
from gitrun.model import record_files
from gitrun.model.run import is_id
from gitrun.store import trust
from gitrun.store.commits import read_commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.run import Run

DIRECTORY = "claims"
WORKERS_OWN = frozenset({"created", "nonce", "staged", "worker", "format"})
"""Keys of run.toml in which the attempt of a worker differs from the one that was handed out."""


def record_claim(state: Path, run_id: str, remote: str) -> None:
    """Records that this machine claims the run of the remote."""
    directory = state / DIRECTORY
    make_shared_directory(directory)
    fresh = directory / f"{run_id}.new"
    fresh.write_text(remote)
    fsync(fresh)
    fresh.replace(directory / run_id)
    fsync(directory)


def remove_claim(state: Path, run_id: str) -> None:
    """Removes the record of a claim, which may be gone."""
    for name in (run_id, f"{run_id}.bundle"):
        (state / DIRECTORY / name).unlink(missing_ok=True)


def list_claims(state: Path, remote: str) -> list[str]:
    """Returns the ids of the runs of the remote that this machine has claimed, oldest claim first."""
    claims = []
    with suppress(FileNotFoundError):
        for path in (state / DIRECTORY).iterdir():
            with suppress(OSError):  # another worker has just handed over its result
                if is_id(path.name) and path.read_text() == remote:
                    claims.append((path.stat().st_mtime_ns, path.name))
    return [run_id for _, run_id in sorted(claims)]


def bundle_path(state: Path, run_id: str) -> Path:
    """Returns the path of the bundle with a result that could not be pushed."""
    return state / DIRECTORY / f"{run_id}.bundle"


def commit_parents(objects: Objects, commit_id: str) -> tuple[str, ...]:
    """Returns the parents of a commit; none if it cannot be read."""
    commit = read_commit(objects.read(commit_id))
    return tuple(commit.parents) if commit else ()


def trust_claim(git: Git, objects: Objects, run: Run) -> None:
    """Trusts the last attempt of a run if it would execute exactly what was handed out: same source, program and flags.

    A worker that died cannot name its attempt. The next start refuses an attempt that differs, since it is not trusted.
    """
    claimed = read_program(objects, run.attempt.id)
    for parent in commit_parents(objects, run.attempt.id):
        if claimed and trust.is_trusted_commit(git, parent) and read_program(objects, parent) == claimed:
            trust.grant_trust(git, [run.attempt.id])


@dataclass(frozen=True, slots=True)
class Work:
    """The task of an attempt, without files of earlier ones: its flags, and run.toml without what is the attempt's own."""

    flags: bytes | None
    values: Mapping[str, object]
    params: Mapping[str, object]
    source: Mapping[str, object]


def read_program(objects: Objects, attempt_id: str) -> object:
    """Returns all that decides what an attempt executes; None if that cannot be read."""
    tree, work = objects.read(f"{attempt_id}^{{tree}}"), read_work(objects, attempt_id)
    if tree is None or work is None:
        return None
    return work, {name: entry for name, entry in objects.tree(tree.id).items() if name != b".gitrun"}


def read_work(objects: Objects, attempt_id: str) -> Work | None:
    """Returns what an attempt is to do; None if that cannot be read."""
    flags, record = objects.read(f"{attempt_id}:{record_files.FLAGS}"), objects.read(f"{attempt_id}:{record_files.RUN}")
    if flags is None or record is None or record.data is None:
        return None
    values = model.decode.parse_toml(record.data, record_files.RUN)
    params = {key: value for key, value in (values.pop("params", None) or {}).items() if key != "gpus"}
    source = {key: value for key, value in (values.pop("source", None) or {}).items() if key != "carried"}
    return Work(flags.data, {key: value for key, value in values.items() if key not in WORKERS_OWN}, params, source)
