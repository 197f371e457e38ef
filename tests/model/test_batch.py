"""Batches as values: how their trials are counted."""

from __future__ import annotations

import pytest

from gitrun.model.batch import Objective, Trial, count_trials
from gitrun.model.trial_counts import BestTrial, TrialCounts

LOSS = Objective("loss")
TRIALS = (
    Trial(1, {"lr": 0.1}, "completed", "a", (0.5,)),
    Trial(2, {"lr": 0.2}, "completed", "b", (0.2,)),
    Trial(3, {"lr": 0.3}, "completed", "c", (0.2,)),
    Trial(4, {"lr": 0.4}, "pruned", "d", (0.1,)),
    Trial(5, {"lr": 0.5}, "error", "e"),
    Trial(6, {"lr": 0.6}, "running", "f"),
)


def test_trials_are_counted_by_their_ends() -> None:
    counted = count_trials(TRIALS, 10, (LOSS,))
    assert counted == TrialCounts(10, completed=3, pruned=1, error=1, pending=5, best=BestTrial(2, "b", 0.2))


def test_the_largest_value_can_be_the_best() -> None:
    assert count_trials(TRIALS, 6, (Objective("acc", minimize=False),)).best == BestTrial(1, "a", 0.5)


@pytest.mark.parametrize(
    ("trials", "objectives"),
    [(TRIALS, ()), (TRIALS, (LOSS, Objective("acc"))), (TRIALS[3:], (LOSS,)), ((), (LOSS,))],
)
def test_without_one_objective_and_a_value_none_is_best(trials, objectives) -> None:
    assert count_trials(trials, 6, objectives).best is None


def test_more_trials_than_planned_leave_none_pending() -> None:
    assert count_trials(TRIALS, 3, (LOSS,)).pending == 0
