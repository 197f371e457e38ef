"""What one proposal of a search costs: `python tests/bench/searching.py [--json FILE]`.

CPU seconds of this process; the median of 20 proposals with the study kept live, and the first one, which rebuilds it.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gitrun.lifecycle.samplers import make_sampler
from gitrun.model.batch import BatchDefinition, Objective, Trial
from gitrun.model.sampling import RandomSampler
from gitrun.model.space import Choice, Range

SPACE = {
    "lr": Range("float", 1e-5, 0.1, log=True),
    "layers": Range("int", 1, 8),
    "drop": Range("float", 0.0, 1.0),
    "opt": Choice(("adam", "sgd")),
}
KNOWN = 1000
LIMITS = {"random": 0.002, "tpe": 0.04, "cmaes": 0.04, "nsga2": 0.04, "qmc": 0.04}
ROUNDS = 20


@dataclass(frozen=True)
class Row:
    """The cost of a proposal."""

    sampler: str
    first: float
    live: float
    limit: float


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows = [measure(name, limit) for name, limit in LIMITS.items()]
    print(f"{'sampler':<10}{'known':>7}{'first, CPU s':>14}{'live, CPU s':>13}{'limit':>8}")
    for row in rows:
        print(f"{row.sampler:<10}{KNOWN:>7,}{row.first:>14.3f}{row.live:>13.4f}{row.limit:>8}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    sys.exit(any(row.live > row.limit for row in rows))


def measure(name: str, limit: float) -> Row:
    """Returns what proposals cost beside 1,000 trials that are known."""
    trials = known_trials()
    sampler = make_sampler(BatchDefinition(name, SPACE, objectives=(Objective("loss"),), seed=3))
    costs = []
    for number in range(KNOWN + 1, KNOWN + ROUNDS + 2):
        before = time.process_time()
        proposal = sampler.propose(number, trials)
        costs.append(time.process_time() - before)
        if proposal:
            trials.append(end(number, proposal.flags))
    return Row(name, costs[0], statistics.median(costs[1:]), limit)


def known_trials() -> list[Trial]:
    """Returns random trials that completed."""
    sampler = RandomSampler(BatchDefinition("random", SPACE, seed=5))
    proposals = (sampler.propose(number, ()) for number in range(1, KNOWN + 1))
    return [end(number, proposal.flags) for number, proposal in enumerate(proposals, 1) if proposal]


def end(number: int, flags: dict) -> Trial:
    """Returns a trial that completed."""
    loss = (math.log10(flags["lr"]) + 3) ** 2 + abs(flags["layers"] - 4) + flags["drop"]
    return Trial(number, {"epochs": 3, **flags}, "completed", values=(loss,))


if __name__ == "__main__":
    main()
