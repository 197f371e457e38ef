"""Deleted runs through `project.trash`."""

from __future__ import annotations

import pytest
from three_runs import three_runs

from gitrun.errors import UnknownRun
from gitrun.views.select import Query


@pytest.fixture
def project(repo):
    return three_runs(repo)


def test_deleted_runs_are_named_by_id_number_or_operation(project) -> None:
    project.trash.remove(project.list_runs()[:2])
    first, second = project.trash.list_runs()
    assert project.trash.find([second.id[:6], "1"]) == [second, first]
    assert project.trash.find(["echo.py"]) == [first]
    with pytest.raises(UnknownRun, match="no deleted run 'nowhere'"):
        project.trash.find(["nowhere"])


def test_deleted_runs_are_meant_by_ranges_of_their_list_and_by_filters(project) -> None:
    project.trash.remove(project.list_runs())
    there = project.trash.list_runs()
    assert project.trash.find(["2:", "1"]) == [*there[1:], there[0]]
    assert project.trash.find([], Query(expression="x>1", sort="x")) == [run for run in reversed(there) if run.flags["x"] > 1]
    assert project.trash.find([":2"], Query(statuses=("error",))) == []
    with pytest.raises(UnknownRun, match="no deleted runs 7:9"):
        project.trash.find(["7:9"])
