"""Metrics as values: summaries over all points, steps, and limits."""

from __future__ import annotations

import json
import math
import pickle

import pytest

from gitrun.model.metrics import (
    MAX_METRICS,
    CollectedMetrics,
    MetricCollector,
    Metrics,
    Summary,
    number_from_json,
    points_per_metric,
)

LOSS = Summary(first=3.0, last=1.0, least=0.5, most=4.0, count=9)


def test_an_aspect_is_asked_for_by_name() -> None:
    metrics = Metrics({"loss": 1.0, "acc": 0.9, "odd:min": 7.0}, {"loss": LOSS})
    asked = ["loss", "loss:min", "loss:first", "loss:count", "acc:last", "acc:min", "odd:min", "none:min"]
    assert [metrics.ask(name) for name in asked] == [1.0, 0.5, 3.0, 9, 0.9, None, 7.0, None]


def test_nan_equals_nan() -> None:
    assert Metrics({"a": math.nan}) == {"a": math.nan}
    assert hash(Metrics({"a": math.nan})) == hash(Metrics({"a": -math.nan}))
    assert Metrics({"a": 1}) != {"a": math.nan}


def test_packed_and_pickled_metrics_come_back_whole() -> None:
    metrics = Metrics({"loss": 1.0, "acc": 0.9}, {"loss": LOSS})
    for copy in (Metrics.unpack(json.loads(json.dumps(metrics.pack()))), pickle.loads(pickle.dumps(metrics))):
        assert (copy, copy.summaries) == (metrics, metrics.summaries)


def test_a_name_that_comes_again_begins_a_step() -> None:
    collector = MetricCollector()
    for values in ({"a": 1.0}, {"b": 2.0}, {"a": 3.0}, {"step": 10.0, "a": 4.0}, {"b": 5.0}):
        collector.add_all(values)
    assert [json.loads(line) for line in collector.lines()] == [
        {"step": 0, "a": 1.0, "b": 2.0}, {"step": 1, "a": 3.0}, {"step": 10, "a": 4.0, "b": 5.0},
    ]  # fmt: skip


def test_a_thinned_series_keeps_its_summary_and_last_point() -> None:
    collector = MetricCollector(most_points=100)
    for step in range(1001):
        collector.add_all({"loss": 1000.0 - step, "step": float(step)})
    lines = [json.loads(line) for line in collector.lines()]
    assert len(lines) <= 101
    assert (lines[0]["loss"], lines[-1]["loss"]) == (1000, 0)
    assert collector.series["loss"].summary() == Summary(1000, 0, 0, 1000, 1001)


def test_an_echoed_flag_is_no_metric_until_it_changes() -> None:
    collector = MetricCollector(echoes={"lr": 0.1})
    collector.add_all({"lr": 0.1})
    assert CollectedMetrics((collector,)).metrics() == {}
    collector.add_all({"lr": 0.05})
    assert CollectedMetrics((collector,)).metrics().summaries["lr"] == Summary(0.1, 0.05, 0.05, 0.1, 2)


def test_the_first_source_of_a_name_counts() -> None:
    log, output = MetricCollector(), MetricCollector()
    log.add_all({"loss": 1.0})
    output.add_all({"loss": 2.0, "acc": 0.5})
    assert CollectedMetrics((log, output)).metrics() == {"loss": 1.0, "acc": 0.5}


def test_metrics_beyond_the_limit_are_left_out() -> None:
    collector = MetricCollector()
    collector.add_all({f"m{number}": 1.0 for number in range(MAX_METRICS + 5)})
    collected = CollectedMetrics((collector,))
    assert (len(collected.metrics()), collected.is_full) == (MAX_METRICS, True)


@pytest.mark.parametrize(("count", "points"), [(0, 10_000), (20, 10_000), (40, 5_000), (1_000, 200), (10_000, 100)])
def test_many_metrics_leave_fewer_points_for_each(count, points) -> None:
    assert points_per_metric(count) == points


@pytest.mark.parametrize("value", [True, "1", None, [1], 10**400])
def test_json_values_that_are_no_numbers_are_none(value) -> None:
    assert number_from_json(value) is None
    assert number_from_json("-Infinity") == -math.inf
