"""The tips of archived runs, from a cache that reads each commit of an archive once: `archives.sqlite` in the state directory.

Deleting it loses nothing. Of a run that several archives list, the repository's own one counts, else the first by name:
whoever fetches an archive with another state of a run sets the run's ref, and that wins over all archives.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gitrun.errors import BadRun, ObjectsGone
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import Objects
from gitrun.store.archives import own_writers, read_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.store.archives import ArchiveCommit

CACHE = "archives.sqlite"
VERSION = 1
TABLES = """
DROP TABLE IF EXISTS heads;
DROP TABLE IF EXISTS tips;
CREATE TABLE heads (writer TEXT PRIMARY KEY, head TEXT NOT NULL, fault TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tips (writer TEXT, id TEXT, tip TEXT NOT NULL, PRIMARY KEY (writer, id)) WITHOUT ROWID;
"""


def archived_tips(git: Git, heads: Mapping[str, str]) -> dict[str, str]:
    """Returns the tips of all runs in these archives (writer -> head commit): id -> tip."""
    tips: dict[str, str] = {}
    with archived_runs(git, heads) as base:
        for writer in list_writers(git, heads)[::-1]:
            tips |= dict(base.execute("SELECT id, tip FROM tips WHERE writer = ?", (writer,)).fetchall())
    return tips


def archived_tip(git: Git, heads: Mapping[str, str], run_id: str) -> str | None:
    """Returns the tip of one run in these archives (writer -> head commit); None if they do not list it."""
    return archived_tips_of(git, heads, (run_id,)).get(run_id)


def archived_tips_of(git: Git, heads: Mapping[str, str], runs: Iterable[str], writer: str = "") -> dict[str, str]:
    """Returns the tips of those of the runs that these archives (writer -> head commit), or one of them, list: id -> tip."""
    tips: dict[str, str] = {}
    asked = json.dumps(list(runs))
    with archived_runs(git, heads) as base:
        # later ones replace earlier ones
        for name in [writer] if writer else list_writers(git, heads)[::-1]:
            question = "SELECT id, tip FROM tips WHERE writer = ? AND id IN (SELECT value FROM json_each(?))"
            tips |= dict(base.execute(question, (name, asked)).fetchall())
    return tips


def tips_in_archive(git: Git, heads: Mapping[str, str], writer: str) -> dict[str, str]:
    """Returns the tips of the runs in one of these archives (writer -> head commit): id -> tip."""
    with archived_runs(git, heads) as base:
        return dict(base.execute("SELECT id, tip FROM tips WHERE writer = ?", (writer,)).fetchall())


def count_archived(git: Git, heads: Mapping[str, str], writer: str = "") -> int:
    """Returns the number of runs in these archives (writer -> head commit), or in one of them."""
    # several archives may list one run, but to look for these takes sqlite ten times as long
    question = f"SELECT count({'DISTINCT id' if len(heads) > 1 else '*'}) FROM tips"  # noqa: S608 - ours
    with archived_runs(git, heads) as base:
        rows = base.execute(f"{question} WHERE writer = ?", (writer,)) if writer else base.execute(question)
        return int(rows.fetchone()[0])


def archive_faults(git: Git, heads: Mapping[str, str]) -> dict[str, str]:
    """Returns the reason of each archive (writer -> head commit) that cannot be read. None of its runs is known."""
    with archived_runs(git, heads) as base:
        return dict(base.execute("SELECT writer, fault FROM heads WHERE fault != '' ORDER BY writer").fetchall())


def changed_runs(git: Git, before: Mapping[str, str], heads: Mapping[str, str]) -> frozenset[str] | None:
    """Returns the runs in the commits that came to these archives (writer -> head commit) since they had the heads `before`.

    Returns None if one of them was written again, or cannot be read.
    """
    moved = {writer: head for writer, head in heads.items() if head != before[writer]}
    if not moved:
        return frozenset()
    changed: set[str] = set()
    for writer, head in moved.items():
        chain = commits_since(git, before[writer], head)
        if chain is None:
            return None
        for commit in chain:
            changed.update(commit.tips, commit.gone)
    return frozenset(changed)


def commits_since(git: Git, before: str, head: str) -> list[ArchiveCommit] | None:
    """Returns the commits of an archive after the one `before`, oldest first. None if it does not go on from that."""
    if head == before:
        return []
    with suppress(BadRun, ObjectsGone), Objects(git) as objects:
        chain = read_archive(objects, head, (before,))
        return chain if chain and chain[0].previous == before else None
    return None


def list_writers(git: Git, heads: Mapping[str, str]) -> list[str]:
    """Returns the archives in the order in which they count: the repository's own first."""
    own = set(own_writers(git).values())
    return sorted(heads, key=lambda writer: (writer not in own, writer))


@contextmanager
def archived_runs(git: Git, heads: Mapping[str, str]) -> Iterator[sqlite3.Connection]:
    """Opens the cache, up to date with these archives (writer -> head commit), for questions within the `with`."""
    base = open_current(git, heads)
    try:
        yield base
        # what was read is kept only now: another process, which sees other archives, may replace it afterwards
        with suppress(sqlite3.OperationalError):
            base.execute("COMMIT")
    finally:
        base.close()


def open_current(git: Git, heads: Mapping[str, str]) -> sqlite3.Connection:
    """Opens the cache and reads into it what is new in the archives, in a transaction that stays open.

    Where it cannot be written, returns a copy in memory.
    """
    base = open_cache(git)
    try:
        base.execute("BEGIN")
        if heads == dict(base.execute("SELECT writer, head FROM heads").fetchall()):
            return base
        base.execute("ROLLBACK")
        base.execute("BEGIN IMMEDIATE")
        read_archives(git, base, heads)
    except sqlite3.OperationalError:  # locked for long, or read-only
        base.close()
    except sqlite3.DatabaseError:
        base.close()
        remove_cache(git)
    else:
        return base
    base = open_in_memory()
    base.execute("BEGIN")
    read_archives(git, base, heads)
    return base


def read_archives(git: Git, base: sqlite3.Connection, heads: Mapping[str, str]) -> None:
    """Brings the rows up to date with the archives."""
    before = dict(base.execute("SELECT writer, head FROM heads").fetchall())
    for writer in before.keys() - heads.keys():
        base.execute("DELETE FROM heads WHERE writer = ?", (writer,))
        base.execute("DELETE FROM tips WHERE writer = ?", (writer,))
    with Objects(git) as objects:
        for writer, head in heads.items():
            if head != before.get(writer):
                read_changes(objects, base, writer, (before.get(writer, ""), head))


def read_changes(objects: Objects, base: sqlite3.Connection, writer: str, heads: tuple[str, str]) -> None:
    """Reads the commits of an archive between two heads. If the first is not below the second, all of the second."""
    before, head = heads
    chain: list[ArchiveCommit] = []
    fault = ""
    try:
        chain = read_archive(objects, head, (before,))
    except (BadRun, ObjectsGone) as error:
        fault = error.message
    if fault or not chain or chain[0].previous is None:
        base.execute("DELETE FROM tips WHERE writer = ?", (writer,))
    for commit in chain:
        base.executemany("DELETE FROM tips WHERE writer = ? AND id = ?", [(writer, run_id) for run_id in commit.gone])
        rows = [(writer, run_id, tip) for run_id, tip in commit.tips.items()]
        base.executemany("INSERT OR REPLACE INTO tips VALUES (?, ?, ?)", rows)
    base.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (writer, head, fault))


def open_cache(git: Git) -> sqlite3.Connection:
    """Opens the cache on disk, empty if it is of another version; in memory where it cannot be written."""
    path = git.state / CACHE
    with suppress(OSError, sqlite3.OperationalError):
        make_shared_directory(path.parent)
        base = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        try:
            if base.execute("PRAGMA user_version").fetchone() != (VERSION,):
                base.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        except sqlite3.OperationalError:
            base.close()
        except sqlite3.DatabaseError:  # damaged: the next look makes it again
            base.close()
            remove_cache(git)
        else:
            return base
    return open_in_memory()


def remove_cache(git: Git) -> None:
    """Removes the cache, which the next look at archived runs makes again."""
    # the journal first: sqlite would roll it back into the new file
    for name in (f"{CACHE}-journal", CACHE):
        with suppress(OSError):
            (git.state / name).unlink()


def open_in_memory() -> sqlite3.Connection:
    """Returns an empty cache that nobody else sees."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    base.executescript(TABLES)
    return base
