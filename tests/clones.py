"""Two people and the bare repository between them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from repository import ECHO, Repo
from templates import place_made_once

from gitrun import Project

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Team:
    """The bare repository `remote`, and the clones of it that Ann and Bob work in."""

    remote: Repo
    ann: Repo
    bob: Repo


@place_made_once
def make_team(place: Path) -> Team:
    """Both have the one commit of `echo.py` that Ann has pushed."""
    subprocess.run(["git", "init", "--quiet", "--bare", place / "remote.git"], check=True)
    ann = Repo.create(place / "ann")
    ann.write("echo.py", ECHO)
    ann.commit("echo")
    ann.git("remote", "add", "origin", str(place / "remote.git"))
    ann.git("push", "--quiet", "--set-upstream", "origin", "main")
    bob = clone(place / "remote.git", place / "bob")
    bob.know_machine()
    for repo, name in ((ann, "Ann"), (bob, "Bob")):
        repo.git("config", "user.name", name)
    return Team(Repo(place / "remote.git"), ann, bob)


def clone(source: Path | str, place: Path, *words: str) -> Repo:
    """A clone of the repository at a path or URL."""
    subprocess.run(["git", "clone", "--quiet", *words, source, place], check=True)
    return Repo(place)


def tip(repo: Repo, under: str = "refs/runs") -> dict[str, str]:
    """The tips of the runs by id."""
    lines = repo.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", under).splitlines()
    return dict(line.split() for line in lines)


@pytest.fixture
def team(tmp_path):
    return make_team(tmp_path)


def run(repo: Repo, **flags: object) -> str:
    """The id of a new run of `echo.py`."""
    return Project(repo.path).run("echo.py", flags=flags).id
