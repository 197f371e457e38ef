"""Metrics that a program logs with `gitrun.log`: one line of JSON a step, read while the program writes."""

from __future__ import annotations

import json
import time

from gitrun.model.metrics import MetricCollector, number_from_json
from gitrun.process.output_lines import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

MAX_LINE = 1 << 20
"""Bytes of the longest line that is read as metrics."""
MAX_LOGGED = 256 << 20
"""Bytes of logged metrics that are read."""
BATCH = 500
"""Lines read between two checks of the clock."""


class LoggedMetrics:
    """A reader of points from a file to which a program may still be writing."""

    def __init__(self, path: Path) -> None:
        self.collector = MetricCollector()
        self.is_cut = False
        self._path, self._at = path, 0

    def poll(self, seconds: float) -> bool:
        """Reads whole lines for at most `seconds`. Returns whether there may be more."""
        end = time.monotonic() + seconds
        file = open_regular(str(self._path)) if not self.is_cut else None
        if file is None:
            return False
        with file:
            file.seek(self._at)
            while self._read(file, BATCH, whole=True):
                if time.monotonic() > end:
                    return True
        return False

    def finish(self, turn: Callable[[], None]) -> None:
        """Reads the rest, including an unfinished last line. Calls `turn` after each BATCH lines."""
        file = open_regular(str(self._path)) if not self.is_cut else None
        if file is None:
            return
        with file:
            file.seek(self._at)
            while self._read(file, BATCH, whole=False):
                turn()

    def _read(self, file: BinaryIO, count: int, *, whole: bool) -> bool:
        """Reads up to `count` lines, only complete ones if `whole`. Returns whether it got that many."""
        for _ in range(count):
            line = file.readline(MAX_LINE)
            # the program may be about to write the rest of this line
            if not line or (whole and not line.endswith(b"\n") and len(line) < MAX_LINE):
                return False
            # keep what was read instead of failing the run
            if self._at + len(line) > MAX_LOGGED:
                self.is_cut = True
                return False
            self._at += len(line)
            self._add(line)
        return True

    def _add(self, line: bytes) -> None:
        try:
            # a line: {"step": 3, "loss": 0.1}
            values = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(values, dict):
            numbers = {name: value for name, number in values.items() if (value := number_from_json(number)) is not None}
            self.collector.add_all(numbers)
