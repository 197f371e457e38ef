"""A run as a value, and the two questions a restart asks of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timezone
from typing import TYPE_CHECKING, Any, Protocol

from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.plan import INTERPRETERS, PROGRAM, SCRIPT
from gitrun.model.status import ENDED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from gitrun.model.files import File, Skipped
    from gitrun.model.flags import Value
    from gitrun.model.params import Params

NO_METRICS = Metrics()


class Written(Protocol):
    """Where an attempt's output can be read: a value of two words, no open file."""

    def read(self) -> bytes:
        """The recorded output, at most a little over 10 MiB."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said about a run afterwards."""

    text: str
    author: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Notes:
    """The annotations of a run."""

    label: str | None = None
    tags: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    marked: bool = False
    unreadable: str = ""
    """Why what is noted does not read: then these are no annotations. Never written."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution inside a run; times are UTC, durations in seconds, `source` and `base` object ids.

    `result` is the commit of its result; empty while it has none. `given` names the flags that the user typed; runs that
    were made before this was recorded have none.
    """

    id: str
    operation: str
    kind: str
    command: tuple[str, ...]
    cwd: str
    flags: Flags
    params: Params
    status: str
    created: datetime
    source: str
    author: str = ""
    started: datetime | None = None
    stopped: datetime | None = None
    duration: float | None = None
    exit_status: int | None = None
    metrics: Metrics = NO_METRICS
    base: str | None = None
    branch: str | None = None
    dirty: bool = False
    batch: str | None = None
    carried: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[str, ...] = ()
    submodules: tuple[tuple[str, str], ...] = ()
    content: str = ""
    """The source's tree with the files of its submodules; empty if it has none."""
    files: tuple[File, ...] = ()
    written: Written | None = None
    result: str = ""
    given: tuple[str, ...] = ()

    @property
    def flags_text(self) -> str:
        """The flags as a person types them, those that were typed for this attempt first."""
        return self.flags.text(self.given)

    @property
    def words_behind(self) -> tuple[str, ...]:
        """The words behind `--` that are no flags; those of a command are its operation."""
        return self.command[words_start(self.kind, self.command) :] if self.kind != "command" else ()

    @property
    def brief_flags_text(self) -> str:
        """As `flags_text`, without what configures Hydra itself and names of classes, unless they were typed."""
        shown = {name: value for name, value in self.flags.items() if name in self.given or not is_plumbing(name)}
        return Flags(shown).text(self.given)

    @property
    def whole(self) -> str:
        """The source's tree with all files that the program saw, those of submodules too."""
        return self.content or self.source

    @property
    def left(self) -> str:
        """The commit that has what is there of it: its result, or while it has none the attempt itself."""
        return self.result or self.id

    @property
    def output(self) -> str:
        """What the program wrote, decoded as UTF-8; empty until the attempt has ended."""
        return self.written.read().decode(errors="replace") if self.written else ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its id, the commit its ref points to, its last attempt, and what people noted about it."""

    id: str
    tip: str
    attempt: Attempt
    notes: Notes = Notes()

    @property
    def operation(self) -> str:
        """What is run: a script's path, an entry's name, or a command's words."""
        return self.attempt.operation

    @property
    def status(self) -> str:
        """Status of the last attempt: running, staged, pending, completed, error or terminated."""
        return self.attempt.status

    @property
    def flags(self) -> Flags:
        """Flags of the last attempt."""
        return self.attempt.flags

    @property
    def metrics(self) -> Metrics:
        """Last value of each metric of the last attempt."""
        return self.attempt.metrics

    @property
    def output(self) -> str:
        """What the last attempt wrote to stdout and stderr, in the order of arrival."""
        return self.attempt.output

    @property
    def exit_status(self) -> int | None:
        """0, more than 0 for an error, minus the signal's number; None while there is no result."""
        return self.attempt.exit_status

    def get(self, name: str) -> Any:  # noqa: ANN401 - one door to every key of `as_json`
        """The value that `as_json` has under `name`; None if there is no such key."""
        return as_json(self).get(name)


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A ref under refs/runs that does not read as a run, and why."""

    id: str
    tip: str
    reason: str


def words_start(kind: str, command: Sequence[str]) -> int:
    """Where the words behind `--` begin in the command of a script or program, however that is started."""
    if kind == SCRIPT and list(command[1:2]) == ["-m"]:
        return 3
    return 1 if kind == PROGRAM and command[:1] and command[0] not in INTERPRETERS.values() else 2


def is_plumbing(name: str) -> bool:
    """Whether a flag configures Hydra itself, or names the class that Hydra makes."""
    return name.startswith("hydra.") or name.rpartition(".")[2] == "_target_"


def going_on(attempt: Attempt, metrics: Metrics | None = None) -> Attempt:
    """The attempt as it stands while its live lock is held: running since it was made, until its result says since when.

    `metrics` are those that its program has told so far.
    """
    started = attempt.started or attempt.created
    return replace(attempt, status=RUNNING, started=started, metrics=attempt.metrics if metrics is None else metrics)


def as_json(run: Run) -> dict[str, Any]:
    """The run as programs see it: the keys of DESIGN.md section 4, times in RFC 3339."""
    notes = run.notes
    found = attempt_as_json(run.attempt)
    return found | {
        "id": run.id,
        "label": notes.label,
        "tags": list(notes.tags),
        "comments": [{"text": c.text, "author": c.author, "time": rfc3339(c.time)} for c in notes.comments],
        "marked": notes.marked,
    }


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    """The attempt with the keys of a run; `id` is that of its own commit."""
    return {
        "id": attempt.id,
        "operation": attempt.operation,
        "status": attempt.status,
        "flags": dict(attempt.flags),
        "given": list(attempt.given),
        "label": None,
        "tags": [],
        "comments": [],
        "marked": False,
        "started": rfc3339(attempt.started),
        "stopped": rfc3339(attempt.stopped),
        "duration": attempt.duration,
        "exit_status": attempt.exit_status,
        "metrics": dict(attempt.metrics),
        "source": attempt.source,
        "base": attempt.base,
        "branch": attempt.branch,
        "batch": attempt.batch,
    }


def rfc3339(time: datetime | None) -> str | None:
    """The time in UTC as programs read it: `2026-11-22T10:14:03.123456Z`."""
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z") if time else None


def restart_needed(run: Run, flags: Mapping[str, Value | None]) -> bool:
    """Whether `--needed` lets a restart of `run` with exactly these flags go on; from DESIGN.md section 5.

    Every key counts: fewer or more keys differ. Numbers compare by value (`1 == 1.0`, `true != 1`).
    """
    return run.status not in ENDED or Flags(run.flags) != Flags(flags)


def run_params_for_restart(run: Run, given: Iterable[str] = ()) -> dict[str, Any]:
    """The run parameters that a restart of `run` takes over: nine keys, less those that the user gives (`given`)."""
    params = run.attempt.params
    found: dict[str, Any] = {
        "force_flags": params.force_flags,
        "gpus": params.gpus,
        "max_trials": params.max_trials,
        "maximize": params.maximize,
        "minimize": params.minimize,
        "no_gpus": params.no_gpus,
        "opt_flags": list(params.opt_flags),
        "optimizer": params.optimizer,
        "random_seed": params.random_seed,
    }
    left_out = set(given)
    return {name: value for name, value in found.items() if name not in left_out}
