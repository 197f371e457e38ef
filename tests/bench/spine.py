"""What a run costs over the bare program: `python tests/bench/spine.py [--quick] [--json FILE]`.

Every row is measured in the same rounds as what it is compared with, so that a busy machine slows all of them; medians.
CPU is user and system time of a command and all its children, in seconds.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES = {1_000: 0.25, 10_000: 0.40, 100_000: 1.5}
"""Files of the repository, and the CPU seconds over the bare program that a run of it may cost."""
ROUNDS = 9
RUNS, MOST_BYTES = 50, 2048
HELLO = 'x = 1\nprint("hello", x)\n'


@dataclass(frozen=True, slots=True)
class Row:
    """Medians of one command in one repository: seconds, over the bare program, and that as a ratio to others."""

    files: int
    command: str
    cpu: float
    wall: float
    over: float
    limit: float | None
    to_python: float
    to_plumbing: float


def main() -> None:
    """Prints the tables; exit status 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 files, 7 rounds, 10 runs of history")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    sizes, rounds, runs = ([1_000], 7, 10) if options.quick else (list(SIZES), ROUNDS, RUNS)
    with tempfile.TemporaryDirectory(prefix="gitrun-bench-") as name:
        live_in(Path(name))
        rows = [row for files in sizes for row in measure(Path(name) / str(files), files, rounds)]
        history = bytes_a_run(Path(name) / "history", runs)
        rewritten, held = rewritten_files(Path(name) / "slot")
    print_rows(rows)
    print(f"\npacked history of a run: {history} bytes (at most {MOST_BYTES})")
    print(f"files written in a reused slot of {held} when 3 differ: {rewritten}")
    if options.json:
        found = {"rows": [asdict(row) for row in rows], "history": history, "rewritten": rewritten}
        options.json.write_text(json.dumps(found, indent=1))
    broken = history > MOST_BYTES or rewritten > 3 or any(row.limit and row.over > row.limit for row in rows)
    sys.exit(1 if broken else 0)


def live_in(place: Path) -> None:
    """A home, an identity and a PATH of our own; bytecode is written, as it is for a user."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITRUN_", "PYTHON", "VIRTUAL_ENV"))]:
        del os.environ[name]
    config = "[user]\nname = A\nemail = a@example.org\n[gc]\nauto = 0\n[init]\ndefaultBranch = main\n"
    (place / ".gitconfig").write_text(config)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ.update(HOME=str(place), GIT_CONFIG_NOSYSTEM="1", PATH=path, PYTHONPYCACHEPREFIX=str(place / "bytecode"))


def git(repo: Path, *words: str, stdin: str = "", index: Path | None = None) -> str:
    """What `git WORDS` wrote to stdout."""
    environ = {**os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    done = subprocess.run(["git", *words], cwd=repo, env=environ, input=stdin, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def grow(repo: Path, files: int) -> None:
    """A repository of that many files in directories of a hundred, one commit, clean."""
    repo.mkdir()
    git(repo, "init", "-q")
    git(repo, "fast-import", "--quiet", stdin="".join(fast_import(files)))
    git(repo, "reset", "-q", "--hard")
    git(repo, "status")


def fast_import(files: int) -> Iterator[str]:
    """The stream that makes the commit."""
    yield "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 4\nbase\n"
    yield f"M 100644 inline hello.py\ndata {len(HELLO)}\n{HELLO}\n"
    for number in range(files - 1):
        text = f"value = {number}\n"
        yield f"M 100644 inline d{number // 100}/m{number}.py\ndata {len(text)}\n{text}\n"


def soil(repo: Path) -> None:
    """Five changed and five untracked files."""
    for number in range(5):
        (repo / "d0" / f"m{number}.py").write_text("value = 'changed'\n")
        (repo / f"new{number}.py").write_text("value = 'new'\n")


def measure(repo: Path, files: int, rounds: int) -> list[Row]:
    """The rows of one repository size."""
    grow(repo, files)
    soil(repo)
    command(repo, "git", "run", "hello.py")
    run = git(repo, "run", "select", "1")
    plumbing = Plumbing(repo)
    actions: dict[str, Callable[[], None]] = {
        "python -c pass": lambda: command(repo, "python", "-c", "pass"),
        "python hello.py": lambda: command(repo, "python", "hello.py"),
        "raw git plumbing": plumbing.snapshot_and_check_out,
        "git run hello.py": lambda: command(repo, "git", "run", "hello.py"),
        "git run --restart RUN": lambda: command(repo, "git", "run", "--restart", run),
    }
    cost = costs(actions, rounds)
    bare = cost["python hello.py"][0]
    return [
        Row(
            files, name, cpu, wall, over := cpu - bare, SIZES[files] if name.startswith("git run") else None,
            over / cost["python -c pass"][0], over / cost["raw git plumbing"][0],
        )
        for name, (cpu, wall) in cost.items()
    ]  # fmt: skip


def costs(actions: dict[str, Callable[[], None]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median CPU and wall seconds of each action, all of them in every round; the first round warms up."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(rounds + 1):
        for name, action in actions.items():
            before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            action()
            wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
            found[name].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))
    return {
        name: (statistics.median(cpu for cpu, _ in pairs[1:]), statistics.median(wall for _, wall in pairs[1:]))
        for name, pairs in found.items()
    }


def command(repo: Path, *words: str) -> None:
    """Runs a command that must succeed."""
    subprocess.run(words, cwd=repo, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Plumbing:
    """The least that git must be asked for a snapshot and its checkout in a place that is used again."""

    def __init__(self, repo: Path) -> None:
        self.repo, self.index, self.slot = repo, repo / ".git" / "bench-index", repo / ".git" / "bench-slot"
        git(repo, "worktree", "add", "-q", "--detach", str(self.slot))

    def snapshot_and_check_out(self) -> None:
        """Private index, add, write-tree, commit-tree, update-ref, read-tree in the worktree."""
        shutil.copy2(self.repo / ".git" / "index", self.index)
        git(self.repo, "add", "-A", index=self.index)
        tree = git(self.repo, "write-tree", index=self.index)
        made = git(self.repo, "commit-tree", tree, "-p", "HEAD", "-m", "run")
        git(self.repo, "update-ref", "refs/bench/run", made)
        git(self.slot, "read-tree", "--reset", "-u", made)


def bytes_a_run(repo: Path, runs: int) -> int:
    """By how much the packs grow for each run that changes and prints next to nothing."""
    grow(repo, 1_000)
    command(repo, "git", "run", "hello.py")
    before = packed(repo)
    for number in range(runs):
        command(repo, "git", "run", "hello.py", f"x={number}")
    return (packed(repo) - before) // runs


def packed(repo: Path) -> int:
    """Bytes of all packs, after git packed everything."""
    git(repo, "gc", "--quiet")
    return sum(pack.stat().st_size for pack in (repo / ".git" / "objects" / "pack").glob("*.pack"))


def rewritten_files(repo: Path) -> tuple[int, int]:
    """How many files a second run wrote in its slot after two were changed and one was added; how many it holds."""
    grow(repo, 1_000)
    (repo / "where.py").write_text("import os\nprint(os.getcwd())\n")
    slot = Path(git(repo, "run", "where.py"))
    before = stamps(slot)
    for name in ("d0/m0.py", "d1/m100.py", "d1/added.py"):
        (repo / name).write_text("value = 'edited'\n")
    git(repo, "run", "where.py")
    after = stamps(slot)
    return sum(before.get(path) != stamp for path, stamp in after.items()), len(after)


def stamps(top: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of every file of the source."""
    found = {path: path.stat() for path in top.rglob("*.py")}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


def print_rows(rows: list[Row]) -> None:
    """The table, in Markdown."""
    print("| files | command | CPU s | wall s | over the program | limit | x `python -c pass` | x raw git |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        limit = f"{row.limit:.2f}" if row.limit else ""
        ratios = f"{row.to_python:.1f} | {row.to_plumbing:.1f}" if row.limit else " | "
        over = f"{row.over:.3f}" if row.limit else ""
        print(f"| {row.files:,} | `{row.command}` | {row.cpu:.3f} | {row.wall:.3f} | {over} | {limit} | {ratios} |")


if __name__ == "__main__":
    main()
