"""Values of a run, and the rules of a restart: is it needed, and which parameters does it reuse."""

from __future__ import annotations

from datetime import timezone

from gitrun import model
from gitrun.dataclass import asdict, dataclass, replace
from gitrun.lazy import Protocol, lazy_pattern, shlex, unicodedata
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.text import duration_text, ending_text, metrics_text, time_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from gitrun.model.flags import Value
    from gitrun.model.trial_counts import TrialCounts


SCRIPT, PROGRAM, COMMAND, NOTEBOOK, STEPS, BATCH = "script", "program", "command", "notebook", "steps", "batch"
"""Kinds of operation: a Python script, another program of the tree, words, a notebook, a pipeline of steps, many trials."""
VALUE = "value"
"""Kind of a trial whose value its caller computed: gitrun ran nothing for it."""
WITHOUT_PROGRAM = frozenset({STEPS, BATCH, VALUE})
"""Kinds of runs that run no program themselves."""
INTERPRETERS = {".sh": "sh", ".bash": "bash", ".zsh": "zsh", ".R": "Rscript", ".r": "Rscript", ".jl": "julia", ".pl": "perl",
                ".rb": "ruby", ".js": "node", ".lua": "lua", ".m": "octave"}  # fmt: skip
"""Interpreters for files that are not executable, by extension."""


DIRECTORY = ".gitrun"

PARENT = "../"
MAX_DEPTH = 100
"""The most directories above a file in a tree; a deeper file is kept beside the repository."""

# outside refs/heads and refs/tags: a plain clone, fetch or push transfers no runs
RUNS = "refs/runs/"
TRASH = "refs/gitrun/trash/"
ARCHIVE = "refs/gitrun/archive/"
"""Refs that keep many ended runs each, whose own refs are deleted."""
INCOMING, OUTBOX = "refs/gitrun/incoming/", "refs/gitrun/outbox/"
"""Refs that keep fetched runs until they are checked, and runs that are being pushed."""
ID_DIGITS = "[0-9a-f]{40}(?:[0-9a-f]{24})?"
"""Pattern of a full object id, of SHA-1 or SHA-256."""
ID = lazy_pattern(ID_DIGITS)
# git accepts abbreviated ids of four digits and more
PREFIX = lazy_pattern(r"[0-9a-fA-F]{4,64}")
# the list counts from 1
INDEX = lazy_pattern(r"[1-9][0-9]*")


STAGED, PENDING, RUNNING = "staged", "pending", "running"
COMPLETED, ERROR, TERMINATED = "completed", "error", "terminated"
PRUNED = "pruned"
"""Status that is shown for a trial whose batch ended it early; the stored one is `terminated`."""
ENDINGS = (COMPLETED, PRUNED, ERROR, TERMINATED)
"""Statuses of trials that have ended."""
STATUSES = (COMPLETED, ERROR, TERMINATED, PRUNED, RUNNING, STAGED, PENDING)
ENDED = frozenset({COMPLETED, TERMINATED})
"""Statuses in which `--needed` compares flags; runs with an error are always run again."""

LATER_PARAMS = frozenset({"link", "no_link", "in_place", "output", "metrics", "resources"})
"""Parameters that run.toml has only if they were given: runs made before they existed lack them."""

NO_METRICS = Metrics()
MOST_METRICS = 6
"""Metrics in a line about a run."""
PLUMBING = frozenset({"_args_", "_convert_", "_partial_", "_recursive_", "_target_"})
"""Keys by which Hydra makes objects."""


class Written(Protocol):
    """A reference to an attempt's output; reads on demand and keeps no file open."""

    def read(self) -> bytes:
        """Returns the recorded output, at most a little over 10 MiB."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that somebody added to a run."""

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
    """Reason why notes.toml could not be read; all other fields are empty. Never written."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution inside a run; times are UTC, durations in seconds, `source` and `base` object ids.

    `result` is the commit of its result, empty without one. `given` names the flags that the user typed; it is empty in runs
    made before gitrun recorded it. A trial has the id of its `batch`, its number `trial` in it, and in `pruned` the step after
    which the batch ended it early. A batch that has ended has the `counts` of its trials.
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
    """Tree of the source with the files of its submodules; empty if it has none."""
    files: tuple[File, ...] = ()
    written: Written | None = None
    result: str = ""
    given: tuple[str, ...] = ()
    trial: int | None = None
    pruned: int | None = None
    counts: TrialCounts | None = None
    worker: str = ""
    """Name of the machine that claimed the run; empty if nobody handed it out."""
    reason: str = ""
    """Words about the end of the attempt, if its status does not tell all."""

    @property
    def shown_status(self) -> str:
        """Returns the status as people see it and filter by it: `pruned` for a trial that its batch ended early."""
        return self.status if self.pruned is None or self.status != TERMINATED else PRUNED

    @property
    def ending(self) -> str:
        """Returns how the attempt ended: `completed in 12.4s`, `pruned at step 3 in 0.41s`; else its status."""
        if not self.stopped:
            return self.status
        if self.shown_status == PRUNED:
            return ending_text(f"{PRUNED} at step {self.pruned}", None, self.duration or 0.0)
        return ending_text(self.status, self.exit_status, self.duration or 0.0)

    @property
    def flags_text(self) -> str:
        """Returns the flags as a person types them, those typed for this attempt first."""
        return self.flags.text(self.given)

    @property
    def words_behind(self) -> tuple[str, ...]:
        """Returns the words after `--` that are not flags. Empty for a command: its words are the operation."""
        kind = self.kind
        if kind == BATCH:
            # its trials are of another kind, which it does not name
            operation, first = self.operation[:-1], "".join(self.command[:1])
            is_module = self.command[1:2] == ("-m",)
            kind = SCRIPT if is_module else PROGRAM if first.removeprefix("./") == operation else kind
            kind = COMMAND if " ".join(self.command) == operation else kind
        return self.command[words_start(kind, self.command) :] if kind != COMMAND else ()

    @property
    def brief_flags_text(self) -> str:
        """Returns `flags_text` without Hydra's own settings and class names, unless the user typed them."""
        flags = {name: value for name, value in self.flags.items() if name in self.given or not is_plumbing(name)}
        return Flags(flags).text(self.given)

    @property
    def brief_text(self) -> str:
        """Returns `brief_flags_text`, and `--` with the words behind it if there are any."""
        if not self.words_behind:
            return self.brief_flags_text
        return f"{self.brief_flags_text} -- {shlex.join(self.words_behind)}".lstrip()

    @property
    def whole(self) -> str:
        """Returns the source's tree with all files that the program saw, including those of submodules."""
        return self.content or self.source

    @property
    def left(self) -> str:
        """Returns the commit that holds the attempt's files: its result, or the attempt itself without one."""
        return self.result or self.id

    @property
    def output(self) -> str:
        """Returns the program's output, decoded as UTF-8; empty until the attempt has ended."""
        # a program may write any bytes
        return self.written.read().decode(errors="replace") if self.written else ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its id, the commit its ref points to, its last attempt, and its annotations."""

    id: str
    tip: str
    attempt: Attempt
    notes: Notes = Notes()

    @property
    def operation(self) -> str:
        """Returns the operation: a script's path, an entry's name, or a command's words."""
        return self.attempt.operation

    @property
    def status(self) -> str:
        """Returns the last attempt's status: running, staged, pending, completed, error or terminated."""
        return self.attempt.status

    @property
    def flags(self) -> Flags:
        """Returns the flags of the last attempt."""
        return self.attempt.flags

    @property
    def metrics(self) -> Metrics:
        """Returns the last value of each metric of the last attempt."""
        return self.attempt.metrics

    @property
    def output(self) -> str:
        """Returns stdout and stderr of the last attempt, in the order of arrival."""
        return self.attempt.output

    @property
    def exit_status(self) -> int | None:
        """Returns 0, a positive number for an error, or minus the signal's number; None without a result."""
        return self.attempt.exit_status

    def _repr_html_(self) -> str:
        """Returns the run as a table of names and values, for a notebook."""
        texts = brief_texts(self) | {"id": self.id, "tags": ", ".join(self.notes.tags)}
        return model.html_table.render_table((), [pair for pair in texts.items() if pair[1]])

    def get(self, name: str) -> Any:  # noqa: ANN401 - one door to every key of `as_json`
        """Returns the value of `as_json` under `name`; None if there is no such key."""
        return as_json(self).get(name)


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A ref under refs/runs that is not a valid run, and the reason."""

    id: str
    tip: str
    reason: str


def words_start(kind: str, command: Sequence[str]) -> int:
    """Returns the index in the command of a script or program at which the words after `--` begin."""
    # the words of `{python} -m module` are three
    if kind == SCRIPT and list(command[1:2]) == ["-m"]:
        return 3
    # an executable file is started directly, any other by its interpreter
    return 1 if kind == PROGRAM and command[:1] and command[0] not in INTERPRETERS.values() else 2


def is_plumbing(name: str) -> bool:
    """Returns whether a flag configures Hydra itself, or how it makes an object."""
    return name.startswith("hydra.") or name.rpartition(".")[2] in PLUMBING


def as_running(attempt: Attempt, metrics: Metrics | None = None) -> Attempt:
    """Returns a copy with status `running`, for an attempt whose live lock is held.

    The start time falls back to the creation time. `metrics` are those reported so far.
    """
    # the start time is in the result, which a running attempt lacks
    started = attempt.started or attempt.created
    return replace(attempt, status=RUNNING, started=started, metrics=attempt.metrics if metrics is None else metrics)


def as_json(run: Run) -> dict[str, Any]:
    """Returns the run as a JSON object for programs; times are in RFC 3339."""
    notes = run.notes
    table = attempt_as_json(run.attempt)
    # the id is that of the first attempt's commit, not of the last one's
    return table | {
        "id": run.id,
        "label": notes.label,
        "tags": list(notes.tags),
        "comments": [{"text": c.text, "author": c.author, "time": rfc3339_text(c.time)} for c in notes.comments],
        "marked": notes.marked,
    }


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    """Returns the attempt with the keys of a run; `id` is the id of its own commit."""
    return {
        "id": attempt.id,
        "operation": attempt.operation,
        "status": attempt.shown_status,
        "flags": dict(attempt.flags),
        "given": list(attempt.given),
        # annotations belong to the run; these keys give both objects the same ones
        "label": None,
        "tags": [],
        "comments": [],
        "marked": False,
        "started": rfc3339_text(attempt.started),
        "stopped": rfc3339_text(attempt.stopped),
        "duration": attempt.duration,
        "exit_status": attempt.exit_status,
        "metrics": dict(attempt.metrics),
        "source": attempt.source,
        "base": attempt.base,
        "branch": attempt.branch,
        "batch": attempt.batch,
        "trial": attempt.trial,
        "trials": counts_as_json(attempt.counts) if attempt.counts else None,
        "worker": attempt.worker or None,
    }


def counts_as_json(counts: TrialCounts) -> dict[str, Any]:
    """Returns the counts of a batch, and its best trial, as a JSON object."""
    table = asdict(counts)
    best = table.pop("best")
    return {**table, "best": {"trial": best["number"], "run": best["run_id"], "value": best["value"]} if best else None}


def brief_texts(run: Run) -> dict[str, str]:
    """Returns what tells a run from others, as texts for people that are not escaped."""
    attempt = run.attempt
    return {
        "id": short_id(run.id),
        "operation": run.operation,
        "status": attempt.shown_status,
        "started": time_text(attempt.started or attempt.created),
        "took": "" if attempt.duration is None else duration_text(attempt.duration),
        "label": run.notes.label or "",
        "flags": attempt.brief_text,
        "metrics": metrics_text(run.metrics, MOST_METRICS),
    }


def rfc3339_text(time: datetime | None) -> str | None:
    """Returns the time in UTC with microseconds: `2026-11-22T10:14:03.123456Z`; None for None."""
    # isoformat alone leaves out microseconds that are 0
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z") if time else None


def restart_needed(run: Run, flags: Mapping[str, Value | None]) -> bool:
    """Returns whether a restart of `run` with exactly these flags must run under `--needed`.

    It must if the run has neither completed nor been terminated, or if its flags differ. Every key counts: a missing or an
    additional one differs. Numbers compare by value (`1 == 1.0`, `true != 1`).
    """
    return run.status not in ENDED or Flags(run.flags) != Flags(flags)


def run_params_for_restart(run: Run, names: Iterable[str] = ()) -> dict[str, Any]:
    """Returns the run parameters that a restart of `run` reuses: nine keys, without those in `names`."""
    params = run.attempt.params
    values: dict[str, Any] = {
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
    left_out = set(names)
    return {name: value for name, value in values.items() if name not in left_out}


@dataclass(frozen=True, slots=True)
class Params:
    """Options of a start that are not flags and that a restart reuses.

    The paths in `link` and the patterns in `output` are relative to the top of the repository.
    """

    force_flags: bool = False
    gpus: str | None = None
    max_trials: int | None = None
    maximize: str | None = None
    minimize: str | None = None
    no_gpus: bool = False
    opt_flags: tuple[str, ...] = ()
    optimizer: str | None = None
    random_seed: int | None = None
    link: tuple[str, ...] = ()
    no_link: bool = False
    in_place: bool = False
    output: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """Patterns for metrics, each as `NAME=PATTERN`."""
    resources: tuple[str, ...] = ()
    """Resources that a worker of a cluster must have, each as `NAME=AMOUNT`."""

    def words(self) -> tuple[str, ...]:
        """Returns the command-line options for workspace, outputs and metrics, as a person types them."""
        return (
            *(("--in-place",) if self.in_place else ()),
            *(word for path in self.link for word in ("--link", path)),
            *(("--no-link",) if self.no_link else ()),
            *(word for pattern in self.output for word in ("--output", pattern)),
            *(word for pattern in self.metrics for word in ("--metric", pattern)),
            *(word for amount in self.resources for word in ("--resource", amount)),
        )


def run_ref(run_id: str) -> str:
    """Returns the ref of the run with this full id."""
    return RUNS + run_id


def is_id(text: str) -> bool:
    """Returns whether `text` is a full object id, of SHA-1 or SHA-256."""
    return len(text) in {40, 64} and not text.strip("0123456789abcdef")


def short_id(run_id: str) -> str:
    """Returns the short form of an id: its first eight digits."""
    return run_id[:8]


@dataclass(frozen=True, slots=True)
class File:
    """A produced file: path below the root, size in bytes, sha256 in hex, and storage (git, lfs or local)."""

    path: str
    size: int
    sha256: str
    stored: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file left out of a snapshot: path below the root, size in bytes, and the reason."""

    path: str
    size: int
    reason: str


def kept_name(path: str) -> str:
    """Returns where the file at `path` is, below the directory of what an attempt keeps.

    What a run wrote beside the repository (`../x`, `../../x`) has a place of its own there. A path of a run from
    elsewhere that leads out of all of these gets a name at which nothing is ever kept.
    """
    level = 2 if path.startswith(PARENT * 2) else 1 if path.startswith(PARENT) else 0
    inside = path[len(PARENT) * level :]
    if "\0" in inside or {"", ".", ".."} & set(inside.split("/")):
        return f"{DIRECTORY}/nowhere"
    return f"{DIRECTORY}/beside/{level}/{inside}" if level else inside


def is_safe(path: str) -> bool:
    """Returns whether a path from a run stays below its root and out of `.git` and `.gitrun`."""
    parts = path.split("/")
    if not path.isascii():
        # HFS+ ignores format characters in names: `.g<U+200C>it` opens `.git`
        parts = ["".join(char for char in part if unicodedata.category(char) != "Cf") for part in parts]
    # file systems of macOS and Windows ignore case: .GIT opens .git
    plain = [part.lower() for part in parts]
    # git~1 is the short name of .git on NTFS and FAT
    return not {"", ".", "..", ".git", "git~1"} & set(plain) and plain[0] != DIRECTORY
