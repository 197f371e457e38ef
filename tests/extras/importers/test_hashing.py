"""Ids of objects are those that git gives."""

from __future__ import annotations

import pytest
from repository import Repo

from gitrun import Project
from gitrun.extras.importers.hashing import Hasher
from gitrun.git.objects import Entry
from gitrun.model.tree import EXECUTABLE, FILE, TREE


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo.create(tmp_path / "project")


def test_ids_of_blobs_are_those_of_git(repo) -> None:
    repo.write("a", b"x\0y\n")
    assert Hasher(Project(repo.path).git).identify("blob", b"x\0y\n") == repo.git("hash-object", "a")


def test_ids_of_trees_are_those_of_git(repo) -> None:
    # git sorts `a` as `a/`, behind `a.b`
    repo.write("a/x", "1")
    repo.write("a.b", "2").chmod(0o755)
    repo.write("a0", "3")
    repo.commit()
    hasher = Hasher(Project(repo.path).git)
    blobs = [hasher.identify("blob", data) for data in (b"1", b"2", b"3")]
    inner = hasher.make({b"x": Entry(FILE, blobs[0])})
    entries = {b"a0": Entry(FILE, blobs[2]), b"a": Entry(TREE, inner), b"a.b": Entry(EXECUTABLE, blobs[1])}
    assert hasher.make(entries) == repo.git("rev-parse", "HEAD^{tree}")
