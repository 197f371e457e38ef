"""Several runs watched at once: which of them run, which have ended since, and how far they are."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.metrics import Metrics
from gitrun.model.run import BATCH, PENDING, RUNNING, STAGED, Run
from gitrun.model.text import safe_lines
from gitrun.process.output_lines import CSI, open_regular
from gitrun.store.live import OUTPUT, directory_of, live_runs, shown_metrics
from gitrun.views.curves import LiveMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.store.index import Index

PATIENCE, COURSE = 0.2, 240
"""Seconds for which the metrics of a run are read at each look, and about how many values of its first one are returned."""
TAIL = 4096
"""Bytes at the end of an output in which its last line is looked for."""
ESCAPES = re.compile(CSI)


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a running run: its last step (None if there are none), metrics, values of the first one, line of output."""

    run: Run
    step: float | None
    metrics: Metrics
    values: Sequence[float]
    last_line: str


@dataclass(frozen=True, slots=True)
class Watched:
    """The runs that run now, oldest first, those that have ended since the last look, and ids of deleted ones."""

    running: tuple[Run, ...]
    ended: tuple[Run, ...]
    gone: tuple[str, ...]


class RunWatch:
    """Watches runs and the trials of batches among them; with `everything`, all that run on this machine.

    `open_index` opens the index of all runs.
    """

    def __init__(self, git: Git, open_index: Callable[[], Index], runs: Iterable[Run], *, everything: bool = False) -> None:
        self._git, self._open_index, self._everything = git, open_index, everything
        self._ids = {run.id: None for run in runs}
        self._reported: set[str] = set()
        self._is_first = True
        self._metrics: dict[str, LiveMetrics] = {}

    def look(self) -> Watched:
        """Returns the runs as they are now. A trial that had ended before the first look is left out."""
        with self._open_index() as index:
            if self._everything:
                self._ids |= dict.fromkeys(sorted(live_runs(self._git.state) - self._ids.keys()))
            named = {run_id: index.get(run_id) for run_id in self._ids if run_id not in self._reported}
            runs = {run_id: run for run_id, run in named.items() if isinstance(run, Run)}
            for batch in [run for run in runs.values() if run.attempt.kind == BATCH]:
                trials = {trial.id: trial for trial in index.trials_of(batch.id) if trial.id not in runs}
                if self._is_first:
                    self._reported |= {run_id for run_id, trial in trials.items() if trial.status != RUNNING}
                # a trial that waits is no news
                runs |= {run_id: trial for run_id, trial in trials.items() if trial.status not in {PENDING, STAGED}}
        self._is_first = False
        running = [run for run in runs.values() if run.status == RUNNING]
        ended = [run for run in runs.values() if run.status != RUNNING and run.id not in self._reported]
        gone = named.keys() - runs.keys()
        self._reported |= {*gone, *(run.id for run in ended)}
        for run in ended:
            self._metrics.pop(run.id, None)
        return Watched(tuple(sorted(running, key=start_order)), tuple(sorted(ended, key=end_order)), tuple(sorted(gone)))

    def read_progress(self, run: Run) -> Progress:
        """Returns how far a running run is."""
        reader = self._metrics.get(run.id) or LiveMetrics(self._git.state, run.id)
        self._metrics[run.id] = reader
        # a long output is read in several looks
        reader.poll(PATIENCE)
        # what files say is in the published metrics alone
        values = {**(shown_metrics(self._git.state, run.id) or {}), **reader.last_values()}
        series = next(filter(None, map(reader.series_of, values)), None)
        course = series.values[:: max(len(series.values) // COURSE, 1)] if series else ()
        return Progress(run, series.step if series else None, Metrics(values), course, last_line(self._git, run.id))


def start_order(run: Run) -> tuple[object, ...]:
    """Returns the sort key of runs by their start, a batch before its trials."""
    return run.attempt.kind != BATCH, run.attempt.created, run.id


def end_order(run: Run) -> tuple[object, ...]:
    """Returns the sort key of runs by their end, a batch behind its trials."""
    return run.attempt.kind == BATCH, run.attempt.stopped or run.attempt.created, run.id


def last_line(git: Git, run_id: str) -> str:
    """Returns the last line with text that a running run has written, escaped; empty if there is none."""
    file = open_regular(str(directory_of(git.state, run_id) / OUTPUT))
    if file is None:
        return ""
    with file:
        file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
        # a progress bar returns to the start of its line
        lines = re.split(rb"[\r\n]+", ESCAPES.sub(b"", file.read(TAIL)))
    text = next((line for line in reversed(lines) if line.strip()), b"")
    return " ".join(safe_lines(text.decode(errors="replace"))).strip()
