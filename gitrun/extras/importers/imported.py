"""Values of an import: a run as another tool recorded it, what a reader gets, and what is reported at the end."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, field
from gitrun.model.run import COMPLETED, Params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.batch import BatchDefinition
    from gitrun.model.run import Comment, Skipped
    from gitrun.model.values import Value

    Points: TypeAlias = Callable[[], Iterable["MetricPoint"]]


def no_points() -> tuple[MetricPoint, ...]:
    """Returns no metrics."""
    return ()


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """The value of a metric at a step."""

    name: str
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file of a run: its path in the run, with `/`, and its content, or the path of a regular file that has it."""

    path: str
    content: bytes | Path
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class ImportedNeed:
    """The run, by its key, whose files another one used, the operation of that run, and the paths of the files."""

    key: str
    operation: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run of another tool. `key` is its name there, unique in one import; `tool` is the kind of importer.

    `command` is a template as in run.toml: `{python}` for the interpreter, `{name}` for a flag. `is_entry` says that the source
    has a project file with the operation. The source is `source`, or the
    git tree `source_tree` without the paths in `source_without` and with `source` over it. `needs`, `parent`, `steps` and
    `batch` name other runs of the import by their keys; a key that is not among them is left out. `output` is what the program
    wrote, or the path of the file that has it. `points` is called when the run is written, so that no more than one run's
    metrics are in memory. Times are in UTC.
    `author` is name and address; None: the tool. `left_out` names what the reader could not carry over.
    """

    key: str
    tool: str
    operation: str
    kind: str
    command: tuple[str, ...]
    created: datetime
    flags: Mapping[str, Value | None] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    cwd: str = ""
    is_entry: bool = False
    params: Params = field(default_factory=Params)
    source: tuple[ImportedFile, ...] = ()
    source_tree: str = ""
    source_without: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    base: str | None = None
    branch: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    status: str = COMPLETED
    exit_status: int = 0
    reason: str = ""
    started: datetime | None = None
    stopped: datetime | None = None
    output: bytes | Path = b""
    points: Points = no_points
    produced: tuple[ImportedFile, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    marked: bool = False
    needs: tuple[ImportedNeed, ...] = ()
    parent: str = ""
    steps: tuple[str, ...] = ()
    batch: str = ""
    trial: int | None = None
    batch_definition: BatchDefinition | None = None
    author: tuple[str, str] | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run, or a part of one, that is not imported: its name in the tool, and the reason."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """Holds what a reader may look at: the source as typed (empty: the usual place), the repository, the directory of the user.

    `with_authors` says that host and user of the runs may be recorded.
    """

    source: str
    git: Git
    directory: Path
    environ: Mapping[str, str]
    with_authors: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of an import: ids of new runs, numbers of runs that exist or were deleted here, and what was left out.

    `large` are the bytes of files that lie beside git. `refused` maps keys to the reason why a run was not taken. `restartable`
    is the last of the new runs that has a source, empty if none has.
    """

    new: tuple[str, ...] = ()
    same: int = 0
    deleted: int = 0
    large: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    restartable: str = ""

    def reasons(self) -> dict[str, list[str]]:
        """Returns the keys of runs that, or of which parts, were left out for each reason."""
        keys: dict[str, dict[str, None]] = {}
        for one in self.left_out:
            keys.setdefault(one.reason, {})[one.key] = None
        return {reason: list(names) for reason, names in keys.items()}

    def as_json(self) -> dict[str, Any]:
        """Returns the report as a JSON object."""
        return {
            "imported": list(self.new), "already_here": self.same, "deleted_here": self.deleted, "large_bytes": self.large,
            "refused": dict(self.refused), "left_out": [{"run": one.key, "reason": one.reason} for one in self.left_out],
        }  # fmt: skip


def read_time(seconds: float | None) -> datetime | None:
    """Returns a time in UTC from seconds since 1970; None for one that no clock shows."""
    # git's dates begin in 1970, and the years behind 9000 overflow in other zones
    if seconds is None or not 0 <= seconds < 220_000_000_000:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc)
