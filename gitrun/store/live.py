"""The live record of a run, `.git/gitrun/live/<run id>/`: the only place that knows the files in it.

It is there from the begin of an attempt until its result and its note are recorded. A crash leaves it without a holder of
the lock. The next command finishes the attempt from it (`lifecycle/recover.py`) and removes it.

| file | who writes it, and when | who reads it | what a crash leaves |
|---|---|---|---|
| `lock` | every holder; held from the begin to the end | all commands: is the run running? | nobody holds it |
| `earlier` | begin of a restart, before its ref moves | recovery | the attempt whose files are handed on |
| `index` | launch, with `--in-place` | the supervisor: what changed? | removed unread |
| `rules.json` | the supervisor, before the program starts | readers of metrics, recovery | the rules of the metrics |
| `owner` | the supervisor, before the program starts; atomically | stop, fsck, other runs, recovery | where the program ran |
| `launch.spec` | the supervisor, before the program starts | the launcher of a script with constants | removed unread |
| `notebook.json` | the supervisor, before the program starts | the runner of a notebook | removed unread |
| `output` | the recorder, while the program runs | watch, readers of metrics, recovery | the output so far |
| `output.streams` | the recorder, when the stream changes | readers of metrics | the same |
| `metrics.jsonl` | the program | readers of metrics, recovery | lines, of which the last may be cut |
| `found.jsonl` | the search for the user's patterns | the supervisor | removed: it is searched again |
| `metrics.json` | the supervisor, now and then; atomically | list, show | removed unread |
| `steps.jsonl` | the supervisor of a pipeline | recovery | the steps so far |
| `trials.jsonl` | the supervisor of a batch, for each earlier run that counts as a trial | recovery | the earlier runs so far |
| `asked` | `git run stop`, before its signal | the supervisor, before it ends | removed unread |
| `asked.soft` | `git run stop --soft` | the supervisor of a batch or pipeline, before it starts more | removed unread |
| `ended` | blanks with `owner`; the end of the program over them | recovery | blanks: the supervisor died first |
| `shortened` | the recording of the result | the result | written again |

`owner.new` and `metrics.new` are renamed to files without `.new`. The supervisor can rebuild `lock`, `owner`, `output`,
`metrics.jsonl` and `ended` if somebody removes them while it runs (`Live.renew`).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from gitrun import model
from gitrun.dataclass import asdict, dataclass, replace
from gitrun.errors import RunIsRunning, StaleRun, Unfinished
from gitrun.git.lock_state import is_held
from gitrun.git.locks import Lock, acquire, is_file_at
from gitrun.lazy import shutil
from gitrun.model.run import is_id, short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome

LOCK_PATIENCE = 5.0
"""Seconds to wait for a run's lock. Other commands hold it for a moment, to test it or to finish a dead run."""
END_RESERVE = 4096
"""Bytes reserved for the end of the program, which must be recordable on a full disk."""

DIRECTORY = "live"
"""Directory of all live records, below that of gitrun's state."""
LOCK, OWNER, EARLIER, ENDED = "lock", "owner", "earlier", "ended"
ASKED, ASKED_SOFTLY = "asked", "asked.soft"
OUTPUT, STREAMS = "output", "output.streams"
LOGGED_METRICS, SHOWN_METRICS = "metrics.jsonl", "metrics.json"
METRIC_RULES, PATTERN_MATCHES = "rules.json", "found.jsonl"
INDEX, JOURNAL, TRIALS = "index", "steps.jsonl", "trials.jsonl"
LAUNCH_SPEC, NOTEBOOK_SPEC = "launch.spec", "notebook.json"
SHORTENED = "shortened"
OWNER_NEW, SHOWN_METRICS_NEW = "owner.new", "metrics.new"


@dataclass(frozen=True, slots=True)
class Owner:
    """The supervisor of a run and its place. Process id, start time and boot id identify it.

    `worktree` is the slot, or the user's own with `in_place`. `started` is in seconds since 1970.
    """

    pid: int
    birth: str
    attempt: str
    worktree: str
    in_place: bool
    started: float
    linked: tuple[str, ...] = ()
    given: tuple[tuple[str, int, int], ...] = ()
    """Files that were copied there: path, mtime in nanoseconds, inode."""
    outputs: tuple[str, ...] = ()
    lock: int = 0
    """Inode of the held lock (0: unknown). A copied record has a lock with another inode."""


class Live:
    """The live record of one run, locked by this process. Use it in a `with`.

    Not a frozen value but a handle, as an open file is one: leaving it releases the lock, and the record of the owner and the
    files held open change while the program runs. `series` are the points of all metrics for the result, a JSON line each.
    """

    def __init__(self, directory: Path, lock: Lock) -> None:
        self.directory = directory
        self._lock = lock
        self.series = b""
        self._owner: Owner | None = None
        self._kept: dict[Path, int] = {}

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def output(self) -> Path:
        """Returns the path of the program's output so far."""
        return self.directory / OUTPUT

    @property
    def switches(self) -> Path:
        """Returns the path of the record of which output bytes went to stderr; absent if none did."""
        return self.directory / STREAMS

    def show_metrics(self, metrics: Metrics) -> None:
        """Publishes the metrics so far for other processes. Replaces the file atomically."""
        fresh = self.directory / SHOWN_METRICS_NEW
        with suppress(OSError):  # a full disk loses this view, never the program
            fresh.write_text(json.dumps(metrics.pack()))
            fresh.replace(self.directory / SHOWN_METRICS)

    @property
    def metrics(self) -> Path:
        """Returns the path of the file to which the program logs metrics: a JSON line for each step."""
        return self.directory / LOGGED_METRICS

    @property
    def index(self) -> Path:
        """Returns the path of the snapshot's index, for a program that runs in the user's working tree."""
        return self.directory / INDEX

    @property
    def journal(self) -> Path:
        """Returns the path of the journal of a pipeline's steps."""
        return self.directory / JOURNAL

    @property
    def trials(self) -> Path:
        """Returns the path of the journal of a batch: the earlier runs that count as trials."""
        return self.directory / TRIALS

    def record(self, owner: Owner) -> None:
        """Records the supervisor atomically. Also reserves the space for the program's end."""
        self._owner = owner
        for path in (self.output, self.metrics):
            if path not in self._kept:  # what is open can be read even after somebody has removed it
                self._kept[path] = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # blanks reserve the space and are valid after JSON
        self.ended.write_bytes(b" " * END_RESERVE)
        fresh = self.directory / OWNER_NEW
        fresh.write_text(json.dumps(asdict(replace(owner, lock=self.inode))))
        fresh.replace(self.directory / OWNER)

    def renew(self) -> bool:
        """Rebuilds the record from open files if somebody removed it during the run. Returns whether it was rebuilt.

        Raises StaleRun if another attempt of the run is running.
        """
        is_there = is_file_at(self._lock.descriptor, self._lock.path)
        if self._owner is None or (is_there and (self.directory / OWNER).exists()):
            return False
        if not is_there:
            # a process that locked a new file at this path is the supervisor now
            lock = acquire(self._lock.path, LOCK_PATIENCE)
            if lock is None:
                raise StaleRun(f"run {short_id(self.directory.name)} was restarted elsewhere, so this attempt has no result")
            self._lock.release()
            self._lock = lock
        for path, descriptor in self._kept.items():
            if not is_file_at(descriptor, path):
                # a dup shares the offset of the kept descriptor, and closing it leaves that one open
                os.lseek(descriptor, 0, os.SEEK_SET)
                with path.open("wb") as target, os.fdopen(os.dup(descriptor), "rb") as source:
                    shutil.copyfileobj(source, target)
        self.record(self._owner)
        return True

    @property
    def inode(self) -> int:
        """Returns the inode of the lock that this process holds."""
        return os.fstat(self._lock.descriptor).st_ino

    def record_earlier(self, earlier: str) -> None:
        """Records the attempt whose files this one inherits (or empty), for crash recovery."""
        (self.directory / EARLIER).write_text(earlier)

    @property
    def earlier(self) -> str:
        """Returns the id of the attempt whose files this one inherits; empty if it starts without any."""
        try:
            attempt_id = (self.directory / EARLIER).read_text()
        except OSError:
            return ""
        return attempt_id if is_id(attempt_id) else ""

    @property
    def is_asked_to_end(self) -> bool:
        """Returns whether `git run stop` asked this run alone to end, not its supervisor."""
        return (self.directory / ASKED).exists()

    @property
    def is_asked_to_end_softly(self) -> bool:
        """Returns whether `git run stop --soft` asked this run to start nothing more."""
        return (self.directory / ASKED_SOFTLY).exists()

    @property
    def ended(self) -> Path:
        """Returns the path of the file that holds the program's end until the result is recorded."""
        return self.directory / ENDED

    def record_end(self, outcome: Outcome) -> None:
        """Records how the program ended, for recovery if the result cannot be recorded."""
        times = {"started": outcome.started.timestamp(), "stopped": outcome.stopped.timestamp()}
        # the reason is cut, because all must fit into the reserved bytes
        words = {"status": outcome.status, "exit_status": outcome.exit_status, "reason": outcome.reason[:500]}
        pruned = {} if outcome.pruned is None else {"pruned": outcome.pruned}
        data = json.dumps({**words, **pruned, **times, "duration": outcome.duration}).encode()
        with suppress(OSError), self.ended.open("r+b") as file:  # in place: uses the reserved space
            file.write(data)

    def read_end(self) -> Outcome | None:
        """Returns how the program ended; None if no supervisor saw the end."""
        try:
            # the blanks of a supervisor that died first are no JSON
            values = json.loads(self.ended.read_bytes())
            started, stopped = (datetime.fromtimestamp(values.pop(name), timezone.utc) for name in ("started", "stopped"))
            return model.plan.Outcome(**values, started=started, stopped=stopped)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def leave(self) -> None:
        """Releases the lock and keeps the record, so that a later command can finish the attempt."""
        for descriptor in self._kept.values():
            os.close(descriptor)
        self._kept.clear()
        self._lock.release()

    def close(self) -> None:
        """Removes the record, its lock last. A process that gets the lock in between removes the rest."""
        with suppress(FileNotFoundError):
            for path in self.directory.iterdir():
                if path.name != LOCK:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._lock.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.directory.rmdir()
        self.leave()


def directory_of(state: Path, run_id: str) -> Path:
    """Returns the directory of a run's live record."""
    return state / DIRECTORY / run_id


def hold_live(state: Path, run_id: str) -> Live:
    """Locks the run's live record. Raises RunIsRunning, or CannotRun if a dead attempt must be finished first."""
    directory = directory_of(state, run_id)
    lock = acquire(directory / LOCK, LOCK_PATIENCE)
    if lock is None:
        raise RunIsRunning(f"cannot restart run {short_id(run_id)}: it is running", f"git run stop {short_id(run_id)}")
    live = Live(directory, lock)
    # we hold the lock, so an owner that is recorded here has died
    if owner_of(state, run_id) is not None:
        lock.release()
        raise Unfinished(
            f"run {short_id(run_id)} died, and its outcome is not recorded yet. What it left is in {directory}",
            "To try again: git run list",
        )
    return live


def ask_to_end(state: Path, run_id: str) -> None:
    """Records that the signal to follow is meant for this run alone."""
    with suppress(FileNotFoundError):  # the run has just ended
        (directory_of(state, run_id) / ASKED).touch()


def ask_to_end_softly(state: Path, run_id: str) -> None:
    """Asks a batch or pipeline to start nothing more."""
    with suppress(FileNotFoundError):  # the run has just ended
        (directory_of(state, run_id) / ASKED_SOFTLY).touch()


def is_live(state: Path, run_id: str) -> bool:
    """Returns whether the run is running on this machine."""
    return is_held(directory_of(state, run_id) / LOCK)


def recorded_runs(state: Path) -> list[str]:
    """Returns the ids of all runs with a live record, of living or dead supervisors."""
    try:
        return [entry.name for entry in (state / DIRECTORY).iterdir() if is_id(entry.name)]
    except OSError:
        return []


def live_runs(state: Path) -> frozenset[str]:
    """Returns the ids of the runs that are running on this machine."""
    return frozenset(run_id for run_id in recorded_runs(state) if is_live(state, run_id))


def shown_metrics(state: Path, run_id: str) -> Metrics | None:
    """Returns the metrics so far of a run that is running here; None if there are none."""
    try:
        return model.metrics.Metrics.unpack(json.loads((directory_of(state, run_id) / SHOWN_METRICS).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def shown_metrics_token(state: Path, run_id: str) -> str:
    """Returns a text that changes whenever the metrics so far of a run do; empty if there are none."""
    try:
        status = (directory_of(state, run_id) / SHOWN_METRICS).stat()
    except OSError:
        return ""
    # the file is replaced each time, so that its inode changes too
    return f"{status.st_ino}.{status.st_mtime_ns}"


def process_birth(pid: int) -> str:
    """Returns boot id and start time of a process; empty if unknown. Together they survive reuse of the process id."""
    try:
        boot = read_boot_id()
        # a command name may contain blanks and brackets; the 20th field after it is the start time
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{boot} {fields[19]}"


@lru_cache(maxsize=1)
def read_boot_id() -> str:
    """Returns the id of this boot of the system. Raises OSError."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@lru_cache(maxsize=1)
def own_birth(pid: int) -> str:
    """Returns `process_birth` of this process, whose id is `pid`. A batch asks for each trial."""
    return process_birth(pid)


def is_copied_record(state: Path, run_id: str, owner: Owner) -> bool:
    """Returns whether the record is a copy: its supervisor holds a lock with another inode."""
    try:
        return owner.lock not in {0, (directory_of(state, run_id) / LOCK).stat().st_ino}
    except OSError:
        return True


def is_still_supervised(state: Path, run_id: str) -> bool:
    """Returns whether the supervisor is alive, but holds another lock: the record was copied, or its lock removed."""
    owner = owner_of(state, run_id)
    return bool(owner and is_copied_record(state, run_id, owner) and owner.birth and process_birth(owner.pid) == owner.birth)


def owner_of(state: Path, run_id: str) -> Owner | None:
    """Returns the supervisor in the run's live record; None if none is recorded."""
    try:
        values = json.loads((directory_of(state, run_id) / OWNER).read_bytes())
        # JSON turns tuples into lists
        lists = {name: tuple(values[name]) for name in ("linked", "outputs")}
        return Owner(**{**values, **lists, "given": tuple((path, mtime, inode) for path, mtime, inode in values["given"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
