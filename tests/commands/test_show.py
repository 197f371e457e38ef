"""git run show: one run, or several, as a person wants to read them."""

from __future__ import annotations

import json

from shown_runs import labelled_lines


def test_show_tells_what_people_said_and_how_to_restart(shown_run) -> None:
    said = labelled_lines(shown_run.run("show", check=True).stdout)
    assert said["label"] == "it"
    assert said["comment"].startswith("well (A User")
    assert said["restart"] == f"git run --restart {said['run'][:8]}"


def test_clean_run_lists_no_changes(shown_run) -> None:
    said = labelled_lines(shown_run.run("show", "2", check=True).stdout)
    assert not {"changed", "added", "deleted"} & said.keys()
    assert "uncommitted" not in said["source"]


def test_several_runs_are_shown_by_names_ranges_and_filters(shown_run) -> None:
    assert shown_run.run("show", "1:2", check=True).stdout.count("\n\nrun: ") == 1
    assert labelled_lines(shown_run.run("show", "--label", "it").stdout)["label"] == "it"
    assert isinstance(json.loads(shown_run.run("show", "--json", "1").stdout), dict)
    assert [run["label"] for run in json.loads(shown_run.run("show", "--json", "1", "2").stdout)] == ["it", None]


def test_author_is_that_of_the_mailmap(shown_run) -> None:
    shown_run.write(".mailmap", "Proper Name <proper@example.org> <user@example.org>\n")
    assert labelled_lines(shown_run.run("show").stdout)["author"] == "Proper Name <proper@example.org>"


def test_staged_run_tells_how_to_start_it(repo) -> None:
    repo.run("--stage", "echo.py", check=True)
    said = labelled_lines(repo.run("show", check=True).stdout)
    assert (said["start"], "started" in said) == (f"git run --start {said['run'][:8]}", False)
