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
import time
from dataclasses import asdict, dataclass
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
    "log HEAD": ("log", "HEAD"),
    "list --where lr<0.01": ("list", "--where", "lr<0.01"),
}
FREE = frozenset({"log HEAD", "list --where lr<0.01"})
"""Verbs without a limit in seconds; what they may cost is a ratio to others in the table."""
ALL_COLUMNS = """
import gzip, json
from gitrun import Project
from gitrun.store.columns import BLOCK, Part, read_columns, read_snapshot
project, size = Project("."), 0
with project.index() as index:
    snapshot = read_snapshot(index)
for start in range(0, len(snapshot.states), BLOCK):
    with project.index() as index:
        answer = read_columns(index, snapshot, Part(start, BLOCK))
    size += len(gzip.compress(json.dumps(answer, separators=(",", ":")).encode(), 1))
print(size)
"""
"""The blocks that a page of runs asks for, one after the other."""
FLOOR = "python -c pass"
THOUSAND = 3.0
ROUNDS = 7


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 and 10,000 runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        live_in(Path(name))
        for count in (100, 10_000) if options.quick else LIMITS:
            rows += measure(make(Path(name) / str(count), count), count)
    floor = next(row.cpu for row in rows if row.what == FLOOR)
    print(f"{'what':<30}{'runs':>9}{'CPU s':>9}{'limit':>8}{'x python':>10}")
    for row in rows:
        print(f"{row.what:<30}{row.runs:>9,}{row.cpu:>9.3f}{row.limit or '':>8}{row.cpu / floor:>10.1f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    sys.exit(any(row.limit and row.cpu > row.limit for row in rows))


@dataclass(frozen=True, slots=True)
class Row:
    """What a command costs in a repository with so many runs: CPU and wall seconds."""

    what: str
    runs: int
    cpu: float
    wall: float
    limit: float | None


@dataclass(frozen=True, slots=True, order=True)
class Spent:
    """What a command cost, in seconds, and wrote."""

    cpu: float
    wall: float
    out: bytes


def spent(repo: Path, words: Sequence[str]) -> Spent:
    """The cost of a command with all its children."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, cwd=repo, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, done.stdout)


def measure(repo: Path, count: int) -> list[Row]:
    """The rows of a repository with so many runs."""

    def row(what: str, found: Spent, limit: float | None) -> Row:
        return Row(what, count, found.cpu, found.wall, limit)

    rows = [row("first build of the index", build(repo), BUILD.get(count))]
    one = ("--op", "train.py", "--status", "completed", "-n", "1", "--json")
    (run,) = json.loads(spent(repo, ("git", "run", "list", *one)).out)
    words = {name: tuple(word.format(**run["flags"]) for word in call) for name, call in WARM.items()}
    taken: dict[str, list[Spent]] = {}
    for _ in range(ROUNDS):
        taken.setdefault(FLOOR, []).append(spent(repo, (sys.executable, "-c", "pass")))
        for name, call in words.items():
            taken.setdefault(name, []).append(spent(repo, ("git", "run", *call)))
    rows += [
        row(name, sorted(found)[ROUNDS // 2], LIMITS.get(count) if name in WARM and name not in FREE else None)
        for name, found in taken.items()
    ]
    columns = min(spent(repo, (sys.executable, "-c", ALL_COLUMNS)) for _ in range(3))
    rows.append(row(f"all columns, {int(columns.out) / 1e6:.2f} MB gzip", columns, None))
    rows.append(row("compare --all --csv", spent(repo, ("git", "run", "compare", "--all", "--csv")), COMPARE.get(count)))
    if count >= 10_000:
        limit = THOUSAND if count == 10_000 else None
        rows.append(row("tag 1,000 runs", spent(repo, ("git", "run", "tag", "a", "1:1000")), limit))
        rows.append(row("rm 1,000 runs", spent(repo, ("git", "run", "rm", "1:1000")), limit))
    return rows


def build(repo: Path) -> Spent:
    """Returns the cost of a list that writes a new index; the median of three."""
    found = []
    for _ in range(3):
        shutil.rmtree(repo / ".git" / "gitrun", ignore_errors=True)
        found.append(spent(repo, ("git", "run", "list")))
    return sorted(found)[1]


if __name__ == "__main__":
    main()
