"""What a driver trusts of the attempts that workers have left on a remote."""

from __future__ import annotations

import pytest
from clones import make_team, tip

from gitrun import Project
from gitrun.git.objects import Objects
from gitrun.lifecycle.cluster_pool import read_program, trust_claim
from gitrun.store.trust import is_trusted


@pytest.mark.parametrize("change", ["none", "source", "flags", "command"])
def test_only_a_claim_that_executes_what_was_handed_out_is_trusted(tmp_path, change) -> None:
    team = make_team(tmp_path)
    team.ann.run("--stage", "echo.py", check=True)
    team.ann.run("push", "--stage", "origin", check=True)
    (run_id,) = tip(team.ann)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", run_id, check=True)
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
        trust_claim(project.session(), objects, run)
    assert is_trusted(project.git, run) is (change == "none")


def test_a_commit_that_is_no_attempt_has_no_program(repo) -> None:
    with Objects(Project(repo.path).git) as objects:
        assert read_program(objects, repo.git("rev-parse", "HEAD").strip()) is None
