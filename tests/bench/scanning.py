"""What it costs to look for numbers in the output of a program: CPU seconds for a million lines.

    python tests/bench/scanning.py [--json] [--lines N]

The floor is to read the file in pieces and to look for line ends. While a program runs, the same is done piece by piece.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.model.plan import Outcome
from gitrun.store.live import hold_live
from gitrun.workspace.metric_lines import MetricRules, write_rules
from gitrun.workspace.metrics import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 3
OWN = MetricRules(only_patterns=True, patterns=(("loss", r"loss=(\d+\.\d+)"), ("acc", r"accuracy[:=]\s*(\d+\.\d+)")))
KINDS: dict[str, tuple[Callable[[int], str], MetricRules]] = {
    "log": (lambda i: f"2026-11-22 10:14:03 INFO worker {i % 8} did {i} of its things in time\n", MetricRules()),
    "training": (
        lambda i: f"step {i} | loss {1 / (i + 1):.6f} | lr 1e-3\n" if i % 10 == 0 else f"batch {i} of many\n",
        MetricRules(),
    ),
    "metrics": (lambda i: f"loss: {1 / (i + 1):.6f}\n" if i % 2 else f"acc: {i % 997 / 997}\n", MetricRules()),
    "one in ten": (
        lambda i: f"loss: {1 / (i + 1):.6f}\n" if i % 10 == 0 else f"batch {i} of many, nothing to see\n",
        MetricRules(),
    ),
    "colours": (
        lambda i: f"\x1b[32mINFO\x1b[0m: batch {i} of many\n" if i % 10 else f"\x1b[1mloss\x1b[0m: {i}\r\n",
        MetricRules(),
    ),
    "progress": (lambda i: f"\r{i % 100:3}%|{'#' * 20}| {i}/1000000" if i % 100 else f"\nloss: {i}\n", MetricRules()),
    "hostile": (lambda _: "a:" * 20 + " 1" * 10 + "(\n", MetricRules()),
    "own patterns": (lambda i: f"epoch {i} loss={1 / (i + 1):.6f} accuracy: {i % 997 / 997:.4f}\n", OWN),
    "own patterns, nothing there": (lambda i: f"epoch {i} of many, nothing to see in this line\n", OWN),
}


NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
ENDED = Outcome("completed", 0, NOW, NOW, 0.0)


def main() -> None:
    """Measures every kind of output and prints what it took."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--lines", type=int, default=1_000_000)
    words = asked.parse_args()
    found = list(measured(words.lines))
    if words.json:
        print(json.dumps({"lines": words.lines, "cpu_seconds": found}))
        return
    print(f"{'output':<28} {'MiB':>5} {'floor':>7} {'scan':>7} {'ratio':>6} {'points':>9}")
    for row in found:
        print(
            f"{row['output']:<28} {row['bytes'] / (1 << 20):>5.0f} {row['floor']:>7.3f} {row['scan']:>7.3f} "
            f"{row['scan'] / row['floor']:>6.1f} {row['points']:>9,}"
        )


def measured(lines: int) -> Iterator[dict[str, object]]:
    """What each kind of output takes, the least of some rounds."""
    with tempfile.TemporaryDirectory() as place:
        live = hold_live(Path(place), "a" * 40)
        file = live.output
        for name, (line, rules) in KINDS.items():
            with file.open("w", newline="") as output:
                output.writelines(map(line, range(lines)))
            write_rules(live.directory, rules)
            floor = min(cpu(partial(floor_of, file)) for _ in range(ROUNDS))
            meters = [Meter(live, rules) for _ in range(ROUNDS)]
            scanned = min(cpu(partial(one.finish, ENDED, None, str)) for one in meters)
            points = sum(known.count for known in meters[0].finish(ENDED, None, str).summaries.values())
            yield {"output": name, "bytes": file.stat().st_size, "floor": floor, "scan": scanned, "points": points}


def floor_of(file: Path) -> int:
    """How many lines the file has."""
    with file.open("rb") as opened:
        return sum(len(re.findall(rb"\n", data)) for data in iter(lambda: opened.read(1 << 20), b""))


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU that it takes, with what it starts."""
    before = os.times()
    work()
    after = os.times()
    return round(sum(after[:4]) - sum(before[:4]), 4) or time.get_clock_info("process_time").resolution


if __name__ == "__main__":
    main()
