"""A project with a plain run and a batch of four trials, recorded as the runner records them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from runs_made_up import WHEN

from gitrun import Project
from gitrun.model.batch import BatchDefinition, Objective, Trial, count_trials
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.plan import Outcome, Plan, Request
from gitrun.model.run import BATCH, Params
from gitrun.model.space import Choice
from gitrun.store.attempts import Collected, begin
from gitrun.store.refs import tip_of

if TYPE_CHECKING:
    from repository import Repo

LOSSES = (0.5, 0.25, None, 0.75)
"""Losses of the trials; the third ends with an error."""
LOSS = (Objective("loss"),)

NOISY = """
x = 1
from pathlib import Path
count = Path("%s", str(x))
with count.open("a") as lines:
    lines.write("x")
print("loss:", {1: [1, 9, 9], 2: [4, 5, 6]}[x][count.stat().st_size - 1])
"""
"""A program whose lowest loss is not that of the point with the lowest median: `%s` is a directory for its counts."""


def record(project: Project, plan: Plan, outcome: Outcome | None) -> str:
    """Records a run as the runner does; without an outcome it is pending. Returns its id."""
    with begin(project.git, plan, {}) as attempt:
        if outcome is None:
            attempt.close()
        else:
            attempt.finish(lambda: Collected(outcome, {}))
        return attempt.run_id


def batch_of_four(repo: Repo, *, ended: bool = True) -> tuple[Project, str, list[str]]:
    """The project, the id of the batch and those of its trials: x=1..4, the second is best."""
    project = Project(repo.path)
    project.run("echo.py", flags={"x": 0})
    plain = project.plan(Request(operation="echo.py"))
    assert isinstance(plain, Plan)
    definition = BatchDefinition("grid", {"x": Choice((1, 2, 3, 4))}, objectives=LOSS)
    done = Outcome("completed", 0, WHEN, WHEN + timedelta(seconds=1), 1.0)
    plan = replace(
        plain, operation="echo.py+", kind=BATCH, flags=Flags({"x": [1, 2, 3, 4]}), batch_definition=definition, nonce="b",
        params=Params(minimize="loss", random_seed=7), created=plain.created + timedelta(seconds=1),
    )  # fmt: skip
    with begin(project.git, plan, {}) as attempt:
        ids, trials = [], []
        for number, loss in enumerate(LOSSES, 1):
            trial = replace(plain, flags=Flags({"x": number}), batch=attempt.run_id, trial=number, nonce=f"{number}",
                            created=plan.created + timedelta(seconds=number))  # fmt: skip
            found = replace(done, metrics=Metrics({"loss": loss})) if loss else replace(done, status="error", exit_status=1)
            ids.append(record(project, trial, found))
            trials.append(
                Trial(number, {}, found.status, ids[-1], (loss,) if loss else (), tip=tip_of(project.git, ids[-1]) or "")
            )
        if ended:
            counts = count_trials(trials, 4, LOSS)
            attempt.finish(lambda: Collected(replace(done, counts=counts, trials=tuple(trials)), {}))
        else:
            attempt.close()
    return project, attempt.run_id, ids
