"""The user's own patterns for metrics: searched for in a process of its own, which is ended when they take too long."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gitrun.engine import patterns
from gitrun.engine.process import Beside
from gitrun.engine.scan import RULES
from gitrun.errors import CannotRun
from gitrun.model.series import Gathering, number_in

PATIENCE = patterns.SECONDS + 10.0
"""Seconds that the process has to come to its end."""
LATE = "late"
READ = 0
"""What the process prints when it has read as far as it was asked to."""


class Search:
    """Gathers what the patterns in the rules of a live record find in its output."""

    def __init__(self, directory: Path, output: Path, switches: Path) -> None:
        self.gathering = Gathering()
        self.problem = ""
        files = (Path(patterns.__file__), directory / RULES, output, switches)
        self._words = (sys.executable, "-I", "-S", *map(str, files))
        self._directory, self._found = directory, directory / "found.jsonl"
        self._process: Beside | None = None
        self._at, self._size, self._asked, self._answered = 0, 0, 0, 0

    def look(self, size: int) -> None:
        """Takes what was found since the last time, and has the output searched up to `size`; waits for nothing."""
        if self.problem:
            return
        self._take()
        if self._asked > self._answered or size == self._size:
            return
        try:
            self._process = self._process or self._start()
            self._process.order(b"%d\n" % size)
            self._asked, self._size = self._asked + 1, size
        except (CannotRun, OSError) as error:
            self._fail(str(error))

    def finish(self) -> None:
        """Takes all that is found up to the end of the output."""
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

    def _start(self) -> Beside:
        return Beside(self._words, {"PYTHONUTF8": "1"}, self._directory, self._found)

    def _fail(self, why: str) -> None:
        self.problem = self.problem or f"the patterns for metrics could not be searched for: {why}"

    def _take(self) -> None:
        """Reads the whole lines that the process has added."""
        if self._process is None:
            return
        try:
            with self._found.open("rb") as file:
                file.seek(self._at)
                lines, end, _ = file.read().rpartition(b"\n")
        except OSError as error:  # somebody has removed it
            self._fail(error.strerror or str(error))
            return
        self._at += len(lines) + len(end)
        for line in lines.splitlines() if end else ():
            told = json.loads(line)
            if told == READ:
                self._answered += 1
            elif told == LATE:
                self.problem = "the patterns for metrics took too long, and were not searched for in all of the output"
            else:
                self._add(told)

    def _add(self, told: list[tuple[dict[str, str], str | None]]) -> None:
        for found, step in told:
            if step is not None and (given := number_in(step)) is not None:
                self.gathering.steps.give(given)
            numbers = {name: number_in(text) for name, text in found.items()}
            self.gathering.add_all({name: value for name, value in numbers.items() if value is not None})
