"""Claims: the runs of a remote that this machine has claimed and whose results the remote may not have yet.

Each is a file `.git/gitrun/claims/<run id>` with the name of the remote. It is written before the claim is pushed, and removed
once the result is there, or somebody else has the run. So a result is handed over even after a crash.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import fsync
from gitrun.model.run import is_id

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "claims"


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
