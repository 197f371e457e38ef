"""The tables of the index, and runs as their rows: columns to search, and the whole run as a line of JSON."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from gitrun import model
from gitrun.dataclass import asdict
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.run import BATCH, COMMAND, ENDED, Attempt, BrokenRun, Comment, File, Notes, Params, Run, Skipped, words_start
from gitrun.model.text import is_text
from gitrun.store.outputs import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gitrun.git.exe import Git
    from gitrun.model.trial_counts import TrialCounts

VERSION = 19
TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, tip TEXT NOT NULL, created REAL NOT NULL, operation TEXT NOT NULL, flags TEXT NOT NULL,
    status TEXT NOT NULL, label TEXT, marked INTEGER NOT NULL, broken TEXT,
    source TEXT NOT NULL, base TEXT, words TEXT, batch TEXT, is_batch INTEGER NOT NULL, pruned INTEGER, record TEXT NOT NULL,
    listed TEXT NOT NULL, attempt TEXT
);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refs (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (sort TEXT, name TEXT, PRIMARY KEY (sort, name)) WITHOUT ROWID;
"""
"""The tables of the index.

`names` has each flag and metric that a run has, or had; `refs` the runs that had refs when there were archives too. `attempt`
is the last attempt of a run that has several.
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS newest ON runs (created, id, broken, batch);
CREATE INDEX IF NOT EXISTS listed ON runs (created, id, tip, broken, is_batch, flags, listed);
CREATE INDEX IF NOT EXISTS broken ON runs (broken) WHERE broken IS NOT NULL;
CREATE INDEX IF NOT EXISTS batches ON runs (id) WHERE is_batch = 1;
CREATE INDEX IF NOT EXISTS trials ON runs (batch, status, pruned) WHERE batch IS NOT NULL;
CREATE INDEX IF NOT EXISTS alike ON runs (operation, flags, created, status, words, source);
CREATE INDEX IF NOT EXISTS sources ON runs (source, created, id);
CREATE INDEX IF NOT EXISTS bases ON runs (base, created, id, source);
CREATE INDEX IF NOT EXISTS attempts ON runs (attempt) WHERE attempt IS NOT NULL;
CREATE INDEX IF NOT EXISTS labels ON runs (label) WHERE label IS NOT NULL;
"""
"""Indexes for the queries, created after the rows are inserted: that takes half the time."""
COLUMNS = (
    "tip", "created", "operation", "flags", "status", "label", "marked", "broken", "source", "base", "words", "batch",
    "is_batch", "pruned", "record", "listed", "attempt",
)  # fmt: skip
PUT = (
    f"INSERT INTO runs VALUES ({', '.join('?' * (len(COLUMNS) + 1))}) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608 - ours
    f"{', '.join(f'{name} = excluded.{name}' for name in COLUMNS)} WHERE runs.tip = ?"
)
"""Inserts a row, or replaces one whose tip is still the one we saw. Rows that another process wrote are kept."""
FLAG, METRIC = "flag", "metric"
"""Sorts of `names`."""
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FIELDS = (
    "head", "operation", "kind", "command", "cwd", "flags", "params", "status", "created", "source", "started", "stopped",
    "duration", "exit_status", "metrics", "base", "branch", "dirty", "batch", "trial", "pruned", "counts", "carried", "skipped",
    "files", "ended", "result", "author", "conflicts", "submodules", "given", "content", "worker", "reason", "label", "tags",
    "comments", "marked", "unreadable",
)  # fmt: skip
"""Names of what the array of `encode_row` holds, in its order."""
LISTED = (
    "created", "pruned", "counts", "flags", "metrics", "operation", "status", "label", "tags", "marked", "branch", "batch",
    "trial", "duration", "exit_status",
)  # fmt: skip
"""Names of the fields that lists of very many runs show. A row has them in a short array of their own, in this order."""
LISTED_AT = tuple(map(FIELDS.index, LISTED))
MAY_HAVE_MODULES = (
    "CASE WHEN broken IS NOT NULL THEN 0 WHEN attempt IS NOT NULL THEN 1 "
    f"ELSE json_extract(record, '$[{FIELDS.index('content')}]') != '' END"
)
"""Condition of readable runs that recorded files of submodules, or have several attempts, any of which may have done so."""


def index_row(run: Run | BrokenRun) -> tuple[object, ...]:
    """Returns the values of a run's row, in the order of the index's columns."""
    if isinstance(run, BrokenRun):
        # empty values, because most columns are NOT NULL
        return run.id, run.tip, 0.0, "", "", "", None, 0, run.reason, "", None, None, None, 0, None, "", "", None
    attempt, notes, values = run.attempt, run.notes, row_values(run)
    return (
        run.id, run.tip, attempt.created.timestamp(), attempt.operation, flags_key(attempt.flags), attempt.status,
        notes.label, int(notes.marked), None, attempt.source, attempt.base,
        words_key(attempt.kind, attempt.operation, attempt.command), attempt.batch, int(attempt.kind == BATCH), attempt.pruned,
        json.dumps(values), json.dumps([values[at] for at in LISTED_AT]), None if attempt.id == run.id else attempt.id,
    )  # fmt: skip


def names_in(runs: Iterable[Run | BrokenRun]) -> list[tuple[str, str]]:
    """Returns the rows of `names` for these runs. sqlite cannot hold a name that is not UTF-8."""
    sound = [run for run in runs if isinstance(run, Run)]
    flags = {(FLAG, name) for run in sound for name in run.attempt.flags}
    return sorted(pair for pair in flags | {(METRIC, name) for run in sound for name in run.metrics} if is_text(pair[1]))


def condition_for_same_flags(operation: str, flags: Flags, words: str | None, source: str) -> tuple[str, tuple[object, ...]]:
    """Returns the SQL condition of `Index.ended_with_same_flags` and its values."""
    where = "operation = ? AND flags = ? AND broken IS NULL AND status IN (?, ?)"
    values: tuple[object, ...] = (operation, flags_key(flags), *sorted(ENDED))
    if words is not None:
        where, values = f"{where} AND (words = ? OR words IS NULL)", (*values, words)
    return (f"{where} AND source = ?", (*values, source)) if source else (where, values)


def words_key(kind: str, operation: str, command: Sequence[str]) -> str | None:
    """Returns a text that is equal for equal words behind `--`.

    None if only the project file knows where those words begin.
    """
    if kind != COMMAND:
        return json.dumps(command[words_start(kind, command) :])
    return json.dumps(command) if operation == " ".join(command) else None


def flags_key(flags: Flags) -> str:
    """Returns a text that is equal for flags that are equal by value: `1 == 1.0`, `true != 1`."""
    return json.dumps(
        {name: whole_floats_as_integers(value) for name, value in flags.items()}
    )  # Flags iterates in the order of names


def whole_floats_as_integers(value: object) -> object:
    """Returns the value with whole floats as integers, also inside lists."""
    if isinstance(value, list):
        return [whole_floats_as_integers(item) for item in value]
    # JSON has 1.0 and 1 as different texts
    return int(value) if isinstance(value, float) and value.is_integer() else value


def encode_row(run: Run) -> str:
    """Encodes a run as JSON: an array in the order that `decode_row` reads."""
    return json.dumps(row_values(run))


def stored_fields(run: Run, names: Sequence[str]) -> list[object]:
    """Returns these fields of a run as a row would have them now."""
    values: list[object] = json.loads(encode_row(run))
    return [values[FIELDS.index(name)] for name in names]


def row_values(run: Run) -> list[object]:
    """Returns what a row holds of a run, in the order of FIELDS."""
    a, notes = run.attempt, run.notes
    params = [getattr(a.params, name) for name in Params.__slots__]
    return [
        a.id, a.operation, a.kind, a.command, a.cwd, dict(a.flags), params, a.status, to_microseconds(a.created), a.source,
        to_microseconds(a.started), to_microseconds(a.stopped), a.duration, a.exit_status, a.metrics.pack(),
        a.base, a.branch, a.dirty, a.batch, a.trial, a.pruned, asdict(a.counts) if a.counts else None,
        a.carried, [[s.path, s.size, s.reason] for s in a.skipped], [[f.path, f.size, f.sha256, f.stored] for f in a.files],
        a.written is not None, a.result, a.author, a.conflicts, a.submodules, a.given, a.content, a.worker, a.reason,
        notes.label, notes.tags, [[c.text, c.author, to_microseconds(c.time)] for c in notes.comments], notes.marked,
        notes.unreadable,
    ]  # fmt: skip


def decode_row(git: Git, run_id: str, tip: str, record: str) -> Run:
    """Decodes a run that `encode_row` encoded. `run_id` is its id."""
    (
        head, operation, kind, command, cwd, flags, params, status, created, source, started, stopped, duration, exit_status,
        metrics, base, branch, dirty, batch, trial, pruned, counts, carried, skipped, files, ended, result, author,
        conflicts, submodules, given, content, worker, reason,
        label, tags, comments, marked, unreadable,
    ) = json.loads(record)  # fmt: skip
    # the output is only named here, and read when somebody asks for it
    attempt = Attempt(
        id=head, operation=operation, kind=kind, command=tuple(command), cwd=cwd, flags=Flags(flags),
        params=decode_params(params), status=status,
        created=from_microseconds(created) or EPOCH, source=source,
        started=from_microseconds(started), stopped=from_microseconds(stopped),
        duration=duration, exit_status=exit_status, metrics=Metrics.unpack(metrics), base=base, branch=branch, dirty=dirty,
        batch=batch, carried=tuple(carried),
        skipped=tuple(Skipped(*one) for one in skipped), files=tuple(File(*one) for one in files),
        conflicts=tuple(conflicts), submodules=tuple((path, commit) for path, commit in submodules), content=content,
        author=author, written=Output(str(git.common_dir), result or head) if ended else None, result=result,
        given=tuple(given), trial=trial, pruned=pruned, counts=decode_counts(counts) if counts else None,
        worker=worker, reason=reason,
    )  # fmt: skip
    spoken = tuple(Comment(text, author, from_microseconds(time)) for text, author, time in comments)
    return Run(run_id, tip, attempt, Notes(label, tuple(tags), spoken, marked, unreadable))


def decode_counts(table: dict[str, Any]) -> TrialCounts:
    """Returns the counts of a batch from a row."""
    best = model.trial_counts.BestTrial(**table["best"]) if table["best"] else None
    return model.trial_counts.TrialCounts(**{**table, "best": best})


def decode_params(values: Iterable[Any]) -> Params:
    """Returns run parameters from values in the order of their fields."""
    pairs = zip(Params.__slots__, values, strict=True)
    params: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in pairs}
    return Params(**params)


def to_microseconds(time: datetime | None) -> int | None:
    """Converts a time to microseconds since 1970."""
    if time is None:
        return None
    # whole numbers, as a float of seconds would not be exact to the microsecond
    interval = time - EPOCH
    return (interval.days * 86_400 + interval.seconds) * 1_000_000 + interval.microseconds


def from_microseconds(microseconds: int | None) -> datetime | None:
    """Converts microseconds since 1970 to a time in UTC."""
    if microseconds is None:
        return None
    # the microseconds apart, because fromtimestamp would round them in a float
    return datetime.fromtimestamp(microseconds // 1_000_000, timezone.utc).replace(microsecond=microseconds % 1_000_000)
