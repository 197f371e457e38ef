"""git run mark: the run that an operation's name means."""

from __future__ import annotations

from dataclasses import replace

from annotated import shown

from gitrun import Project


def test_mark_is_taken_from_the_run_of_the_operation_that_had_it(runs) -> None:
    runs.write("other.py", "")
    runs.run("other.py", check=True)
    for name in ("1", "2"):
        runs.run("mark", name, check=True)
    latest, older = (str(shown(runs, name)["id"]) for name in ("2", "4"))
    told = runs.run("mark", "4", check=True).stderr
    assert told == f"gitrun: run {older[:8]} echo.py is marked\ngitrun: run {latest[:8]} echo.py is no longer marked\n"
    assert [shown(runs, name)["marked"] for name in ("1", "2", "3", "4")] == [True, False, False, True]
    assert shown(runs, "echo.py")["id"] == older
    subjects = [runs.git("log", "-1", "--format=%s", f"refs/runs/{run}") for run in (older, latest)]
    assert subjects == ["mark", "clear the mark"]


def test_two_runs_of_an_operation_are_not_marked_at_once(runs) -> None:
    told = runs.run("mark", "1:2")
    assert told.returncode == 129
    assert told.stderr.startswith("gitrun: error: only one run of 'echo.py' can be marked")
    assert not shown(runs, "1")["marked"]


def test_marks_of_two_places_make_the_name_ambiguous_until_one_is_left(runs) -> None:
    project = Project(runs.path)
    project.annotate(project.list_runs()[:2], lambda notes: replace(notes, marked=True), "mark")
    told = runs.run("show", "echo.py")
    assert told.returncode == 128
    assert told.stderr.startswith("gitrun: error: 2 runs of 'echo.py' are marked: ")
    runs.run("mark", "2", check=True)
    assert shown(runs, "echo.py")["id"] == project.find("2").id


def test_mark_says_what_it_changed(two) -> None:
    said = [two.run("mark", *words, "2").stderr.split(" ", 3)[3] for words in ([], [], ["--clear"], ["--clear"])]
    same = "echo.py is unchanged\n"
    assert said == ["echo.py is marked\n", same, "echo.py is no longer marked\n", same]
