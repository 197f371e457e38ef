"""Runs from elsewhere: a date that their maker chose makes none the newest, and verbs without a name mean one's own."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from clones import clone, make_team, tip
from sampled import sampled, sampled_values
from templates import place_made_once

from gitrun import Project
from gitrun.model.validation_rules import credible_start
from gitrun.store.foreign import received_times

FAR = "9000-01-01T00:00:00.000000+00:00"


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has a run of her own; Bob has made one that says it is of the year 9000, its commits of 2037, and pushed it."""
    made = make_team(tmp_path)
    Project(made.bob.path).run("echo.py", flags={"x": 987.25})
    forge_dates(made.bob)
    made.bob.git("push", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    Project(made.ann.path).run("echo.py", flags={"x": 1.0})
    return made


def forge_dates(repo) -> None:
    """Replaces the only run by one that is as it, but for its dates."""
    ((run, head),) = tip(repo).items()
    name = run.removeprefix("runs/")
    text = repo.git("show", f"{name}:.gitrun/run.toml") + "\n"
    created = next(line for line in text.splitlines() if line.startswith("created = "))
    far = {"GIT_COMMITTER_DATE": "2037-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2037-01-01T00:00:00Z"}
    index = {"GIT_INDEX_FILE": str(repo.path / ".git" / "forged")}

    def git(*words: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=repo.path,
            env=os.environ | far | index,
            input=stdin,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    parent = f"{name}^"
    for old, kind in ((name, "attempt"), (head, "result")):
        git("read-tree", old)
        blob = git("hash-object", "-w", "--stdin", stdin=text.replace(created, f"created = {FAR}"))
        git("update-index", "--cacheinfo", f"100644,{blob},.gitrun/run.toml")
        tree = git("write-tree")
        parent = git("commit-tree", tree, "-p", parent, "-m", f"it\n\nGitrun-Kind: {kind}\nGitrun-Format: 1")
    git("update-ref", f"refs/runs/{git('rev-parse', f'{parent}^')}", parent)
    git("update-ref", "-d", f"refs/runs/{name}")


def order(repo) -> list[object]:
    return [run.flags["x"] for run in Project(repo.path).list_runs()]


WAYS = [("run", "fetch"), ("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")]


@pytest.mark.parametrize("way", WAYS, ids=["git run fetch", "git fetch"])
def test_run_dated_to_come_is_not_the_newest_for_ever(team, way) -> None:
    team.ann.git(*way)
    assert order(team.ann) == [987.25, 1.0]  # it came last
    Project(team.ann.path).run("echo.py", flags={"x": 2.0})
    assert order(team.ann) == [2.0, 987.25, 1.0]
    team.ann.run("trust", "2", check=True)
    (team.ann.path / ".git" / "gitrun" / "index.sqlite").unlink()
    assert order(team.ann) == [2.0, 987.25, 1.0]
    assert team.ann.run("doctor").returncode == 0


def test_run_that_is_restarted_after_one_dated_to_come_is_the_newest(team) -> None:
    team.ann.run("fetch", check=True)
    Project(team.ann.path).run(restart=Project(team.ann.path).list_runs()[1].id, flags={"x": 3.0})
    assert order(team.ann) == [3.0, 987.25]


def test_runs_of_a_fast_clock_keep_their_order(team, tmp_path) -> None:
    for x in (5.0, 6.0, 7.0):
        Project(team.ann.path).run("echo.py", flags={"x": x})
    team.ann.run("push", check=True)
    bob = clone(team.remote.path, tmp_path / "other")
    bob.run("fetch", check=True)
    assert order(bob)[1:] == [7.0, 6.0, 5.0, 1.0]


def test_time_of_arrival_outlives_the_index(team) -> None:
    team.ann.run("fetch", check=True)
    git = Project(team.ann.path).git
    before = received_times(git)
    assert len(before) == 2
    Project(team.ann.path).list_runs()
    (git.state / "index.sqlite").unlink()
    Project(team.ann.path).list_runs()
    assert received_times(git) == before


def test_line_of_arrival_that_was_cut_short_is_passed_over(team) -> None:
    team.ann.run("fetch", check=True)
    git = Project(team.ann.path).git
    with (git.state / "received").open("a") as file:
        file.write("\nabc\n" + "a" * 40 + " 1e400\n" + "b" * 40 + " ")
    assert len(received_times(git)) == 2


VERBS = [("show", "--json"), ("cat",), ("ls", "--json"), ("diff", "--json"), ("select",), ("log",), ("checkout",), ("echo.py",)]


@pytest.mark.parametrize(
    "words", sampled(2, [(words,) for words in (*VERBS, ("show", "echo.py"), ("checkout", "echo.py"))]), ids=" ".join
)
def test_without_a_name_a_strangers_run_is_not_meant(team, words) -> None:
    own = Project(team.ann.path).list_runs()[0]
    team.ann.run("fetch", check=True)
    ended = team.ann.run(*words, check=True)
    stranger = next(run.id for run in Project(team.ann.path).list_runs() if run.flags["x"] == 987.25)
    assert stranger[:8] not in ended.stdout + ended.stderr
    assert "987.25" not in ended.stdout
    if words[0] in {"show", "select"}:
        assert own.id[:8] in ended.stdout


@pytest.mark.parametrize(
    "words", sampled_values(3, [("show",), ("checkout",), ("cat",), ("verify",), ("label", "best")]), ids=" ".join
)
def test_where_no_run_is_ones_own_a_name_is_asked_for(team, tmp_path, words) -> None:
    cas = clone(team.remote.path, tmp_path / "cas")
    cas.run("fetch", check=True)
    ended = cas.run(*words)
    assert (ended.returncode, "no run here was made or is trusted on this machine" in ended.stderr) == (128, True)
    assert cas.run("show", "1", check=True).returncode == 0


def test_skip_over_a_run_that_nobody_trusts_is_said(team) -> None:
    team.ann.run("fetch", check=True)
    ended = team.ann.run("--needed", "echo.py", "x=987.25", check=True)
    assert "Skipping because" in ended.stdout
    assert "none of these runs was made or is trusted here" in ended.stderr
    assert "trusted here" not in team.ann.run("--needed", "echo.py", "x=1.0", check=True).stderr
    stranger = next(run.id for run in Project(team.ann.path).list_runs() if run.flags["x"] == 987.25)
    team.ann.run("trust", stranger, check=True)
    assert "trusted here" not in team.ann.run("--needed", "echo.py", "x=987.25", check=True).stderr


def test_earliest_of_three_dates_counts() -> None:
    now = datetime(2026, 11, 22, 10, 0, 0, 500_000, timezone.utc)
    second, hour = timedelta(seconds=1), timedelta(hours=1)
    assert credible_start(now, now.replace(microsecond=0)) == now
    assert credible_start(now + hour, now) == now
    assert credible_start(now, now + hour) == now
    assert credible_start(now + hour, now + hour, now) == now
    assert credible_start(now - second, now, now) == now - second
