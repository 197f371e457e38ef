"""Runs of repositories with submodules, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from submodules import make_modules

from gitrun import Project

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo
    from submodules import Modules

SHOWS = ("--", "cat", "lib/l.txt", "lib/deep/d.txt")


@pytest.fixture
def here(tmp_path: Path) -> Modules:
    return make_modules(tmp_path, remote=True)


def ran(repo: Repo, *words: str) -> str:
    """The id of a run that was made now."""
    repo.run(*(words or SHOWS), check=True)
    return Project(repo.path).find("1").id
