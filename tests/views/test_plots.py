"""Plots as values: the letters of runs, their axis, and the best so far."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plots_made_up import curves_plot

from gitrun.views.plots import axis_values, best_so_far, letters_of, why_not_drawn


def test_letters_go_on_after_z() -> None:
    assert [letters_of(place) for place in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]
    assert len({letters_of(place) for place in range(2_000)}) == 2_000


@given(st.lists(st.floats(-1e300, 1e300), min_size=1), st.booleans())
def test_best_so_far_never_gets_worse(ys: list[float], is_largest: bool) -> None:
    best = best_so_far(list(range(len(ys))), ys, is_largest=is_largest)
    assert list(best.ys) == sorted(best.ys, reverse=not is_largest)
    assert best.ys[-1] == (max if is_largest else min)(ys)
    # of equal values, the first run is the best
    assert best.index == ys.index(best.ys[-1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5], [1.0, 2.5]),
        (["adam", "sgd"], ["adam", "sgd"]),
        ([1, "adam"], ["1", "adam"]),
        ([True, False], ["true", "false"]),
        ([math.nan, 1], ["nan", "1"]),
        ([10**400, 1], [f"{10**400}", "1"]),
    ],
)
def test_axis_has_numbers_only_if_all_values_are(values, expected) -> None:
    assert axis_values(values) == expected


def test_values_without_a_place_are_counted_by_reason() -> None:
    (trace,) = curves_plot([1, 0, math.nan, math.inf, 1e308]).panels[0].traces
    assert trace.undrawn_counts(log_y=True) == {"not above 0": 1, "nan": 1, "inf": 1, "too large": 1}
    assert why_not_drawn(0, log_y=False) == ""
