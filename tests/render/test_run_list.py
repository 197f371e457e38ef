"""Rows of lists fit on a terminal, and say the same in a pipe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from runs_made_up import WHEN, made_up

from gitrun.model.metrics import Metrics
from gitrun.model.run import BrokenRun, Params
from gitrun.model.text import age_text, count_columns
from gitrun.model.trial_counts import BestTrial, TrialCounts
from gitrun.render.run_list import ListStyle, list_rows
from gitrun.render.text import column_widths, join_cells, shrink_columns
from gitrun.views.listing import tell_apart

RUNS = [
    (1, made_up("a" * 40, "train.py", flags={"lr": 0.5, "opt": "adam"}, metrics=Metrics({"loss": 0.371234}), label="best")),
    (2, made_up("b" * 40, "a/very/long/path/of/a/script.py", status="error", duration=None)),
    (3, made_up("c" * 40, "train.py", flags={"lr": 0.1, "opt": "sgd"}, metrics=Metrics({"loss": 12.0}), marked=True)),
]


def lines(runs, broken=(), room: int = 80, **style) -> list[str]:
    """The lines of a list for a person, or for a program with `is_person=False`."""
    look = ListStyle(WHEN + timedelta(hours=3), tell_apart([run for _, run in runs]), **{"is_person": True, **style})
    rows, shape = list_rows(runs, broken, look, room)
    fitted = shrink_columns(rows, shape, room)
    return [join_cells(row, column_widths(fitted), room, shape.right) for row in fitted]


def test_terminal_of_80_columns_shows_status_metric_and_flags() -> None:
    assert lines(RUNS) == [
        "#   id        operation     started  status     loss    flags",
        "1   aaaaaaaa  train.py      3h ago   completed  0.3712  [best] lr=0.5 opt=adam",
        "2   bbbbbbbb  a/very…pt.py  3h ago   error",
        "3*  cccccccc  train.py      3h ago   completed  12      lr=0.1 opt=sgd",
    ]


def test_wide_terminal_shows_durations_too() -> None:
    assert " ".join(lines(RUNS, room=140)[1].split()).endswith("3h ago completed 0.50s 0.3712 [best] lr=0.5 opt=adam")


def test_pipe_gets_exact_times_and_names_the_metric() -> None:
    found = lines(RUNS, room=10_000, is_person=False)
    assert "3h ago" not in found[0]
    assert found[0].endswith("completed  0.50s  loss=0.3712  [best] lr=0.5 opt=adam")


def test_cells_that_are_empty_in_all_rows_are_left_out() -> None:
    assert lines([(1, made_up("a" * 40, duration=None))])[0].split() == ["#", "id", "operation", "started", "status", "flags"]


def test_batch_shows_the_value_of_its_best_trial() -> None:
    counts = TrialCounts(4, 4, 0, 0, 0, 0, BestTrial(3, "d" * 40, 0.25))
    batch = made_up("a" * 40, "t.py+", kind="batch", counts=counts, params=Params(minimize="loss"))
    trial = made_up("b" * 40, "t.py", metrics=Metrics({"loss": 0.25}), batch="a" * 40, trial=3)
    assert [line.split()[7] for line in lines([(1, batch), (0, trial)], room=140)[1:]] == ["0.25", "0.25"]


def test_unreadable_runs_stand_below_with_their_reason() -> None:
    assert lines(RUNS, [BrokenRun("e" * 40, "e" * 40, "no attempt")], room=140)[-1].split()[-2:] == ["no", "attempt"]


@pytest.mark.parametrize("room", [20, 40, 60, 80, 100, 140])
def test_no_line_is_longer_than_the_terminal(room) -> None:
    assert all(count_columns(line) <= room for line in lines(RUNS, room=room, sparks={"a" * 40: "█▃▁"}))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (1, "1s ago"), (119, "1m ago"), (7200, "2h ago"), (86400 * 340, "11mo ago"), (-90, "in 1m")],
)
def test_ages_take_few_columns(seconds, text) -> None:
    assert age_text(WHEN, WHEN + timedelta(seconds=seconds)) == text
