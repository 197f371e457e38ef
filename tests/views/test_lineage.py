"""The runs that a run rests on, and its steps."""

from __future__ import annotations

import pytest

from gitrun import Project

ENTRIES = """
[operations.prepare]
script = "prepare.sh"
[operations.train]
script = "train.sh"
needs = { prepare = "data.txt" }
[operations.all]
steps = ["prepare", "train"]
"""


@pytest.fixture
def project(repo) -> Project:
    repo.write("gitrun.toml", ENTRIES)
    repo.write("prepare.sh", "echo data > data.txt\n")
    repo.write("train.sh", "cat data.txt\n")
    repo.commit()
    return Project(repo.path)


def test_a_needed_run_is_named_with_its_files(project) -> None:
    prepared = project.run("prepare")
    basis, steps = project.runs.read_family(project.run("train"))
    assert [(need.operation, need.run_id, [path for path, _ in need.files]) for need in basis.needs] == [
        ("prepare", prepared.id, ["data.txt"])
    ]
    assert steps == ()


def test_steps_name_their_runs_and_those_their_parent(project) -> None:
    whole = project.run("all")
    _, steps = project.runs.read_family(whole)
    assert [(step.operation, step.status) for step in steps] == [("prepare", "completed"), ("train", "completed")]
    assert {project.runs.read_family(project.find(step.run_id))[0].parent for step in steps} == {whole.id}


def test_a_run_of_its_source_alone_has_no_basis(project) -> None:
    assert project.runs.read_family(project.run("echo.py")) == (None, ())


def test_bases_come_in_the_order_of_the_runs(project) -> None:
    prepared, plain = project.run("prepare"), project.run("echo.py")
    bases = project.runs.read_bases([plain, project.run("train"), prepared])
    assert [[need.run_id for need in basis.needs] for basis in bases] == [[], [prepared.id], []]
    assert [basis.is_entry for basis in bases] == [False, True, True]


def test_needs_name_the_needed_runs_by_operation(project) -> None:
    prepared, plain = project.run("prepare"), project.run("echo.py")
    needs = project.runs.read_needs([plain, project.run("train"), prepared])
    assert needs == [{}, {"prepare": prepared.id}, {}]
