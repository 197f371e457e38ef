"""Differences between two runs as JSON values."""

from __future__ import annotations

from gitrun import Project
from gitrun.render.diff_json import change_list, compare_environments, differences_json
from gitrun.views.contents import Change


def test_a_path_that_is_not_utf8_is_encoded() -> None:
    assert change_list([Change("a\udcff.txt", "added")]) == [{"path": "a\\xff.txt", "change": "added"}]


def test_environments_are_compared_name_by_name(repo) -> None:
    project = Project(repo.path)
    runs = [project.run("echo.py"), project.run("echo.py")]

    assert compare_environments(project, runs) == {}
    assert compare_environments(project, runs[:1]) == {}


def test_differences_name_both_values(repo) -> None:
    project = Project(repo.path)
    old, new = (project.run("echo.py", flags={"x": x}) for x in (1.0, 2.0))
    pair = project.runs.pair_runs(old, new)
    found = differences_json(pair, project.runs.compare(pair), {"python": ("3.10", "3.11")})

    assert found["runs"] == [old.id, new.id]
    assert (found["flags"], found["environment"]) == ({"x": (1.0, 2.0)}, {"python": ("3.10", "3.11")})
    assert found["output"]
