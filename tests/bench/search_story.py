"""A search over a real model, told from its first trial to its verification by somebody else: by hand, in some minutes.

`python tests/bench/search_story.py [--trials N] [--kills N] [DIRECTORY]`

Searches with tpe and the median pruner, two trials at a time, over an scikit-learn network on handwritten digits. The search is
killed with SIGKILL several times and restarted each time, extended by a third, compared, reported, and pushed. Then somebody
else fetches it, trusts it and verifies its best trial. Last, a grid over ten commits and three learning rates runs and is
bisected. Prints what was seen; ends with an error where it is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TRAIN = """\
import argparse
import warnings

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--alpha", type=float, default=0.0001)
parser.add_argument("--units", type=int, default=16)
parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
parser.add_argument("--epochs", type=int, default=15)
args = parser.parse_args()
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.3, random_state=0)
model = MLPClassifier(
    (args.units,), activation=args.activation, alpha=args.alpha, learning_rate_init=args.lr, random_state=0
)
for epoch in range(args.epochs):
    model.partial_fit(x_train, y_train, classes=range(10))
    print(f"epoch: {epoch}  loss: {model.loss_:.6f}  error: {1 - model.score(x_test, y_test):.6f}", flush=True)
"""
SPACE = ("lr=loguniform[0.0005:0.1]", "alpha=loguniform[1e-6:1e-2]", "units=[4:64]", "activation=[relu,tanh]")
OPTIONS = ("--optimizer", "tpe", "--prune", "median", "--minimize", "error", "--jobs", "2", "--random-seed", "7")


def say(text: str) -> None:
    """Writes a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def git(place: Path, *words: str) -> str:
    """What `git WORDS` writes to stdout. Raises CalledProcessError."""
    return subprocess.run(["git", *words], cwd=place, check=True, stdout=subprocess.PIPE, text=True).stdout


def runs(place: Path, operation: str) -> list[dict]:
    """The runs of an operation as JSON, newest first."""
    found = json.loads(git(place, "run", "list", "--all", "--flat", "--json"))
    return [run for run in found if run["operation"] == operation]


def search(place: Path, *words: str, kill_after: float | None = None) -> int:
    """Runs `git run WORDS`, killed with SIGKILL after some seconds. Returns its exit status."""
    with (place.parent / "search.log").open("ab") as log:
        process = subprocess.Popen(["git-run", *words], cwd=place, stdout=log, stderr=log, start_new_session=True)
        try:
            return process.wait(kill_after)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            return process.wait()


def require_whole(place: Path, batch: str, trials: int) -> None:
    """Raises AssertionError unless the batch has exactly these trials, each ended once, with flags of its own."""
    of_batch = [run for run in runs(place, "train.py") if run["batch"] == batch]
    assert sorted(run["trial"] for run in of_batch) == list(range(1, trials + 1))
    assert {run["status"] for run in of_batch} <= {"completed", "pruned"}, Counter(run["status"] for run in of_batch)
    assert len({json.dumps(run["flags"], sort_keys=True) for run in of_batch}) == trials
    assert git(place, "fsck", "--strict", "--no-dangling", "--no-progress") == ""
    subprocess.run(["git", "run", "doctor"], cwd=place, check=True, stdout=subprocess.DEVNULL)


def tell_search(place: Path, trials: int, kills: int) -> str:
    """Searches with interruptions, extends the search, and shares it. Returns the id of the batch."""
    chance = random.Random(1)
    search(place, "train.py", *SPACE, *OPTIONS, "--max-trials", str(trials), kill_after=20)
    (batch,) = (run["id"] for run in runs(place, "train.py+"))
    for kill in range(1, kills):
        status = search(place, "--restart", batch, "--jobs", "2", kill_after=chance.uniform(5, 20))
        say(f"kill {kill + 1}: exit status {status}, {len(runs(place, 'train.py'))} trials begun")
    begun = time.monotonic()
    assert search(place, "--restart", batch, "--jobs", "2") == 0
    require_whole(place, batch, trials)
    say(f"the rest of {trials} trials: {time.monotonic() - begun:.0f} s")
    more = trials + trials // 3
    assert search(place, "--restart", batch, "--max-trials", str(more), "--jobs", "2") == 0
    require_whole(place, batch, more)
    statuses = Counter(run["status"] for run in runs(place, "train.py"))
    say(f"extended to {more} trials: {statuses['completed']} completed, {statuses['pruned']} pruned")
    say(git(place, "run", "compare", batch, "--top", "3"))
    (place.parent / "report.html").write_text(git(place, "run", "report", batch, "--format", "html"))
    git(place, "run", "push", "--no-scan", "origin", batch)
    return batch


def tell_review(place: Path, batch: str) -> None:
    """Somebody else fetches the search, trusts it, and verifies its best trial."""
    other = place.parent / "other"
    git(place.parent, "clone", "--quiet", "shared.git", "other")
    git(other, "run", "fetch", "--quiet", "origin", batch)
    git(other, "run", "trust", batch)
    assert len(runs(other, "train.py")) == len(runs(place, "train.py"))
    say(git(other, "run", "verify", batch))


def tell_commits(place: Path) -> None:
    """A grid over ten commits and three learning rates, and the commit that made the error worse."""
    base = git(place, "rev-parse", "HEAD").strip()
    for number in range(1, 11):
        text = TRAIN.replace('"--epochs", type=int, default=15', f'"--epochs", type=int, default={15 if number < 7 else 1}')
        (place / "train.py").write_text(f"# version {number}\n{text}")
        git(place, "commit", "--quiet", "--all", f"--message=Version {number}")
    subprocess.run(
        ["git", "run", "--at", f"{base}..HEAD", "train.py", "lr=[0.003,0.01,0.03]", "--jobs", "2"],
        cwd=place, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    bases = Counter(run["base"] for run in runs(place, "train.py") if run["base"] != base)
    assert sorted(bases.values()) == [3] * 10, bases
    before = len(runs(place, "train.py"))
    output = git(place, "run", "bisect", "--good", "HEAD~9", "--bad", "HEAD", "error<0.15", "train.py", "lr=0.01")
    say(output)
    assert git(place, "log", "--format=%h", "-1", "HEAD~3").strip()[:7] in output
    say(f"bisect: {len(runs(place, 'train.py')) - before} new runs")


def main() -> None:
    """Tells the story in a directory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--kills", type=int, default=3)
    words = parser.parse_args()
    directory = words.directory or Path(tempfile.mkdtemp())
    place = directory / "project"
    place.mkdir(parents=True)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    git(directory, "init", "--quiet", "--bare", "--initial-branch=main", "shared.git")
    git(place, "init", "--quiet", "--initial-branch=main")
    (place / "train.py").write_text(TRAIN)
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--message=Train")
    git(place, "remote", "add", "origin", "../shared.git")
    git(place, "push", "--quiet", "origin", "main")
    batch = tell_search(place, words.trials, words.kills)
    tell_review(place, batch)
    tell_commits(place)
    say(f"all is in {directory}")


if __name__ == "__main__":
    main()
