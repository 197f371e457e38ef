"""A run that got attempts in two places: nothing is lost, and whoever merges makes the same commit."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun import Project
from gitrun.model.decode import read_notes
from gitrun.model.run import Comment, Notes
from gitrun.sharing.merge import NotesHistory, encode_within_limit, merge_notes

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann and Bob have the same run, which Bob trusts."""
    made = make_team(tmp_path)
    Project(made.ann.path).run("echo.py")
    made.ann.run("push", check=True)
    made.bob.run("fetch", check=True)
    made.bob.run("trust", "1", check=True)
    return made


def restart(repo, x: float) -> None:
    Project(repo.path).run(restart="1", flags={"x": x})


def attempts(repo) -> list[object]:
    project = Project(repo.path)
    return [attempt.flags["x"] for attempt in project.attempts(project.find("1"))]


def test_two_who_restart_the_same_run_lose_nothing(team) -> None:
    restart(team.ann, 2.0)
    restart(team.bob, 3.0)
    team.ann.run("push", check=True)
    rejected = team.bob.run("push")
    assert rejected.returncode == 1
    assert "it has new commits there. To merge it: git run pull origin" in rejected.stderr
    assert "has changed here and on the remote. To merge both: git run pull" in team.bob.run("fetch").stderr
    team.bob.run("pull", check=True)
    team.bob.run("push", check=True)
    team.ann.run("fetch", check=True)
    assert attempts(team.ann) == attempts(team.bob) == [1.0, 2.0, 3.0]
    assert tip(team.ann) == tip(team.bob) == tip(team.remote)


def test_two_who_merge_the_same_make_the_same_commit(team) -> None:
    restart(team.ann, 2.0)
    restart(team.bob, 3.0)
    team.ann.run("comment", "1", "-m", "from Ann", check=True)
    team.ann.run("push", "origin", check=True)
    team.bob.git("push", "--quiet", str(team.ann.path), "refs/runs/*:refs/gitrun/bob/*")
    team.ann.git("push", "--quiet", "--force", "origin", "refs/gitrun/bob/*:refs/runs/*")
    before = tip(team.ann)
    team.ann.run("pull", check=True)
    team.ann.git("push", "--quiet", "--force", "origin", *(f"{head}:refs/runs/{run}" for run, head in before.items()))
    team.bob.run("pull", check=True)
    assert tip(team.ann) == tip(team.bob) != before


def test_merged_run_is_read_and_goes_on(team) -> None:
    restart(team.ann, 2.0)
    restart(team.bob, 3.0)
    team.ann.run("push", check=True)
    team.bob.run("pull", check=True)
    found = Project(team.bob.path).find("1")
    assert found.flags["x"] == 3.0
    assert found.output == "3.0 2 'a'\n"
    assert [attempt.output for attempt in Project(team.bob.path).attempts(found)] == [f"{x} 2 'a'\n" for x in (1.0, 2.0, 3.0)]
    restart(team.bob, 4.0)
    assert attempts(team.bob) == [1.0, 2.0, 3.0, 4.0]
    assert "attempt 4" in team.bob.run("log", "1", check=True).stdout
    team.bob.run("push", check=True)
    team.ann.run("fetch", check=True)
    assert attempts(team.ann) == [1.0, 2.0, 3.0, 4.0]


def test_annotations_of_both_are_there_after_a_merge(team) -> None:
    for repo, name in ((team.ann, "ann"), (team.bob, "bob")):
        repo.run("tag", name, "1", check=True)
        repo.run("comment", "1", "-m", f"says {name}", check=True)
    team.bob.run("label", "best", "1", check=True)
    team.ann.run("push", check=True)
    assert "merged: run" in team.bob.run("pull", check=True).stderr
    notes = Project(team.bob.path).find("1").notes
    assert notes.tags == ("ann", "bob")
    assert [comment.text for comment in notes.comments] == ["says ann", "says bob"]
    assert notes.label == "best"


def test_merges_can_be_merged(team) -> None:
    for x in (2.0, 4.0):
        restart(team.ann, x)
        team.bob.run("trust", "1", check=True)
        restart(team.bob, x + 1)
        team.ann.run("push", check=True)
        team.bob.run("pull", check=True)
        team.bob.run("push", check=True)
        team.ann.run("fetch", check=True)
        team.ann.run("trust", "1", check=True)
    assert attempts(team.ann) == [1.0, 2.0, 3.0, 4.0, 5.0]
    team.ann.git("fsck", "--strict")


def test_attempt_that_goes_on_from_another_is_the_later_one_whatever_the_clocks_say(team) -> None:
    team.ann.run("tag", "ann", "1", check=True)
    team.ann.run("push", check=True)
    restart(team.bob, 3.0)
    team.bob.run("pull", check=True)
    assert Project(team.bob.path).find("1").flags["x"] == 3.0
    assert attempts(team.bob) == [1.0, 3.0]


def side(*history: Notes, start: int = 0) -> NotesHistory:
    return NotesHistory(tuple((NOW + timedelta(seconds=start + number), notes) for number, notes in enumerate(history)))


COMMENT = Comment("a", "A", NOW)
CASES = [
    (Notes(), side(Notes(label="a")), side(), Notes(label="a")),
    (Notes(label="a"), side(Notes()), side(Notes(label="a", tags=("t",))), Notes(tags=("t",))),
    (Notes(), side(Notes(label="a")), side(Notes(label="b"), start=9), Notes(label="b")),
    (Notes(), side(Notes(marked=True), Notes()), side(Notes(marked=True)), Notes(marked=True)),
    (Notes(tags=("x", "y")), side(Notes(tags=("x",))), side(Notes(tags=("x", "y", "z"))), Notes(tags=("x", "z"))),
    (Notes(), side(Notes(comments=(COMMENT,))), side(Notes(comments=(COMMENT,))), Notes(comments=(COMMENT,))),
    (Notes(comments=(COMMENT,)), side(Notes()), side(Notes(comments=(COMMENT,), label="l")), Notes(label="l")),
    (Notes(), side(), side(), Notes()),
]


@pytest.mark.parametrize(("base", "one", "two", "merged"), CASES)
def test_annotations_merge_field_by_field_in_either_order(base, one, two, merged) -> None:
    assert merge_notes(base, one, two) == merge_notes(base, two, one) == merged


def test_merged_comments_that_are_too_many_to_be_read_leave_the_oldest_to_the_tips() -> None:
    said = tuple(Comment(f"{number} " + "x" * 90_000, "Ann", NOW + timedelta(seconds=number)) for number in range(20))
    found = read_notes(encode_within_limit(Notes("label", comments=said)))
    assert found == Notes("label", comments=said[9:])
