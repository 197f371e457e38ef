"""What the pre-receive hook adds to a push of very many runs: `python tests/bench/receiving.py [COUNT]` (default 10,000)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from many_runs import make

RUNS = "refs/runs/*:refs/runs/*"


def push(source: Path, target: Path, *, hooked: bool) -> tuple[float, float]:
    """Seconds, and seconds of processor, of one push of all runs into a new bare repository."""
    subprocess.run(("git", "init", "--quiet", "--bare", target), check=True)
    if hooked:
        subprocess.run(("git", "run", "hooks", "install"), cwd=target, check=True, capture_output=True)
    began, before = time.monotonic(), os.times()
    subprocess.run(("git", "push", "--quiet", target, RUNS), cwd=source, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, spent


def main(count: int, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = make(Path(name) / "source", count)
        found = {
            hooked: [push(source, Path(name) / f"{hooked}.{turn}.git", hooked=hooked) for turn in range(rounds)]
            for hooked in (False, True)
        }
    best = {hooked: (min(wall for wall, _ in times), min(spent for _, spent in times)) for hooked, times in found.items()}
    for hooked, (wall, spent) in best.items():
        sys.stdout.write(f"{'with' if hooked else 'without'} the hook: {wall:.2f} s, processor {spent:.2f} s\n")
    added = [with_it - without for with_it, without in zip(best[True], best[False], strict=True)]
    sys.stdout.write(f"added for {count:,} runs: {added[0]:.2f} s, processor {added[1]:.2f} s\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
