"""The input of fast-import."""

from __future__ import annotations

from gitrun.extras.importers.stream import values_of
from gitrun.model.batch import Objective
from gitrun.model.metrics import Metrics


def test_trial_without_one_objective_has_no_values() -> None:
    objectives = (Objective("a"), Objective("b"))
    assert values_of(objectives, Metrics({"a": 1.0, "b": 2.0}), "completed") == (1.0, 2.0)
    assert values_of(objectives, Metrics({"a": 1.0}), "completed") == ()
    assert values_of(objectives, Metrics({"a": 1.0, "b": 2.0}), "error") == ()
