"""git run import: runs from a bundle, and what is refused."""

from __future__ import annotations

from clones import run
from repository import Repo

from gitrun import Project


def test_what_is_no_bundle_is_refused_in_one_line(team, tmp_path) -> None:
    (tmp_path / "none").write_text("x")
    for path in (tmp_path / "none", tmp_path / "nowhere", tmp_path):
        ended = team.bob.run("import", path)
        assert ended.returncode in {128, 129}
        assert len(ended.stderr.splitlines()) == 1
    for path in (tmp_path / "none", tmp_path):
        assert (
            f"is not a bundle. To import runs of another tool: git run import KIND {path}"
            in team.bob.run("import", path).stderr
        )
    assert team.ann.run("export", "x.bundle").returncode == 129
    assert team.ann.run("export").returncode == 129


def test_bundle_that_lacks_what_it_builds_on_names_that(team, tmp_path) -> None:
    base = team.ann.head()
    run(team.ann, x=1.0)
    project = Project(team.ann.path)
    project.sharing.export({project.list_runs()[0].id: ""}, tmp_path / "runs.bundle", base)
    other = Repo.create(tmp_path / "other")
    told = other.run("import", str(tmp_path / "runs.bundle")).stderr
    assert f"lacks these prerequisite commits: {base}. To go on: fetch the commits" in told
    team.ann.commit("next")
    shallow = Repo(tmp_path / "shallow")
    team.ann.git("clone", "--quiet", "--depth=1", f"file://{team.ann.path}", str(shallow.path))
    run(shallow, x=1.0)
    assert (
        "note: this clone is shallow: to import" in shallow.run("export", "1", str(tmp_path / "part.bundle"), check=True).stderr
    )
    assert "To go on: fetch the commits that these runs" in other.run("import", str(tmp_path / "part.bundle")).stderr


def test_trials_come_with_the_batch_that_is_named(team, tmp_path) -> None:
    team.ann.run("echo.py", "x=[1,2]", check=True)
    team.ann.run("echo.py", "x=[3,4]", check=True)
    batch = Project(team.ann.path).list_runs()[-1].id
    team.ann.run("export", "1", batch, str(tmp_path / "runs.bundle"), check=True)
    team.bob.run("import", str(tmp_path / "runs.bundle"), batch, check=True)
    found = Project(team.bob.path)
    (run,) = [run for run in found.list_runs() if run.id == batch]
    assert [trial.flags["x"] for trial in found.trials(run)] == [1, 2]
    assert len(found.list_runs()) == 3


def test_file_of_the_name_of_a_tool_is_reached_by_its_path(team, tmp_path) -> None:
    run(team.ann, x=1.0)
    team.ann.run("export", "1", str(team.bob.path / "guild"), check=True)
    assert "is no Guild home" in team.bob.run("import", "guild", str(tmp_path)).stderr
    assert "new: run" in team.bob.run("import", "./guild", check=True).stderr


def test_options_of_tools_do_not_go_with_bundles(team) -> None:
    for option in ("--authors", "--dry-run", "--json"):
        assert f"{option} needs the kind of another tool" in team.bob.run("import", option, "x.bundle").stderr
    assert "takes one source and no filters" in team.bob.run("import", "guild", "--status", "error").stderr
    assert "git run import guild" in team.bob.run("import", "guld").stderr
