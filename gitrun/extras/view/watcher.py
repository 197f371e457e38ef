"""Notices how the runs of a repository change, and answers pages that ask for the list of runs."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun import store
from gitrun.errors import GitrunError
from gitrun.extras.view.live import BEAT, COMMENT, event
from gitrun.render import feed
from gitrun.store.live import SHOWN_METRICS, directory_of, live_runs
from gitrun.store.refs import SETTLED, ref_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from gitrun.extras.view.live import InThread, Stopping
    from gitrun.project import Project
    from gitrun.store.columns import Snapshot

PAUSE = 0.5
"""Seconds between two looks at the files that change with the runs."""
PATIENCE = 3
"""Looks until the refs are taken as they are, although they change all the time."""
KNOWN = 4
"""Snapshots that pages may ask for. A page that is further behind loads everything again."""
LIMIT, MOST = 200, 5_000
"""Runs of an answer that does not ask for a number, and the maximum."""


class Watcher:
    """Notices new, changed and deleted runs, whoever makes them, and tells the pages that listen.

    Reading the runs is done in one thread at a time; `in_thread` runs it.
    """

    def __init__(self, project: Project, in_thread: InThread, stopping: Stopping) -> None:
        self._project, self._in_thread, self._stopping = project, in_thread, stopping
        self._listeners: set[asyncio.Queue[str]] = set()
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._seen: object = None
        self._live: frozenset[str] = frozenset()
        self._one = asyncio.Lock()

    async def watch(self) -> None:
        """Looks until the server ends; only while a page listens."""
        took = 0.0
        # a batch among very many runs changes them all the time, and reading them is to leave it half of a core
        while await self._stopping.pause(max(PAUSE, took)):
            began = time.monotonic()
            # a gc at this moment, or a repository that is being moved, is looked at again
            with suppress(GitrunError, OSError, sqlite3.Error):
                if self._listeners:
                    await self.refresh()
            took = time.monotonic() - began
        self._tell("")

    async def events(self) -> AsyncIterator[str]:
        """Yields what changes as server-sent events, first which runs are running, as of the last `refresh`."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield event("live", {"ids": sorted(self._live)})
            yield event("changed", {"stamp": next(reversed(self._snapshots))})
            # empty words are the last
            while words := await next_words(queue):
                yield words
        finally:
            self._listeners.discard(queue)

    async def refresh(self) -> None:
        """Reads the list of runs, if it may have changed. Raises GitrunError."""
        async with self._one:
            await self._refresh()

    async def columns(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        """Returns runs as columns; None if the stamp is not known. Raises UsageError."""
        start, limit, digits = (feed.read_number(query, name, usual) for name, usual in NUMBERS.items())
        names = tuple(filter(None, query.get("columns", "").split(",")))
        part = store.columns.Part(start, min(limit, MOST), names, min(max(digits, 1), DIGITS))
        async with self._one:
            if "stamp" not in query:
                await self._refresh()
            snapshot = self._snapshots.get(query["stamp"]) if "stamp" in query else next(reversed(self._snapshots.values()))
            if snapshot is None:
                return None

            def read() -> dict[str, Any]:
                with self._project.index() as index:
                    return store.columns.read_columns(index, snapshot, part)

            answer: dict[str, Any] = await self._in_thread(read)
            return answer

    async def changes(self, since: str) -> dict[str, Any]:
        """Returns what has changed since a stamp; that all is to be loaded again if it is not known."""
        async with self._one:
            await self._refresh()
            after = next(reversed(self._snapshots.values()))
            before = self._snapshots.get(since)
            if before is None:
                return {"version": store.columns.VERSION, "stamp": after.stamp, "reload": True}

            def read() -> dict[str, Any]:
                with self._project.index() as index:
                    return store.columns.read_changes(index, before, after)

            answer: dict[str, Any] = await self._in_thread(read)
            return answer

    async def _refresh(self) -> None:
        """Reads the list of runs, if a file says that it may have changed, and tells the listeners."""
        seen = self._look()
        for _ in range(PATIENCE):
            if seen is not None or not await self._stopping.pause(SETTLED):
                break
            seen = self._look()
        if seen is not None and seen == self._seen:
            return
        live, snapshot = await self._in_thread(self._read)
        # a look between two changes in one tick of the clock is not trusted
        self._seen = seen
        if live != self._live:
            self._live = live
            self._tell(event("live", {"ids": sorted(live)}))
        is_new = not self._snapshots or next(reversed(self._snapshots)) != snapshot.stamp
        self._snapshots[snapshot.stamp] = snapshot
        self._snapshots.move_to_end(snapshot.stamp)
        while len(self._snapshots) > KNOWN:
            self._snapshots.popitem(last=False)
        if is_new:
            self._tell(event("changed", {"stamp": snapshot.stamp}))

    def _look(self) -> object:
        """Returns a value that differs whenever runs may have changed; None if a change of this moment may not show in it."""
        git = self._project.git
        token = ref_store(git).token()
        live = sorted(live_runs(git.state))
        metrics = [modified(directory_of(git.state, run_id) / SHOWN_METRICS) for run_id in live]
        return (token, live, metrics) if token else None

    def _read(self) -> tuple[frozenset[str], Snapshot]:
        with self._project.index() as index:
            return live_runs(self._project.git.state), store.columns.read_snapshot(index)

    def _tell(self, words: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(words)


DIGITS = 17
"""Digits that tell all floats apart."""
NUMBERS = {"start": 0, "limit": LIMIT, "digits": 6}
"""Numbers in a query for runs, with their defaults."""


async def next_words(queue: asyncio.Queue[str]) -> str:
    """Returns the next words of a stream, or a comment if there are none for a while."""
    try:
        return await asyncio.wait_for(queue.get(), BEAT)
    except asyncio.TimeoutError:
        return COMMENT


def modified(path: os.PathLike[str]) -> int:
    """Returns when a file was written, in nanoseconds; 0 if it is not there."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - of each running run, twice a second
    except OSError:
        return 0
