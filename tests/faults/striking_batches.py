"""A batch of twelve points struck at a numbered system call, and what must hold once it was restarted until it is done.

`python tests/faults/striking_batches.py --faults all,supervisor --every 5` strikes it at each fifth point and prints figures.
All points take hours: `--seconds 3600` ends after an hour and says where to go on, with `--from`.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.striking import ERRORS, FAULTS, heal, say, sound, strike
from repository import Repo

from gitrun import Project
from gitrun.errors import GitrunError

COUNT = 12
LIST = f"n=[{','.join(map(str, range(1, COUNT + 1)))}]"
WORDS = ("git-run", LIST, "--minimize", "loss", "--", "sh", "-c", "echo loss: {n}; echo {n} > made")
TRIES = 6


@dataclass(frozen=True)
class BatchPlace:
    """Where a batch is struck: a working copy that is brought back to the template before each strike."""

    path: Path

    @property
    def repo(self) -> Repo:
        return Repo(self.path / "work")

    @classmethod
    def create(cls, path: Path) -> BatchPlace:
        """A repository with two runs, so that slots and index are there."""
        place = cls(path)
        repo = Repo.create(path / "template")
        repo.write("made.txt", "x\n")
        repo.commit("first")
        for n in (1, 2):
            repo.run(f"m={n}", "--", "sh", "-c", "echo {m}", check=True)
        return place

    def bring_back(self) -> None:
        """Makes the working copy as it was."""
        shutil.rmtree(self.repo.path, ignore_errors=True)
        shutil.copytree(self.path / "template", self.repo.path, symlinks=True)


def strike_at(place: BatchPlace, fault: str, at: int, jobs: int = 1):
    """What became of the batch with the fault at that point, in a place that is as it was."""
    place.bring_back()
    words = (*WORDS[:2], "--jobs", str(jobs), *WORDS[2:])
    return strike(place.repo, words, at=at, within=str(place.path), **FAULTS[fault])


def finish(repo: Repo, *, looks_first: bool) -> int:
    """Restarts the batch until it is done. Returns how often. Starts it if the strike left none."""
    if looks_first:
        listed = repo.run("list")
        assert (listed.returncode, "Traceback" in listed.stderr) == (0, False), listed.stderr
    for count in range(TRIES):
        batches = [run for run in Project(repo.path).list_runs() if run.operation.endswith("+")]
        assert len(batches) <= 1, batches
        counts = batches[0].attempt.counts if batches else None
        # a trial whose program alone was killed is terminated, and the batch goes on without it
        if batches and batches[0].status == "completed" and counts and counts.completed == COUNT:
            return count
        words = ("--restart", batches[0].id) if batches else WORDS[1:]
        ended = repo.run(*words)
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.returncode == 0, ended.stderr
    raise AssertionError(f"{TRIES} restarts did not complete the batch")


def check(repo: Repo) -> None:
    """Fails unless each point has one completed trial, and the repository is sound."""
    (batch,) = [run for run in Project(repo.path).list_runs() if run.operation.endswith("+")]
    trials = Project(repo.path).trials(batch)
    assert Counter(trial.flags["n"] for trial in trials) == Counter(range(1, COUNT + 1)), [dict(one.flags) for one in trials]
    assert {trial.status for trial in trials} == {"completed"}
    assert sorted(trial.attempt.trial for trial in trials) == sorted({trial.attempt.trial for trial in trials})
    assert {trial.metrics["loss"] for trial in trials} == set(range(1, COUNT + 1))
    # an attempt that carries the same file over has produced none
    assert {repo.git("show", f"{trial.tip}:made").strip() for trial in trials} == {str(n) for n in range(1, COUNT + 1)}
    counts = batch.attempt.counts
    assert (counts.total, counts.completed, counts.pending, counts.best.value) == (COUNT, COUNT, 0, 1.0), counts
    everything = Project(repo.path).list_all()
    assert len(everything) == COUNT + 3, [run.id for run in everything]
    sound(repo)
    heal(repo)


@dataclass(frozen=True)
class Strikes:
    """How many points there are, at which the batch was struck, and what went wrong."""

    points: int
    struck: range
    wrong: list[str]


def strike_all(place: BatchPlace, fault: str, chosen: slice, jobs: int, end: float) -> Strikes:
    """Strikes the batch at the points that are chosen, until the time (monotonic) of the end."""
    points = strike_at(place, fault, 0, jobs).points
    wrong = []
    numbers = range(1, points + 1)[chosen]
    for count, at in enumerate(numbers):
        if time.monotonic() >= end:
            return Strikes(points, numbers[:count], wrong)
        said = ""
        try:
            struck = strike_at(place, fault, at, jobs)
            said = f"{struck.struck}\n{struck.err[:3000]}"
            assert "Traceback" not in struck.err
            if fault in ERRORS and " by sh " in struck.struck:  # the program's own write: its trial failed, and stays so
                sound(place.repo)
                heal(place.repo)
                continue
            finish(place.repo, looks_first=bool(at % 2))
            check(place.repo)
        except (AssertionError, GitrunError, OSError, sqlite3.Error, subprocess.SubprocessError) as error:
            wrong.append(f"{fault} at {at} of {points}: {type(error).__name__} {str(error)[:1500]}\n{said}")
    return Strikes(points, numbers, wrong)


def main() -> None:
    """Strikes as is asked for, and prints figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long to strike each fault at most")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        place = BatchPlace.create(Path(temp).resolve())
        for fault in given.faults.split(","):
            begun = time.monotonic()
            done = strike_all(place, fault, slice(given.first, None, given.every), given.jobs, begun + given.seconds)
            figures = f"{done.points:5} points, {len(done.struck):4} strikes, {len(done.wrong)} wrong"
            last = f"the last at {done.struck[-1]}" if done.struck else "none"
            say(f"{fault:10} {given.jobs} jobs {figures}, {time.monotonic() - begun:.0f} s, {last}")
            say(*(f"  {one}" for one in done.wrong))


if __name__ == "__main__":
    main()
