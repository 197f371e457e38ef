"""A repository with two runs, which tests of upkeep damage."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from repository import ECHO, Repo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """How to get the place of a repository with two runs."""
    place = tmp_path_factory.mktemp("template") / "repo"

    def made() -> Path:
        if not place.exists():
            repo = Repo.create(place)
            repo.write("echo.py", ECHO)
            repo.commit("echo")
            repo.run("echo.py", check=True)
            repo.run("echo.py", "x=2", check=True)
        return place

    return made


@pytest.fixture
def lived(template, tmp_path):
    """A repository with two runs, and a slot whose files git has just looked at."""
    place = tmp_path / "repo"
    shutil.copytree(template(), place, symlinks=True)
    return Repo(place)
