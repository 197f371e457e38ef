"""What verbs cost beside very many archived runs: `python tests/bench/growth.py [COUNT [ROUNDS]] [--place DIR]`.

A clone with 100 runs in its archive and one with COUNT, each with a server and a second clone that has fetched the archive.
CPU is user and system time of a command and its children, the median of rounds that go through both in turn. With --place,
the repositories stay there, and are used again by the next call.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from looking import spent
from many_runs import make
from spine import git, live_in

FEW, MANY, ROUNDS = 100, 100_000, 5
LIMIT = 3.0
"""How many times more a verb may cost with MANY runs than with FEW."""
STEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "list": ("a", ("list",)),
    "log HEAD": ("a", ("log", "HEAD")),
    "report HEAD": ("a", ("report", "HEAD")),
    "a new run": ("a", ("train.py", "lr={number}")),
    "--needed, skipped": ("a", ("--needed", "train.py", "lr={number}")),
    "push of one new run": ("a", ("push", "--no-scan", "origin", "1")),
    "fetch of one new run": ("b", ("fetch",)),
    "list after fetch": ("b", ("list",)),
    "fetch, nothing new": ("b", ("fetch",)),
    "another run": ("a", ("train.py", "lr={number}.5")),
    "push without names": ("a", ("push",)),
    "push, nothing new": ("a", ("push",)),
    "tag": ("a", ("tag", "t{number}", "1")),
    "list after tag": ("a", ("list",)),
    "tag of an archived run": ("a", ("tag", "t{number}", "{archived}")),
    "push of that recent run": ("a", ("push",)),
    "fetch of that recent run": ("b", ("fetch",)),
    "tag of the oldest run": ("a", ("tag", "t{number}", "{oldest}")),
    "push of that old run": ("a", ("push",)),
    "fetch of that old run": ("b", ("fetch",)),
    "rm": ("a", ("rm", "1")),
    "list after rm": ("a", ("list",)),
    "rm of an archived run": ("a", ("rm", "{archived}")),
    "list after that": ("a", ("list",)),
    "restore": ("a", ("restore", "{archived}")),
    "list after restore": ("a", ("list",)),
    "doctor": ("a", ("doctor",)),
}
"""What is done in each round, in this order, in the first clone (a) or the second (b)."""


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=MANY)
    parser.add_argument("rounds", type=int, nargs="?", default=ROUNDS)
    parser.add_argument("--place", type=Path, metavar="DIR", help="a directory that is kept")
    parser.add_argument("--only", metavar="TEXT", default="", help="show the steps whose names have this text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        live_in(Path(name))
        tops = [(options.place or Path(name)) / str(count) for count in (FEW, options.count)]
        for top, count in zip(tops, (FEW, options.count), strict=True):
            if not (top / "b").is_dir():
                prepare(top, count)
        cost: dict[tuple[str, Path], list[float]] = {}
        for number in range(options.rounds + 1):
            for top in tops:
                one_round(top, cost if number else {}, number)
    print(f"{'what':<26}{FEW:>12,}{options.count:>12,}{'times':>9}")
    medians = {what: [statistics.median(cost[what, top]) for top in tops] for what in STEPS if options.only in what}
    for what, (few, many) in medians.items():
        print(f"{what:<26}{few:>12.3f}{many:>12.3f}{many / few:>9.1f}")
    sys.exit(any(many / few > LIMIT for few, many in medians.values()))


def prepare(top: Path, count: int) -> None:
    """Makes the server and the clones. The first has made all the runs itself, as far as it knows."""
    repo = make(top / "a", count)
    git(repo, "branch", "--quiet", "-M", "main")
    # notes are written when a run ends, which none of these has done here
    git(repo, "config", "gitrun.notes", "false")
    # attempt and result of each run
    names = git(repo, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/runs").split()
    (repo / ".git" / "gitrun").mkdir()
    (repo / ".git" / "gitrun" / "trust").write_text("".join(f"{name}\n" for name in names))
    subprocess.run(("git-run", "gc", "--archive"), cwd=repo, check=True, capture_output=True)
    git(top, "init", "--quiet", "--bare", "server.git")
    git(repo, "remote", "add", "origin", str(top / "server.git"))
    git(repo, "push", "--quiet", "--set-upstream", "origin", "main")
    git(repo, "run", "push", "--all", "--no-scan", "--quiet")
    git(top, "clone", "--quiet", "server.git", "b")
    shutil.copy(top / "a" / "train.py", top / "b" / "train.py")
    git(top / "b", "run", "fetch", "--quiet")


def one_round(top: Path, cost: dict[tuple[str, Path], list[float]], number: int) -> None:
    """Does each step once, and notes the seconds of each."""
    archived = git(top / "a", "run", "select", "30")
    # another one in each round, which has no ref yet
    oldest = git(top / "a", "run", "select", str(int(top.name) - 2 * number))
    for what, (clone, words) in STEPS.items():
        asked = [word.format(number=number, archived=archived, oldest=oldest) for word in words]
        cost.setdefault((what, top), []).append(spent(top / clone, ("git", "run", *asked)).cpu)


if __name__ == "__main__":
    main()
