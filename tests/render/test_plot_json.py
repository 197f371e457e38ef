"""Plots as data, and as Vega-Lite that its own programs accept."""

from __future__ import annotations

import json
import math

import pytest
from evil_texts import EVIL
from plots_made_up import SERIES, curves_plot, points_plot

from gitrun.model.text import safe_text
from gitrun.render.plot_json import plot_rows, vega_spec
from gitrun.views.plot_subjects import HISTORY, SCATTER

PLOTS = [
    *(curves_plot(series) for series in SERIES.values()),
    curves_plot(*SERIES.values(), text=EVIL, metric=EVIL, log_y=True),
    points_plot(["a", EVIL, "c"], [1.0, 2.0, 3.0], EVIL, form=SCATTER),
    points_plot([1, 2, 3], [3.0, 1.0, 2.0], form=HISTORY),
]


def test_rows_of_curves_have_all_steps_and_values() -> None:
    (row,) = plot_rows(curves_plot(SERIES["inf"]))
    assert (row["key"], row["metric"], row["steps"]) == ("a", "loss", list(range(7)))
    assert row["values"] == SERIES["inf"]


def test_rows_of_a_history_have_the_best_so_far() -> None:
    rows = plot_rows(points_plot([1, 2, 3], [3.0, 1.0, 2.0], form=HISTORY))
    assert [(row["x"], row["y"], row["best"]) for row in rows] == [(1, 3, 3), (2, 1, 1), (3, 2, 1)]


def test_value_that_cannot_be_drawn_is_null_in_vega() -> None:
    values = vega_spec(curves_plot([1, math.nan, math.inf, -1], log_y=True))["data"]["values"]
    assert [(row["x"], row["y"]) for row in values] == [(0, 1), (1, None), (2, None), (3, None)]
    json.dumps(values, allow_nan=False)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.form)
def test_vega_is_what_its_schema_says(plot) -> None:
    altair = pytest.importorskip("altair", reason="altair, which brings the schema of Vega-Lite, is not installed")
    altair.Chart.from_dict(vega_spec(plot), validate=True)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.form)
def test_vega_compiles_to_a_picture(plot) -> None:
    convert = pytest.importorskip("vl_convert", reason="vl-convert, which draws Vega-Lite, is not installed")
    assert convert.vegalite_to_svg(json.dumps(vega_spec(plot), allow_nan=False), "5.20").startswith("<svg")


def test_vega_has_no_text_that_a_drawing_program_would_obey() -> None:
    for plot in PLOTS:
        text = json.dumps(vega_spec(plot), ensure_ascii=False)
        assert safe_text(text) == text
        assert "\\u001b" not in text
