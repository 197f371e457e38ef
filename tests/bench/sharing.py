"""What sharing very many runs costs beside git's own push and fetch: `python tests/bench/sharing.py [COUNT [ROUNDS]]`."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from many_runs import make

SPEC = "refs/runs/*:refs/runs/*"


def measured(name: str, place: Path, *words: str) -> None:
    """Runs the words and prints how long it took: wall and CPU seconds, of all processes."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, cwd=place, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:<12} {time.monotonic() - begun:6.2f} wall {cpu:6.2f} CPU")


def fresh(place: Path, *words: str) -> Path:
    """A new repository at the place, whatever was there."""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run(["git", "init", "--quiet", *words, place], check=True)
    return place


def main(count: int = 10_000, rounds: int = 3) -> None:
    """Prints the figures of each round, git's own and ours in turn: other work on the machine hits both."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        source, full = make(top / "source", count), fresh(top / "full.git", "--bare")
        subprocess.run(["git", "push", "--quiet", full, SPEC], cwd=source, check=True)
        subprocess.run(["git", "pack-refs", "--all"], cwd=full, check=True)
        for _ in range(rounds):
            measured("git fetch", fresh(top / "clone"), "git", "fetch", "--quiet", str(full), SPEC)
            measured("git run fetch", fresh(top / "clone"), "git", "run", "fetch", "--quiet", str(full))
            measured("  again", top / "clone", "git", "run", "fetch", "--quiet", str(full))
            for title, words in (("git push", ("push", "--quiet")), ("git run push", ("run", "push", "--quiet", "--all"))):
                empty = str(fresh(top / "empty.git", "--bare"))
                measured(title, source, "git", *words, empty, *(() if "run" in words else (SPEC,)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
