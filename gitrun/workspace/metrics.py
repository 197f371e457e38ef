"""Reads the metrics of an attempt while its program runs: from the log, the output, event files and metric files.

If two sources have a metric of the same name, the first of this order counts: logged values, the user's patterns, the
built-in rules for output, event files, metric files. `model/metrics.py` has the limits.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from gitrun import workspace
from gitrun.model.metrics import MAX_POINTS, CollectedMetrics, MetricCollector, Metrics
from gitrun.process import output_lines
from gitrun.workspace.logged_metrics import LoggedMetrics
from gitrun.workspace.metric_lines import LineScanner, MetricRules, read_rules, scan_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gitrun.model.metrics import Series
    from gitrun.model.plan import Outcome
    from gitrun.store.live import Live
    from gitrun.workspace.live_files import LiveFiles
    from gitrun.workspace.output_patterns import PatternSearch

MIN_PAUSE, MAX_PAUSE = 1.0, 5.0
"""Seconds between two polls of a running program; the longer one when nothing new arrives."""
CLOSE_PAUSE = 0.4
"""Seconds between two polls if somebody decides by the values whether the program goes on."""
SLICE = 0.05
"""Seconds that one poll may take, because the program's output waits for it."""
PROGRESS_AFTER = (0.5, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds after which a progress line is printed while metrics are read."""
METRIC_FILES = ("metrics.json", "metrics.csv", "results.csv")
EVENTS = "tfevents"
"""The text by which the path of a TensorBoard event file is recognized."""


class Meter:
    """Gathers the metrics of one attempt from its log and its output, and while it runs from files below `tree`.

    `apart` are paths that are not the program's.
    """

    def __init__(self, live: Live, rules: MetricRules, tree: Path | None = None, apart: frozenset[bytes] = frozenset()) -> None:
        self._live, self._rules, self._tree, self._apart = live, rules, tree, apart
        self._files: LiveFiles | None = None
        self._scanner, self._logged = LineScanner(rules.flags), LoggedMetrics(live.metrics)
        self._search: PatternSearch | None = None
        self._size = 0
        self._is_watched, self._pauses = False, (MIN_PAUSE, MAX_PAUSE)
        self._due, self._pause, self._begun = time.monotonic() + MIN_PAUSE, MIN_PAUSE, time.time()
        self._shown = Metrics()
        self._metrics: Metrics | None = None

    def feed(self, stream: int, data: bytes) -> None:
        """Reads a block of recorded output. Leaves everything after the first 256 MiB to `finish`."""
        room = max(0, output_lines.PART - self._size)
        self._size += len(data)
        if room and not self._rules.only_patterns:
            self._scanner.feed(stream, data[:room])

    @property
    def patience(self) -> float:
        """Returns the seconds until the next poll is due."""
        return max(0.0, self._due - time.monotonic())

    def watch_closely(self) -> None:
        """Polls every 0.4 seconds from now on, also while nothing changes."""
        self._is_watched, self._pauses = True, (CLOSE_PAUSE, CLOSE_PAUSE)
        self._pause, self._due = CLOSE_PAUSE, time.monotonic() + CLOSE_PAUSE

    def series_of(self, name: str) -> Series | None:
        """Returns the points of a metric so far; None if there are none. They may change with the next poll."""
        all_series = (one.series.get(name) for one in self._sources())
        series = next((series for series in all_series if series and series.count), None)
        return series or (self._files.find_series(name) if self._files else None)

    def poll(self) -> None:
        """Reads what is new since the last poll, if one is due, and publishes the metrics in the live record.

        The pause grows to 5 seconds while nothing changes.
        """
        if self.patience:
            return
        more = self._logged.poll(SLICE)
        if self._rules.patterns and self._size:
            self._searching().poll(self._size)
        is_reading_files = self._look_at_files()
        files = self._files.collectors() if self._files else ()
        now = CollectedMetrics((*self._sources(), *files)).metrics()
        if now.pack() != self._shown.pack():
            self._shown, self._pause = now, self._pauses[0]
            self._live.show_metrics(now)
        elif is_reading_files:
            self._pause = self._pauses[0]
        elif not more:
            # nothing new: poll less often
            self._pause = min(self._pause * 1.5, self._pauses[1])
        self._due = time.monotonic() + (SLICE if more else self._pause)

    def finish(self, outcome: Outcome, tree: Path | None, say: Callable[[str], None]) -> Metrics:
        """Reads the rest of the log and the output, and the files of the attempt below `tree` (None: there are no files).

        Keeps the points in `live.series`. Says what could not be read and what is not recorded. Returns the metrics. A
        second call returns the same.
        """
        # the result is collected again if a gc removed its objects
        if self._metrics is None:
            progress = Progress(say)
            self._logged.finish(lambda: progress.turn(self._sources()))
            if not self._rules.only_patterns:
                # continues where `feed` stopped
                scan_output(self._live.output, self._live.switches, self._scanner, min(self._size, output_lines.PART))
            if self._rules.patterns:
                self._searching().finish()
            again = [*self._files.changed_paths()] if self._files else []
            again += list_rewritten(tree, {"", self._rules.directory}, outcome.started.timestamp()) if tree else []
            files = gather_files(outcome, again, tree, say, progress) if tree else ()
            self._metrics = self._record(CollectedMetrics((*self._sources(), *files)), say)
        return self._metrics

    def _sources(self) -> Iterator[MetricCollector]:
        """Yields what the log, the patterns and the rules have gathered so far, in order of precedence."""
        yield self._logged.collector
        if self._search:
            yield self._search.collector
        yield self._scanner.collector

    def _look_at_files(self) -> bool:
        """Reads what is new in metric files and event files. Returns whether there is more to read."""
        if self._tree is None:
            return False
        if self._files is None:
            # imported late: many programs end before this
            interval, most = (CLOSE_PAUSE, MAX_POINTS) if self._is_watched else (workspace.live_files.ROUND_INTERVAL, 1)
            files = workspace.live_files.LiveFiles(self._tree, self._apart, self._begun, interval=interval, most=most)
            self._files = files
        return self._files.poll(SLICE)

    def _searching(self) -> PatternSearch:

        self._search = self._search or workspace.output_patterns.PatternSearch(
            self._live.directory, self._live.output, self._live.switches
        )
        return self._search

    def _record(self, gathered: CollectedMetrics, say: Callable[[str], None]) -> Metrics:
        """Keeps the points in `live.series`. Returns the summary of all metrics."""
        if self._logged.is_cut:
            say("warning: only the first 256 MiB of logged metrics are recorded")
        if self._search and self._search.problem:
            say(self._search.problem)
        values = gathered.metrics()
        if gathered.is_full:
            say(f"warning: only the first {len(values):,} metrics are recorded: there are too many")
        if values:
            self._live.series = "".join(f"{line}\n" for line in gathered.lines()).encode()
        lines, count = gathered.counts()
        if count < lines:
            say(
                f"note: {count:,} of {lines:,} points of metrics are recorded, evenly chosen. "
                "First, last, minimum, maximum and count are those of all points"
            )
        return values


class Progress:
    """A progress line at growing intervals: how many points have been read."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._begun, self._moments = say, time.monotonic(), list(PROGRESS_AFTER)

    def turn(self, *sources: Iterator[MetricCollector] | MetricCollector) -> None:
        """Prints the line if it is due."""
        if not self._moments or time.monotonic() - self._begun < self._moments[0]:
            return
        self._moments.pop(0)
        every = [one for source in sources for one in ([source] if isinstance(source, MetricCollector) else source)]
        count = sum(series.count for one in every for series in one.series.values())
        self._say(f"recording metrics: {count:,} points read so far")


def collect_metrics(
    live: Live, outcome: Outcome, tree: Path | None, say: Callable[[str], None], meter: Meter | None = None
) -> Metrics:
    """Returns the metrics of an attempt, and keeps their points in `live.series`.

    `tree` has the files of the attempt (None: there are none). `meter` is the one that was fed while the program ran.
    """
    return (meter or Meter(live, read_rules(live.directory))).finish(outcome, tree, say)


def list_rewritten(tree: Path, directories: Iterable[str], since: float) -> Iterator[str]:
    """Yields the metric files in these directories that have been written since a time, also those with the bytes of before."""
    for path in (os.path.join(directory, name) for directory in directories for name in METRIC_FILES):
        with suppress(OSError):
            status = os.lstat(tree / path)
            # git restores files before the program starts, and nothing but a write or a rename sets ctime
            if stat.S_ISREG(status.st_mode) and status.st_ctime >= since:
                yield path


def gather_files(
    outcome: Outcome, again: Iterable[str], tree: Path, say: Callable[[str], None], progress: Progress
) -> Iterator[MetricCollector]:
    """Yields what the event files and metric files of an attempt hold. Says which could not be read.

    `again` are metric files that the program wrote, but that need not be among its outputs: their bytes may be those of before.
    """
    paths = list(dict.fromkeys((*(file.path for file in outcome.files), *again)))
    if events := [path for path in paths if EVENTS in path]:
        # imported late: few runs leave event files
        collector = MetricCollector()
        if not workspace.tensorboard.gather_events(
            tree, events, outcome.started.timestamp(), collector, lambda: progress.turn(collector)
        ):
            say("warning: some event files are not read for metrics: they are too large")
        yield collector
    if any(path.endswith((".json", ".csv", ".tsv")) for path in paths):
        collector = MetricCollector()
        large = workspace.metric_files.gather_files(tree, paths, collector)
        if large:
            say(f"warning: not read for metrics, because larger than 64 MiB: {', '.join(large)}")
        yield collector
