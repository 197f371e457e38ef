"""Reports as JSON."""

from __future__ import annotations

import json

import pytest

from gitrun import Project
from gitrun.render.report_json import report_data


def test_runs_are_named_below_their_commits(repo) -> None:
    project = Project(repo.path)
    clean = project.run("echo.py").id
    repo.write("echo.py", "x = 3\nprint(x)\n")
    dirty = project.run("echo.py").id
    report = json.loads(report_data(project.runs.build_report(project.runs.read_range("HEAD"))))
    assert [(commit["exact"], commit["changed"]) for commit in report["commits"]] == [([clean], [dirty])]
    assert {run["id"] for run in report["runs"]} == {clean, dirty}


def test_differences_are_pairs_of_old_and_new(repo) -> None:
    project = Project(repo.path)
    runs = [project.run("echo.py", flags={"x": x}) for x in (1.0, 2.0)]
    details = {one["run"]: one for one in json.loads(report_data(project.runs.build_report(runs)))["details"]}
    assert (details[runs[1].id]["previous"], details[runs[1].id]["flags"]) == (runs[0].id, {"x": [1.0, 2.0]})
    assert details[runs[0].id]["previous"] is None


def test_a_value_that_json_lacks_is_a_text(repo) -> None:
    repo.write("nan.py", "import gitrun\ngitrun.log({'loss': float('nan')})\n")
    project = Project(repo.path)
    written = report_data(project.runs.build_report([project.run("nan.py")]))
    assert json.loads(written, parse_constant=pytest.fail)["runs"][0]["metrics"] == {"loss": "NaN"}
    assert written.isascii()
