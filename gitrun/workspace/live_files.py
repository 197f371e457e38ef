"""Reads metric files and event files while a program writes them, in bounded time and memory.

A file counts if the program has changed it. Whole rows and records are read once; what is unfinished is read in a later
round. The result at the end does not depend on what was read here.
"""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

from gitrun.model.metrics import MAX_METRICS, MetricCollector, Series
from gitrun.model.run import DIRECTORY
from gitrun.process.output_lines import open_regular
from gitrun.workspace import metric_files, tensorboard
from gitrun.workspace.links import is_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    Stamp: TypeAlias = tuple[int, int, int]

ROUND_INTERVAL, PAUSE = 2.0, 1.0
"""Seconds between two rounds, and between two parts of one round."""
MAX_DIRECTORIES, MAX_ENTRIES, MAX_DEPTH = 5_000, 10_000, 16
"""The most directories that are looked into, the most entries that are read of one, and the deepest nesting."""
MAX_FILES, MAX_NAMES = 1_000, 2 * MAX_METRICS
"""The most files that are followed, and the most metrics in all of them."""
BATCH = 200
"""Entries, rows or scalars that are read between two looks at the clock."""
PIECE, MAX_JSON = 1 << 16, 1 << 20
"""Bytes of rows that are read at once, and of the largest JSON file that is parsed as a whole."""
HEAD, TAIL = 1 << 10, 64
"""Bytes at the start and at the end of what was read of a file; if they change, it is read again from its start."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a directory's time of change is trusted. File systems count in steps of up to two seconds."""


class LiveFiles:
    """The metric files and event files below `tree` that have changed since `begun`. Skips paths in `apart`.

    `interval` is the time in seconds between two rounds. `most` is the number of points that are kept of a metric: one is
    enough for its summary.
    """

    def __init__(
        self, tree: Path, apart: frozenset[bytes], begun: float, *, interval: float = ROUND_INTERVAL, most: int = 1
    ) -> None:
        self._tree, self._apart, self._begun = str(tree), apart, begun
        self._directories: dict[str, int] = {"": 0}
        self._files: dict[str, Rows | Records | None] = {}
        self._round: Iterator[None] | None = None
        self._due, self._interval, self._most = 0.0, interval, most

    def poll(self, seconds: float) -> bool:
        """Reads what is new for at most about `seconds`, if a round is due. Returns whether the round is unfinished."""
        now = time.monotonic()
        if now < self._due:
            return self._round is not None
        self._round = self._round or self._all()
        for _ in self._round:
            if time.monotonic() > now + seconds:
                self._due = now + min(PAUSE, self._interval)
                return True
        self._round, self._due = None, now + self._interval
        return False

    def collectors(self) -> Iterator[MetricCollector]:
        """Yields the metrics of the event files, then those of each metric file, in order of precedence."""
        followed = {path: one for path, one in self._files.items() if one}
        yield join_sources({path: one.collector for path, one in followed.items() if isinstance(one, Records)})
        for path in metric_files.list_metric_files(followed):
            yield followed[path].collector

    def changed_paths(self) -> list[str]:
        """Returns the paths of the metric files that the program has written."""
        return metric_files.list_metric_files(path for path, one in self._files.items() if one)

    def find_series(self, name: str) -> Series | None:
        """Returns the points of a metric; None if no file has it. Event files take precedence."""
        followed = {path: one for path, one in self._files.items() if one}
        events = {path: one.collector for path, one in followed.items() if isinstance(one, Records)}
        series = [events[path].series.get(name.removeprefix(before)) for path, before in tag_prefixes_of(events, name)]
        if parts := [series for series in series if series and series.count]:
            return join_points(parts)
        files = (followed[path].collector.series.get(name) for path in metric_files.list_metric_files(followed))
        return next((series for series in files if series and series.count), None)

    def _all(self) -> Iterator[None]:
        """Looks for files and reads what is new in each. Yields after each small step."""
        yield from self._find()
        for path in [*tensorboard.list_event_files(self._files), *metric_files.list_metric_files(self._files)]:
            yield
            yield from self._follow(path)

    def _find(self) -> Iterator[None]:
        """Looks for files in directories that are new or have changed."""
        queue = list(self._directories)
        for count, path in enumerate(queue):
            if count % BATCH == 0:
                yield
            try:
                status = os.lstat(os.path.join(self._tree, path))
                if not stat.S_ISDIR(status.st_mode):
                    raise NotADirectoryError
                if status.st_mtime_ns != self._directories[path]:
                    yield from self._list(path, queue)
                    # a change in the same tick of the clock would not be seen
                    is_settled = time.time_ns() - status.st_mtime_ns > SETTLED
                    self._directories[path] = status.st_mtime_ns if is_settled else 0
            except OSError:
                if path:
                    del self._directories[path]

    def _list(self, path: str, queue: list[str]) -> Iterator[None]:
        """Reads a directory. Adds its new directories to the queue, and files that may have metrics to `_files`."""
        with os.scandir(os.path.join(self._tree, path)) as entries:
            for count, entry in enumerate(entries):
                if count % BATCH == 0:
                    yield
                if count >= MAX_ENTRIES:
                    return
                below = os.path.join(path, entry.name)
                if self._passes_over(below):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    is_wanted = below not in self._directories and below.count("/") < MAX_DEPTH
                    if is_wanted and len(self._directories) < MAX_DIRECTORIES:
                        self._directories[below] = 0
                        queue.append(below)
                elif has_metrics(below) and entry.is_file(follow_symlinks=False) and len(self._files) < MAX_FILES:
                    self._files.setdefault(below, None)

    def _passes_over(self, path: str) -> bool:
        raw = os.fsencode(path)
        return os.path.basename(path) == ".git" or path == DIRECTORY or raw in self._apart or is_cache(raw)

    def _follow(self, path: str) -> Iterator[None]:
        """Reads what is new in a file."""
        followed = self._files[path]
        try:
            status = os.lstat(os.path.join(self._tree, path))
        except OSError:
            del self._files[path]
            return
        if followed is None:
            # `cp -p` and tar set mtime, but nothing sets ctime
            if status.st_ctime < self._begun:
                return
            followed = self._files[path] = (
                Records(path, self._begun, self._most) if is_event_file(path) else Rows(path, self._most)
            )
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp != followed.stamp and (file := open_regular(os.path.join(self._tree, path))):
            with file:
                room = MAX_NAMES - sum(len(one.collector.series) for one in self._files.values() if one)
                yield from followed.read(file, room)
            followed.stamp = stamp


class Records:
    """An event file up to its last whole record."""

    def __init__(self, path: str, since: float, most: int) -> None:
        self.path, self.collector, self.stamp, self._most = path, MetricCollector(most), None, most
        self._since, self._reader, self._inode = since, tensorboard.EventReader(since), 0

    stamp: Stamp | None

    def read(self, file: BinaryIO, room: int) -> Iterator[None]:
        """Reads the records that are new. Adds up to `room` names. Yields after each BATCH scalars."""
        status = os.fstat(file.fileno())
        # replaced or truncated: what was read of it no longer counts
        if status.st_ino != self._inode or status.st_size < self._reader.at:
            self.collector, self._inode = MetricCollector(self._most), status.st_ino
            self._reader = tensorboard.EventReader(self._since)
        for count, scalar in enumerate(self._reader.scalars(file)):
            if count % BATCH == 0:
                yield
            room = add_values(self.collector, {scalar.tag: scalar.value}, float(scalar.step), room)


class Rows:
    """A table or JSON lines up to the last whole line, or a JSON file that is read as a whole."""

    def __init__(self, path: str, most: int) -> None:
        self.path, self.collector, self.stamp, self._most = path, MetricCollector(most), None, most
        self._next, self._head, self._tail, self._at = self.collector, b"", b"", 0

    stamp: Stamp | None

    def read(self, file: BinaryIO, room: int) -> Iterator[None]:
        """Reads the lines that are new; all of them if the file was rewritten. Yields after each piece."""
        if not self._is_continued(file):
            self._next, self._head, self._tail, self._at = MetricCollector(self._most), b"", b"", 0
            room += len(self.collector.series)
        if self.path.endswith(".json") and self._at == 0 and not self._read_unless_lines(file, room):
            return
        for text in self._pieces(file):
            yield
            for count, (values, step) in enumerate(metric_files.read_points(self.path, text)):
                if count % BATCH == 0:
                    yield
                room = add_values(self._next, values, step, room)
        # a file that is just being rewritten has nothing yet
        if self._next.series:
            self.collector = self._next

    def _is_continued(self, file: BinaryIO) -> bool:
        """Returns whether the file still begins with what was read."""
        if file.read(len(self._head)) != self._head:
            return False
        # a program may write its whole table again at each step
        file.seek(self._at - len(self._tail))
        return file.read(len(self._tail)) == self._tail

    def _read_unless_lines(self, file: BinaryIO, room: int) -> bool:
        """Returns whether the file has JSON lines. Reads it if it is one JSON value."""
        file.seek(0)
        data = file.read(MAX_JSON + 1)
        first, end, _ = data.partition(b"\n")
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            try:
                return bool(end) and isinstance(json.loads(first), dict)
            except (ValueError, RecursionError):
                return False
        fresh = MetricCollector(self._most)
        room += len(self.collector.series)
        for values, step in metric_files.read_points(self.path, data.decode(errors="replace")):
            room = add_values(fresh, values, step, room)
        self.collector = fresh
        return False

    def _pieces(self, file: BinaryIO) -> Iterator[str]:
        """Yields the unread whole lines in pieces, each with the head of the table before it."""
        file.seek(0)
        is_table = not self.path.endswith(".json")
        title = file.readline(PIECE) if is_table and self._at else b""
        file.seek(self._at)
        while data := file.read(PIECE):
            lines, end, _ = data.rpartition(b"\n")
            whole = lines + end
            if not whole:
                if len(data) < PIECE:
                    return
                whole = data  # no row is that long
            start = self._at
            self._at += len(whole)
            if start < HEAD:
                self._head += whole[: HEAD - start]
            self._tail = whole[-TAIL:]
            yield (title + whole).decode(errors="replace")
            if is_table and not title:
                title = whole[: whole.find(b"\n") + 1]
            file.seek(self._at)


def is_event_file(path: str) -> bool:
    """Returns whether the path is an event file."""
    return os.path.basename(path).startswith(tensorboard.PREFIX)


def has_metrics(path: str) -> bool:
    """Returns whether a file of this name may have metrics."""
    return is_event_file(path) or (path.endswith((".json", ".csv", ".tsv")) and bool(metric_files.list_metric_files((path,))))


def add_values(collector: MetricCollector, values: dict[str, float], step: float, room: int) -> int:
    """Adds the values of known names, and of new ones while there is room. Returns the room that is left."""
    for name, value in values.items():
        is_new = name not in collector.series
        if (room > 0 or not is_new) and collector.admit(name):
            room -= is_new
            collector.add(name, value, step)
    return room


def join_sources(sources: dict[str, MetricCollector]) -> MetricCollector:
    """Returns the metrics of event files by path as those of one source, with the names that `gather_events` gives them."""
    whole = MetricCollector(1)
    for path, before in tensorboard.tag_prefixes(sources):
        for tag, series in sources[path].series.items():
            if series.count and whole.admit(before + tag):
                merge_series(whole.series[before + tag], series)
    return whole


def tag_prefixes_of(sources: dict[str, MetricCollector], name: str) -> Iterator[tuple[str, str]]:
    """Yields those event files that may have the metric, each with what precedes the tag in its name."""
    return ((path, before) for path, before in tensorboard.tag_prefixes(sources) if name.startswith(before))


def join_points(parts: list[Series]) -> Series:
    """Returns one series with the points of several, in their order."""
    if len(parts) == 1:
        return parts[0]
    joined = Series()
    for series in parts:
        joined.steps.extend(series.steps)
        joined.values.extend(series.values)
        joined.count += series.count
    return joined


def merge_series(earlier: Series, later: Series) -> None:
    """Adds the summary of a later series to an earlier one."""
    earlier.first = earlier.first if earlier.count else later.first
    earlier.last, earlier.count = later.last, earlier.count + later.count
    earlier.least, earlier.most = min(earlier.least, later.least), max(earlier.most, later.most)
