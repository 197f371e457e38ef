"""Events of a batch: one JSON object a line, on stdout alone."""

from __future__ import annotations

import json
import math

import pytest
from runs_made_up import WHEN
from supervised import runs

from gitrun.model.batch_events import TRIAL_ENDED, BatchEvent
from gitrun.model.metrics import Metrics
from gitrun.model.plan import Outcome
from gitrun.render.text import json_safe


def events(ended):
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_trials_tell_their_start_and_end(repo):
    repo.write("work.py", "import sys\nn = 0\nprint('loss:', n)\nsys.exit(n == 2)\n")
    told = events(repo.run("--json", "work.py", "n=[1,2]", check=True))
    assert [event["event"] for event in told] == ["batch-started", *["trial-started", "trial-ended"] * 2, "batch-ended"]
    assert told[0]["total"] == 2
    assert [event["status"] for event in told[1:]] == ["running", "completed", "running", "error", "completed"]
    assert [event["flags"] for event in told if event["event"] == "trial-ended"] == [{"n": 1}, {"n": 2}]
    assert [event["metrics"] for event in told if event["event"] == "trial-ended"] == [{"loss": 1.0}, {"loss": 2.0}]
    assert told[-1]["trials"]["error"] == 1
    assert {event["batch"] for event in told} == {told[-1]["batch"]}
    assert {run["id"] for run in runs(repo, flat=True) if run["trial"]} == {event["id"] for event in told if "id" in event}


def test_trials_that_exist_already_are_reused(repo):
    repo.run("echo.py", "x=1.0", check=True)
    told = events(repo.run("--json", "--needed", "echo.py", "x=[1.0,3.0]", check=True))
    assert [event["event"] for event in told][1:3] == ["trial-reused", "trial-started"]


def test_staged_batch_says_so(repo):
    (staged,) = events(repo.run("--json", "--stage", "echo.py", "x=[1,2]", check=True))
    assert staged["event"] == "batch-staged"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_odd_metrics_become_texts(value):
    outcome = Outcome("completed", 0, WHEN, WHEN, 1.0, metrics=Metrics({"loss": value}))
    event = BatchEvent(TRIAL_ENDED, "a" * 40, WHEN, outcome=outcome)
    text = json.dumps(json_safe(event.as_json()), allow_nan=False)
    assert json.loads(text)["metrics"]["loss"] in {"NaN", "Infinity"}
