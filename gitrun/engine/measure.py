"""The metrics of an attempt: logged, printed and in event files, put together in that order.

If two of the sources have a metric of one name, that of the first counts. Bounds: see `model/series.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitrun.engine.patterns import open_regular
from gitrun.engine.scan import read_rules, scan
from gitrun.model.series import Gathering, number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome
    from gitrun.store.live import Live

EVENTS = "tfevents"
"""What the path of an event file has in it."""
LONGEST_LINE = 1 << 20
"""Bytes of a line of metrics above which it is none."""
MOST_LOGGED = 256 << 20
"""Bytes of logged metrics above which no more are read."""


def measure(live: Live, outcome: Outcome, tree: Path | None, say: Callable[[str], None]) -> Metrics:
    """The metrics of the attempt whose live record this is; their points are then in `live.series`.

    `tree` is where its files lie (None: nowhere any more). Says what could not be read.
    """
    gathering = Gathering()
    if not logged(live.metrics, gathering):
        say("of the metrics that were logged only the first 256 MiB are recorded")
    if word := scan(live.output, read_rules(live.directory), live.directory, gathering):
        say(word)
    paths = [file.path for file in outcome.files if EVENTS in file.path]
    if tree and paths:
        from gitrun.engine.events import gather

        if not gather(tree, paths, outcome.started.timestamp(), gathering):
            say("not all of the event files could be read: they are too large")
    if gathering.is_full:
        say(f"there are too many metrics: only the first {len(gathering.series):,} are recorded")
    found = gathering.metrics()
    if found:
        with live.series.open("w") as file:
            file.writelines(f"{line}\n" for line in gathering.lines())
    return found


def logged(path: Path, gathering: Gathering) -> bool:
    """Gathers what the program logged, a line of JSON a step; whether all was read. What is no such line is passed over."""
    file = open_regular(str(path))
    if file is None:
        return True
    steps, left = gathering.next_source(), MOST_LOGGED
    with file:
        while line := file.readline(LONGEST_LINE):
            left -= len(line)
            if left < 0:
                return False
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(values, dict):
                gathering.add_all(
                    {name: value for name, found in values.items() if (value := number(found)) is not None}, steps
                )
    return True
