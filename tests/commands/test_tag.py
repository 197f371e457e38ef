"""git run tag: tags on many runs at once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from templates import made_once

from gitrun import Project

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
@made_once
def runs(repo: Repo) -> Repo:
    """Three runs of echo.py."""
    for x in (1, 2, 3):
        Project(repo.path).run("echo.py", flags={"x": x})
    return repo


def shown(repo: Repo, name: str = "1") -> dict[str, object]:
    return json.loads(repo.run("show", "--json", name, check=True).stdout)


def test_filter_annotates_all_that_fit(runs) -> None:
    assert "2 runs tagged low" in runs.run("tag", "low", "--where", "x<3", check=True).stderr
    assert [shown(runs, str(n))["tags"] for n in (1, 2, 3)] == [[], ["low"], ["low"]]


def test_annotations_of_the_same_moment_all_arrive(runs) -> None:
    run = Project(runs.path).list_runs()[0]

    def tag(number: int) -> None:
        Project(runs.path).annotate([run], lambda notes: replace(notes, tags=(*notes.tags, f"t{number}")), "tag")

    threads = [threading.Thread(target=tag, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Project(runs.path).find(run.id).notes.tags) == [f"t{number}" for number in range(6)]
