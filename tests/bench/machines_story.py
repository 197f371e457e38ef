"""A search on four workers in two clones, whose workers are killed again and again: by hand, in some minutes.

`python tests/bench/machines_story.py [--trials N] [--every SECONDS] [DIRECTORY]`

A scheduler and four workers of Dask, two in each of two clones, execute a grid and then a search with tpe, over a real bare
remote. Every few seconds a worker is killed with all its processes, and another one comes in its clone. The same batches then
run on this machine alone, with the same seed. The grids must have the same best trial; the proposals of tpe must come out
again from the record of what each of them knew. Prints what was seen; ends with an error where it is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

TRAIN = """\
import argparse
import time

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, default=0.0)
parser.add_argument("--y", type=float, default=0.0)
args = parser.parse_args()
time.sleep(0.3)
print(f"loss: {(args.x - 3) ** 2 + (args.y + 2) ** 2 + 1:.9f}")
"""
SEED = ("--random-seed", "7", "--minimize", "loss")
WORKERS = 4


def say(text: str) -> None:
    """Writes a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def git(place: Path, *words: str) -> str:
    """What `git WORDS` writes to stdout. Raises CalledProcessError."""
    done = subprocess.run(["git", *words], cwd=place, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout


def require(holds: bool, what: str) -> None:
    """Ends the story if something is not as it should be."""
    if not holds:
        sys.exit(f"not so: {what}")
    say(f"  {what}")


class Machines:
    """A scheduler, and workers of Dask in clones."""

    def __init__(self, top: Path, clones: list[Path]) -> None:
        self.file, self.clones = top / "scheduler.json", clones
        words = ("dask_scheduler", "--port", "0", "--scheduler-file", str(self.file), "--no-dashboard")
        self.scheduler = self.launch(top, *words)
        while not self.file.exists() or not self.file.read_text().endswith("}"):
            time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [(place, self.add(place)) for place in clones for _ in range(WORKERS // len(clones))]
        self.kills = 0

    def launch(self, place: Path, tool: str, *words: str) -> subprocess.Popen[bytes]:
        """Starts a program of Dask, with a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{tool}", *words], cwd=place, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def add(self, place: Path) -> subprocess.Popen[bytes]:
        """Starts a worker in a clone."""
        words = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--death-timeout", "10")
        return self.launch(place, "dask_worker", self.address, *words)

    def kill_one(self) -> None:
        """Kills the oldest worker with all that it has started, and starts another one in the same clone."""
        place, victim = self.workers.pop(0)
        end_group(victim)
        self.kills += 1
        self.workers.append((place, self.add(place)))

    def end(self) -> None:
        """Ends all."""
        for process in (*(worker for _, worker in self.workers), self.scheduler):
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def drive(place: Path, machines: Machines, every: float, *words: str) -> tuple[float, int]:
    """Runs a batch on the machines, one of which is killed every few seconds. Returns the seconds, and the number of kills."""
    began, before = time.monotonic(), machines.kills
    with (place.parent / "driver.log").open("ab") as log:
        driver = subprocess.Popen(["git-run", *words, "--on", machines.address], cwd=place, stdout=log, stderr=log)
        while driver.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                driver.wait(every)
                break
            machines.kill_one()
    require(driver.returncode == 0, "the driver ends with 0")
    return time.monotonic() - began, machines.kills - before


def read_batch(place: Path) -> tuple[str, list[dict]]:
    """The id of the newest batch, and its trials by number."""
    found = json.loads(git(place, "run", "list", "--all", "--flat", "--json"))
    batch = next(run["batch"] for run in found if run["batch"])
    return batch, sorted((run for run in found if run["batch"] == batch), key=lambda run: run["trial"])


def check_results(driver: Path, others: list[Path], count: int) -> tuple[str, list[dict]]:
    """Each trial has one completed attempt, and git finds no fault anywhere. Returns batch and trials."""
    batch, trials = read_batch(driver)
    require([run["trial"] for run in trials] == [*range(1, count + 1)], f"the driver has all {count} trials")
    logs = [json.loads(git(driver, "run", "log", run["id"], "--json")) for run in trials]
    completed = Counter([one["status"] for one in log].count("completed") for log in logs)
    require(completed == {1: count}, "each has exactly one completed attempt")
    attempts = Counter(len(log) for log in logs)
    say(f"  attempts of a trial, staged ones included: {dict(sorted(attempts.items()))}")
    say(f"  executed by: {dict(Counter(run['worker'] for run in trials))}")
    for place in (driver, *others):
        git(place, "fsck", "--strict", "--no-dangling")
    require(git(driver, "run", "doctor") == "", "doctor and fsck are silent in all repositories")
    return batch, trials


def best_of(trials: list[dict]) -> dict:
    """The trial with the smallest loss."""
    return min(trials, key=lambda run: (run["metrics"]["loss"], run["trial"]))


def make_repositories(top: Path) -> tuple[Path, Path, list[Path]]:
    """The driver's repository, the bare remote, and two clones."""
    driver, remote, clones = top / "driver", top / "remote.git", [top / "first", top / "second"]
    git(top, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(top, "init", "--quiet", "--initial-branch=main", str(driver))
    for name, value in (("user.name", "Ann"), ("user.email", "ann@example.org")):
        git(driver, "config", name, value)
    (driver / "train.py").write_text(TRAIN)
    git(driver, "add", ".")
    git(driver, "commit", "--quiet", "--message=Train")
    git(driver, "remote", "add", "origin", str(remote))
    git(driver, "push", "--quiet", "origin", "main")
    for place in clones:
        git(top, "clone", "--quiet", str(remote), str(place))
    return driver, remote, clones


def tell_story(top: Path, count: int, every: float) -> None:
    """Runs both batches, elsewhere and here, and compares them."""
    driver, remote, clones = make_repositories(top)
    side = round(count**0.5)
    grid = ("train.py", f"x=linspace[0:6:{side}]", f"y=linspace[-6:3:{side}]", *SEED)
    search = ("train.py", "x=[-10.0:10.0]", "y=[-10.0:10.0]", "--optimizer", "tpe", "--max-trials", str(count), *SEED)
    machines = Machines(top, clones)
    try:
        for name, words, total in (("grid", grid, side * side), ("tpe", search, count)):
            say(f"{name}: {total} trials on {WORKERS} workers in {len(clones)} clones, a worker killed every {every:g} s")
            seconds, kills = drive(driver, machines, every, *words)
            say(f"  {seconds:.0f} s, {kills} workers killed")
            batch, elsewhere = check_results(driver, [remote, *clones], total)
            git(driver, "run", *words, "--jobs", "2", "--quiet-trials")
            _, here = read_batch(driver)
            far, near = best_of(elsewhere), best_of(here)
            losses = [f"#{best['trial']} {best['metrics']['loss']:g}" for best in (far, near)]
            say(f"  best elsewhere: {losses[0]}; here: {losses[1]}")
            if name == "grid":
                same = (far["trial"], far["flags"], far["metrics"]["loss"])
                require(same == (near["trial"], near["flags"], near["metrics"]["loss"]), "both have the same best trial")
            else:
                verdict = subprocess.run(
                    ["git-run", "verify", batch, "--json"], cwd=driver, stdout=subprocess.PIPE, check=False, text=True
                )
                say(f"  verify: {verdict.stdout.strip()[:400]}")
                require(verdict.returncode == 0, "all proposals come out again from what each of them knew")
    finally:
        machines.end()


def main() -> None:
    """Reads the options and tells the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", help="an empty directory; default: a temporary one")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    options = parser.parse_args()
    if options.directory:
        tell_story(options.directory, options.trials, options.every)
        return
    with tempfile.TemporaryDirectory() as directory:
        tell_story(Path(directory), options.trials, options.every)


if __name__ == "__main__":
    main()
