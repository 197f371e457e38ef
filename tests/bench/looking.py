"""What looking at many runs costs: `python tests/bench/looking.py [--quick] [--json FILE]`.

CPU is user and system time of a command and all its children, in seconds; medians, packed refs, warm index.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from many_runs import make
from spine import live_in

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = {100: 0.12, 10_000: 0.15, 100_000: 0.25}
BUILD = {100: None, 10_000: 2.0, 100_000: 20.0}
COMPARE = {100: None, 10_000: 1.5, 100_000: 12.0}
WARM = {
    "list": ("list",),
    "select": ("select", "1"),
    "show": ("show", "1"),
    "needed skip": ("--needed", "train.py", "lr={lr}", "epochs={epochs}"),
}
THOUSAND = 3.0
ROUNDS = 7


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 and 10,000 runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows: list[tuple[str, int, float, float | None]] = []
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        live_in(Path(name))
        for count in (100, 10_000) if options.quick else LIMITS:
            rows += measure(make(Path(name) / str(count), count), count)
    floor = next(cpu for what, _, cpu, _ in rows if what == "python -c pass")
    print(f"{'what':<24}{'runs':>9}{'CPU s':>9}{'limit':>8}{'x python':>10}")
    for what, count, cpu, limit in rows:
        print(f"{what:<24}{count:>9,}{cpu:>9.3f}{limit or '':>8}{cpu / floor:>10.1f}")
    if options.json:
        options.json.write_text(
            json.dumps([dict(zip(("what", "runs", "cpu", "limit"), row, strict=True)) for row in rows], indent=1)
        )
    sys.exit(any(limit and cpu > limit for _, _, cpu, limit in rows))


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command cost and wrote."""

    cpu: float
    out: bytes


def spent(repo: Path, words: Sequence[str]) -> Spent:
    """The cost of a command with all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, cwd=repo, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout)


def measure(repo: Path, count: int) -> list[tuple[str, int, float, float | None]]:
    """The rows of a repository with so many runs."""
    rows: list[tuple[str, int, float, float | None]] = []
    rows.append(("first build of the index", count, build(repo), BUILD[count]))
    run = json.loads(spent(repo, ("git", "run", "list", "--op", "train.py", "--status", "completed", "-n", "1", "--json")).out)[
        0
    ]
    words = {name: tuple(word.format(**run["flags"]) for word in call) for name, call in WARM.items()}
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        taken.setdefault("python -c pass", []).append(spent(repo, (sys.executable, "-c", "pass")).cpu)
        for name, call in words.items():
            taken.setdefault(name, []).append(spent(repo, ("git", "run", *call)).cpu)
    rows += [
        (name, count, sorted(found)[ROUNDS // 2], LIMITS[count] if name in WARM else None) for name, found in taken.items()
    ]
    rows.append(("compare --all --csv", count, spent(repo, ("git", "run", "compare", "--all", "--csv")).cpu, COMPARE[count]))
    if count >= 10_000:
        limit = THOUSAND if count == 10_000 else None
        rows.append(("tag 1,000 runs", count, spent(repo, ("git", "run", "tag", "a", "1:1000")).cpu, limit))
        rows.append(("rm 1,000 runs", count, spent(repo, ("git", "run", "rm", "1:1000")).cpu, limit))
    return rows


def build(repo: Path) -> float:
    """CPU seconds of a list that makes the index anew; the middle of three."""
    found = []
    for _ in range(3):
        shutil.rmtree(repo / ".git" / "gitrun", ignore_errors=True)
        found.append(spent(repo, ("git", "run", "list")).cpu)
    return sorted(found)[1]


if __name__ == "__main__":
    main()
