"""What comes from elsewhere becomes a run only if it may be one; what was deleted stays deleted; nothing is overwritten."""

from __future__ import annotations

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun import Project
from gitrun.git.locks import acquire
from gitrun.sharing import quarantine, remotes
from gitrun.sharing.quarantine import IncomingRules, move_to_runs, open_quarantine, receive_runs
from gitrun.store.refs import RefEdit


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has pushed three runs."""
    made = make_team(tmp_path)
    for x in (1.0, 2.0, 3.0):
        Project(made.ann.path).run("echo.py", flags={"x": x})
    made.ann.run("push", check=True)
    return made


def flags(repo) -> set[object]:
    return {run.flags["x"] for run in Project(repo.path).list_runs()}


@pytest.mark.parametrize("words", [("rm",), ("rm", "purge")])
def test_deleted_run_does_not_come_back_unless_it_is_named(team, words) -> None:
    team.bob.run("fetch", check=True)
    gone = Project(team.bob.path).find("1").id
    for word in words:
        team.bob.run(word, gone, check=True)
    told = team.bob.run("fetch", check=True).stderr
    assert "1 run deleted here exists there" in told
    assert flags(team.bob) == {1.0, 2.0}
    team.bob.run("fetch", "origin", gone[:8], check=True)
    assert flags(team.bob) == {1.0, 2.0, 3.0}
    assert Project(team.bob.path).trash.list_runs() == []


def test_run_that_is_named_comes_alone(team) -> None:
    run = Project(team.ann.path).find("2").id
    team.bob.run("fetch", "origin", run[:6], check=True)
    assert set(tip(team.bob)) == {run}
    assert "has no run 'abcd'" in team.bob.run("fetch", "origin", "abcd").stderr


def test_filters_pick_among_what_comes(team) -> None:
    team.bob.run("fetch", "--where", "x>1.5", check=True)
    assert flags(team.bob) == {2.0, 3.0}


def test_runs_of_some_commits_are_fetched_and_pushed_with_them(team) -> None:
    team.ann.git("checkout", "--quiet", "-b", "topic")
    team.ann.write("new.txt", "x")
    team.ann.commit("topic")
    Project(team.ann.path).run("echo.py", flags={"x": 9.0})
    team.ann.run("push", "--for", "main..topic", check=True)
    team.ann.git("push", "--quiet", "origin", "topic")
    team.bob.git("fetch", "--quiet", "origin")
    team.bob.run("fetch", "--for", "origin/main..origin/topic", check=True)
    assert flags(team.bob) == {9.0}
    assert team.bob.run("fetch", "--for", "no..where").returncode == 129


def test_run_that_is_running_here_is_left(team) -> None:
    team.bob.run("fetch", check=True)
    run = Project(team.bob.path).find("1").id
    team.ann.run("tag", "new", run, check=True)
    team.ann.run("push", check=True)
    before = tip(team.bob)
    git = Project(team.bob.path).git
    with acquire(git.state / "live" / run / "lock"):  # type: ignore[union-attr]
        ended = team.bob.run("fetch")
    assert ended.returncode == 1
    assert "is running here" in ended.stderr
    assert tip(team.bob) == before


def test_run_that_is_ahead_here_stays(team) -> None:
    team.bob.run("fetch", check=True)
    team.bob.run("tag", "mine", "1", check=True)
    before = tip(team.bob)
    assert "1 run changed here only" in team.bob.run("fetch", check=True).stderr
    assert tip(team.bob) == before


def test_ref_that_moved_meanwhile_is_not_overwritten(team) -> None:
    git = Project(team.ann.path).git
    run, head = next(iter(tip(team.ann).items()))
    other = next(head for name, head in tip(team.ann).items() if name != run)
    fresh = next(name for name in tip(team.ann) if name != run)
    moved = RefEdit(f"refs/runs/{run}", other, "a" * 40, "fetch run")
    kept = RefEdit(f"refs/runs/{fresh}", tip(team.ann)[fresh], tip(team.ann)[fresh], "fetch run")
    stale = move_to_runs(git, [moved, kept])
    assert stale == [run]
    assert tip(team.ann)[run] == head


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(repo) -> None:
    git, head = Project(repo.path).git, repo.head()
    repo.git("update-ref", "refs/gitrun/incoming/dead/all", head)
    repo.git("update-ref", "refs/gitrun/outbox/dead2/x", head)
    repo.git("pack-refs", "--all")
    with open_quarantine(git) as prefix:
        repo.git("update-ref", f"{prefix}all", head)
        quarantine.remove_stale_quarantines(git)
        assert repo.git("for-each-ref", "--format=%(refname)", "refs/gitrun") == f"{prefix}all"
    assert repo.git("for-each-ref", "refs/gitrun") == ""


def test_what_is_looked_through_is_kept_from_gc(team) -> None:
    git = Project(team.bob.path).git
    with open_quarantine(git) as prefix:
        there = remotes.fetch_tips(git, "origin", ["*"], prefix, progress=False).tips
        team.bob.git("gc", "--quiet", "--prune=now")
        assert len(receive_runs(git, there, IncomingRules()).fresh) == 3
    team.bob.git("fsck", "--connectivity-only")


def test_many_runs_are_known_at_once(team, monkeypatch) -> None:
    monkeypatch.setattr(quarantine, "FEW", 1)
    monkeypatch.setattr(remotes, "FEW", 1)
    team.bob.run("fetch", check=True)
    git = Project(team.bob.path).git
    with open_quarantine(git) as prefix:
        assert (
            receive_runs(git, remotes.fetch_tips(git, "origin", ["*"], prefix, progress=False).tips, IncomingRules()).same == 3
        )
