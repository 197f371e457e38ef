"""The input of fast-import."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.stream import quoted, values_of
from gitrun.model.batch import Objective
from gitrun.model.metrics import Metrics


@pytest.mark.parametrize(
    ("path", "text"), [("a", b'"a"'), ('"a', b'"\\"a"'), ("a\nM 1", b'"a\\nM 1"'), ("a\\n", b'"a\\\\n"'), ("\udcff", b'"\xff"')]
)
def test_no_path_ends_its_line(path, text) -> None:
    assert quoted(path) == text


def test_trial_without_one_objective_has_no_values() -> None:
    objectives = (Objective("a"), Objective("b"))
    assert values_of(objectives, Metrics({"a": 1.0, "b": 2.0}), "completed") == (1.0, 2.0)
    assert values_of(objectives, Metrics({"a": 1.0}), "completed") == ()
    assert values_of(objectives, Metrics({"a": 1.0, "b": 2.0}), "error") == ()
