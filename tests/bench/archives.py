"""What very many runs cost plain git, with refs of their own and in an archive: `python tests/bench/archives.py [COUNT]`.

Three clones of one repository: without runs, with COUNT runs, and with COUNT runs in an archive. CPU is user and system time
of a command and its children, the median of ROUNDS rounds that go through the clones in turn.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from many_runs import make

ROUNDS = 5
CLONES = ("none", "refs", "archive")


def git(place: Path, *words: str) -> None:
    """Runs git, and fails if it does."""
    subprocess.run(("git", "-C", place, "-c", "gc.auto=0", *words), check=True, capture_output=True)


def seconds(place: Path, *words: str) -> float:
    """The CPU seconds of one git command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    git(place, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commit(place: Path, name: str) -> None:
    """Makes a commit of one new file."""
    (place / name).write_text(name)
    git(place, "add", name)
    git(place, "commit", "--quiet", "--message", name)


def prepare(top: Path, count: int) -> None:
    """Makes the clones, the remote, and a clone that somebody else works in."""
    make(top / "refs", count)
    for name, value in (("user.name", "A"), ("user.email", "a@example.org")):
        git(top / "refs", "config", name, value)
    git(top, "init", "--quiet", "--bare", "remote.git")
    git(top / "refs", "remote", "add", "o", str(top / "remote.git"))
    git(top / "refs", "push", "--quiet", "o", "HEAD:main")
    git(top / "refs", "fetch", "--quiet", "o")
    for name in ("none", "other"):
        git(top, "clone", "--quiet", "--origin=o", "--branch=main", "remote.git", name)
        shutil.copy(top / "refs" / ".git" / "config", top / name / ".git" / "config")
    shutil.copytree(top / "refs", top / "archive")
    subprocess.run(("git-run", "gc", "--archive"), cwd=top / "archive", check=True, capture_output=True)


def fetch_commit(top: Path, name: str, spent: dict[tuple[str, str], list[float]], what: str) -> None:
    """Has somebody else push a commit, fetches it into each clone, and notes the seconds of that."""
    commit(top / "other", name)
    git(top / "other", "push", "--quiet", "o", "HEAD:main")
    for clone in CLONES:
        spent.setdefault((what, clone), []).append(seconds(top / clone, "fetch", "--quiet", "o"))


def main() -> None:
    """Prints the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    spent: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        prepare(top, count)
        for number in range(ROUNDS):
            fetch_commit(top, f"theirs{number}", spent, "fetch of one commit")
            for clone in CLONES:
                commit(top / clone, f"{clone}{number}")
                words = ("push", "--quiet", "o", f"HEAD:{clone}")
                spent.setdefault(("push of one commit", clone), []).append(seconds(top / clone, *words))
        for clone in CLONES:
            spent["git gc", clone] = [seconds(top / clone, "gc", "--quiet")]
        for number in range(ROUNDS):
            fetch_commit(top, f"later{number}", spent, "fetch of one commit after git gc")
    print(f"| beside {count:,} runs | CPU s without runs | times that: refs | archive |\n|---|---:|---:|---:|")
    for what in dict.fromkeys(what for what, _ in spent):
        none, refs, archive = (statistics.median(spent[what, clone]) for clone in CLONES)
        print(f"| {what} | {none:.3f} | {refs / none:.1f} | {archive / none:.1f} |")


if __name__ == "__main__":
    main()
