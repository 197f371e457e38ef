"""git run export: runs in a bundle, and what must not leave."""

from __future__ import annotations

import pytest
from clones import clone, make_team, tip
from submodule_runs import ran
from templates import place_made_once

from gitrun import Project


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def test_export_looks_through_history_that_no_remote_has(team):
    team.ann.write("deploy.pem", "x")
    team.ann.commit("a key")
    team.ann.run("echo.py", check=True)
    assert "deploy.pem: its name looks like that of a secret" in team.ann.run("export", "1", "out.bundle").stderr
    team.ann.run("export", "--without", "main", "1", "out.bundle", check=True)
    team.ann.git("push", "--quiet", "origin", "main")
    team.ann.run("export", "1", "second.bundle", check=True)
    assert tip(team.remote) == {}


def run(repo, **flags: object) -> str:
    return Project(repo.path).run("echo.py", flags=flags).id


def test_bundle_carries_runs_to_where_there_is_no_network(team, tmp_path) -> None:
    first, _ = run(team.ann, x=1.0), run(team.ann, x=2.0)
    file = tmp_path / "runs.bundle"
    assert "exported 1 run" in team.ann.run("export", "2", file, check=True).stderr
    team.bob.run("import", file, check=True)
    assert set(tip(team.bob)) == {first}
    assert team.bob.run("--restart", first).returncode == 128
    other = clone(team.remote.path, tmp_path / "other")
    team.ann.run("export", "--without", "main", "--op", "echo.py", file, check=True)
    other.run("import", file, first, check=True)
    assert set(tip(other)) == {first}


def test_export_of_files_of_submodules_is_refused_unless_asked(here):
    run = ran(here.top)
    ended = here.top.run("export", run, "runs.bundle")
    assert (ended.returncode, (here.top.path / "runs.bundle").exists()) == (129, False)
    assert f"run {run[:8]} has files of submodule lib" in ended.stderr
    here.top.run("export", "--with-submodules", run, "runs.bundle", check=True)


def test_export_to_mlflow_names_what_is_missing(repo) -> None:
    repo.run("echo.py", check=True)
    for words, status, message in (
        (("mlflow", "1", "--to", "http://localhost:1"), 128, "cannot import mlflow"),
        (("mlflow", "--to", "http://localhost:1"), 129, "no runs given"),
        (("1", "--to", "http://localhost:1"), 129, "--to needs 'mlflow' before the runs"),
    ):
        done = repo.run("export", *words)
        assert done.returncode == status
        assert message in done.stderr
