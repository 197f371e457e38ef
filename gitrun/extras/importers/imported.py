"""Values of an import: a run as another tool recorded it, what a reader gets, and what is reported at the end."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, field, replace
from gitrun.model.batch import GRID, PLUS, BatchDefinition
from gitrun.model.run import BATCH, COMPLETED, ERROR, TERMINATED, Params
from gitrun.model.space import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.run import Comment, Skipped
    from gitrun.model.values import Value

    Points: TypeAlias = Callable[[], Iterable["MetricPoint"]]


ENDINGS = dict.fromkeys((COMPLETED, "finished"), (COMPLETED, 0)) | dict.fromkeys((ERROR, "failed", "crashed"), (ERROR, 1))
ENDINGS |= dict.fromkeys((TERMINATED, "killed", "timeout", "pruned"), (TERMINATED, -15)) | {"interrupted": (TERMINATED, -2)}
"""Status and exit status, which most tools do not record, for the words of other tools."""


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
    has a project file with the operation. The source is `source`, or the git tree or commit `source_tree` without the paths in
    `source_without` and with `source` over it. `needs`, `parent`, `steps` and `batch` name other runs of the import by their
    keys; a key that is not among them is left out. `output` is what the program wrote, or the path of the file that has it.
    `points` is called when the run is written, so that no more than one run's metrics are in memory. Times are in UTC.
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

    def locate(self, typed: str) -> Path:
        """Returns the path that the user typed, without symbolic links. Those below it are not the user's."""
        return Path(os.path.realpath(self.directory / expand_home(typed)))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of an import: ids of new runs, numbers of runs that exist or were deleted here, and what was left out.

    `large` are the bytes of files kept beside git. `refused` maps keys to the reason why a run was not taken. `restartable`
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


def expand_home(path: str) -> str:
    """Returns a path with the home of the user for `~`, or of `~ann`; as it is if there is no such user."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path raises then


def read_time(value: object, unit: int = 1) -> datetime | None:
    """Returns a time in UTC from units since 1970, of which a second has `unit`; None for what no clock shows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # git's dates begin in 1970, and the years behind 9000 overflow in other zones
    return datetime.fromtimestamp(value / unit, timezone.utc) if 0 <= value < 220_000_000_000 * unit else None


def read_ending(word: object) -> tuple[str, int] | None:
    """Returns status and exit status for another tool's word for an ending; None for a run that has not ended."""
    return ENDINGS.get(word.strip().lower()) if isinstance(word, str) else None


def read_environment(system: str, python: str, packages: Mapping[str, str]) -> dict[str, Any]:
    """Returns the tables of env.toml, without those that are empty."""
    tables = {
        "platform": {"system": system} if system else None,
        "python": {"version": python} if python else None,
        "packages": dict(sorted(packages.items())) or None,
    }
    return {name: table for name, table in tables.items() if table}


def join_trials(key: str, trials: Sequence[ImportedRun], row: ImportedRun | None = None) -> Iterator[ImportedRun]:
    """Yields the batch of runs that belong together, then these as its trials in the order of their numbers.

    Flags that differ are the space of the batch: lists if all combinations were run, else a point for each trial. `row` is the
    batch as its tool recorded it, if it did.
    """
    first = trials[0]
    values: dict[str, dict[str, Value]] = {}
    for name, value in (pair for trial in trials for pair in trial.flags.items()):
        if value is not None:
            # a list is a value too, and no key
            values.setdefault(name, {})[repr(value)] = value
    differing = {name: tuple(each.values()) for name, each in sorted(values.items()) if len(each) > 1}
    points = [{name: value for name in differing if (value := trial.flags.get(name)) is not None} for trial in trials]
    is_grid = prod(map(len, differing.values())) == len({repr(point) for point in points})
    space = {name: Choice(each) for name, each in differing.items()} if is_grid else {}
    plain = ImportedRun(
        key, first.tool, first.operation, first.kind, first.command, min(trial.created for trial in trials),
        stopped=max(trial.stopped or trial.created for trial in trials), source=first.source, source_tree=first.source_tree,
        base=first.base,
    )  # fmt: skip
    definition = BatchDefinition(GRID, space, () if is_grid else tuple(points), max_trials=len(trials), kind=first.kind)
    yield replace(
        row or plain, operation=f"{first.operation}{PLUS}", kind=BATCH, command=first.command, points=no_points,
        flags={name: next(iter(each.values())) for name, each in values.items() if len(each) == 1}, batch_definition=definition,
    )  # fmt: skip
    for number, trial in enumerate(sorted(trials, key=lambda trial: trial.trial or 0), 1):
        yield replace(trial, batch=key, trial=number)
