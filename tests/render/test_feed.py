"""The JSON values of the pages: what the verbs print, and what an unknown run is told."""

from __future__ import annotations

import json

import pytest

from gitrun import Project
from gitrun.errors import UnknownRun
from gitrun.render import feed


def shown(repo, *words) -> object:
    return json.loads(repo.run(*words, "--json", check=True).stdout)


def test_run_is_what_show_prints(repo) -> None:
    repo.run("echo.py", "x=nan", check=True)
    run = shown(repo, "show")
    project = Project(repo.path)
    assert feed.run_answer(project, run["id"]) == run
    assert feed.run_answer(project, run["id"][:8]) == run


@pytest.mark.parametrize("name", ["0000", "1111111", "1" * 40])
def test_unknown_run_is_no_number_of_the_list(repo, name) -> None:
    repo.run("echo.py", "--label", name, check=True)
    with pytest.raises(UnknownRun, match=f"no run 'runs/{name}'"):
        feed.run_answer(Project(repo.path), name)


def test_deleted_run_is_told_how_to_restore_it(repo) -> None:
    repo.run("echo.py", check=True)
    run = repo.run("select", check=True).stdout.strip()
    repo.run("rm", "1", check=True)
    with pytest.raises(UnknownRun) as raised:
        feed.run_answer(Project(repo.path), run[:12])
    assert raised.value.message == f"run {run[:8]} is deleted"
    assert raised.value.hint == f"To restore it: git run restore {run[:8]}"
