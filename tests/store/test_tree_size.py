"""Trees are measured before they are unfolded."""

from __future__ import annotations

import os
import subprocess

import pytest

from gitrun.errors import BadRun
from gitrun.git.exe import open_repository
from gitrun.git.objects import Objects
from gitrun.model.validation_rules import MAX_DEPTH
from gitrun.store.tree_size import Measurer


@pytest.fixture
def measurer(repo):
    with Objects(open_repository(repo.path, os.environ)) as objects:
        yield Measurer(objects)


def tree_of(repo, *entries: tuple[str, str, str]) -> str:
    lines = "".join(f"{mode} {kind} {made}\n" for mode, kind, made in entries)
    words = ["git", "mktree"]
    return subprocess.run(words, cwd=repo.path, input=lines, capture_output=True, text=True, check=True).stdout.strip()


def test_a_small_tree_passes(repo, measurer) -> None:
    measurer.require_small(repo.git("rev-parse", "HEAD^{tree}"))


def test_shared_directories_count_as_often_as_they_appear(repo, measurer) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    for _ in range(7):
        tree = tree_of(repo, *[("040000", "tree", f"{tree}\td{number}") for number in range(10)])
    with pytest.raises(BadRun, match="its tree expands to more than"):
        measurer.require_small(tree)


def test_a_deep_tree_is_refused(repo, measurer) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    for _ in range(MAX_DEPTH):
        tree = tree_of(repo, ("040000", "tree", f"{tree}\td"))
    with pytest.raises(BadRun, match=f"more than {MAX_DEPTH} nested directories"):
        measurer.require_small(tree)


def test_an_entry_is_found_by_its_path(repo, measurer) -> None:
    repo.write("d/e/f", "x")
    repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    assert measurer.entry(tree, b"d/e/f") == (b"100644", repo.git("rev-parse", "HEAD:d/e/f"))
    assert measurer.entry(tree, b"d/e")[0] == b"40000"
    assert measurer.entry(tree, b"d/e/f/g") is measurer.entry(tree, b"d/none") is None
