"""The points of metrics, read from a record that may come from anywhere."""

from __future__ import annotations

import math

from gitrun.model.points import Points, parse_points


def test_points_have_the_steps_and_values_of_their_rows() -> None:
    record = b'{"step": 0, "loss": 1.5, "acc": 0}\n{"step": 10, "acc": 1}\n{"step": 20.5, "loss": 1}\n'
    assert parse_points(record, ["acc", "loss", "none"]) == {
        "acc": Points((0, 10), (0, 1)),
        "loss": Points((0, 20.5), (1.5, 1)),
    }


def test_nan_and_both_infinities_are_values_of_their_own() -> None:
    record = b'{"step": 0, "x": "NaN"}\n{"step": 1, "x": "Infinity"}\n{"step": 2, "x": "-Infinity"}\n{"step": 3, "x": 0}\n'
    values = parse_points(record, ["x"])["x"].values
    assert [repr(value) for value in values] == ["nan", "inf", "-inf", "0.0"]


def test_lines_that_are_no_objects_of_json_are_skipped() -> None:
    lines = [
        b"nonsense",
        b"[1]",
        b"7",
        b"",
        b'{"step": 1, "x": 2}',
        b'{"x": "text"}',
        b'{"x": true}',
        b"[" * 100_000,
        b'{"x": 1',
    ]
    assert parse_points(b"\n".join(lines), ["x"]) == {"x": Points((1,), (2,))}
    assert parse_points(b"\n".join(lines[1:6]), ["x"]) == {"x": Points((1,), (2,))}


def test_a_row_without_a_finite_step_continues_the_count() -> None:
    rows = b'{"x": 1}\n{"x": 2, "step": "NaN"}\n{"x": 3, "step": 7}\n{"x": 4, "step": 1e999}\n'
    points = parse_points(rows, ["x"])["x"]
    assert points.steps == (0, 1, 7, 7)
    assert all(map(math.isfinite, points.steps))
