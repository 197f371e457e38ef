"""What a trial of a batch costs over its program: `python tests/bench/batches.py [--quick] [--json FILE]`.

CPU is user and system time of a command and all its children, in milliseconds for a trial or a run; what it is compared with is
measured before and after it, in the same hour. A limit that is broken makes the exit status 1.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import marshal
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import spine
from many_runs import make

from gitrun.lifecycle.command import LAUNCHER
from gitrun.lifecycle.samplers import make_sampler
from gitrun.model.batch import BatchDefinition, Objective, Trial
from gitrun.model.run import COMPLETED
from gitrun.model.space import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES, TRIALS, LOOPS = 1_000, 200, 20
TRAIN = 'lr = 0.1\nprint("loss:", lr)\n'
SLOW = "import pathlib, time\na = b = 1\npathlib.Path({mark!r}).touch()\ntime.sleep(60)\n"
IN_ONE_PROCESS = """
import sys
from contextlib import nullcontext
from gitrun import Project
project = Project()
with project if "with" in sys.argv else nullcontext():
    for number in range(int(sys.argv[1])):
        project.run("hello.py", flags={"lr": number})
"""
GRID = 10_000
KNOWN = 1_000
PROPOSALS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """What was done, in its unit, and the limit. `over` are CPU milliseconds over the program with gitrun's launcher."""

    what: str
    cpu: float | None
    wall: float | None
    over: float | None = None
    limit: str = ""
    holds: bool | None = None


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 trials, and 1,000 trials among 10,000 runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows: list[Row] = []
    print("| what | CPU ms | wall ms | CPU over the launcher | limit | |")
    print("|---|---:|---:|---:|---|---|")
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        spine.live_in(Path(name))
        for row in figures(Path(name), quick=options.quick):
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    sys.exit(any(row.holds is False for row in rows))


def figures(place: Path, *, quick: bool) -> Iterator[Row]:
    """All rows."""
    yield from trials(place / "trials", 50 if quick else TRIALS)
    yield from listing(place, *((10_000, 1_000) if quick else (100_000, 10_000)))
    yield proposing()
    yield from beginning(place / "grid")


def trials(repo: Path, count: int) -> Iterator[Row]:
    """What runs and trials cost in a repository with a thousand files, over the same program without git."""
    spine.grow(repo, FILES)
    (repo / "hello.py").write_text(TRAIN)
    spec = repo / ".git" / "spec"
    spec.write_bytes(marshal.dumps({"script": str(repo / "hello.py"), "flags": {"lr": 0.5}}, 2))
    launched = ("python", str(LAUNCHER), str(spec), "hello.py")
    spine.command(repo, "git", "run", "hello.py")
    spine.command(repo, "git", "run", "hello.py")

    def measure(words: tuple[str, ...], number: int, rounds: int = 1) -> tuple[float, float, float]:
        """CPU and wall of one of `number`, and the CPU over the launcher, which is measured around it."""
        before = cost(lambda: spine.command(repo, *launched), LOOPS)[0]
        cpu, wall = cost(lambda: spine.command(repo, *words), rounds)
        after = cost(lambda: spine.command(repo, *launched), LOOPS)[0]
        return cpu / number, wall / number, cpu / number - (before + after) / 2

    yield Row("`python hello.py`", *cost(lambda: spine.command(repo, "python", "hello.py"), LOOPS))
    yield Row("the program with gitrun's launcher", *cost(lambda: spine.command(repo, *launched), LOOPS))
    yield Row("`git run` in a loop", *measure(("git", "run", "hello.py", "lr=7"), 1, LOOPS))
    yield Row("`Project.run` in a loop", *measure(("python", "-c", IN_ONE_PROCESS, str(count)), count))
    yield Row("`Project.run` in a `with project:`", *measure(("python", "-c", IN_ONE_PROCESS, str(count), "with"), count))
    cpu, wall, over = measure(("git", "run", "hello.py", f"lr=linspace[0:1:{count}]"), count)
    yield Row("a trial, one at a time", cpu, wall, over, "12 ms over", over <= 12)
    cpu, wall, over = measure(("git", "run", "hello.py", f"lr=linspace[1:2:{count}]", "--jobs", "2"), count)
    yield Row(f"a trial, two at a time ({1000 / wall:.1f} a second)", cpu, wall, over, "20 a second", wall <= 50)


def cost(action: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Median CPU and wall milliseconds of an action."""
    found = []
    for _ in range(rounds):
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        action()
        wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))
    return statistics.median(cpu for cpu, _ in found) * 1000, statistics.median(wall for _, wall in found) * 1000


def listing(place: Path, runs: int, trials: int) -> Iterator[Row]:
    """What a list costs with trials of a batch among the runs, and without."""
    repos = make(place / "without", runs), make(place / "with", runs, trials)
    for repo in repos:
        spine.command(repo, "git", "run", "list")
    rounds = [[cost(lambda repo=repo: spine.command(repo, "git", "run", "list"), 1) for repo in repos] for _ in range(9)]  # type: ignore[misc]
    medians = [[statistics.median(one[at][part] for one in rounds) for part in (0, 1)] for at in (0, 1)]
    yield Row(f"`git run list` of {runs:,} runs", medians[0][0], medians[0][1])
    holds = medians[1][0] <= medians[0][0] * 1.1
    yield Row(f"the same, {trials:,} of them trials of one batch", medians[1][0], medians[1][1], None, "as without", holds)


def proposing() -> Row:
    """What one proposal of tpe costs when very many trials are known."""
    space = {"lr": Range("float", 1e-5, 1e-1, log=True), "layers": Range("int", 1, 8), "momentum": Range("float", 0.0, 1.0)}
    definition = BatchDefinition("tpe", space, objectives=(Objective("loss"),), max_trials=2 * KNOWN, seed=7)
    luck, known = random.Random(7), list[Trial]()
    for number in range(1, KNOWN + 1):
        flags = {"lr": 10 ** luck.uniform(-5, -1), "layers": luck.randint(1, 8), "momentum": luck.random()}
        known.append(Trial(number, flags, COMPLETED, f"{number:040x}", (luck.random(),)))
    sampler, found = make_sampler(definition), list[tuple[float, float]]()
    for number in range(KNOWN + 1, KNOWN + 2 + PROPOSALS):
        cpu, wall = time.process_time(), time.perf_counter()
        proposal = sampler.propose(number, known)
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert proposal is not None
        known.append(Trial(number, proposal.flags, COMPLETED, f"{number:040x}", (luck.random(),)))
    # the first one tells the study all trials
    cpu, wall = (statistics.median(pair[part] for pair in found[1:]) * 1000 for part in (0, 1))
    return Row(f"one proposal of tpe with {KNOWN:,} trials known", cpu, wall, None, "40 ms", cpu <= 40)


def beginning(repo: Path) -> Iterator[Row]:
    """How long a large grid takes to its first trial, and how many refs it has then."""
    spine.grow(repo, FILES)
    mark = repo / ".git" / "begun"
    (repo / "slow.py").write_text(SLOW.format(mark=str(mark)))
    spine.command(repo, "git", "run", "hello.py")
    clock = time.perf_counter()
    words = ("git", "run", "slow.py", "a=range[1:100]", f"b=range[1:{GRID // 100}]")
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(words, cwd=repo, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        while not mark.exists():
            time.sleep(0.002)
        wall = (time.perf_counter() - clock) * 1000
        refs = len(spine.git(repo, "for-each-ref", "refs/runs/").splitlines()) - 1  # that of the run above
        started.send_signal(signal.SIGINT)
    yield Row(f"a grid of {GRID:,} points, until its first trial runs", None, wall, None, "500 ms", wall <= 500)
    yield Row(f"its refs then: {refs}, that of the batch and of the trial", None, None, None, "2", refs == 2)


def line(row: Row) -> str:
    """A row of the table, in Markdown."""
    cpu, wall, over = (f"{value:.1f}" if value is not None else "" for value in (row.cpu, row.wall, row.over))
    held = {True: "holds", False: "BROKEN", None: ""}[row.holds]
    return f"| {row.what} | {cpu} | {wall} | {over} | {row.limit} | {held} |"


if __name__ == "__main__":
    main()
