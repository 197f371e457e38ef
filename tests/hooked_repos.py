"""Repositories with the hooks of gitrun, and what git does in them."""

from __future__ import annotations

import os
import subprocess

import pytest
from clones import make_team
from templates import made_once, place_made_once

from gitrun import Project


@pytest.fixture
@made_once
def hooked(repo):
    """A repository with our hooks."""
    repo.run("hooks", "install", check=True)
    return repo


@pytest.fixture
@place_made_once
def hooked_team(tmp_path):
    """Ann has our hooks, and so has the server."""
    team = make_team(tmp_path)
    team.ann.run("hooks", "install", check=True)
    team.remote.run("hooks", "install", check=True)
    return team


def start(repo, **flags: object) -> str:
    return Project(repo.path).run("echo.py", flags=flags).id


def trailers(repo, commit: str = "HEAD") -> list[str]:
    return repo.git("log", "-1", "--format=%(trailers:key=Run,valueonly)", commit).split()


def commit(repo, *words: str, editor: str = ":", **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "GIT_EDITOR": editor, **more}
    return subprocess.run(["git", "commit", "-q", *words], cwd=repo.path, env=env, capture_output=True, text=True, check=False)


def push(repo, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "push", *words], cwd=repo.path, capture_output=True, text=True, check=False)
