"""A list shows the flags that tell its runs apart, and the metric that people look for."""

from __future__ import annotations

import pytest
from runs_made_up import made_up

from gitrun.model.metrics import Metrics
from gitrun.model.run import Params
from gitrun.views.listing import main_metric, tell_apart


def test_only_flags_that_differ_within_an_operation_are_shown() -> None:
    runs = [
        made_up("a" * 40, "train.py", flags={"lr": 0.1, "epochs": 5}),
        made_up("b" * 40, "train.py", flags={"lr": 0.2, "epochs": 5}),
        made_up("c" * 40, "eval.py", flags={"epochs": 9, "seed": 1}),
    ]
    told = tell_apart(runs)
    assert [told.flags_of(run) for run in runs] == ["lr=0.1", "lr=0.2", "epochs=9 seed=1"]


def test_runs_with_equal_flags_show_those_that_were_typed() -> None:
    runs = [made_up(name * 40, flags={"lr": 0.1, "seed": 1}, given=("lr",)) for name in "ab"]
    assert [tell_apart(runs).flags_of(run) for run in runs] == ["lr=0.1", "lr=0.1"]


def test_batch_alone_shows_the_space_that_was_typed() -> None:
    batch = made_up(operation="train.py+", flags={"lr": [0.1, 0.2], "seed": 1}, given=("lr",), kind="batch")
    assert tell_apart([batch]).flags_of(batch) == "lr=[0.1, 0.2]"


def test_classes_of_hydra_are_shown_only_if_typed() -> None:
    runs = [made_up(name * 40, flags={"hydra.verbose": name == "a", "lr": int(name, 16)}) for name in "ab"]
    assert [tell_apart(runs).flags_of(run) for run in runs] == ["lr=10", "lr=11"]


def with_metrics(*names: str) -> Metrics:
    return Metrics(dict.fromkeys(names, 0.5))


@pytest.mark.parametrize(
    ("metrics", "orders", "expected"),
    [
        ([("epoch", "loss", "acc")], (), "loss"),
        ([("epoch", "val_loss", "loss")], (), "val_loss"),
        ([("epoch", "acc")], (), "epoch"),
        ([("loss", "acc"), ("acc",)], (), "acc"),
        ([("loss", "acc")], ("-metric:acc",), "acc"),
        ([("loss", "acc")], ("started",), "loss"),
        ([()], (), ""),
    ],
)
def test_main_metric_is_the_one_people_look_for(metrics, orders, expected) -> None:
    runs = [made_up(f"{number:040x}", metrics=with_metrics(*names)) for number, names in enumerate(metrics)]
    assert main_metric(runs, orders) == expected


def test_objective_of_a_batch_is_the_main_metric() -> None:
    batch = made_up("a" * 40, "train.py+", kind="batch", params=Params(maximize="acc"))
    assert main_metric([batch, made_up(metrics=with_metrics("loss", "acc"))]) == "acc"
