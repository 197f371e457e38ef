"""Every figure that is promised, in one table: `python tests/bench/table.py [--quick] [--profile] [--json FILE]`.

CPU is user and system time of a command and all its children, in seconds; medians of rounds in which its floor, the
least that other programs take for the same work, was measured too. `--quick` takes the smallest sizes and less than a
minute; `--profile` shows instead what each verb is made of: gits that it starts, modules it imports, system calls.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import looking
import profiling
import sharing
import spine
from many_runs import make

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILES, RUNS, SHARED = (1_000, 10_000, 100_000), (100, 10_000, 100_000), (1_000, 10_000)
QUICK = ((1_000,), (100,), (100,))


@dataclass(frozen=True, slots=True)
class Figure:
    """A command at a size: seconds, those of its floor, the ratio of the CPU seconds, and whether its limit holds.

    `spent` is what the limit is about: CPU seconds, those over a bare program, the ratio, or bytes.
    """

    what: str
    size: str
    cpu: float | None
    wall: float | None
    floor: str
    floor_cpu: float | None
    spent: float
    limit: float | None

    @property
    def ratio(self) -> float | None:
        """How many times the CPU of its floor."""
        return self.cpu / self.floor_cpu if self.cpu and self.floor_cpu else None

    @property
    def holds(self) -> bool | None:
        """Whether its limit holds; None if there is none."""
        return None if self.limit is None else self.spent <= self.limit


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, less than a minute")
    parser.add_argument("--profile", action="store_true", help="what each verb is made of")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        spine.live_in(Path(name))
        if options.profile:
            found = profiling.profile(Path(name))
            print(profiling.table(found))
        else:
            found = list(measured(Path(name), *(QUICK if options.quick else (FILES, RUNS, SHARED)), quick=options.quick))
    if options.json:
        kept = [asdict(one) | ({"ratio": one.ratio, "holds": one.holds} if isinstance(one, Figure) else {}) for one in found]
        options.json.write_text(json.dumps(kept, indent=1))
    sys.exit(any(isinstance(one, Figure) and one.holds is False for one in found))


def measured(place: Path, files: Sequence[int], runs: Sequence[int], shared: Sequence[int], *, quick: bool) -> Iterator[Figure]:
    """The figures, each printed as soon as it is known."""
    print("| what | size | CPU s | wall s | floor | floor CPU s | ratio | limit | |")
    print("|---|---:|---:|---:|---|---:|---:|---:|---|")
    for figure in figures(place, files, runs, shared, quick=quick):
        print(line(figure), flush=True)
        yield figure


def figures(place: Path, files: Sequence[int], runs: Sequence[int], shared: Sequence[int], *, quick: bool) -> Iterator[Figure]:
    """All that is promised of starting runs, looking at them and sharing them."""
    for size in files:
        yield from starting(spine.measure(place / f"files-{size}", size, 7 if quick else spine.ROUNDS))
    history = spine.bytes_a_run(place / "history", 10 if quick else spine.RUNS)
    yield Figure("packed bytes a run", "1,000 files", None, None, "", None, history, spine.MOST_BYTES)
    rewritten, _ = spine.rewritten_files(place / "slot")
    yield Figure("files written in a reused slot when 3 differ", "1,000 files", None, None, "", None, rewritten, 3)
    for size in runs:
        rows = looking.measure(make(place / f"runs-{size}", size), size)
        floor = next(row.cpu for row in rows if row.what == looking.FLOOR)
        for row in rows:
            yield Figure(row.what, f"{size:,} runs", row.cpu, row.wall, looking.FLOOR, floor, row.cpu, row.limit)
    for size in shared:
        for one in sharing.measure(place, size):
            over = one.cpu - one.git_cpu
            spent, limit = (over, one.over_limit) if one.over_limit else (one.ratio, one.ratio_limit)
            floor = "no hook" if "pre-receive" in one.what else "plain git"
            yield Figure(one.what, f"{size:,} runs", one.cpu, one.wall, floor, one.git_cpu, spent, limit)


def starting(rows: Sequence[spine.Row]) -> Iterator[Figure]:
    """The figures of starts: what the limit is about is what they cost over the bare program."""
    plumbing = next(row.cpu for row in rows if row.command == "raw git plumbing")
    for row in rows:
        floor = ("raw git plumbing", plumbing) if row.limit else ("", None)
        yield Figure(row.command, f"{row.files:,} files", row.cpu, row.wall, *floor, row.over, row.limit)


def line(figure: Figure) -> str:
    """A row of the table, in Markdown."""
    cpu, wall, floor = (f"{value:.3f}" if value is not None else "" for value in (figure.cpu, figure.wall, figure.floor_cpu))
    ratio = f"{figure.ratio:.1f}" if figure.ratio else ""
    limit = f"{figure.spent:,.2f} of {figure.limit:g}" if figure.limit is not None else ""
    held = {True: "holds", False: "BROKEN", None: ""}[figure.holds]
    return f"| {figure.what} | {figure.size} | {cpu} | {wall} | {figure.floor} | {floor} | {ratio} | {limit} | {held} |"


if __name__ == "__main__":
    main()
