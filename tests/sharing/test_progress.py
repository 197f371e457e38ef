"""Reports about runs of workers on a remote: short, replaced, read without a trace, and no claim on what they say."""

from __future__ import annotations

import pytest
from clones import make_team
from templates import place_made_once

from gitrun import Project
from gitrun.errors import GitFailed
from gitrun.sharing.input_refs import publish_inputs
from gitrun.sharing.progress import (
    LONGEST,
    PROGRESS,
    Progress,
    ask_to_stop,
    fetch_progress,
    is_asked_to_stop,
    publish_progress,
    push_specs,
    read_end,
    remove_reports,
)

RUN, ATTEMPT = "1" * 40, "2" * 40


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def test_the_end_of_a_long_output_is_reported(tmp_path) -> None:
    output = tmp_path / "output"
    output.write_bytes(b"a" * 10 + b"b" * LONGEST)
    assert read_end(output, ATTEMPT) == Progress(ATTEMPT, 10, b"b" * LONGEST)


def test_a_report_replaces_the_one_before(team) -> None:
    ann, bob = Project(team.ann.path).git, Project(team.bob.path).git
    assert fetch_progress(bob, "origin", RUN) is None
    for text in (b"one\n", b"one\ntwo\n"):
        publish_progress(ann, "origin", RUN, Progress(ATTEMPT, 0, text))
    before = team.bob.git("for-each-ref")
    assert fetch_progress(bob, "origin", RUN) == Progress(ATTEMPT, 0, b"one\ntwo\n")
    assert team.bob.git("for-each-ref") == before
    remove_reports(ann, "origin", RUN)
    assert fetch_progress(bob, "origin", RUN) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"attempt": 1, "start": "x"}', "no json"])
def test_a_report_that_lies_is_none(team, text) -> None:
    blob = team.ann.git("hash-object", "-w", "--stdin")
    team.ann.write("progress.json", text)
    about = team.ann.git("hash-object", "-w", "progress.json")
    team.ann.git("update-index", "--add", "--cacheinfo", f"100644,{about},progress.json")
    team.ann.git("update-index", "--add", "--cacheinfo", f"100644,{blob},output")
    commit = team.ann.git("commit-tree", "-m", "lie", team.ann.git("write-tree"))
    team.ann.git("push", "--quiet", "origin", f"{commit}:{PROGRESS}{RUN}")
    assert fetch_progress(Project(team.bob.path).git, "origin", RUN) is None


def test_a_wish_to_stop_names_one_attempt(team) -> None:
    run = Project(team.ann.path).run("echo.py")
    ann, bob = Project(team.ann.path).git, Project(team.bob.path).git
    ask_to_stop(ann, "origin", run.id, run.attempt.id)
    assert is_asked_to_stop(bob, "origin", run.id, run.attempt.id)
    assert not is_asked_to_stop(bob, "origin", run.id, ATTEMPT)
    assert not is_asked_to_stop(bob, "origin", RUN, run.attempt.id)


def test_a_remote_that_is_away_is_an_error(team) -> None:
    with pytest.raises(GitFailed):
        fetch_progress(Project(team.bob.path).git, str(team.ann.path.parent / "nowhere"), RUN)


def test_the_hook_of_a_server_lets_reports_wishes_and_inputs_pass(team) -> None:
    team.remote.run("hooks", "install", check=True)
    ann = Project(team.ann.path).git
    head = team.ann.head()
    publish_progress(ann, "origin", RUN, Progress(ATTEMPT, 0, b"x"))
    ask_to_stop(ann, "origin", RUN, head)
    file = team.ann.write("words.txt", "x")
    assert publish_inputs(ann, "origin", {"3" * 64: file}) == 1
    remove_reports(ann, "origin", RUN)
    for name in ("evil", "progress/evil", f"stop/{RUN}/evil"):
        with pytest.raises(GitFailed):
            push_specs(ann, "origin", f"{head}:refs/gitrun/{name}")
