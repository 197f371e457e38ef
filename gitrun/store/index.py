"""The index: an sqlite cache of all runs, so that questions about many runs do not read each of them.

It notices every change of the refs, whoever made it. A missing or broken index is rebuilt.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from operator import itemgetter

from gitrun import git, model, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitrunError, ObjectsGone
from gitrun.git.locks import make_shared_directory
from gitrun.model.run import BATCH, ENDINGS, PRUNED, RUNNING, BrokenRun, Run, as_running
from gitrun.model.text import is_text
from gitrun.store.index_rows import (
    INDEXES,
    LISTED,
    PUT,
    TABLES,
    VERSION,
    condition_for_same_flags,
    decode_row,
    flags_key,
    index_row,
    names_in,
    stored_fields,
)  # fmt: skip
from gitrun.store.live import live_runs, shown_metrics, shown_metrics_token
from gitrun.store.refs import damaged_refs, ref_store, run_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any

    from gitrun.git.exe import Git
    from gitrun.git.objects import ObjectReader
    from gitrun.model.flags import Flags
    from gitrun.model.trial_counts import TrialCounts
    from gitrun.store.filter_sql import Prefilter
    from gitrun.store.refs import RunPlaces

MANY = 200
"""Runs from which reading through libgit2 pays for its import."""
FEW = 100
"""Unreadable runs retried at each look, as their objects may have arrived. Of more, only the first ones are."""
ROUND = 2_000
"""Runs read and stored at a time."""
TRIED = (1, 100, 10_000, -1)
"""Sizes of the batches in which runs are read until one is trusted; nearly always the first is."""
TRIES = 10
"""Attempts to catch up while other processes keep changing the index."""
ROW = "id, tip, broken, record"
THESE = "SELECT id, tip, broken FROM runs WHERE id IN (SELECT value FROM json_each(?))"
ORDER = "ORDER BY created DESC, id DESC"
VISIBLE = "broken IS NULL AND (batch IS NULL OR batch NOT IN (SELECT id FROM runs WHERE is_batch = 1))"
"""Condition of the runs that the list shows by themselves: not the trials of a batch that is here."""


@dataclass(frozen=True, slots=True)
class IndexPage:
    """The runs that answer a query, newest attempt first, and the number of all runs."""

    runs: tuple[Run | BrokenRun, ...]
    total: int


class Index:
    """The index of one repository, as of when it was opened. Use it in a `with`."""

    def __init__(self, git: Git, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Opens the index and brings it up to date. `on_progress` is called with the numbers of runs read and to read."""
        self._git, self._told = git, on_progress
        self._live = live_runs(git.state)
        self._path = git.state / "index.sqlite"
        try:
            self._base = self._open()
            self._refresh()
        except sqlite3.DatabaseError:
            self._rebuild()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def newest(self, limit: int = -1, start: int = 0) -> IndexPage:
        """Returns the newest runs (limit -1: all) from offset `start` on. Unreadable ones come last."""
        return IndexPage(tuple(self._runs(f"{self._all_ordered()} LIMIT ? OFFSET ?", (limit, start))), self.count())

    def count(self) -> int:
        """Returns the number of runs, including unreadable ones."""
        return self._number("SELECT count(*) FROM runs")

    def place(self, number: int) -> Run | None:
        """Returns the run with this number in the list, counted from 1; None if there is no such readable run."""
        return next(iter(self.visible_runs(1, number - 1)), None)

    def visible_runs(self, limit: int = -1, start: int = 0) -> list[Run]:
        """Returns the newest readable runs as `readable_runs` does, without the trials of batches that are here."""
        # the inner query needs only an index, and skips the trials of a large batch without reading them
        inner = f"SELECT id FROM runs WHERE {VISIBLE} {ORDER} LIMIT ? OFFSET ?"  # noqa: S608 - ours
        return self._sound(f"WHERE id IN ({inner}) {ORDER}", (limit, start))

    def count_visible(self) -> int:
        """Returns the number of runs that `visible_runs` finds without a limit."""
        return self._number(f"SELECT count(*) FROM runs WHERE {VISIBLE}")  # noqa: S608 - ours

    def running(self) -> list[Run]:
        """Returns the running runs, newest first."""
        known = [run for run in map(self.get, self._live) if isinstance(run, Run)]
        return sorted(known, key=lambda run: (run.attempt.created, run.id), reverse=True)

    def trials_of(self, batch_id: str) -> list[Run]:
        """Returns the trials of the batch that are here, by number."""
        rows = self._sound("WHERE batch = ? AND broken IS NULL", (batch_id,))
        return sorted(rows, key=lambda run: (run.attempt.trial or 0, run.attempt.created, run.id))

    def readable_runs(self, limit: int = -1, start: int = 0) -> list[Run]:
        """Returns the newest readable runs (limit -1: all) from offset `start` on."""
        return self._sound(f"WHERE broken IS NULL {ORDER} LIMIT ? OFFSET ?", (limit, start))

    def matching(self, wanted: Prefilter) -> list[tuple[str, bool]]:
        """Returns the ids of the readable runs that may match, newest first, with whether they match for sure."""
        # what a running run has is in its live record, not in its row
        live = json.dumps(sorted(self._live))
        running = "id IN (SELECT value FROM json_each(?))" if self._live else "0"
        values = (live,) if self._live else ()
        # the + keeps sqlite from an index, by which each row would be a search of its own
        where = f"WHERE broken IS NULL AND ({wanted.maybe.sql} OR {running}) ORDER BY +created DESC, +id DESC"
        asked = f"SELECT id, {wanted.sure.sql} AND NOT {running} FROM runs {where}"  # noqa: S608 - ours
        rows = self._ask(asked, (*wanted.sure.values, *values, *wanted.maybe.values, *values))
        return [(run, bool(is_sure)) for run, is_sure in rows]

    def get_many(self, runs: Sequence[str], condition: str = "TRUE") -> list[Run]:
        """Returns those of the runs with these full ids that are readable and fulfil the SQL condition, in this order."""
        where = f"WHERE id IN (SELECT value FROM json_each(?)) AND {condition}"  # noqa: S608 - ours
        runs_by_id: dict[str, Run] = {}
        for start in range(0, len(runs), ROUND):
            asked = json.dumps(list(runs[start : start + ROUND]))
            runs_by_id |= {run.id: run for run in self._sound(where, (asked,))}
        return [runs_by_id[run_id] for run_id in runs if run_id in runs_by_id]

    def with_attempts(self, names: Iterable[str]) -> list[Run]:
        """Returns the readable runs whose first or last attempt is one of these, newest first."""
        asked = json.dumps(list(names))
        these = "SELECT id FROM runs WHERE {} IN (SELECT value FROM json_each(?))"
        # a union uses both indexes
        ids = f"{these.format('id')} UNION {these.format('attempt')}"
        return self._sound(f"WHERE id IN ({ids}) AND broken IS NULL {ORDER}", (asked, asked))

    def numbers(self, runs: Sequence[str]) -> dict[str, int]:
        """Returns the number in the list of each of these runs; 0 for a trial of a batch that is here."""
        these = "SELECT value FROM json_each(?)"
        oldest = f"SELECT created, id FROM runs WHERE id IN ({these}) ORDER BY created, id LIMIT 1"  # noqa: S608 - ours
        newer = f"WHERE {VISIBLE} AND (created, id) >= ({oldest})"
        numbered = f"SELECT id, row_number() OVER ({ORDER}) AS number FROM runs {newer}"  # noqa: S608 - ours
        asked = json.dumps(list(runs))
        rows = self._ask(f"SELECT id, number FROM ({numbered}) WHERE id IN ({these})", (asked, asked))  # noqa: S608 - ours
        return dict.fromkeys(runs, 0) | dict(rows)

    def may_have(self, sort: str, name: str) -> bool:
        """Returns False if no run has ever had a flag (FLAG) or metric (METRIC) of this name."""
        known = is_text(name) and self._ask("SELECT 1 FROM names WHERE sort = ? AND name = ?", (sort, name))
        # the metrics so far of a running run are in no row
        return bool(known) or not is_text(name) or any(name in run.metrics for run in self.get_many(sorted(self._live)))

    def broken(self) -> list[BrokenRun]:
        """Returns the refs among the runs that are unreadable or no runs."""
        return [run for run in self._runs("WHERE broken IS NOT NULL ORDER BY +id") if isinstance(run, BrokenRun)]

    def number(self, run: Run) -> int:
        """Returns the number of the run in the list, counted from 1; 0 for a trial of a batch that is here."""
        if run.attempt.batch and not self._ask(f"SELECT 1 FROM runs WHERE id = ? AND {VISIBLE}", (run.id,)):  # noqa: S608 - ours
            return 0
        where = f"{VISIBLE} AND (created, id) > (SELECT created, id FROM runs WHERE id = ?)"  # noqa: S608 - ours
        return self._number(f"SELECT count(*) FROM runs WHERE {where}", (run.id,)) + 1  # noqa: S608 - ours

    @property
    def is_bare(self) -> bool:
        """Returns whether the repository has no working tree, so that all its runs were made elsewhere."""
        return self._git.worktree is None

    def readable(self) -> int:
        """Returns the number of readable runs."""
        return self._number("SELECT count(*) FROM runs WHERE broken IS NULL")

    def ids(self, prefix: str) -> list[str]:
        """Returns at most 100 ids that begin with these hex digits."""
        # a range that the primary key answers; `g` follows the last hex digit
        ids = self._ask("SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT 100", (prefix, prefix + "g"))
        return [run for (run,) in ids]

    def named(self, name: str) -> list[Run]:
        """Returns the runs that a name may mean: its marked run, else the latest of that operation, else those with the label.

        The latest is one made or trusted here, if there is one: foreign runs could always claim to be newer.
        """
        latest = f"WHERE operation = ? AND broken IS NULL {ORDER} LIMIT 1"
        labelled = f"WHERE label = ? AND broken IS NULL {ORDER}"
        own = self.marked(name) or list(filter(None, [self.latest_trusted(name)]))
        return own or self._sound(latest, (name,)) or self._sound(labelled, (name,))

    def latest_trusted(self, operation: str | None = None) -> Run | None:
        """Returns the newest run made or trusted here, of one operation or of any; None if there is none."""
        where, values = (VISIBLE, ()) if operation is None else ("broken IS NULL AND operation = ?", (operation,))
        start = 0
        for limit in TRIED:
            runs = self._sound(f"WHERE {where} {ORDER} LIMIT ? OFFSET ?", (*values, limit, start))
            if latest := next(store.trust.trusted_runs(self._git, runs), None):
                return latest
            if len(runs) < limit:
                break
            start += limit
        return None

    def marked(self, operation: str) -> list[Run]:
        """Returns the marked runs of the operation, newest first. Several occur if marks were set in two clones."""
        return self._sound(f"WHERE operation = ? AND marked AND broken IS NULL {ORDER}", (operation,))

    def with_same_flags(self, operation: str, flags: Flags) -> list[Run]:
        """Returns the runs of the operation with flags equal to these by value, newest first."""
        return self._sound(f"WHERE operation = ? AND flags = ? AND broken IS NULL {ORDER}", (operation, flags_key(flags)))

    def ended_with_same_flags(
        self, operation: str, flags: Flags, words: str | None, source: str = "", limit: int = -1
    ) -> list[Run]:
        """Returns at most `limit` runs as `with_same_flags` does, if ended with these words and source.

        `words` is a key made by `words_key`. A run whose words have no key matches too.
        """
        where, values = condition_for_same_flags(operation, flags, words, source)
        return self._sound(f"WHERE {where} {ORDER} LIMIT ?", (*values, limit))

    def count_ended_with_same_flags(self, operation: str, flags: Flags, words: str | None, source: str = "") -> int:
        """Counts the runs that `ended_with_same_flags` finds without a limit, without reading them."""
        where, values = condition_for_same_flags(operation, flags, words, source)
        return self._number(f"SELECT count(*) FROM runs WHERE {where}", values)  # noqa: S608 - ours

    def of_operation(self, operation: str) -> list[Run]:
        """Returns the runs of the operation, newest first."""
        return self._sound(f"WHERE operation = ? AND broken IS NULL {ORDER}", (operation,))

    def run_before(self, run: Run) -> Run | None:
        """Returns the run of the same operation that was started last before this one; None if it is the first."""
        # the plus keeps sqlite from sorting all runs of the operation: it looks back in time from the run, mostly a few rows
        where = "+operation = ? AND broken IS NULL AND (created, id) < (SELECT created, id FROM runs WHERE id = ?)"
        return self._one(f"WHERE {where} {ORDER} LIMIT 1", (run.operation, run.id))

    def made_of(self, tree: str, limit: int = -1) -> list[Run]:
        """Returns at most `limit` runs whose source is exactly this tree, newest first."""
        return self._sound(f"WHERE source = ? AND broken IS NULL {ORDER} LIMIT ?", (tree, limit))

    def made_from(self, commit: str, besides: str = "", limit: int = -1) -> list[Run]:
        """Returns at most `limit` runs based on this commit, except those of the tree `besides`, newest first."""
        where = "base = ? AND source != ? AND broken IS NULL"
        return self._sound(f"WHERE {where} {ORDER} LIMIT ?", (commit, besides, limit))

    def count_made_of(self, tree: str) -> int:
        """Counts the runs that `made_of` finds without a limit, without reading them."""
        # an unreadable run has no source
        return self._number("SELECT count(*) FROM runs WHERE source = ?", (tree,))

    def count_made_from(self, commit: str, besides: str = "") -> int:
        """Counts the runs that `made_from` finds without a limit, without reading them."""
        return self._number("SELECT count(*) FROM runs WHERE base = ? AND source != ?", (commit, besides))

    def count_related(self, commits: Iterable[str], trees: Iterable[str]) -> int:
        """Counts the runs that were made from one of the commits, or of one of the trees, without reading them."""
        # a union would sort the ids of all of them
        names, these = [json.dumps(list(ids)) for ids in (commits, trees)], "(SELECT value FROM json_each({}))"
        of_trees = f"SELECT count(*) FROM runs WHERE source IN {these.format('?2')}"  # noqa: S608 - ours
        of_commits = f"base IN {these.format('?1')} AND source NOT IN {these.format('?2')}"
        return self._number(f"SELECT count(*) + ({of_trees}) FROM runs WHERE {of_commits}", tuple(names))  # noqa: S608 - ours

    def get(self, run_id: str) -> Run | BrokenRun | None:
        """Returns the run with this full id; None if there is none."""
        return next(iter(self._runs("WHERE id = ?", (run_id,))), None)

    def tips(self) -> list[tuple[str, str, str | None]]:
        """Returns id, tip, and the reason of an unreadable run, of all runs in the order of `newest`."""
        return self._ask(f"SELECT id, tip, broken FROM runs {self._all_ordered()}")  # noqa: S608 - ours

    def batches(self) -> list[str]:
        """Returns the ids of all readable batches."""
        return [run for (run,) in self._ask("SELECT id FROM runs WHERE is_batch = 1 ORDER BY id")]

    def unsettled(self) -> dict[str, str]:
        """Returns the runs that can change without a new tip, by id, with a text that differs when they have."""
        asked = "SELECT batch, status, pruned IS NOT NULL, count(*) FROM runs WHERE batch IS NOT NULL GROUP BY 1, 2, 3"
        tips_by_id: dict[str, str] = {}
        for batch, *counts in self._ask(asked):
            tips_by_id[batch] = f"{tips_by_id.get(batch, '')} {counts}"
        return tips_by_id | {
            run_id: f"{tips_by_id.get(run_id, '')} {RUNNING} {shown_metrics_token(self._git.state, run_id)}"
            for run_id in self._live
        }

    def fields(self, runs: list[str], names: tuple[str, ...] = LISTED) -> tuple[list[str], list[Sequence[Any]]]:
        """Returns those of the runs that are readable here, in this order, and these fields of each.

        `names` are LISTED or FIELDS of `index_rows`; LISTED takes a third of the time. Fields of a running run are as `get`
        would have them, and a batch that has not ended has its counts.
        """
        column = "listed" if names == LISTED else "record"
        rows = self._listed_between(runs[0], runs[-1]) if len(runs) > FEW and names == LISTED else []
        if [row[0] for row in rows] != runs:
            rows_by_id = {row[0]: row for row in rows}
            absent = json.dumps([run_id for run_id in runs if run_id not in rows_by_id])
            where = "WHERE id IN (SELECT value FROM json_each(?)) AND broken IS NULL"
            rows = self._ask(f"SELECT id, is_batch, {column} FROM runs {where}", (absent,))  # noqa: S608 - ours
            rows_by_id |= {row[0]: row for row in rows}
            rows = [rows_by_id[run_id] for run_id in runs if run_id in rows_by_id]
        # one text for all takes half the time of a text for each
        values = json.loads(f"[{','.join([row[2] for row in rows])}]")
        for at, (run_id, is_batch, _) in enumerate(rows):
            if is_batch or run_id in self._live:
                now = self.get(run_id)
                values[at] = stored_fields(now, names) if isinstance(now, Run) else values[at]
        return [row[0] for row in rows], values

    def _listed_between(self, newest: str, oldest: str) -> list[tuple[str, int, str]]:
        """Returns id, whether it is a batch, and the listed fields of all readable runs from one to another, newest first."""
        # only an index is read, in its order, which takes a tenth of the time of looking up each run
        moment = "(SELECT created, id FROM runs WHERE id = ?)"
        where = f"broken IS NULL AND (created, id) <= {moment} AND (created, id) >= {moment} {ORDER}"
        return self._ask(f"SELECT id, is_batch, listed FROM runs WHERE {where}", (newest, oldest))  # noqa: S608 - ours

    def _count_broken(self) -> int:
        return self._number("SELECT count(*) FROM runs WHERE broken IS NOT NULL")

    def _all_ordered(self) -> str:
        """Returns the SQL of the order of all runs, newest first and unreadable ones last."""
        # sqlite would sort them all where an index has them in order already
        return "ORDER BY broken IS NOT NULL, created DESC, id DESC" if self._count_broken() else ORDER

    def _one(self, where: str, values: tuple[object, ...]) -> Run | None:
        return next(iter(self._sound(where, values)), None)

    def _sound(self, where: str, values: tuple[object, ...]) -> list[Run]:
        return [run for run in self._runs(where, values) if isinstance(run, Run)]

    def _runs(self, where: str, values: tuple[object, ...] = ()) -> list[Run | BrokenRun]:
        return self._ask(f"SELECT {ROW} FROM runs {where}", values, self._read)  # noqa: S608 - ours

    def _read(self, record: tuple[str, str, str | None, str]) -> Run | BrokenRun:
        run_id, tip, broken, packed = record
        if broken is not None:
            return BrokenRun(run_id, tip, broken)
        run = decode_row(self._git, run_id, tip, packed)
        if run.attempt.kind == BATCH and run.attempt.counts is None:
            run = replace(run, attempt=replace(run.attempt, counts=self._count_trials(run)))
        if run_id not in self._live:
            return run
        return replace(run, attempt=as_running(run.attempt, shown_metrics(self._git.state, run_id)))

    def _count_trials(self, run: Run) -> TrialCounts | None:
        """Counts the trials of a batch that has not recorded its end. The total is that of the trials known so far.

        Returns None if none is known.
        """
        query = "SELECT status, pruned IS NOT NULL, count(*) FROM runs WHERE batch = ? GROUP BY status, pruned IS NOT NULL"
        counts: dict[str, int] = {}
        for status, is_pruned, count in self._ask(query, (run.id,)):
            name = PRUNED if is_pruned else status
            counts[name] = counts.get(name, 0) + count
        total = max(sum(counts.values()), run.attempt.params.max_trials or 0)
        completed, pruned, error, terminated = (counts.get(name, 0) for name in ENDINGS)
        pending = total - completed - pruned - error - terminated
        return None if not total else model.trial_counts.TrialCounts(total, completed, pruned, error, terminated, pending)

    def _number(self, query: str, values: tuple[object, ...] = ()) -> int:
        ((number,),) = self._ask(query, values)
        return int(number)

    def _ask(self, query: str, values: tuple[object, ...] = (), convert: Callable[[Any], Any] | None = None) -> list[Any]:
        """Runs a query and returns its rows, each passed through `convert`. Rebuilds the index if its rows are damaged.

        Queries for a value that is not UTF-8 return nothing: sqlite cannot hold one.
        """
        if not all(is_text(value) for value in values if isinstance(value, str)):
            return []
        try:
            rows = self._base.execute(query, values)
            return list(map(convert, rows)) if convert else rows.fetchall()
        except (sqlite3.DatabaseError, ValueError, TypeError, GitrunError) as error:
            # busy, not damaged: another process is writing
            if "locked" in str(error):
                raise
        self._base.close()
        self._rebuild()
        rows = self._base.execute(query, values)
        return list(map(convert, rows)) if convert else rows.fetchall()

    def _open(self) -> sqlite3.Connection:
        """Opens the index on disk. Where that is not writable, copies it into memory."""
        with suppress(OSError, sqlite3.OperationalError), ExitStack() as stack:
            make_shared_directory(self._path.parent)
            # isolation_level=None: Python would begin transactions on its own
            base = stack.enter_context(closing(sqlite3.connect(self._path, timeout=5.0, isolation_level=None)))
            base.execute("PRAGMA synchronous = OFF")  # _catch_up checks it after each boot, for power cuts
            base.execute("PRAGMA journal_mode = PERSIST")  # what a kill leaves is rolled back; no file is deleted each time
            with suppress(sqlite3.OperationalError):
                # a write here shows a read-only file before there is work to lose
                base.execute("BEGIN IMMEDIATE")
                # within the transaction: who opens a new file at the same time must not drop the tables of the other
                if base.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    # a cache of another version is not converted, as the runs themselves have all of it
                    drops = "".join(f"DROP TABLE IF EXISTS {name};" for name in ("runs", "state", "names", "refs"))
                    for statement in f"{drops}{TABLES}PRAGMA user_version = {VERSION}".split(";"):
                        base.execute(statement)
                base.execute("COMMIT")
                # sqlite 3.40 begins to write, and fails later, on a file system that is read-only
                if os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK):
                    stack.pop_all()
                    return base
        return self._in_memory(self._path)

    def _in_memory(self, path: Path | None) -> sqlite3.Connection:
        base = sqlite3.connect(":memory:", isolation_level=None)
        if path:
            # immutable: sqlite takes no locks, which a read-only file system may refuse
            name = f"{path.as_uri()}?mode=ro&immutable=1"
            with suppress(sqlite3.Error), closing(sqlite3.connect(name, uri=True)) as source:
                source.backup(base)
        base.executescript(TABLES)
        return base

    def _rebuild(self) -> None:
        """Makes a damaged index again; in memory if another process deletes the new file for the same reason."""
        try:
            self._base = self._anew()
            self._refresh()
        except sqlite3.DatabaseError:
            self._base = self._in_memory(None)
            self._refresh()

    def _anew(self) -> sqlite3.Connection:
        # the journal first: sqlite would roll it back into the new file
        for path in (self._path.with_name(f"{self._path.name}-journal"), self._path):
            with suppress(OSError):
                path.unlink()
        return self._in_memory(None) if self._path.exists() else self._open()

    def _refresh(self) -> None:
        """Reads changed runs until no other process interferes, at most TRIES times."""
        for _ in range(TRIES):
            if self._catch_up():
                return

    def _catch_up(self) -> bool:
        """Brings the rows up to date with the refs. Returns False if another process changed rows in between.

        A row is never replaced by one that is older.
        """
        token = ref_store(self._git).token()
        recorded = dict(self._base.execute("SELECT name, value FROM state").fetchall())
        if recorded.get("boot") != (boot := boot_id()):  # a power cut may have torn the file: see PRAGMA synchronous
            if self._base.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("it is incomplete")
            recorded = {}
        lost = self._count_broken()
        if token and recorded.get("stamp") == token and (not lost or (lost > FEW and not self._one_is_back())):
            return True
        before, places, now = self._compared(recorded.get("archives", ""))
        changed = {run_id: tip for run_id, tip in now.items() if before.get(run_id) != (tip, None)}
        deleted = [(run_id, tip) for run_id, (tip, _) in before.items() if run_id not in now]
        if deleted:  # of a ref that a power cut has emptied, only this row knows the tip
            damaged = damaged_refs(self._git)
            deleted = [pair for pair in deleted if pair[0] not in damaged]
        count = self._store(changed, {run_id: tip for run_id, (tip, _) in before.items()})
        with self._base:
            self._base.execute("BEGIN")
            # only rows as we saw them: another process may have stored a newer one
            self._base.executemany("DELETE FROM runs WHERE id = ? AND tip = ?", deleted)
            state = (("stamp", token), ("boot", boot), ("archives", places.archives if count == len(changed) else ""))
            self._base.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state)
            if places.archives:
                # a run that was archived is compared once more, for its ref may have moved before
                kept = places.refs if count == len(changed) else now
                self._base.execute(
                    "DELETE FROM refs WHERE id NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(kept)),)
                )
                self._base.executemany("INSERT OR IGNORE INTO refs VALUES (?)", [(run_id,) for run_id in places.refs])
        return count == len(changed)

    def _compared(self, archives: str) -> tuple[Mapping[str, tuple[str, str | None]], RunPlaces, Mapping[str, str]]:
        """Returns rows (id -> tip and fault) and runs (id -> tip) to compare, and where runs are kept.

        With archives, only runs that have or had refs are compared, and those that archives list otherwise than before
        (`archives`), and unreadable ones: few of very many.
        """
        # rows first, refs second: a row that another process writes after this is no older than the refs we read
        if archives:
            before = self._rows("SELECT id, tip, broken FROM runs WHERE broken IS NOT NULL OR id IN (SELECT id FROM refs)")
            places = list_places(self._git)
            moved = places.moved_since(archives)
            if moved:
                before |= self._rows(THESE, moved)
                places, first = list_places(self._git), places
                moved = moved if places.archives == first.archives else None
            if moved is not None:
                new = places.refs.keys() - before.keys() - moved
                listed = places.archived_tips_of([*new, *before, *moved])
                rows = self._rows(THESE, new)
                # a row that is not as the archive has it is another process's
                if all((listed.get(run_id), None) == row for run_id, row in rows.items()):
                    return before | rows, places, listed | dict(places.refs)
        before = self._rows("SELECT id, tip, broken FROM runs")
        places = list_places(self._git)
        return before, places, places.tips()

    def _rows(self, question: str, runs: Iterable[str] | None = None) -> dict[str, tuple[str, str | None]]:
        """Returns tip and fault of rows by id; of these runs, if given."""
        values = () if runs is None else (json.dumps(list(runs)),)
        return {run: (tip, broken) for run, tip, broken in self._base.execute(question, values).fetchall()}

    def _one_is_back(self) -> bool:
        """Returns whether one of the first FEW unreadable runs is readable now."""
        query = "SELECT id, tip FROM runs WHERE broken IS NOT NULL ORDER BY id LIMIT ?"
        with suppress(ObjectsGone), git.objects.Objects(self._git) as few:
            runs_read = store.runs.read_runs(self._git, few, dict(self._base.execute(query, (FEW,)).fetchall()), frozenset())
            return any(isinstance(run, Run) for run in runs_read)
        return False

    def _store(self, changed: Mapping[str, str], before: Mapping[str, str]) -> int:
        """Reads these runs in rounds and stores them where rows are still as in `before`. Returns how many were stored."""
        names, count = list(changed.items()), 0
        reading: AbstractContextManager[ObjectReader] = (
            git.objects.Objects(self._git) if len(names) < MANY else store.runs.reader_of_all(self._git)
        )
        with reading as reader, garbage_collector_off():
            customs = store.foreign.ForeignRuns(self._git, reader) if names else None
            for start in range(0, len(names), ROUND):
                some = dict(names[start : start + ROUND])
                try:
                    runs_read = store.runs.read_runs(self._git, reader, some, frozenset(), customs)
                except ObjectsGone:  # a truncated tree kills git cat-file, and with it the answers for other runs
                    with store.runs.local_reader(self._git) as steady:
                        runs_read = store.runs.read_runs(self._git, steady, some, frozenset())
                rows = sorted(
                    ((*index_row(run), before.get(run.id, "")) for run in runs_read), key=itemgetter(0)
                )  # three times as fast
                with self._base:
                    self._base.execute("BEGIN")
                    count += self._base.executemany(PUT, rows).rowcount
                    self._base.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", names_in(runs_read))
                if self._told:
                    self._told(min(start + ROUND, len(names)), len(names))
        self._base.executescript(INDEXES)
        return count


def list_places(git: Git) -> RunPlaces:
    """Returns where runs are kept now, but for refs whose names are not UTF-8, which sqlite cannot store: doctor names them."""
    places = run_places(git)
    if all(map(str.isascii, places.refs)):
        return places
    return replace(places, refs={run_id: tip for run_id, tip in places.refs.items() if is_text(run_id)})


def boot_id() -> str:
    """Returns the id of this boot of the machine; empty if the system has none."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123 - each look at runs asks
        return file.read().strip()
    return ""


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """Turns Python's cyclic garbage collector off. It would scan very many new values without finding a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
