"""The metrics of an attempt, read while its program runs: logged, printed, in event files and in metric files.

If two of the sources have a metric of one name, the first counts: what was logged, what the user's patterns find, what the
rules find in the output, event files, metric files. Bounds: see `model/series.py`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitrun.engine import patterns
from gitrun.engine.logged import Logged
from gitrun.engine.scan import Rules, Scanner, read_rules, scan
from gitrun.model.metrics import Metrics
from gitrun.model.series import Gathered, Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gitrun.engine.searching import Search
    from gitrun.model.plan import Outcome
    from gitrun.store.live import Live

SOONEST, LATEST = 1.0, 5.0
"""Seconds between two looks at what a running program tells; the longer while nothing comes."""
SLICE = 0.05
"""Seconds that a look may take: output waits for us meanwhile."""
TELLING = (0.5, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds after which a line says how far the reading of metrics has come."""
EVENTS = "tfevents"
"""What the path of an event file has in it."""


class Meter:
    """Gathers the metrics of one attempt; whoever records its output feeds it."""

    def __init__(self, live: Live, rules: Rules) -> None:
        self._live, self._rules = live, rules
        self._scanner, self._logged = Scanner(rules.flags), Logged(live.metrics)
        self._search: Search | None = None
        self._size = 0
        self._due, self._pause = time.monotonic() + SOONEST, SOONEST
        self._shown = Metrics()
        self._found: Metrics | None = None

    def feed(self, stream: int, data: bytes) -> None:
        """Takes what was recorded of a stream; of more than 256 MiB the rest is read when the program has ended."""
        room = max(0, patterns.PART - self._size)
        self._size += len(data)
        if room and not self._rules.only_patterns:
            self._scanner.feed(stream, data[:room])

    @property
    def patience(self) -> float:
        """Returns the seconds until the next look."""
        return max(0.0, self._due - time.monotonic())

    def look(self) -> None:
        """Reads what has come since the last look, if it is time, and writes down what is known, for others to see."""
        if self.patience:
            return
        more = self._logged.look(SLICE)
        if self._rules.patterns and self._size:
            self._searching().look(self._size)
        now = Gathered(tuple(self._told())).metrics()
        if now.pack() != self._shown.pack():
            self._shown, self._pause = now, SOONEST
            self._live.show_metrics(now)
        elif not more:
            self._pause = min(self._pause * 1.5, LATEST)
        self._due = time.monotonic() + (SLICE if more else self._pause)

    def finish(self, outcome: Outcome, tree: Path | None, say: Callable[[str], None]) -> Metrics:
        """Reads what is left, and what the attempt has in files below `tree` (None: nowhere any more).

        The points are in `live.series` then. Says what could not be read, and what is left out.
        """
        if self._found is None:
            progress = Progress(say)
            self._logged.finish(lambda: progress.turn(self._told()))
            if not self._rules.only_patterns:
                scan(self._live.output, self._live.switches, self._scanner, min(self._size, patterns.PART))
            if self._rules.patterns:
                self._searching().finish()
            files = of_files(outcome, tree, say, progress) if tree else ()
            self._found = self._record(Gathered((*self._told(), *files)), say)
        return self._found

    def _told(self) -> Iterator[Gathering]:
        """Returns what the log and the output have told so far, the most important first."""
        yield self._logged.gathering
        if self._search:
            yield self._search.gathering
        yield self._scanner.gathering

    def _searching(self) -> Search:
        from gitrun.engine.searching import Search

        self._search = self._search or Search(self._live.directory, self._live.output, self._live.switches)
        return self._search

    def _record(self, gathered: Gathered, say: Callable[[str], None]) -> Metrics:
        """Writes the points down; returns what is known of all metrics."""
        if self._logged.is_cut:
            say("of the metrics that were logged only the first 256 MiB are recorded")
        if self._search and self._search.problem:
            say(self._search.problem)
        found = gathered.metrics()
        if gathered.is_full:
            say(f"there are too many metrics: only the first {len(found):,} are recorded")
        if found:
            with self._live.series.open("w") as file:
                file.writelines(f"{line}\n" for line in gathered.lines())
        told, kept = gathered.counts()
        if kept < told:
            say(
                f"note: metrics have {told:,} points, {kept:,} of them are recorded, evenly chosen. "
                "The first, last, smallest and largest values and the count are those of all points"
            )
        return found


class Progress:
    """Says how many points have been read, at growing intervals, while metrics are being put together."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._begun, self._moments = say, time.monotonic(), list(TELLING)

    def turn(self, *sources: Iterator[Gathering] | Gathering) -> None:
        """Says it if it is time."""
        if not self._moments or time.monotonic() - self._begun < self._moments[0]:
            return
        self._moments.pop(0)
        every = [one for source in sources for one in ([source] if isinstance(source, Gathering) else source)]
        count = sum(series.count for one in every for series in one.series.values())
        self._say(f"recording metrics: {count:,} points read so far")


def measure(live: Live, outcome: Outcome, tree: Path | None, say: Callable[[str], None], meter: Meter | None = None) -> Metrics:
    """Returns the metrics of the attempt whose live record this is; their points are then in `live.series`.

    `tree` is where its files lie (None: nowhere any more), `meter` what has been read of them while the program ran.
    """
    return (meter or Meter(live, read_rules(live.directory))).finish(outcome, tree, say)


def of_files(outcome: Outcome, tree: Path, say: Callable[[str], None], progress: Progress) -> Iterator[Gathering]:
    """Returns what event files and metric files of the attempt tell. Says which could not be read."""
    paths = [file.path for file in outcome.files]
    if events := [path for path in paths if EVENTS in path]:
        from gitrun.engine.events import gather

        gathering = Gathering()
        if not gather(tree, events, outcome.started.timestamp(), gathering, lambda: progress.turn(gathering)):
            say("not all of the event files could be read: they are too large")
        yield gathering
    if any(path.endswith((".json", ".csv", ".tsv")) for path in paths):
        from gitrun.engine import metricfiles

        gathering = Gathering()
        large = metricfiles.gather(tree, paths, gathering)
        if large:
            say(f"not read for metrics, for they have more than 64 MiB: {', '.join(large)}")
        yield gathering
