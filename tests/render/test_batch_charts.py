"""The charts of a batch are sound SVG, whatever its flags and values are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.model.batch import Objective
from gitrun.model.metrics import Metrics
from gitrun.render.batch_charts import draw_batch
from gitrun.render.html import escape_text
from gitrun.views.batches import RankedBatch, best_first

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT, max_size=2))


def ranked(rows, *, minimize: bool = True) -> RankedBatch:
    """A batch whose trials have these values of loss and flags."""
    trials = tuple(
        made_up(f"{number:040x}", flags=flags, metrics=Metrics({"loss": loss}), trial=number)
        for number, (loss, flags) in enumerate(rows, 1)
    )
    names = tuple(dict.fromkeys(name for _, flags in rows for name in flags))
    objective = Objective("loss", minimize)
    return RankedBatch(made_up(kind="batch"), objective, trials, tuple(best_first(trials, objective)), names)


@given(st.lists(st.tuples(st.floats(), st.dictionaries(TEXT, VALUES, max_size=3)), max_size=6))
def test_charts_are_sound_whatever_flags_and_values_are(rows) -> None:
    for _, picture in draw_batch(ranked(rows), escape_text):
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
    assert heights == [120.0, 120.0, 120.0, 120.0, 212.0]


def test_one_trial_makes_no_chart() -> None:
    assert draw_batch(ranked([(0.5, {"x": 1})]), escape_text) == []
