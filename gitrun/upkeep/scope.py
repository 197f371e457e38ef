"""The runs that an examination reads: all, or all but archived ones that the index holds as readable.

An archived run never changes without its archive, and the index read it when it took it from there. So an index that is
sound and has seen the archives as they are now answers for these runs.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.store.archive_tips import count_archived
from gitrun.store.index import boot_id
from gitrun.store.index_rows import VERSION
from gitrun.store.refs import ref_store, run_places
from gitrun.upkeep.rewritten import replaced_commits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gitrun.git.exe import Git
    from gitrun.store.refs import RunPlaces

AHEAD = timedelta(hours=1)
"""Tolerated clock difference to other machines."""
SUSPECTS = """
SELECT id FROM runs WHERE broken IS NOT NULL
UNION SELECT id FROM runs WHERE created > ?
UNION SELECT id FROM refs
"""
"""Rows whose runs are read again: unreadable ones, dates in the future, and runs that had refs when the index was written."""
REBASED = """
UNION SELECT id FROM runs WHERE base IN (SELECT value FROM json_each(?))
UNION SELECT id FROM runs WHERE attempt IS NOT NULL
"""
"""Rows of runs that may be based on one of some commits. A row has the base of the last attempt only."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The runs to read (id -> tip) as of the refs at `token`, and the number of archived runs that are not read again.

    `rows` are the runs whose rows in the index are compared with them; None for all. `replaced` are the commits that a
    rewrite of the branches replaced.
    """

    token: str
    tips: Mapping[str, str]
    replaced: frozenset[str] = frozenset()
    rows: frozenset[str] | None = None
    passed_over: int = 0


def choose_runs(git: Git, now: datetime, *, is_full: bool = False) -> Scope:
    """Returns the runs to read: all if `is_full` is set, else without the archived ones that the index answers for."""
    # the token first: refs that move afterwards are no fault of the index
    every = Scope(ref_store(git).token(), {}, replaced_commits(git))
    places = run_places(git)
    few = None if is_full or not places.heads else choose_by_index(git, places, every, now)
    return few or replace(every, tips=places.tips())


def choose_by_index(git: Git, places: RunPlaces, every: Scope, now: datetime) -> Scope | None:
    """Returns the runs to read beside those that the index answers for.

    Returns None if it answers for none: it is absent, damaged or of another version, it has not seen the archives as they
    are now, or it has other runs than they list.
    """
    path = git.state / "index.sqlite"
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as base:
        if base.execute("PRAGMA user_version").fetchone() != (VERSION,):
            return None
        state = dict(base.execute("SELECT name, value FROM state").fetchall())
        # after a boot, the next command that lists runs looks for what a power cut has torn
        if (state.get("archives"), state.get("boot")) != (places.archives, boot_id()):
            return None
        if base.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return None
        values = ((now + AHEAD).timestamp(), *((json.dumps(sorted(every.replaced)),) if every.replaced else ()))
        suspects = [run for (run,) in base.execute(SUSPECTS + (REBASED if every.replaced else ""), values)]
        tips = places.archived_tips_of(suspects) | dict(places.refs)
        rows = tips.keys() | set(suspects)
        besides = "SELECT count(*) FROM runs WHERE id NOT IN (SELECT value FROM json_each(?))"
        (count,) = base.execute(besides, (json.dumps(sorted(rows)),)).fetchone()
        if count == count_archived(git, places.heads) - len(places.deleted) - len(places.archived_tips_of(rows)):
            return replace(every, tips=tips, rows=frozenset(rows), passed_over=count)
    return None
