"""Rows of the index: runs packed and unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from runs_made_up import made_up

from gitrun import Project
from gitrun.model.flags import Flags
from gitrun.store.index_rows import decode_row, encode_row, flags_key

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
def project(repo: Repo) -> Project:
    """A project with three runs."""
    project = Project(repo.path)
    for x in (1, 2, 3):
        project.run("echo.py", flags={"x": x})
    return project


@pytest.mark.parametrize(("a", "b", "same"), [(1, 1.0, True), (1, True, False), ([1, 2.0], [1.0, 2], True), ("1", 1, False)])
def test_key_of_flags_is_equal_where_flags_are(a, b, same) -> None:
    assert (flags_key(Flags({"x": a})) == flags_key(Flags({"x": b}))) is same
    assert (Flags({"x": a}) == Flags({"x": b})) is same


def test_what_is_packed_unpacks_to_the_same_run(project) -> None:
    for run in project.list_runs():
        assert decode_row(project.git, run.id, run.tip, encode_row(run)) == run


def test_made_up_run_survives_packing_with_all_it_has(project) -> None:
    run = made_up("a" * 40, "train.py", label="best", marked=True)
    assert decode_row(project.git, run.id, run.tip, encode_row(run)).notes == run.notes
