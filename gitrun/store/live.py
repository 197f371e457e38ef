"""What a machine knows of the runs that are running on it: `live/<id>/` with a held lock and the output being written."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gitrun.errors import RunIsRunning
from gitrun.model.refs import is_id, short
from gitrun.store.locks import Lock, acquire, is_held

if TYPE_CHECKING:
    from pathlib import Path

# is_held() takes the lock for an instant: whoever wants it waits longer than that
PATIENCE = 0.1


@dataclass(frozen=True, slots=True)
class Owner:
    """Who supervises a run and where it runs: process id with the start time and boot that make it unique.

    `worktree` is the slot's tree (or the user's own, `in_place`), `started` the time of the start in seconds since 1970.
    """

    pid: int
    birth: str
    attempt: str
    worktree: str
    in_place: bool
    started: float
    linked: tuple[str, ...] = ()


class Live:
    """The live record of one run, held by this process; to be used in a `with`."""

    def __init__(self, directory: Path, lock: Lock) -> None:
        self.directory = directory
        self._lock = lock

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def output(self) -> Path:
        """The file that holds what the program has written so far."""
        return self.directory / "output"

    @property
    def metrics(self) -> Path:
        """The file into which the program logs its metrics, a line of JSON a step."""
        return self.directory / "metrics.jsonl"

    def record(self, owner: Owner) -> None:
        """Writes down who runs what, all of it or nothing."""
        fresh = self.directory / "owner.new"
        fresh.write_text(json.dumps(asdict(owner)))
        fresh.replace(self.directory / "owner")

    def close(self) -> None:
        """Takes the record away, its lock last."""
        for path in self.directory.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._lock.path.unlink()
        self.directory.rmdir()
        self._lock.release()


def directory_of(state: Path, run: str) -> Path:
    """Where the live record of a run lies."""
    return state / "live" / run


def hold(state: Path, run: str) -> Live:
    """The live record of the run, held. Raises RunIsRunning."""
    directory = directory_of(state, run)
    lock = acquire(directory / "lock", PATIENCE)
    if lock is None:
        raise RunIsRunning(f"cannot restart run {short(run)}: it is running", f"git run stop {short(run)}")
    return Live(directory, lock)


def is_live(state: Path, run: str) -> bool:
    """Whether the run is running on this machine."""
    return is_held(directory_of(state, run) / "lock")


def recorded(state: Path) -> list[str]:
    """The ids of all runs with a live record here, held or left behind."""
    try:
        return [entry.name for entry in os.scandir(state / "live") if is_id(entry.name)]
    except OSError:
        return []


def owner_of(state: Path, run: str) -> Owner | None:
    """Who holds, or held, the run's live record; None before it is known."""
    try:
        found = json.loads((directory_of(state, run) / "owner").read_bytes())
        return Owner(**{**found, "linked": tuple(found["linked"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
