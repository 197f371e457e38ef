"""The values of a run's metrics over time, for display. Reads a bounded part of a record that may be foreign and malformed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from gitrun.git.objects import Objects
from gitrun.model.encode import METRICS
from gitrun.model.series import number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run

LARGEST = 32 << 20
"""The maximum size of a record in bytes; a larger one is not read."""
LONGEST = 1 << 16
"""The maximum length of a line in bytes; a longer one is skipped."""
PIECES, EACH = 48, 64
"""The number of pieces that are read of a long record, and the lines of each piece."""
BLOCKS = "▁▂▃▄▅▆▇█"


def courses(git: Git, run: Run, names: Collection[str]) -> dict[str, list[float]]:
    """Returns the values of these metrics in the order of the record: all of them, or a sample if there are many."""
    found: dict[str, list[float]] = {name: [] for name in names}
    if not found:
        return found
    with Objects(git) as objects:
        record = objects.read(f"{run.attempt.left}:{METRICS}", LARGEST)
    for line in sample((record.data if record else None) or b""):
        try:
            # a foreign record may have lines that are not JSON
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            for name in found.keys() & values.keys():
                value = number(values[name])
                if value is not None:
                    found[name].append(value)
    return found


def sample(data: bytes) -> Iterator[bytes]:
    """Yields the lines of a record; for a long record, pieces from all over it."""
    lines = data.splitlines()
    starts = [0] if len(lines) <= PIECES * EACH else [len(lines) * piece // PIECES for piece in range(PIECES)]
    size = len(lines) if len(starts) == 1 else EACH
    for start in starts:
        yield from (line for line in lines[start : start + size] if len(line) <= LONGEST)


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Returns the values as a line of blocks, one for each value or for several in a row. No finite value gives a blank."""
    count = min(width, len(values))
    parts = [values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)]
    means = [mean([value for value in part if math.isfinite(value)]) for part in parts]
    known = [value for value in means if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    # the largest minus the smallest float can be inf
    if not math.isfinite(span):
        return ""
    heights = (" " if value is None else BLOCKS[round((value - low) / span * 7) if span else 0] for value in means)
    return "".join(heights)


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean of some numbers; None if there are none, or if their mean is not finite."""
    found = sum(value / len(values) for value in values) if values else math.nan
    return found if math.isfinite(found) else None
