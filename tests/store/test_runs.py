"""Objects that are elsewhere are fetched by who reads many of them."""

from __future__ import annotations

from clones import clone, make_team

from gitrun import Project
from gitrun.store import index


def test_runs_that_a_partial_clone_fetched_with_plain_git_read_however_many_they_are(tmp_path, monkeypatch) -> None:
    team = make_team(tmp_path)
    run = Project(team.ann.path).run("echo.py")
    team.ann.run("push", check=True)
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        team.remote.git("config", setting, "true")
    partial = clone(f"file://{team.remote.path}", tmp_path / "partial", "--filter=blob:none")
    partial.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    monkeypatch.setattr(index, "MANY", 1)
    project = Project(partial.path)
    assert [found.id for found in project.list_runs()] == [run.id]
    assert [finding.kind for finding in project.upkeep.examine().findings] == []
