"""`git run demo`: plays a run's story in a scratch repository, isolated from the user's files and settings."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitrun.commands import declared
from gitrun.errors import CannotRun
from gitrun.git.exe import environment_for_programs, failure_reason, run_git
from gitrun.model.run import short_id
from gitrun.process.run import Command, execute
from gitrun.process.signals import Signals
from gitrun.process.streams import FileStream
from gitrun.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

TRAIN = '''\
"""Learns on which side of a curve points lie: logistic regression by gradient descent."""

import json
import math
import random

lr = 0.5
epochs = 40
seed = 1


def features(x, y):
    return [x, y, 1.0]


def predict(weights, point):
    return 1 / (1 + math.exp(-sum(w * f for w, f in zip(weights, features(*point)))))


rng = random.Random(seed)
points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(500)]
labels = [float(x + y + 2 * x * y + rng.gauss(0, 0.5) > 0) for x, y in points]
weights = [0.0 for _ in features(0, 0)]

for epoch in range(1, epochs + 1):
    chances = [predict(weights, point) for point in points]
    for i in range(len(weights)):
        slope = sum((c - t) * features(*p)[i] for c, t, p in zip(chances, labels, points))
        weights[i] -= lr * slope / len(points)
    if epoch % 20 == 0:
        loss = -sum(math.log(c if t else 1 - c) for c, t in zip(chances, labels)) / len(points)
        print(f"epoch {epoch} loss: {loss:.4f}", flush=True)

with open("model.json", "w") as file:
    json.dump({"weights": weights, "loss": loss}, file)
'''
BEFORE, AFTER = "return [x, y, 1.0]", "return [x, y, x * y, 1.0]"
# the user's signing key, ignored files or line endings must not change the story
SETTINGS = {
    "user.name": "A Newcomer", "user.email": "newcomer@localhost", "commit.gpgSign": "false", "core.autocrlf": "false",
    "core.excludesFile": os.devnull, "core.attributesFile": os.devnull, "gitrun.python": sys.executable,
}  # fmt: skip


@declared.command(add_help_option=False)
@declared.option("--keep", is_flag=True, help="Keep the repository, so that you can go on in it.")
def command(*, keep: bool) -> None:
    r"""Plays a short story in a scratch repository: run, edit, run, restart, needed.

    \b
      git run demo
      git run demo --keep
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # the default action would skip `finally`
        signal.signal(number, signal.default_int_handler)
    # the temporary directory of macOS is reached through a link, and git reports resolved paths
    directory = Path(tempfile.mkdtemp(prefix="git-run-demo-")).resolve()
    keeps = False
    try:
        stage = Stage(directory, demo_environment(os.environ))
        play_story(stage)
        keeps = keep
        stage.say(
            f"The repository is {directory}" if keep else "The repository is deleted now. To keep it: git run demo --keep"
        )
    finally:
        if not keeps:
            shutil.rmtree(directory, ignore_errors=True)


def demo_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the demo: git reads no user settings, and PATH begins with this `git-run`."""
    # a git outside its compiled-in place finds its programs only through GIT_EXEC_PATH
    variables = {
        name: value
        for name, value in environment_for_programs(environ).items()
        if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"
    }
    own = Path(sys.argv[0]).absolute()
    # git looks for `git run` on PATH, and must find this gitrun, not another installation
    if own.name == "git-run" and own.is_file():
        variables["PATH"] = os.pathsep.join(filter(None, [str(own.parent), variables.get("PATH")]))
    # a pager would stop the story at git diff
    own_words = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}
    return variables | own_words


class Stage:
    """The scratch repository. Commands are shown as typed, and really run."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self.directory, self.environ, self.output = directory, environ, FileStream(1)
        # an empty --template keeps hooks of the user's template directory out
        self.prepare("init", "--quiet", "--initial-branch=main", "--template=")
        for name, value in SETTINGS.items():
            self.prepare("config", name, value)
        self.script.write_text(TRAIN)
        self.prepare("add", "train.py")
        self.prepare("commit", "--quiet", "--message=train.py")

    @property
    def script(self) -> Path:
        """Returns the path of the training script."""
        return self.directory / "train.py"

    def prepare(self, *words: str) -> None:
        """Runs git silently. Raises CannotRun."""
        result = run_git(words, self.environ, self.directory)
        if result.returncode:
            raise CannotRun(f"the demo failed: git {words[0]}: {failure_reason(result.stderr)}")

    def say(self, words: str) -> None:
        """Prints a line for the reader."""
        self.output.write(f"{words}\n".encode())

    def show(self, *words: str) -> None:
        """Prints a command as typed and its output. Raises CannotRun if it fails, Abort if interrupted."""
        self.say(f"$ {shlex.join(words)}")
        call = Command(words, self.directory, self.environ, tag="demo", stdin=False)
        with Signals() as signals:
            ended = execute(call, self.directory / ".git" / "shown", self.output, self.output, signals)
        self.say("")  # raises BrokenPipeError first if the reader is gone, which explains a failed command
        if ended.stopped_by:
            raise click.Abort
        if ended.exit_status:
            raise CannotRun(f"the demo failed: '{shlex.join(words)}' ended with {ended.exit_status}")

    def project(self) -> Project:
        """Returns the scratch repository as a Project."""
        return Project(self.directory, environ=self.environ)


def play_story(stage: Stage) -> None:
    """Plays the story: run, run with another flag, edit, run, list, restart, needed. Raises CannotRun."""
    stage.say("A scratch repository with one script, train.py. Its constants lr, epochs and seed are its flags.\n")
    stage.show("git", "run", "train.py")
    first = stage.project().list_runs()[0]
    stage.say("gitrun recorded code, flags, output and model.json. Run it with another learning rate:\n")
    stage.show("git", "run", "train.py", "lr=2.0")
    stage.say("Edit the script, without a commit. The next run uses the edited code:\n")
    stage.script.write_text(TRAIN.replace(BEFORE, AFTER))
    stage.show("git", "diff", "--unified=0", "train.py")
    stage.show("git", "run", "train.py")
    stage.show("git", "run", "list")
    stage.say("Restart the first run. It uses its own code and flags, not the edited script:\n")
    stage.show("git", "run", "--restart", short_id(first.id))
    stage.say("Run only what has not been run yet:\n")
    stage.show("git", "run", "--needed", "train.py", "lr=2.0")
    stage.say("A run is a small hidden branch that git can read. The restart added commits and rewrote none:\n")
    stage.show("git", "log", "--graph", "--oneline", f"runs/{first.id}")
    again = stage.project().find(first.id)
    # the restart has the unedited script and the same seed
    if again.output != first.output:
        raise CannotRun("the demo failed: the restart and its run printed different lines")
