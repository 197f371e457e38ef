"""What runs cost on their way to and from remotes: `python tests/bench/sharing.py [COUNT [ROUNDS]] [--json FILE]`.

Each figure stands beside that of plain git with the same refs, between the same repositories, in the same rounds. Remotes
are on this disk, so that the CPU seconds are those of both ends. Medians of an even number of rounds, each with
repositories of its own, in which in turn git and we are first: a file system does not ask the same of both.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from looking import Spent, spent
from many_runs import make
from spine import live_in

ROUNDS, MANY = 8, 10_000
RUNS = "refs/runs/*:refs/runs/*"
PUSH, FETCH, HOOK = 1.3, 1.8, 2.0
"""How many times the CPU of plain git a push and a fetch of very many may take, and the seconds that the hook may add."""


@dataclass(frozen=True, slots=True)
class Row:
    """CPU and wall seconds of a command with so many runs and of plain git, and the limits: of the ratio, of what is over."""

    what: str
    runs: int
    cpu: float
    wall: float
    git_cpu: float
    git_wall: float
    ratio_limit: float | None = None
    over_limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the CPU of plain git."""
        return self.cpu / self.git_cpu

    @property
    def holds(self) -> bool:
        """Whether it is within its limit."""
        over = self.over_limit is None or self.cpu - self.git_cpu <= self.over_limit
        return over and (self.ratio_limit is None or self.ratio <= self.ratio_limit)


def main() -> None:
    """Prints the table; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=MANY)
    parser.add_argument("rounds", type=int, nargs="?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        live_in(Path(name))
        rows = measure(Path(name), options.count, options.rounds)
    print(f"{'what':<36}{'runs':>7}{'CPU s':>8}{'wall s':>8}{'git CPU':>9}{'git wall':>9}{'x git':>7}{'limit':>7}")
    for row in rows:
        limit = f"{row.ratio_limit}" if row.ratio_limit else f"+{row.over_limit} s" if row.over_limit else ""
        times = f"{row.cpu:>8.3f}{row.wall:>8.3f}{row.git_cpu:>9.3f}{row.git_wall:>9.3f}{row.ratio:>7.2f}{limit:>7}"
        print(f"{row.what:<36}{row.runs:>7,}{times}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    sys.exit(not all(row.holds for row in rows))


def measure(place: Path, count: int, rounds: int | None = None) -> list[Row]:
    """The rows of so many runs. Limits are for very many: of few, most is the start of a program."""
    top = place / f"sharing-{count}"
    repo = make(top / "from", count)
    spent(repo, ("git", "run", "list"))
    taken: dict[str, list[Spent]] = {}
    for number in range(rounds or ROUNDS):
        for what, found in one_round(repo, top / "round", git_first=number % 2 == 0).items():
            taken.setdefault(what, []).append(found)
        shutil.rmtree(top / "round")
    middle = {what: middle_of(found) for what, found in taken.items()}

    def row(what: str, beside: str, named: str = "", **limits: float) -> Row:
        mine, git = middle[named or what], middle[beside]
        return Row(what, count, mine.cpu, mine.wall, git.cpu, git.wall, **(limits if count >= MANY else {}))

    return [
        row("push all to an empty remote", "git push", ratio_limit=PUSH),
        row("push, looked through for secrets", "git push"),
        row("push to a server with pre-receive", "push all to an empty remote", over_limit=HOOK),
        row("push when all is there", "git push again", named="push again"),
        row("fetch all", "git fetch", ratio_limit=FETCH),
        row("fetch when all is here", "git fetch again", named="fetch all again"),
    ]


def middle_of(found: list[Spent]) -> Spent:
    """The medians of CPU and wall seconds."""
    return Spent(median(one.cpu for one in found), median(one.wall for one in found), b"")


def one_round(repo: Path, place: Path, *, git_first: bool) -> dict[str, Spent]:
    """What each command costs once."""
    plain, ours, scanned, guarded = (empty(place / name, "--bare") for name in ("plain", "ours", "scanned", "guarded"))
    one, two = empty(place / "one"), empty(place / "two")
    git, run = ("git", "push", "--quiet", "--no-verify"), ("git", "run", "push", "--quiet", "--all")
    spent(guarded, ("git", "run", "hooks", "install", "pre-receive"))
    fetch = {
        "git fetch": (one, ("git", "fetch", "--quiet", "--no-tags", str(plain), RUNS)),
        "fetch all": (two, ("git", "run", "fetch", "--quiet", str(plain))),
    }
    push = {
        "git push": (repo, (*git, str(plain), RUNS)),
        "push all to an empty remote": (repo, (*run, "--no-scan", str(ours))),
    }
    more = {
        "push to a server with pre-receive": (repo, (*run, "--no-scan", str(guarded))),
        "push, looked through for secrets": (repo, (*run, str(scanned))),
    }
    found = in_turn(push, git_first=git_first) | in_turn(more, git_first=git_first)
    again = {"git push": (repo, (*git, str(plain), RUNS)), "push": (repo, (*run, "--no-scan", str(ours)))}
    found |= {f"{what} again": cost for what, cost in in_turn(again, git_first=git_first).items()}
    spent(plain, ("git", "pack-refs", "--all"))
    found |= in_turn(fetch, git_first=git_first)
    return found | {f"{what} again": cost for what, cost in in_turn(fetch, git_first=git_first).items()}


def in_turn(commands: dict[str, tuple[Path, tuple[str, ...]]], *, git_first: bool) -> dict[str, Spent]:
    """What each command costs, the first of them asked first or last."""
    asked = list(commands.items())
    return {what: spent(*command) for what, command in (asked if git_first else reversed(asked))}


def empty(place: Path, *words: str) -> Path:
    """A repository with nothing in it."""
    subprocess.run(("git", "init", "--quiet", *words, str(place)), check=True)
    return place


if __name__ == "__main__":
    main()
