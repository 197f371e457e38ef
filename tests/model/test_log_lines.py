"""The second rule: it finds what training programs print, and nothing in what other programs print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitrun.model.log_lines import LogLines
from gitrun.model.metrics import CollectedMetrics
from gitrun.workspace.metric_lines import LineScanner

FIXTURES = Path(__file__).parents[1] / "fixtures"
ORDINARY = sorted((FIXTURES / "ordinary").glob("*.txt"))
TRAINING = sorted((FIXTURES / "training").glob("*.log"))
EXPECTED = json.loads((FIXTURES / "training" / "expected.json").read_text())


def told(*lines: str) -> list[tuple[float | None, dict[str, float]]]:
    """What each line tells: step and metrics."""
    log = LogLines()
    return [(found.step, dict(found.values)) for found in map(log.read, lines)]


@pytest.mark.parametrize("path", ORDINARY, ids=lambda path: path.stem)
def test_ordinary_output_has_no_metric_by_the_second_rule(path) -> None:
    log = LogLines()
    lines = path.read_text().splitlines()
    assert len(lines) > 5
    assert [(line, found.values) for line in lines if (found := log.read(line)).values] == []


def test_corpus_of_ordinary_output_is_large_and_full_of_words_of_the_rule() -> None:
    text = "".join(path.read_text() for path in ORDINARY).lower()
    assert len(ORDINARY) > 15
    assert text.count("\n") > 2_000
    assert all(text.count(word) > 20 for word in ("loss", "acc", "error"))


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_training_log_has_the_metrics_that_a_person_reads_in_it(path) -> None:
    scanner = LineScanner()
    scanner.feed(0, path.read_bytes())
    scanner.finish()
    rows = [json.loads(line) for line in scanner.collector.lines()]
    assert CollectedMetrics((scanner.collector,)).metrics() == EXPECTED[path.stem]["metrics"]
    assert [row["step"] for row in rows] == EXPECTED[path.stem]["steps"]


def test_every_training_log_has_its_expectation() -> None:
    assert set(EXPECTED) == {path.stem for path in TRAINING}


def test_lines_of_the_manual_are_metrics_with_their_steps() -> None:
    assert told(
        "step 10 | loss 3.10 | lr 1e-3",
        "Epoch 3: loss=0.2, acc=0.91",
        "train Loss: 0.6 Acc: 0.7",
        "{'loss': 0.4, 'epoch': 1.0}",
        "[12/100] loss 0.3",
    ) == [
        (10.0, {"loss": 3.1, "lr": 0.001}),
        (3.0, {"loss": 0.2, "acc": 0.91}),
        (None, {"train_Loss": 0.6, "train_Acc": 0.7}),
        (1.0, {"loss": 0.4}),
        (12.0, {"loss": 0.3}),
    ]


def test_steps_within_epochs_are_counted_through() -> None:
    lines = ("Epoch [1/2], Step [600/600], Loss: 0.2", "Epoch [2/2], Step [10/600], Loss: 0.1")
    assert [step for step, _ in told(*lines)] == [600.0, 610.0]
    assert [step for step, _ in told("Epoch 0", "[5/20] loss 1.0", "Epoch 1", "[5/20] loss 0.9")] == [0.0, 5.0, 1.0, 25.0]


def test_step_that_begins_anew_with_each_epoch_is_none() -> None:
    assert told("epoch 2 step 5: loss 0.3") == [(None, {"loss": 0.3})]


@pytest.mark.parametrize(
    "line",
    [
        "Test accuracy: 0.91", "Final test loss: 0.2134.", "loss = 0.5", "2026-01-01 10:00:00 INFO loss: 0.5",
        "Mean squared error: 2548.07", "Epoch 3 - loss: nan", "acc=91.2%, loss=0.3",
    ],
)  # fmt: skip
def test_line_with_a_measure_and_a_number_is_a_metric(line) -> None:
    ((_, values),) = told(line)
    assert values


@pytest.mark.parametrize(
    "line",
    [
        "train(loss=0.5, acc=0.7)", "Config(loss_scale=128.0, accuracy_target=0.93)", "my loss is 3",
        "packet loss: 3", "loss_weight: 0.5, acc_steps: 4", "loss 0.5 at 3", "see loss.py: 3, acc.py: 4", "LOSS=0.5",
        "0.5 loss", "loss:", "loss=0.5s, acc=0.7ms", "x" * 3_000 + " loss=0.5, acc=0.7", "precision=-23, stratum=2",
    ],
)  # fmt: skip
def test_line_that_only_looks_like_one_is_none(line) -> None:
    assert told(line) == [(None, {})]


def test_rows_below_a_heading_with_a_measure_are_points() -> None:
    assert told("epoch  train_loss  time", "0  0.5  00:01", "a line between", "1  0.4  00:01", "2  0.3") == [
        (None, {}), (0.0, {"train_loss": 0.5}), (None, {}), (1.0, {"train_loss": 0.4}), (None, {}),
    ]  # fmt: skip
    assert told("step  size", "0  0.5") == [(None, {}), (None, {})]
