"""Runs as columns: names that cannot clash, and one type where a format needs it."""

from __future__ import annotations

import pytest
from runs_made_up import WHEN, made_up

from gitrun.model.metrics import Metrics
from gitrun.views.frames import NAMES, frame_values, of_one_type


def test_flag_and_metric_of_one_name_have_columns_of_their_own() -> None:
    run = made_up(flags={"loss": "l2", "status": 1}, metrics=Metrics({"loss": 0.5}))
    values = frame_values([run, made_up()])
    assert list(values) == [*NAMES, "flag.loss", "flag.status", "metric.loss"]
    assert (values["flag.loss"], values["flag.status"], values["metric.loss"]) == (["l2", None], [1, None], [0.5, None])
    assert values["status"] == ["completed"] * 2


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]), ([1, None], [1, None]), ([True, None], [True, None]), ([1, "a"], ["1", "a"]),
        ([True, 1], ["true", "1"]), ([[1, 2], None], ["[1, 2]", None]), ([1 << 63, 1], [str(1 << 63), "1"]), ([], []),
        ([WHEN, None], [WHEN, None]),
    ],
)  # fmt: skip
def test_column_gets_one_type(values, column) -> None:
    assert of_one_type(values) == column
    assert [type(one) for one in of_one_type(values)] == [type(one) for one in column]
