"""Searches an output for the user's metric patterns, in a process that is killed if they take too long."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gitrun.errors import CannotRun
from gitrun.model.metrics import MetricCollector, parse_float
from gitrun.process import output_lines
from gitrun.process.run import HelperProcess
from gitrun.store.live import METRIC_RULES, PATTERN_MATCHES

PATIENCE = output_lines.SECONDS + 10.0
"""Seconds that the process has to finish at the end."""
LATE = "late"
READ = 0
"""The line that the process prints when it has read as far as ordered."""


class PatternSearch:
    """Gathers the matches of the patterns in a live record's rules."""

    def __init__(self, directory: Path, output: Path, switches: Path) -> None:
        self.collector = MetricCollector()
        self.problem = ""
        files = (Path(output_lines.__file__), directory / METRIC_RULES, output, switches)
        # -I and -S: imports nothing from the user's environment, and starts sooner
        self._words = (sys.executable, "-I", "-S", *map(str, files))
        self._directory, self._matches = directory, directory / PATTERN_MATCHES
        self._process: HelperProcess | None = None
        self._at, self._size, self._asked, self._answered = 0, 0, 0, 0

    def poll(self, size: int) -> None:
        """Takes the matches found since the last call, and orders a search of the output up to `size`. Never blocks."""
        if self.problem:
            return
        self._take()
        # the last order may not be finished
        if self._asked > self._answered or size == self._size:
            return
        try:
            self._process = self._process or self._start()
            self._process.send_order(b"%d\n" % size)
            self._asked, self._size = self._asked + 1, size
        except (CannotRun, OSError) as error:
            self._fail(str(error))

    def finish(self) -> None:
        """Takes all matches up to the end of the output."""
        if self.problem:
            return
        try:
            self._process = self._process or self._start()
            code = self._process.end(PATIENCE)
        except (CannotRun, OSError) as error:
            self._fail(str(error))
            return
        self._take()
        if code != 0:
            self._fail(f"the search took more than {PATIENCE:g} seconds" if code is None else f"the search ended with {code}")

    def _start(self) -> HelperProcess:
        return HelperProcess(self._words, {"PYTHONUTF8": "1"}, self._directory, self._matches)

    def _fail(self, why: str) -> None:
        self.problem = self.problem or f"warning: gitrun could not search the output for metric patterns: {why}"

    def _take(self) -> None:
        """Reads the complete lines that the process has written."""
        if self._process is None:
            return
        try:
            with self._matches.open("rb") as file:
                file.seek(self._at)
                lines, end, _ = file.read().rpartition(b"\n")
        except OSError as error:  # somebody removed the file
            self._fail(error.strerror or str(error))
            return
        self._at += len(lines) + len(end)
        for line in lines.splitlines() if end else ():
            # 0, "late", or [[{"loss": "0.1"}, "3"], ...]
            matches = json.loads(line)
            if matches == READ:
                self._answered += 1
            elif matches == LATE:
                self.problem = "warning: the metric patterns took too long, and only part of the output was searched"
            else:
                self._add(matches)

    def _add(self, matches: list[tuple[dict[str, str], str | None]]) -> None:
        for value_text, step in matches:
            if step is not None and (step_given := parse_float(step)) is not None:
                self.collector.steps.set_step(step_given)
            numbers = {name: parse_float(text) for name, text in value_text.items()}
            self.collector.add_all({name: value for name, value in numbers.items() if value is not None})
