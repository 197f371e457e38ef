"""Runs to annotate, and their annotations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from templates import made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
@made_once
def runs(repo: Repo) -> Repo:
    """Three runs of echo.py."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo


def shown(repo: Repo, name: str = "1") -> dict[str, object]:
    return json.loads(repo.run("show", "--json", name, check=True).stdout)
