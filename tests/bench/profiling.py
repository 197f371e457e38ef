"""What a verb is made of: gits that are started, modules that are imported, system calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharing import empty
from spine import HELLO, git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERBS: dict[str, tuple[str, ...]] = {
    "start of a script": ("hello.py",),
    "start of a command": ("--", "true"),
    "restart": ("--restart", "1"),
    "--needed, skipped": ("--needed", "hello.py"),
    "list": ("list",),
    "select": ("select", "1"),
    "show": ("show", "1"),
    "log": ("log", "1"),
    "diff": ("diff", "1", "2"),
    "compare": ("compare",),
    "tag": ("tag", "a", "1"),
    "untag": ("tag", "-d", "a", "1"),
    "push": ("push", "origin"),
    "push again": ("push", "origin"),
    "fetch": ("fetch", "origin"),
    "rm": ("rm", "1"),
    "restore": ("restore", "--all"),
}
ROUNDS = 3
LONG = 3_000
"""Microseconds from which on a module is named: its own, without those that it imports."""
IMPORT = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|\s*(\S+)")
SYSCALLS = re.compile(r"^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Makeup:
    """Gits by their first word, number of modules and milliseconds that they take, those over 3 ms, system calls."""

    verb: str
    gits: dict[str, int]
    modules: int
    importing: float
    long: dict[str, float]
    calls: int | None


def profile(place: Path) -> list[Makeup]:
    """What each verb is made of, in a small repository with a remote."""
    repo = place / "profile"
    repo.mkdir()
    git(repo, "init", "-q")
    (repo / "hello.py").write_text(HELLO)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "base")
    git(repo, "remote", "add", "origin", str(empty(place / "remote.git", "--bare")))
    for number in range(9):
        run(repo, ("hello.py", f"x={number}"))
    return [makeup(repo, verb, words) for verb, words in VERBS.items()]


def makeup(repo: Path, verb: str, words: Sequence[str]) -> Makeup:
    """What one verb is made of; it is done some times, and the least that an import took is taken."""
    spawned = gits(repo, words)
    found: dict[str, int] = {}
    for _ in range(ROUNDS):
        for own, _, name in IMPORT.findall(run(repo, words, PYTHONPROFILEIMPORTTIME="1").stderr):
            found[name] = min(int(own), found.get(name, int(own)))
    long = {name: own / 1000 for name, own in found.items() if own >= LONG}
    return Makeup(verb, spawned, len(found), sum(found.values()) / 1000, long, calls(repo, words))


def gits(repo: Path, words: Sequence[str]) -> dict[str, int]:
    """How many gits of which sub-command are started, the first one and those that git itself starts too."""
    traces = repo.parent / "traces"
    shutil.rmtree(traces, ignore_errors=True)
    traces.mkdir()
    run(repo, words, GIT_TRACE2_EVENT=str(traces))
    events = (json.loads(line) for trace in traces.iterdir() for line in trace.read_text().splitlines())
    names = (event["name"] for event in events if event["event"] == "cmd_name")
    return dict(Counter(name for name in names if name != "_run_dashed_").most_common())  # the `git run` that has begun


def calls(repo: Path, words: Sequence[str]) -> int | None:
    """How many system calls there are, with those of all children; None where there is no strace."""
    if not shutil.which("strace"):
        return None
    done = run(repo, words, before=("strace", "-qq", "-c", "-f", "-o", str(repo.parent / "calls")))
    total = SYSCALLS.search((repo.parent / "calls").read_text())
    return int(total[1]) if total and done.returncode == 0 else None


def run(repo: Path, words: Sequence[str], before: Sequence[str] = (), **environ: str) -> subprocess.CompletedProcess[str]:
    """The ended `git run WORDS`."""
    return subprocess.run(
        (*before, "git", "run", *words),
        cwd=repo,
        env={**os.environ, **environ},
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def table(found: Sequence[Makeup]) -> str:
    """The table, in Markdown."""
    lines = [
        "| verb | gits | of them | modules | importing ms | over 3 ms | system calls |",
        "|---|---:|---|---:|---:|---|---:|",
    ]
    for one in found:
        gits = ", ".join(f"{name} {count}" if count > 1 else name for name, count in one.gits.items())
        long = ", ".join(f"{name} {own:.0f}" for name, own in one.long.items())
        total, calls = sum(one.gits.values()), f"{one.calls:,}" if one.calls else ""
        lines.append(f"| {one.verb} | {total} | {gits} | {one.modules} | {one.importing:.0f} | {long} | {calls} |")
    return "\n".join(lines)
