"""Plots as SVG: the same bytes for the same plot, sound whatever its texts are."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from evil_texts import EVIL
from hypothesis import given
from hypothesis import strategies as st
from plots_made_up import SERIES, curves_plot, points_plot

from gitrun.render.plot_svg import draw_svg
from gitrun.render.tokens import HUES, light_tokens, read_tokens
from gitrun.views.plot_subjects import HISTORY, SCATTER

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "style", "rect", "g", "text", "line", "polyline", "polygon", "circle", "path"}
ATTRIBUTES = {
    "viewBox", "width", "height", "role", "class", "fill", "stroke", "stroke-dasharray", "transform", "x", "y", "x1", "x2",
    "y1", "y2", "cx", "cy", "r", "d", "points", "text-anchor",
}  # fmt: skip


def elements(picture: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{SVG}{name}"))


def test_same_plot_has_the_same_bytes() -> None:
    assert draw_svg(curves_plot(*SERIES.values())) == draw_svg(curves_plot(*SERIES.values()))
    assert len(draw_svg(curves_plot(SERIES["10k points"]))) < 30_000


@pytest.mark.parametrize(("name", "lines", "dots", "triangles"), [
    ("flat", 1, 0, 0), ("nan", 3, 0, 0), ("one point", 0, 1, 0), ("inf", 2, 1, 2), ("10k points", 1, 0, 0),
])  # fmt: skip
def test_gaps_and_infinities_are_drawn_as_such(name: str, lines: int, dots: int, triangles: int) -> None:
    picture = draw_svg(curves_plot(SERIES[name]))
    assert [len(elements(picture, tag)) for tag in ("polyline", "circle", "polygon")] == [lines, dots, triangles]


def test_peak_of_ten_thousand_points_is_in_the_picture() -> None:
    (line,) = elements(draw_svg(curves_plot(SERIES["10k points"])), "polyline")
    heights = [float(point.split(",")[1]) for point in line.get("points", "").split()]
    assert heights.count(min(heights)) == 1
    assert min(heights) == 40.0


def test_colours_are_those_of_pages_and_report() -> None:
    picture = draw_svg(curves_plot(*([0.0, 1.0],) * (HUES + 1)))
    assert read_tokens() in (elements(picture, "style")[0].text or "")
    lines = [(line.get("stroke"), line.get("stroke-dasharray")) for line in reversed(elements(picture, "polyline"))]
    assert [stroke for stroke, _ in lines[:HUES]] == [light_tokens()[f"hue-{number}"] for number in range(1, HUES + 1)]
    # the ninth has the hue of the first, but another dash
    assert lines[HUES][0] == lines[0][0]
    assert lines[HUES] != lines[0]


def test_letters_of_curves_that_end_together_stand_side_by_side() -> None:
    keys = [text for text in elements(draw_svg(curves_plot(*([0.0, 1.0],) * 3)), "text") if text.text in {"a", "b", "c"}]
    ends = [float(text.get("x", "")) for text in keys if text.get("text-anchor") is None]
    assert len(ends) == 3
    assert min(abs(one - other) for place, one in enumerate(ends) for other in ends[:place]) >= 9


def test_best_value_so_far_is_a_line_of_steps() -> None:
    (path,) = elements(draw_svg(points_plot([1, 2, 3], [3.0, 1.0, 2.0], form=HISTORY)), "path")
    assert re.fullmatch(r"M[\d.]+ 40\.0H[\d.]+V256\.0H[\d.]+V256\.0", path.get("d", ""))


def check_inert(picture: str) -> None:
    """Fails unless the picture is sound XML of elements and attributes that can neither act nor fetch."""
    for element in ET.fromstring(picture).iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        assert "url(" not in "".join(element.attrib.values())
    assert "url(" not in "".join(style.text or "" for style in elements(picture, "style"))
    numbers = re.findall(r"-?[\d.]+|nan|inf", " ".join(line.get("points", "") for line in elements(picture, "polyline")))
    assert all(math.isfinite(float(number)) for number in numbers)


texts = st.one_of(st.just(EVIL), st.text(min_size=1, max_size=30))


@given(texts, st.lists(st.lists(st.floats(), min_size=1, max_size=20), min_size=1, max_size=4), st.booleans())
def test_curves_are_inert_whatever_they_are_called(text, series, log_y) -> None:
    check_inert(draw_svg(curves_plot(*series, text=text, metric=text, log_y=log_y)))


@given(texts, st.lists(st.tuples(texts, st.floats(-1e300, 1e300)), min_size=1, max_size=20), st.booleans())
def test_points_are_inert_whatever_they_are_called(text, points, log_y) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    for form in (SCATTER, HISTORY):
        check_inert(draw_svg(points_plot(xs, ys, text, form=form, log_y=log_y)))
