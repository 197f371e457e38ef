"""What a machine knows of the runs that are running on it: `live/<id>/` with a held lock and the output being written."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.errors import CannotRun, RunIsRunning, StaleRun
from gitrun.model.refs import is_id, short
from gitrun.store.locks import Lock, acquire, is_at, is_held

if TYPE_CHECKING:
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome

PATIENCE = 5.0
"""Seconds to wait for a run's lock: others take it for a moment, to see whether it is held or what a dead run left."""
RESERVE = 4096
"""Bytes set aside for the word on how the program ended, which must find its place on a full disk too."""

ASKED = "asked"
SHOWN = "metrics.json"
"""The file that has the metrics of a program while it runs."""


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
    given: tuple[tuple[str, int, int], ...] = ()
    """Files that were put there: path, mtime in nanoseconds, inode."""
    outputs: tuple[str, ...] = ()
    lock: int = 0
    """The inode of the lock that the supervisor holds: that of another file is no sign of it (0: not known)."""


class Live:
    """The live record of one run, held by this process; to be used in a `with`."""

    def __init__(self, directory: Path, lock: Lock) -> None:
        self.directory = directory
        self._lock = lock
        self._owner: Owner | None = None
        self._kept: dict[Path, int] = {}

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def output(self) -> Path:
        """The file that holds what the program has written so far."""
        return self.directory / "output"

    @property
    def switches(self) -> Path:
        """The file that says which stream each part of the output belongs to, if stderr has any."""
        return self.directory / "output.streams"

    def show_metrics(self, metrics: Metrics) -> None:
        """Writes down what is known of the metrics while the program runs, for others to see."""
        fresh = self.directory / "metrics.new"
        with suppress(OSError):  # a full disk loses this view, never the program
            fresh.write_text(json.dumps(metrics.pack()))
            fresh.replace(self.directory / SHOWN)

    @property
    def metrics(self) -> Path:
        """The file into which the program logs its metrics, a line of JSON a step."""
        return self.directory / "metrics.jsonl"

    @property
    def series(self) -> Path:
        """The file that holds the points of all metrics, once they are put together."""
        return self.directory / "series.jsonl"

    def record(self, owner: Owner) -> None:
        """Writes down who runs what, all of it or nothing."""
        self._owner = owner
        for path in (self.output, self.metrics):
            if path not in self._kept:  # what is open can be read even after somebody has removed it
                self._kept[path] = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.ended.write_bytes(b" " * RESERVE)
        fresh = self.directory / "owner.new"
        fresh.write_text(json.dumps(asdict(replace(owner, lock=self.inode))))
        fresh.replace(self.directory / "owner")

    def renew(self) -> bool:
        """Makes the record again if somebody removed it while the program ran, with output and metrics; whether it did.

        Raises StaleRun if the run has another attempt that is running.
        """
        is_there = is_at(self._lock.descriptor, self._lock.path)
        if self._owner is None or (is_there and (self.directory / "owner").exists()):
            return False
        if not is_there:
            lock = acquire(self._lock.path, PATIENCE)
            if lock is None:
                raise StaleRun(
                    f"run {short(self.directory.name)} was restarted elsewhere; this attempt's result is not recorded"
                )
            self._lock.release()
            self._lock = lock
        for path, descriptor in self._kept.items():
            if not is_at(descriptor, path):
                os.lseek(descriptor, 0, os.SEEK_SET)
                with path.open("wb") as target, os.fdopen(os.dup(descriptor), "rb") as source:
                    shutil.copyfileobj(source, target)
        self.record(self._owner)
        return True

    @property
    def inode(self) -> int:
        """The inode of the lock that this process holds."""
        return os.fstat(self._lock.descriptor).st_ino

    def take_over(self, earlier: str) -> None:
        """Writes down after which attempt (or empty) this one finds files, for who has to finish it without its program."""
        (self.directory / "earlier").write_text(earlier)

    @property
    def earlier(self) -> str:
        """The attempt after which this one finds files; empty if there is none, or it starts without them."""
        try:
            found = (self.directory / "earlier").read_text()
        except OSError:
            return ""
        return found if is_id(found) else ""

    @property
    def is_asked_to_end(self) -> bool:
        """Whether somebody has asked for the end of this run, and of nothing else that its supervisor does."""
        return (self.directory / ASKED).exists()

    @property
    def ended(self) -> Path:
        """The file that says how the program ended, before its result is recorded."""
        return self.directory / "ended"

    def record_end(self, outcome: Outcome) -> None:
        """Writes down how the program ended, in case that we are killed, or the disk is full, before its result is recorded."""
        times = {"started": outcome.started.timestamp(), "stopped": outcome.stopped.timestamp()}
        words = {"status": outcome.status, "exit_status": outcome.exit_status, "reason": outcome.reason[:500]}
        data = json.dumps({**words, **times, "duration": outcome.duration}).encode()
        with suppress(OSError), self.ended.open("r+b") as file:  # in place: the room for it is there
            file.write(data)

    def read_end(self) -> Outcome | None:
        """How the program ended; None if that was not seen."""
        from gitrun.model.plan import Outcome

        try:
            found = json.loads(self.ended.read_bytes())
            started, stopped = (datetime.fromtimestamp(found.pop(name), timezone.utc) for name in ("started", "stopped"))
            return Outcome(**found, started=started, stopped=stopped)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def leave(self) -> None:
        """Gives the lock back; the record stays, for a later command to finish the attempt."""
        for descriptor in self._kept.values():
            os.close(descriptor)
        self._kept.clear()
        self._lock.release()

    def close(self) -> None:
        """Takes the record away, its lock last; if somebody has come for the lock in between, they take it away."""
        with suppress(FileNotFoundError):
            for path in self.directory.iterdir():
                if path.name != "lock":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._lock.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.directory.rmdir()
        self.leave()


def directory_of(state: Path, run: str) -> Path:
    """Where the live record of a run lies."""
    return state / "live" / run


def hold(state: Path, run: str) -> Live:
    """The live record of the run, held. Raises RunIsRunning; CannotRun if a dead attempt's is still there to be finished."""
    directory = directory_of(state, run)
    lock = acquire(directory / "lock", PATIENCE)
    if lock is None:
        raise RunIsRunning(f"cannot restart run {short(run)}: it is running", f"git run stop {short(run)}")
    live = Live(directory, lock)
    if owner_of(state, run) is not None:
        lock.release()
        raise CannotRun(
            f"run {short(run)} died and is not finished yet; what it left is in {directory}",
            "git run list tries again",
        )
    return live


def ask_to_end(state: Path, run: str) -> None:
    """Writes down that the signal which follows means the run alone."""
    with suppress(FileNotFoundError):  # it has just ended
        (directory_of(state, run) / ASKED).touch()


def is_live(state: Path, run: str) -> bool:
    """Whether the run is running on this machine."""
    return is_held(directory_of(state, run) / "lock")


def recorded(state: Path) -> list[str]:
    """The ids of all runs with a live record here, held or left behind."""
    try:
        return [entry.name for entry in (state / "live").iterdir() if is_id(entry.name)]
    except OSError:
        return []


def live_runs(state: Path) -> frozenset[str]:
    """The runs that are running on this machine."""
    return frozenset(run for run in recorded(state) if is_live(state, run))


def metrics_of(state: Path, run: str) -> Metrics | None:
    """Returns what is known of the metrics of a run that is running here; None if that is nothing."""
    from gitrun.model.metrics import Metrics

    try:
        return Metrics.unpack(json.loads((directory_of(state, run) / SHOWN).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def birth_of(pid: int) -> str:
    """What makes a process id unique on this machine: boot and start time; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{boot} {fields[19]}"


def is_copied(state: Path, run: str, owner: Owner) -> bool:
    """Whether the record is not the supervisor's own: its lock is another one than that which lies here."""
    try:
        return owner.lock not in {0, (directory_of(state, run) / "lock").stat().st_ino}
    except OSError:
        return True


def goes_on(state: Path, run: str) -> bool:
    """Whether the supervisor lives, holding another lock: that of what this is a copy of, or one that was taken away."""
    owner = owner_of(state, run)
    return bool(owner and is_copied(state, run, owner) and owner.birth and birth_of(owner.pid) == owner.birth)


def owner_of(state: Path, run: str) -> Owner | None:
    """Who holds, or held, the run's live record; None before it is known."""
    try:
        found = json.loads((directory_of(state, run) / "owner").read_bytes())
        lists = {name: tuple(found[name]) for name in ("linked", "outputs")}
        return Owner(**{**found, **lists, "given": tuple((path, mtime, inode) for path, mtime, inode in found["given"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
