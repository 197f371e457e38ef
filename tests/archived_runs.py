"""Runs that are written in one go, and moved into an archive."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from repository import Repo
from templates import copy

from gitrun import Project
from gitrun.model.run import ARCHIVE, RUNS
from gitrun.store.archive_writer import move_to_archive

if TYPE_CHECKING:
    from types import ModuleType

BENCH = Path(__file__).parent / "bench" / "many_runs.py"


def many_runs() -> ModuleType:
    """The module that writes many runs through fast-import."""
    spec = importlib.util.spec_from_file_location("many_runs", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def repository_of(place: Path, count: int) -> Repo:
    """A repository with so many runs, whose refs are packed."""
    return Repo(many_runs().make(place, count))


def refs(repo: Repo, under: str = RUNS) -> dict[str, str]:
    """The objects of the refs below a prefix, by the rest of their names."""
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)", under).splitlines()
    return {line.split()[0].removeprefix(under): line.split()[1] for line in lines}


def archive_all(repo: Repo) -> dict[str, str]:
    """Archives all runs that have refs. Returns their tips by id."""
    tips = refs(repo)
    assert sorted(move_to_archive(Project(repo.path).git, tips)) == sorted(tips)
    return tips


def archive(repo: Repo) -> tuple[str, str]:
    """The name and the last commit of the only archive."""
    ((writer, head),) = refs(repo, ARCHIVE).items()
    return writer, head


@pytest.fixture
def twelve(tmp_path) -> Repo:
    """A repository with twelve archived runs."""
    template = tmp_path.parent / "templates" / "twelve"
    if not template.exists():
        archive_all(repository_of(template, 12))
    return copy(template, tmp_path / "twelve")
