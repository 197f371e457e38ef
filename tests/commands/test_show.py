"""git run show: one run, or several, as a person wants to read them."""

from __future__ import annotations

import json

import pytest
from templates import made_once


@pytest.fixture
@made_once
def lived(repo):
    """A repository with two runs, of which the newer one was made from a changed working tree."""
    repo.run("echo.py", check=True)
    repo.write("gone.txt", "")
    repo.commit("Something with\x1b[31m colour")
    (repo.path / "gone.txt").unlink()
    repo.write("echo.py", "x = 2\nopen('out.txt', 'w').write('12')\n")
    repo.write("new.txt", "n\n")
    repo.run("echo.py", "--label", "it", "--comment", "well", check=True)
    return repo


def told(text: str) -> dict[str, str]:
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in text.splitlines())}


def test_show_tells_what_people_said_and_how_to_restart(lived) -> None:
    said = told(lived.run("show", check=True).stdout)
    assert said["label"] == "it"
    assert said["comment"].startswith("well (A User")
    assert said["restart"] == f"git run --restart {said['run'][:8]}"


def test_clean_run_lists_no_changes(lived) -> None:
    said = told(lived.run("show", "2", check=True).stdout)
    assert not {"changed", "added", "deleted"} & said.keys()
    assert "uncommitted" not in said["source"]


def test_several_runs_are_shown_by_names_ranges_and_filters(lived) -> None:
    assert lived.run("show", "1:2", check=True).stdout.count("\n\nrun: ") == 1
    assert told(lived.run("show", "--label", "it").stdout)["label"] == "it"
    assert isinstance(json.loads(lived.run("show", "--json", "1").stdout), dict)
    assert [run["label"] for run in json.loads(lived.run("show", "--json", "1", "2").stdout)] == ["it", None]


def test_author_is_that_of_the_mailmap(lived) -> None:
    lived.write(".mailmap", "Proper Name <proper@example.org> <user@example.org>\n")
    assert told(lived.run("show").stdout)["author"] == "Proper Name <proper@example.org>"


def test_staged_run_tells_how_to_start_it(repo) -> None:
    repo.run("--stage", "echo.py", check=True)
    said = told(repo.run("show", check=True).stdout)
    assert (said["start"], "started" in said) == (f"git run --start {said['run'][:8]}", False)
