"""Axes: where a value is between their ends, and what they are labelled with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.render.axes import make_axis

numbers = st.floats(-1e307, 1e307)


@given(st.lists(numbers, min_size=1))
def test_places_of_numbers_are_from_0_to_1_in_their_order(values: list[float]) -> None:
    axis = make_axis("lr", values)
    places = [axis.position_of(value) for value in sorted(values)]
    assert all(place is not None and 0 <= place <= 1 for place in places)
    assert places == sorted(places)
    assert axis.position_of(None) is None


def test_logarithmic_axis_puts_the_geometric_mean_in_the_middle() -> None:
    axis = make_axis("lr", [0.01, 100], log=True)
    assert axis.position_of(1) == pytest.approx(0.5)
    assert axis.name == "lr (logarithmic)"
    # a number that has no logarithm
    assert make_axis("lr", [0, 100], log=True).name == "lr"


def test_each_text_has_a_band_of_its_own() -> None:
    axis = make_axis("opt", ["adam", "sgd"])
    assert axis.ticks == ((0.25, "adam"), (0.75, "sgd"))
    assert axis.position_of("sgd") == 0.75
