"""The index: what the refs of runs say, in sqlite, so that no question about many runs reads them all again.

It is a cache: it notices every change of the refs, whoever made it, and is made anew when it is gone or broken.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gitrun.errors import GitrunError, ObjectsGone
from gitrun.model.files import File, Skipped
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.params import Params
from gitrun.model.run import Attempt, BrokenRun, Comment, Notes, Run, going_on
from gitrun.store.live import live_runs
from gitrun.store.outputs import Output
from gitrun.store.readers import bulk_reader, is_partial
from gitrun.store.tips import broken_refs, stamp, tips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git

VERSION = 6
MANY = 200
"""Runs from which on reading them through libgit2 is worth its import."""
FEW = 100
"""Runs that did not read up to which they are tried again each time: their objects may have come. Of more the first are."""
ROUND = 2_000
"""Runs read and stored at a time."""
SETTLED = 0.1
"""Seconds after which a directory's time says whether it has changed: two changes within a tick have one time."""
TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, tip TEXT NOT NULL, created REAL NOT NULL, operation TEXT NOT NULL, flags TEXT NOT NULL,
    status TEXT NOT NULL, label TEXT, marked INTEGER NOT NULL, broken TEXT,
    source TEXT NOT NULL, base TEXT, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS newest ON runs (created, id);
CREATE INDEX IF NOT EXISTS alike ON runs (operation, flags, created);
CREATE INDEX IF NOT EXISTS sources ON runs (source);
CREATE INDEX IF NOT EXISTS bases ON runs (base);
CREATE INDEX IF NOT EXISTS labels ON runs (label) WHERE label IS NOT NULL;
"""
"""What finds rows quickly; made after the rows, in half the time."""
ROW = "id, tip, broken, record"
ORDER = "ORDER BY created DESC, id DESC"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Answer:
    """Runs that answer a question, newest attempt first, and how many there are in all."""

    runs: tuple[Run | BrokenRun, ...]
    total: int


class Index:
    """The index of one repository, as of the moment it was opened; to be used in a `with`."""

    def __init__(self, git: Git, told: Callable[[int, int], None] | None = None) -> None:
        """`told` hears how many runs of how many have been read."""
        self._git, self._told = git, told
        self._live = live_runs(git.state)
        self._path = git.state / "index.sqlite"
        try:
            self._base = self._open()
            self._refresh()
        except sqlite3.DatabaseError:  # it does not read: it is a cache, and made anew
            self._base = self._anew()
            self._refresh()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def newest(self, limit: int = -1, start: int = 0) -> Answer:
        """The newest runs (limit -1: all), from the `start`th on, counted from 0; those that do not read come last."""
        where = "ORDER BY broken IS NOT NULL, created DESC, id DESC" if self._has_broken() else ORDER
        return Answer(tuple(self._runs(f"{where} LIMIT ? OFFSET ?", (limit, start))), self.count())

    def count(self) -> int:
        """How many runs there are, also of those that do not read."""
        return self._number("SELECT count(*) FROM runs")

    def place(self, number: int) -> Run | None:
        """The run with this number in the list, counted from 1; None if there is none that reads."""
        return self._one(f"WHERE broken IS NULL {ORDER} LIMIT 1 OFFSET ?", (number - 1,))

    def readable_runs(self, limit: int = -1, start: int = 0) -> list[Run]:
        """The newest runs that read (limit -1: all), from the `start`th on, counted from 0."""
        return self._sound(f"WHERE broken IS NULL {ORDER} LIMIT ? OFFSET ?", (limit, start))

    def broken(self) -> list[BrokenRun]:
        """What lies among the runs and does not read."""
        return [run for run in self._runs("WHERE broken IS NOT NULL ORDER BY id") if isinstance(run, BrokenRun)]

    def number(self, run: Run) -> int:
        """The number of the run in the list, counted from 1."""
        where = "broken IS NULL AND (created, id) > (SELECT created, id FROM runs WHERE id = ?)"
        return self._number(f"SELECT count(*) FROM runs WHERE {where}", (run.id,)) + 1  # noqa: S608 - ours

    @property
    def is_bare(self) -> bool:
        """Whether the repository has no working tree: runs come to it from elsewhere only."""
        return self._git.worktree is None

    def readable(self) -> int:
        """How many runs read."""
        return self._number("SELECT count(*) FROM runs WHERE broken IS NULL")

    def ids(self, prefix: str) -> list[str]:
        """The ids, a hundred at most, that begin with these hex digits."""
        found = self._ask("SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT 100", (prefix, prefix + "g"))
        return [run for (run,) in found]

    def named(self, name: str) -> list[Run]:
        """The runs that a name may mean: of the operation of that name the marked, else the latest; all with the label."""
        latest = f"WHERE operation = ? AND broken IS NULL {ORDER} LIMIT 1"
        labelled = f"WHERE label = ? AND broken IS NULL {ORDER}"
        return self.marked(name) or self._sound(latest, (name,)) or self._sound(labelled, (name,))

    def marked(self, operation: str) -> list[Run]:
        """The marked runs of the operation, newest first: several only if marks were set in two places."""
        return self._sound(f"WHERE operation = ? AND marked AND broken IS NULL {ORDER}", (operation,))

    def alike(self, operation: str, flags: Flags) -> list[Run]:
        """The runs of the operation whose flags are equal to these, newest first."""
        return self._sound(f"WHERE operation = ? AND flags = ? AND broken IS NULL {ORDER}", (operation, flags_key(flags)))

    def of_operation(self, operation: str) -> list[Run]:
        """The runs of the operation, newest first."""
        return self._sound(f"WHERE operation = ? AND broken IS NULL {ORDER}", (operation,))

    def made_of(self, tree: str, limit: int = -1) -> list[Run]:
        """The runs whose source is exactly this tree, newest first, at most `limit`."""
        return self._sound(f"WHERE source = ? AND broken IS NULL {ORDER} LIMIT ?", (tree, limit))

    def made_from(self, commit: str, besides: str = "", limit: int = -1) -> list[Run]:
        """The runs that were made from this commit, except those of the tree `besides`, newest first, at most `limit`."""
        where = "base = ? AND source != ? AND broken IS NULL"
        return self._sound(f"WHERE {where} {ORDER} LIMIT ?", (commit, besides, limit))

    def get(self, run: str) -> Run | BrokenRun | None:
        """The run with this full id."""
        return next(iter(self._runs("WHERE id = ?", (run,))), None)

    def _has_broken(self) -> bool:
        return bool(self._ask("SELECT 1 FROM runs WHERE broken IS NOT NULL LIMIT 1"))

    def _one(self, where: str, values: tuple[object, ...]) -> Run | None:
        return next(iter(self._sound(where, values)), None)

    def _sound(self, where: str, values: tuple[object, ...]) -> list[Run]:
        return [run for run in self._runs(where, values) if isinstance(run, Run)]

    def _runs(self, where: str, values: tuple[object, ...] = ()) -> list[Run | BrokenRun]:
        return self._ask(f"SELECT {ROW} FROM runs {where}", values, self._read)  # noqa: S608 - ours

    def _read(self, record: tuple[str, str, str | None, str]) -> Run | BrokenRun:
        run, tip, broken, packed = record
        if broken is not None:
            return BrokenRun(run, tip, broken)
        found = unpack(self._git, run, tip, packed)
        return replace(found, attempt=going_on(found.attempt)) if run in self._live else found

    def _number(self, query: str, values: tuple[object, ...] = ()) -> int:
        ((found,),) = self._ask(query, values)
        return int(found)

    def _ask(self, query: str, values: tuple[object, ...] = (), read: Callable[[Any], Any] | None = None) -> list[Any]:
        """The rows, each as `read` reads it; if they do not read, which a disk may do to them, the base is made anew."""
        try:
            rows = self._base.execute(query, values)
            return list(map(read, rows)) if read else rows.fetchall()
        except (sqlite3.DatabaseError, ValueError, TypeError, GitrunError) as error:
            if "locked" in str(error):
                raise
        self._base.close()
        self._base = self._anew()
        self._refresh()
        rows = self._base.execute(query, values)
        return list(map(read, rows)) if read else rows.fetchall()

    def _open(self) -> sqlite3.Connection:
        """The base on disk; one in memory, with what is on disk, where that cannot be written."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            base = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
            base.execute("PRAGMA synchronous = OFF")  # after a power cut it is looked through: see _refresh
            base.execute("PRAGMA journal_mode = PERSIST")  # what a kill leaves is rolled back
            with suppress(sqlite3.OperationalError):
                if base.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    base.executescript(f"DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS state; {TABLES}")
                    base.execute(f"PRAGMA user_version = {VERSION}")
                base.execute("BEGIN IMMEDIATE")
                base.execute("ROLLBACK")
                # sqlite 3.40 begins to write, and fails later, on a file system that is read-only
                if os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK):
                    return base
            base.close()
        except (OSError, sqlite3.OperationalError):
            pass
        return self._in_memory(self._path)

    def _in_memory(self, path: Path | None) -> sqlite3.Connection:
        base = sqlite3.connect(":memory:", isolation_level=None)
        with suppress(sqlite3.Error):
            if path:
                source = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
                source.backup(base)
                source.close()
        base.executescript(TABLES)
        return base

    def _anew(self) -> sqlite3.Connection:
        # its journal first: it would be rolled back into another base
        for path in (self._path.with_name(f"{self._path.name}-journal"), self._path):
            with suppress(OSError):
                path.unlink()
        return self._in_memory(None) if self._path.exists() else self._open()

    def _refresh(self) -> None:
        """Reads what has changed since the last time, by whatever program."""
        seen, moment = stamp(self._git)
        known = dict(self._base.execute("SELECT name, value FROM state").fetchall())
        if known.get("boot") != (boot := this_boot()):  # the machine may have gone down while it was written
            if self._base.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("it is not whole")
            known = {}
        lost = self.count() - self.readable()
        if known.get("stamp") == seen and (not lost or (lost > FEW and not self._one_is_back())):
            return
        now = tips(self._git)
        before = dict(self._base.execute("SELECT id, tip FROM runs WHERE broken IS NULL").fetchall())
        changed = {run: tip for run, tip in now.items() if before.get(run) != tip}
        gone = [(run,) for (run,) in self._base.execute("SELECT id FROM runs").fetchall() if run not in now]
        if gone:  # of a ref that a power cut has emptied only we know where it was
            damaged = broken_refs(self._git)
            gone = [(run,) for (run,) in gone if run not in damaged]
        self._store(changed)
        with self._base:
            self._base.execute("BEGIN")
            self._base.executemany("DELETE FROM runs WHERE id = ?", gone)
            settled = time.time() - moment > SETTLED
            state = (("stamp", seen if settled else ""), ("boot", boot))
            self._base.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state)

    def _one_is_back(self) -> bool:
        """Whether one of the first runs that did not read reads now."""
        from gitrun.git.objects import Objects
        from gitrun.store.runs import read_runs

        asked = "SELECT id, tip FROM runs WHERE broken IS NOT NULL ORDER BY id LIMIT ?"
        with suppress(ObjectsGone), Objects(self._git) as few:
            found = read_runs(self._git, few, dict(self._base.execute(asked, (FEW,)).fetchall()), frozenset())
            return any(isinstance(run, Run) for run in found)
        return False

    def _store(self, changed: Mapping[str, str]) -> None:
        """Reads these runs, in rounds, and puts them in."""
        from gitrun.git.objects import Objects
        from gitrun.store.runs import read_runs

        names = list(changed.items())
        with Objects(self._git) as few, no_search_for_cycles():
            reader = bulk_reader(self._git) if len(names) >= MANY and not is_partial(self._git) else few
            for start in range(0, len(names), ROUND):
                some = dict(names[start : start + ROUND])
                try:
                    found = read_runs(self._git, reader, some, frozenset())
                except ObjectsGone:  # git cat-file dies of a tree that was cut short, and all that is asked with it
                    found = read_runs(self._git, bulk_reader(self._git), some, frozenset())
                rows = sorted(map(row, found), key=itemgetter(0))  # by id: three times as fast to put in
                with self._base:
                    self._base.execute("BEGIN")
                    self._base.executemany("INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
                if self._told:
                    self._told(min(start + ROUND, len(names)), len(names))
        self._base.executescript(INDEXES)


def this_boot() -> str:
    """What tells this start of the machine from all others; empty where the system does not say."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123 - each look at runs asks
        return file.read().strip()
    return ""


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Python does not look for cycles among very many new values, of which none has any."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def row(run: Run | BrokenRun) -> tuple[object, ...]:
    """A run as the base holds it."""
    if isinstance(run, BrokenRun):
        return run.id, run.tip, 0.0, "", "", "", None, 0, run.reason, "", None, ""
    attempt, notes = run.attempt, run.notes
    return (
        run.id, run.tip, attempt.created.timestamp(), attempt.operation, flags_key(attempt.flags), attempt.status,
        notes.label, int(notes.marked), None, attempt.source, attempt.base, pack(run),
    )  # fmt: skip


def flags_key(flags: Flags) -> str:
    """A text that is the same for flags that are equal by value: `1 == 1.0`, `true != 1`."""
    return json.dumps({name: plain(value) for name, value in flags.items()})  # they are sorted by name


def plain(value: object) -> object:
    """A value whose text is the same for equal numbers."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def pack(run: Run) -> str:
    """A run as a line of JSON, in the order in which `unpack` reads it."""
    a, notes = run.attempt, run.notes
    params = [getattr(a.params, name) for name in Params.__slots__]
    return json.dumps([
        a.id, a.operation, a.kind, a.command, a.cwd, dict(a.flags), params, a.status, micros(a.created), a.source,
        micros(a.started), micros(a.stopped), a.duration, a.exit_status, a.metrics.pack(), a.base, a.branch, a.dirty, a.batch,
        a.carried, [[s.path, s.size, s.reason] for s in a.skipped], [[f.path, f.size, f.sha256, f.stored] for f in a.files],
        a.written is not None, a.result, a.author, a.conflicts, a.submodules,
        notes.label, notes.tags, [[c.text, c.author, micros(c.time)] for c in notes.comments], notes.marked,
        notes.unreadable,
    ])  # fmt: skip


def unpack(git: Git, run: str, tip: str, record: str) -> Run:
    """The run that `pack` wrote."""
    (
        head, operation, kind, command, cwd, flags, params, status, created, source, started, stopped, duration, exit_status,
        metrics, base, branch, dirty, batch, carried, skipped, files, ended, result, author, conflicts, submodules,
        label, tags, comments, marked, unreadable,
    ) = json.loads(record)  # fmt: skip
    attempt = Attempt(
        id=head, operation=operation, kind=kind, command=tuple(command), cwd=cwd, flags=Flags(flags),
        params=params_from(params), status=status,
        created=moment_of(created) or EPOCH, source=source, started=moment_of(started), stopped=moment_of(stopped),
        duration=duration, exit_status=exit_status, metrics=Metrics.unpack(metrics), base=base, branch=branch, dirty=dirty,
        batch=batch, carried=tuple(carried),
        skipped=tuple(Skipped(*one) for one in skipped), files=tuple(File(*one) for one in files),
        conflicts=tuple(conflicts), submodules=tuple((path, commit) for path, commit in submodules),
        author=author, written=Output(str(git.common_dir), result or head) if ended else None, result=result,
    )  # fmt: skip
    spoken = tuple(Comment(text, author, moment_of(time)) for text, author, time in comments)
    return Run(run, tip, attempt, Notes(label, tuple(tags), spoken, marked, unreadable))


def params_from(values: Iterable[Any]) -> Params:
    """The run parameters, in the order of their fields."""
    pairs = zip(Params.__slots__, values, strict=True)
    named: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in pairs}
    return Params(**named)


def micros(time: datetime | None) -> int | None:
    """A time as whole microseconds since 1970."""
    if time is None:
        return None
    passed = time - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment_of(passed: int | None) -> datetime | None:
    """The time that `micros` wrote."""
    if passed is None:
        return None
    return datetime.fromtimestamp(passed // 1_000_000, timezone.utc).replace(microsecond=passed % 1_000_000)
