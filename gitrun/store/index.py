"""The index: what the refs of runs say, in sqlite, so that no question about many runs reads them all again.

It is a cache: it notices every change of the refs, whoever made it, and is made anew when it is gone or broken.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gitrun.errors import GitrunError, ObjectsGone
from gitrun.model.run import BrokenRun, Run, going_on
from gitrun.model.status import ENDED
from gitrun.model.text import is_text
from gitrun.store.live import live_runs, metrics_of
from gitrun.store.places import make_common
from gitrun.store.readers import bulk_reader, is_partial
from gitrun.store.rows import flags_key, row, unpack
from gitrun.store.tips import broken_refs, stamp, tips
from gitrun.store.trust import trusted_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.flags import Flags

VERSION = 9
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
    source TEXT NOT NULL, base TEXT, words TEXT, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS newest ON runs (created, id);
CREATE INDEX IF NOT EXISTS alike ON runs (operation, flags, created, status, words, source);
CREATE INDEX IF NOT EXISTS sources ON runs (source);
CREATE INDEX IF NOT EXISTS bases ON runs (base);
CREATE INDEX IF NOT EXISTS labels ON runs (label) WHERE label IS NOT NULL;
"""
"""What finds rows quickly; made after the rows, in half the time."""
COLUMNS = ("tip", "created", "operation", "flags", "status", "label", "marked", "broken", "source", "base", "words", "record")
PUT = (
    f"INSERT INTO runs VALUES ({', '.join('?' * (len(COLUMNS) + 1))}) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608 - ours
    f"{', '.join(f'{name} = excluded.{name}' for name in COLUMNS)} WHERE runs.tip = ?"
)
"""Puts a row in, in place of one whose tip is still the one that was seen; leaves what somebody else has put in."""
TRIED = (1, 100, 10_000, -1)
"""How many runs are read at a time until a trusted one is among them: nearly always the first is."""
TRIES = 10
"""How often is looked again when somebody else was quicker."""
ROW = "id, tip, broken, record"
ORDER = "ORDER BY created DESC, id DESC"


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
        """The runs that a name may mean: of the operation of that name the marked, else the latest; all with the label.

        The latest is one that was made or is trusted here, if there is one: others are newer as often as they like.
        """
        latest = f"WHERE operation = ? AND broken IS NULL {ORDER} LIMIT 1"
        labelled = f"WHERE label = ? AND broken IS NULL {ORDER}"
        own = self.marked(name) or list(filter(None, [self.latest_trusted(name)]))
        return own or self._sound(latest, (name,)) or self._sound(labelled, (name,))

    def latest_trusted(self, operation: str | None = None) -> Run | None:
        """The newest run, of the operation or of any, that was made or is trusted here."""
        where, values = ("", ()) if operation is None else ("AND operation = ?", (operation,))
        start = 0
        for limit in TRIED:
            runs = self._sound(f"WHERE broken IS NULL {where} {ORDER} LIMIT ? OFFSET ?", (*values, limit, start))
            if found := next(trusted_of(self._git, runs), None):
                return found
            if len(runs) < limit:
                break
            start += limit
        return None

    def marked(self, operation: str) -> list[Run]:
        """The marked runs of the operation, newest first: several only if marks were set in two places."""
        return self._sound(f"WHERE operation = ? AND marked AND broken IS NULL {ORDER}", (operation,))

    def alike(self, operation: str, flags: Flags) -> list[Run]:
        """The runs of the operation whose flags are equal to these, newest first."""
        return self._sound(f"WHERE operation = ? AND flags = ? AND broken IS NULL {ORDER}", (operation, flags_key(flags)))

    def ended_alike(self, operation: str, flags: Flags, words: str | None, source: str = "", limit: int = -1) -> list[Run]:
        """As `alike`, only those that have ended, with these words (`words_key`) and of this source, at most `limit`.

        A run whose words have no key is among them.
        """
        where, values = ended_alike(operation, flags, words, source)
        return self._sound(f"WHERE {where} {ORDER} LIMIT ?", (*values, limit))

    def count_ended_alike(self, operation: str, flags: Flags, words: str | None, source: str = "") -> int:
        """How many runs `ended_alike` finds without a limit; no run is read for it."""
        where, values = ended_alike(operation, flags, words, source)
        return self._number(f"SELECT count(*) FROM runs WHERE {where}", values)  # noqa: S608 - ours

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
        if run not in self._live:
            return found
        return replace(found, attempt=going_on(found.attempt, metrics_of(self._git.state, run)))

    def _number(self, query: str, values: tuple[object, ...] = ()) -> int:
        ((found,),) = self._ask(query, values)
        return int(found)

    def _ask(self, query: str, values: tuple[object, ...] = (), read: Callable[[Any], Any] | None = None) -> list[Any]:
        """The rows, each as `read` reads it; if they do not read, which a disk may do to them, the base is made anew.

        A value that is not UTF-8 is in no row.
        """
        if not all(is_text(value) for value in values if isinstance(value, str)):
            return []
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
            make_common(self._path.parent)
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
        """Reads what has changed since the last time, by whatever program; again, if another one was quicker meanwhile."""
        for _ in range(TRIES):
            if self._catch_up():
                return

    def _catch_up(self) -> bool:
        """Whether the base is as the refs were when this began, or newer: nothing older than it has is put in."""
        seen, moment = stamp(self._git)
        known = dict(self._base.execute("SELECT name, value FROM state").fetchall())
        if known.get("boot") != (boot := this_boot()):  # the machine may have gone down while it was written
            if self._base.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("it is not whole")
            known = {}
        lost = self.count() - self.readable()
        if known.get("stamp") == seen and (not lost or (lost > FEW and not self._one_is_back())):
            return True
        # before the refs are read: what somebody else puts in after this is not older than what we are going to see
        before = {run: (tip, broken) for run, tip, broken in self._base.execute("SELECT id, tip, broken FROM runs").fetchall()}
        now = tips(self._git)
        changed = {run: tip for run, tip in now.items() if before.get(run) != (tip, None)}
        gone = [(run, tip) for run, (tip, _) in before.items() if run not in now]
        if gone:  # of a ref that a power cut has emptied only we know where it was
            damaged = broken_refs(self._git)
            gone = [pair for pair in gone if pair[0] not in damaged]
        stored = self._store(changed, {run: tip for run, (tip, _) in before.items()})
        with self._base:
            self._base.execute("BEGIN")
            self._base.executemany("DELETE FROM runs WHERE id = ? AND tip = ?", gone)
            settled = time.time() - moment > SETTLED
            state = (("stamp", seen if settled else ""), ("boot", boot))
            self._base.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state)
        return stored == len(changed)

    def _one_is_back(self) -> bool:
        """Whether one of the first runs that did not read reads now."""
        from gitrun.git.objects import Objects
        from gitrun.store.runs import read_runs

        asked = "SELECT id, tip FROM runs WHERE broken IS NOT NULL ORDER BY id LIMIT ?"
        with suppress(ObjectsGone), Objects(self._git) as few:
            found = read_runs(self._git, few, dict(self._base.execute(asked, (FEW,)).fetchall()), frozenset())
            return any(isinstance(run, Run) for run in found)
        return False

    def _store(self, changed: Mapping[str, str], before: Mapping[str, str]) -> int:
        """Reads these runs, in rounds, and puts them in where the base is as it was `before`; how many that were."""
        from gitrun.git.objects import Objects
        from gitrun.store.runs import read_runs

        names, stored = list(changed.items()), 0
        with Objects(self._git) as few, no_search_for_cycles():
            reader = bulk_reader(self._git) if len(names) >= MANY and not is_partial(self._git) else few
            for start in range(0, len(names), ROUND):
                some = dict(names[start : start + ROUND])
                try:
                    found = read_runs(self._git, reader, some, frozenset())
                except ObjectsGone:  # git cat-file dies of a tree that was cut short, and all that is asked with it
                    found = read_runs(self._git, bulk_reader(self._git), some, frozenset())
                rows = sorted(((*row(run), before.get(run.id, "")) for run in found), key=itemgetter(0))  # three times as fast
                with self._base:
                    self._base.execute("BEGIN")
                    stored += self._base.executemany(PUT, rows).rowcount
                if self._told:
                    self._told(min(start + ROUND, len(names)), len(names))
        self._base.executescript(INDEXES)
        return stored


def ended_alike(operation: str, flags: Flags, words: str | None, source: str) -> tuple[str, tuple[object, ...]]:
    """The condition that such rows meet, and its values."""
    where = "operation = ? AND flags = ? AND broken IS NULL AND status IN (?, ?)"
    values: tuple[object, ...] = (operation, flags_key(flags), *sorted(ENDED))
    if words is not None:
        where, values = f"{where} AND (words = ? OR words IS NULL)", (*values, words)
    return (f"{where} AND source = ?", (*values, source)) if source else (where, values)


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
