"""The verb `worker`: its options are checked before anything is fetched, and its answers are for programs too."""

from __future__ import annotations

import json

import pytest
from clones import make_team, tip
from templates import place_made_once

ID = "1" * 40


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--once", ID, "--batch", ID), "--once cannot be combined with --batch or --max"),
        (("--once", ID, "--max", "1"), "--once cannot be combined with --batch or --max"),
        (("--attempt", ID), "--attempt needs --once RUN"),
        (("--once", ID, "--attempt", "12"), "--attempt takes a full id"),
        (("--name", "a\nb"), "--name must be printable text"),
        (("--stop-after", "soon"), "'soon' is not a duration"),
    ],
)
def test_a_wrong_call_is_refused_at_once(repo, words, said) -> None:
    ended = repo.run("worker", "nowhere", *words)
    assert (ended.returncode, ended.stdout) == (129, "")
    assert said in ended.stderr


def test_what_became_of_a_run_is_an_object_a_line(team) -> None:
    team.ann.run("--stage", "echo.py", check=True)
    team.ann.run("push", "--stage", check=True)
    (run_id,) = tip(team.ann)
    for _ in range(2):
        ended = team.bob.run("worker", "origin", "--once", run_id, "--json", check=True)
        last = json.loads(
            ended.stdout.splitlines()[-1] if ended.stdout.count("\n") == 1 else ended.stdout[ended.stdout.index("{") :]
        )
        team.ann.run("fetch", check=True)
        (run,) = json.loads(team.ann.run("list", "--json", check=True).stdout)
        attempt = team.ann.git("rev-parse", f"refs/runs/{run_id}^").strip()
        assert last == {
            "run": run_id, "worker": run["worker"], "status": "completed", "exit_status": 0, "attempt": attempt,
            "result": tip(team.ann)[run_id], "pushed": True,
        }  # fmt: skip


def test_quiet_shows_no_output_and_records_it(team) -> None:
    team.ann.run("--stage", "echo.py", check=True)
    team.ann.run("push", "--stage", check=True)
    (run_id,) = tip(team.ann)
    ended = team.bob.run("worker", "origin", "--once", run_id, "--quiet", check=True)
    assert ended.stdout == ""
    assert team.bob.run("cat", "--output", run_id, check=True).stdout == "1.0 2 'a'\n"


def test_a_batch_itself_is_not_executed(team) -> None:
    batch = team.ann.run("echo.py", "x=[1.0,2.0]", check=True)
    assert "2 of 2 trials" in batch.stderr
    team.ann.run("push", check=True)
    (batch_id,) = [run["id"] for run in json.loads(team.ann.run("list", "--json", check=True).stdout)]
    ended = team.bob.run("worker", "origin", "--once", batch_id)
    assert ended.returncode == 128
    assert "is a batch. To execute its trials: git run worker origin --batch" in ended.stderr
