"""A project whose runs the real Guild made: in an environment of its own, since it needs Python 3.11 and numpy 1."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TRAIN = """\
lr = 0.1
epochs = 3
size = 1
for step in range(epochs):
    print(f"step: {step}")
    print(f"loss: {lr * size / (step + 1)}")
open("model.txt", "w").write(f"{lr}\\n")
"""
PREPARE = """\
n = 10
open("data.txt", "w").write("x\\n" * n)
"""
GUILD = """\
- model: m
  sourcecode:
    - include: '*.py'
    - include: guild.yml
  operations:
    prepare:
      main: prepare
      flags-import: all
    train:
      description: Train it
      main: train
      pip-freeze: no
      flags: {lr: 0.1, epochs: 3, size: 1}
      requires:
        - operation: prepare
          select: data.txt
    pipe:
      steps:
        - run: prepare n=5
        - run: train lr=0.3
    shell:
      exec: sh -c 'echo loss:${x}'
      flags: {x: 5}
    fail:
      exec: sh -c 'exit 3'
"""
CANARY = "CANARY-of-the-environment-41c7"
REQUIREMENTS = ("guildai==0.9.0", "numpy<2", "setuptools<80", "pip")


@dataclass(frozen=True)
class GuildProject:
    """A repository at `path` with a Guild home at `home`, and how to call Guild in it."""

    path: Path
    home: Path
    program: Path

    def guild(self, *words: str) -> str:
        """What `guild WORDS` wrote. Raises CalledProcessError unless it ended well or the operation failed."""
        # with the variable of the test environment, Guild would compile itself again for each of 200 runs
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "GUILD_HOME": str(self.home),
            "MY_SETTING": CANARY,
            "PATH": f"{self.program.parent}:{os.environ['PATH']}",
        }
        ended = subprocess.run(
            [self.program, *words], cwd=self.path, env=environment, capture_output=True, text=True, timeout=3000, check=False
        )
        assert ended.returncode in {0, 3}, ended.stderr
        return ended.stdout


def install_guild(directory: Path) -> Path:
    """The path of a fresh Guild; the test is skipped with a reason where it cannot be installed."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    python = directory / "bin/python"
    steps = (
        [uv, "venv", "--quiet", "--python", "3.11", directory],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *REQUIREMENTS],
    )
    for words in steps:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode:
            pytest.skip(f"Guild cannot be installed: {ended.stderr.strip()[-200:]}")
    return directory / "bin/guild"


@pytest.fixture(scope="session")
def guild_project(tmp_path_factory) -> GuildProject:
    """A project with 200 runs: a batch of 184, a kept batch of two, a pipeline, a restarted run, a failed one, and others.

    Making it takes minutes: the variable GITRUN_GUILD_PROJECT names a directory with one that is used again.
    """
    kept = os.environ.get("GITRUN_GUILD_PROJECT")
    if kept and (Path(kept) / "made").exists():
        return GuildProject(Path(kept) / "project", Path(kept) / "home", Path(kept) / "venv/bin/guild")
    top = Path(kept) if kept else tmp_path_factory.mktemp("guild")
    top.mkdir(exist_ok=True)
    project = GuildProject(top / "project", top / "home", install_guild(top / "venv"))
    project.path.mkdir()
    project.home.mkdir()
    for name, text in (("train.py", TRAIN), ("prepare.py", PREPARE), ("guild.yml", GUILD)):
        (project.path / name).write_text(text)
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=project.path, check=True)
    project.guild("run", "-y", "prepare")
    project.guild("run", "-y", "train", "lr=0.2", "--label", "first try", "--tag", "paper", "--comment", "looks good")
    project.guild("run", "-y", "train", "lr=[0.5,0.6]", "--keep-batch")
    project.guild("run", "-y", "pipe")
    project.guild("run", "-y", "shell", "x=7")
    project.guild("run", "-y", "fail")
    project.guild("run", "-y", "train.py", "lr=0.7")
    key = project.guild("select", "-Fo", "m:train", "-Fl", "first try").split()[0]
    project.guild("run", "-y", "--restart", key, "lr=0.9")
    project.guild("mark", "-y", key)
    project.guild("run", "-y", "train", "lr=[0.1,0.2,0.3,0.4]", "size=range[1:48]")
    (top / "made").touch()
    return project
