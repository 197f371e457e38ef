"""Labels, tags, comments and marks: on many runs at once, none lost, from the command line and the editor."""

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


def test_label_is_a_name_of_the_run(runs) -> None:
    runs.run("label", "best one", "3", check=True)
    assert shown(runs, "best one")["flags"] == {"x": 1, "y": 2, "z": "a"}
    runs.run("label", "--clear", "3", check=True)
    assert runs.run("show", "best one").returncode == 128


def test_label_that_never_names_its_run_is_said_to_mean_another(runs) -> None:
    other = str(shown(runs, "2")["id"])
    meanings = {"7": "a number of the list", "echo.py": "an operation", other[:6]: f"run {other[:8]}"}
    for label, meaning in meanings.items():
        told = runs.run("label", label, "1", check=True).stderr.splitlines()
        assert told[1:] == [f"gitrun: note: as the name of a run, '{label}' means {meaning}, not this label"]


def test_label_that_another_run_has_is_said_to_name_none_alone(runs) -> None:
    assert runs.run("label", "best", "1:2", check=True).stderr.count("\n") == 1
    told = runs.run("label", "best", "3", check=True).stderr.splitlines()
    assert told[1:] == ["gitrun: note: 2 other runs have this label too: 'best' does not name one run"]


def test_newest_run_is_meant_without_a_name(runs) -> None:
    runs.run("tag", "a", check=True)
    assert shown(runs)["tags"] == ["a"]
    assert shown(runs, "2")["tags"] == []


def test_filter_annotates_all_that_fit(runs) -> None:
    assert "2 runs tagged low" in runs.run("tag", "low", "--where", "x<3", check=True).stderr
    assert [shown(runs, str(n))["tags"] for n in (1, 2, 3)] == [[], ["low"], ["low"]]


def test_comments_add_up_with_their_author(runs) -> None:
    runs.run("comment", "-m", "first", check=True)
    runs.run("comment", "-m", "second\nline", check=True)
    comments = shown(runs)["comments"]
    assert [comment["text"] for comment in comments] == ["first", "second\nline"]
    assert {comment["author"] for comment in comments} == {"A User <user@example.org>"}


def test_comment_without_words_or_terminal_is_refused(runs) -> None:
    ended = runs.run("comment")
    assert (ended.returncode, "To give it: -m TEXT" in ended.stderr) == (129, True)
    assert runs.run("comment", "-m", "  ").returncode == 129


def test_annotation_is_a_commit_on_the_tip_that_changes_one_file(runs) -> None:
    run = Project(runs.path).list_runs()[0]
    runs.run("label", "x", check=True)
    tip = runs.git("rev-parse", f"refs/runs/{run.id}")
    assert runs.git("log", "-1", "--format=%P %s", tip) == f"{run.tip} label x"
    assert runs.git("diff", "--name-only", run.tip, tip) == ".gitrun/notes.toml"
    assert "Gitrun-Kind: annotation" in runs.git("log", "-1", "--format=%B", tip)


def test_what_is_so_already_makes_no_commit(runs) -> None:
    runs.run("mark", check=True)
    before = runs.git("for-each-ref", "refs/runs")
    assert "is unchanged" in runs.run("mark", check=True).stderr
    assert runs.git("for-each-ref", "refs/runs") == before


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


def test_annotation_during_a_run_does_not_disturb_it(runs) -> None:
    runs.write(
        "slow.py",
        "import pathlib, time\nwhile not pathlib.Path(STOP).exists():\n    time.sleep(0.01)\nprint('end')".replace(
            "STOP", repr(str(runs.path / "stop"))
        ),
    )
    run = runs.run("run", "--background", "slow.py", check=True).stdout.strip()
    runs.run("label", "while it runs", run, check=True)
    (runs.path / "stop").write_text("")
    runs.run("watch", run, check=True)
    found = Project(runs.path).find(run)
    assert (found.status, found.notes.label, found.output) == ("completed", "while it runs", "end\n")


def test_many_runs_are_annotated_by_few_processes(runs, tmp_path) -> None:
    trace = tmp_path / "trace"
    runs.run("tag", "a", ":3", env={"GIT_TRACE2": str(trace)}, check=True)
    assert trace.read_text().count(" start ") < 20
    assert runs.git("fsck", "--strict", "--no-dangling") == ""


LONG = "long " * 18_000


def test_annotations_that_could_not_be_read_any_more_are_refused(runs) -> None:
    for _ in range(11):
        runs.run("comment", "1", "-m", LONG, check=True)
    refused = runs.run("comment", "1", "-m", LONG)
    assert (refused.returncode, refused.stderr.count("\n")) == (129, 1)
    assert "cannot be larger than 1 MiB" in refused.stderr
    assert len(shown(runs)["comments"]) == 11


@pytest.mark.parametrize("notes", ['label = "a"\n' + "#" * (1 << 20), "#" * (3 << 20), "label = "])
def test_run_whose_annotations_do_not_read_is_there_without_them(runs, notes) -> None:
    run = shown(runs)["id"]
    runs.git("checkout", "--quiet", "--detach", f"runs/{run}")
    runs.write(".gitrun/notes.toml", notes)
    runs.git("add", "--force", ".gitrun/notes.toml")
    runs.git("commit", "--quiet", "-m", "note\n\nGitrun-Kind: annotation\nGitrun-Format: 1")
    runs.git("update-ref", f"refs/runs/{run}", "HEAD")
    runs.git("checkout", "--quiet", "main")
    assert (shown(runs)["id"], shown(runs)["label"]) == (run, None)
    assert "notes:     .gitrun/notes.toml is " in runs.run("show", "1").stdout
    assert f"cannot read the annotations of run {run[:8]}" in runs.run("doctor").stdout
    runs.run("label", "again", "1", check=True)
    assert shown(runs)["label"] == "again"


@pytest.mark.parametrize(
    "words", [("label", "bad\udcff", "1"), ("tag", "a,bad\udcff", "1"), ("comment", "-m", "bad\udcff", "1")]
)
def test_text_that_is_not_utf_8_is_refused(runs, words) -> None:
    refused = runs.run(*words)
    assert (refused.returncode, refused.stderr.count("\n")) == (129, 1)
    assert refused.stderr.startswith("gitrun: error: 'bad\\xff' is not UTF-8, so it cannot be recorded")


def test_a_long_label_makes_no_long_line(repo) -> None:
    repo.run("echo.py", check=True)
    label = "\u3164" * 5000
    lines = repo.run("label", label, "1", check=True).stderr.splitlines()
    for words in (["list"], ["show", "1"], ["log"], ["compare"], ["rm", "1"]):
        ended = repo.run(*words, check=True)
        lines += [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    assert max(map(len, lines)) < 400
    assert "\u3164" not in "".join(lines)
    assert json.loads(repo.run("list", "--deleted", "--json", check=True).stdout)[0]["label"] == label
