"""Claims: which runs of a remote this machine executes, and whose results it still has to hand over."""

from __future__ import annotations

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun import Project
from gitrun.git.objects import Objects
from gitrun.store.claims import bundle_path, list_claims, read_program, record_claim, remove_claim, trust_claim
from gitrun.store.trust import is_trusted

ONE, TWO = "1" * 40, "2" * 40


def test_claims_are_listed_by_remote_and_oldest_first(tmp_path) -> None:
    for run_id, remote in ((TWO, "origin"), (ONE, "origin"), ("3" * 40, "other")):
        record_claim(tmp_path, run_id, remote)
    assert list_claims(tmp_path, "origin") == [TWO, ONE]
    assert list_claims(tmp_path, "nowhere") == []


def test_a_removed_claim_takes_its_bundle_along(tmp_path) -> None:
    record_claim(tmp_path, ONE, "origin")
    bundle_path(tmp_path, ONE).touch()
    remove_claim(tmp_path, ONE)
    remove_claim(tmp_path, ONE)
    assert list((tmp_path / "claims").iterdir()) == []


def test_other_files_are_no_claims(tmp_path) -> None:
    record_claim(tmp_path, ONE, "origin")
    bundle_path(tmp_path, ONE).write_text("origin")
    (tmp_path / "claims" / "note").write_text("origin")
    assert list_claims(tmp_path, "origin") == [ONE]


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has handed out a run, which Bob trusts."""
    team = make_team(tmp_path)
    team.ann.run("--stage", "echo.py", check=True)
    team.ann.run("push", "--stage", "origin", check=True)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", *tip(team.ann), check=True)
    return team


@pytest.mark.parametrize("change", ["none", "source", "flags", "command"])
def test_only_a_claim_that_executes_what_was_handed_out_is_trusted(team, change) -> None:
    (run_id,) = tip(team.ann)
    words = {"none": [], "source": ["--force-sourcecode"], "flags": ["x=3.0"], "command": ["--force-sourcecode"]}[change]
    if change == "source":
        team.bob.write("echo.py", team.bob.path.joinpath("echo.py").read_text() + "print('evil')\n")
    if change == "command":
        team.bob.write("other.py", "print('evil')\n")
    team.bob.run("--stage", "--restart", run_id, *words, check=True)
    team.bob.run("push", "--stage", "origin", run_id, check=True)
    team.ann.run("fetch", check=True)
    project = Project(team.ann.path)
    run = project.find(run_id)
    assert not is_trusted(project.git, run)
    with Objects(project.git) as objects:
        trust_claim(project.git, objects, run)
    assert is_trusted(project.git, run) is (change == "none")


def test_a_commit_that_is_no_attempt_has_no_program(repo) -> None:
    with Objects(Project(repo.path).git) as objects:
        assert read_program(objects, repo.head().strip()) is None
