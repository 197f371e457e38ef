"""Points of metrics, as `metrics.jsonl` has them: a line of JSON for each step, `{"step": 3, "loss": 0.1}`."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.model.metrics import STEP, Steps, number_from_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Points:
    """Steps and values of one metric, in the order of the record. Values may be nan or infinite, steps are finite."""

    steps: Sequence[float]
    values: Sequence[float]


def parse_points(record: bytes, names: Collection[str]) -> dict[str, Points]:
    """Returns the points of the metrics that the record has of `names`. Skips lines that are no JSON object.

    A row without a step continues the count of steps, as it does for a running program.
    """
    columns: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    counter, last_given = Steps(), None
    for row in parse_rows(record):
        values = [(name, value) for name in columns if name in row and (value := number_from_json(row[name])) is not None]
        given = number_from_json(row.get(STEP))
        if given is not None and math.isfinite(given):
            last_given = given
        # once a step is given, it holds until the next one
        step = counter.shared_step(dict(values)) if last_given is None else last_given
        for name, value in values:
            columns[name][0].append(step)
            columns[name][1].append(value)
    return {name: Points(tuple(steps), tuple(values)) for name, (steps, values) in columns.items() if values}


def parse_rows(record: bytes) -> Iterator[dict[str, Any]]:
    """Yields the lines of a record that are JSON objects; a foreign record may have others."""
    lines = record.splitlines()
    try:
        # one call for all lines takes half the time of one for each
        rows = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        rows = parse_each(lines)
    yield from (row for row in rows if isinstance(row, dict))


def parse_each(lines: Sequence[bytes]) -> Iterator[object]:
    """Yields the values of the lines that are JSON."""
    for line in lines:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue
