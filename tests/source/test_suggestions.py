"""Suggestions for an operation that does not exist."""

from __future__ import annotations

import os

import pytest

from gitrun.git.exe import open_repository
from gitrun.source.suggestions import near_operations


@pytest.mark.parametrize(
    ("typed", "near"),
    [("trian.py", ("train.py",)), ("run", ("sub/run.py",)), ("fit", ("fit",)), ("nothing_like_it", ())],
)
def test_names_that_are_nearly_typed_are_offered(empty_repo, typed, near) -> None:
    for path in ("train.py", "sub/run.py", "notes.txt"):
        empty_repo.write(path, "x = 1\n")
    empty_repo.write("gitrun.toml", '[operations.fit]\ncommand = ["true"]\n')
    empty_repo.commit()
    assert near_operations(open_repository(empty_repo.path, os.environ), typed, "HEAD") == near
