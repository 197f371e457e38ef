"""The charts of a batch are sound SVG, whatever its flags and values are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.dataclass import replace
from gitrun.model.batch import Objective
from gitrun.model.metrics import Metrics
from gitrun.render.batch_charts import draw_batch
from gitrun.render.html import escape_text
from gitrun.views.batches import RankedBatch, best_first, summarize_point

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT, max_size=2))


def ranked(rows, *, minimize: bool | None = True, logs: frozenset[str] = frozenset()) -> RankedBatch:
    """A batch whose trials have these values of loss and flags."""
    trials = tuple(
        made_up(f"{number:040x}", flags=flags, metrics=Metrics({"loss": loss}), trial=number)
        for number, (loss, flags) in enumerate(rows, 1)
    )
    names = tuple(dict.fromkeys(name for _, flags in rows for name in flags))
    objective = None if minimize is None else Objective("loss", minimize)
    best = tuple(best_first(trials, objective)) if objective else ()
    return RankedBatch(made_up(kind="batch"), objective, trials, best, names, logs, ("loss",))


def places(picture: str, name: str) -> list[float]:
    """The places of the points of a chart."""
    return [float(circle.get(name, "")) for circle in ET.fromstring(picture).iter("circle")]


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter("text")]


@given(
    st.lists(st.tuples(st.floats(), st.dictionaries(TEXT, VALUES, max_size=3)), max_size=6),
    st.frozensets(TEXT), st.sampled_from([True, False, None]),
)  # fmt: skip
def test_charts_are_sound_whatever_flags_and_values_are(rows, logs, minimize) -> None:
    for _, picture in draw_batch(ranked(rows, logs=logs, minimize=minimize), escape_text):
        points = [
            float(number)
            for element in ET.fromstring(picture).iter()
            for name in ("cx", "cy", "points")
            for number in element.get(name, "").replace(",", " ").split()
        ]
        assert all(0 <= point <= 640 for point in points)


def test_history_falls_to_the_best_value_so_far() -> None:
    charts = dict(draw_batch(ranked([(0.5, {}), (0.75, {}), (0.25, {})]), escape_text))
    line = ET.fromstring(charts["loss by trial"]).find("polyline")
    heights = [float(pair.split(",")[1]) for pair in line.get("points").split()]
    assert heights == [122.0, 122.0, 122.0, 122.0, 216.0]


def test_history_of_points_falls_to_the_best_median_so_far() -> None:
    rows = [
        (0.0, {"x": 1}),
        (1.0, {"x": 1}),
        (0.75, {"x": 1}),
        (0.25, {"x": 2}),
        (0.5, {"x": 2}),
        (0.5, {"x": 2}),
        (0.25, {"x": 3}),
    ]
    single = ranked(rows)
    groups = [single.trials[:3], single.trials[3:6], single.trials[6:]]
    points = tuple(summarize_point(group, [run.metrics["loss"] for run in group]) for group in groups)
    infinite = summarize_point((made_up("f" * 40, trial=2),), [float("inf")])
    charts = dict(draw_batch(replace(single, points=(points[2], points[1], points[0], infinite)), escape_text))
    line = ET.fromstring(charts["loss by trial"]).find("polyline")
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    # medians 0.75, 0.5 and 0.25 are known after the trials 3, 6 and 7 of seven
    assert places == [(240.0, 75.0), (480.0, 75.0), (480.0, 122.0), (560.0, 122.0), (560.0, 169.0)]


def test_one_trial_makes_no_chart() -> None:
    assert draw_batch(ranked([(0.5, {"x": 1})]), escape_text) == []


def test_trials_without_a_finite_value_are_left_out() -> None:
    rows = [(0.5, {"x": 1}), (float("nan"), {"x": 2}), (float("inf"), {"x": 3}), (0.25, {"x": 4})]
    charts = dict(draw_batch(ranked(rows), escape_text))
    assert [len(places(charts[name], "cx")) for name in ("loss by trial", "loss by x")] == [2, 2]
    assert draw_batch(ranked(rows[1:3]), escape_text) == []
    assert draw_batch(ranked([]), escape_text) == []


def test_equal_values_lie_in_the_middle() -> None:
    charts = dict(draw_batch(ranked([(0.5, {"x": 1}), (0.5, {"x": 1})]), escape_text))
    assert set(places(charts["loss by x"], "cy")) == {122.0}
    assert set(places(charts["loss by x"], "cx")) == {320.0}


def test_a_flag_searched_by_its_logarithm_has_such_a_scale() -> None:
    rows = [(0.1, {"lr": 0.001}), (0.2, {"lr": 0.01}), (0.3, {"lr": 0.1})]
    charts = dict(draw_batch(ranked(rows, logs=frozenset({"lr"})), escape_text))
    low, middle, high = places(charts["loss by lr"], "cx")
    assert abs((middle - low) - (high - middle)) < 0.2
    assert "lr (logarithmic)" in texts(charts["loss by lr"])
    assert {"0.001", "0.01", "0.1"} <= set(texts(charts["loss by lr"]))


def test_each_choice_has_a_name_and_a_place_of_its_own() -> None:
    rows = [(0.1, {"opt": "adam"}), (0.2, {"opt": "sgd"}), (0.3, {"opt": True})]
    charts = dict(draw_batch(ranked(rows), escape_text))
    assert len(set(places(charts["loss by opt"], "cx"))) == 3
    assert {"adam", "sgd", "yes"} <= set(texts(charts["loss by opt"])) or "true" in texts(charts["loss by opt"])


def test_an_absent_flag_has_no_point_and_a_gap_in_its_line() -> None:
    rows = [(0.1, {"a": 1, "m": 0.5, "z": 1}), (0.2, {"a": 2, "z": 2}), (0.3, {"a": 3, "m": 0.9, "z": 3})]
    charts = dict(draw_batch(ranked(rows), escape_text))
    assert len(places(charts["loss by m"], "cx")) == 2
    lines = [line.get("points", "").split() for line in ET.fromstring(charts["parallel coordinates"]).iter("polyline")]
    assert sorted(map(len, lines)) == [2, 4, 4]


def test_a_batch_without_an_objective_has_no_line_of_the_best() -> None:
    charts = dict(draw_batch(ranked([(0.5, {"x": 1}), (0.25, {"x": 2})], minimize=None), escape_text))
    assert ET.fromstring(charts["loss by trial"]).find("polyline") is None
    assert len(places(charts["loss by x"], "cx")) == 2
