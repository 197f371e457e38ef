"""Any number has its place in an order."""

from __future__ import annotations

from runs_made_up import made_up

from gitrun.model.flags import Flags
from gitrun.views.select import sort_runs


def test_integers_that_are_too_large_for_a_float_are_put_in_order_too() -> None:
    sizes = [10**331, 1.5, float("-inf"), float("nan"), -(10**331), "text", float("inf"), True, 2**53 + 1, float(2**53)]
    numbered = [(number, made_up(flags=Flags({"x": size}))) for number, size in enumerate(sizes)]
    assert [number for number, _ in sort_runs(numbered, "x")] == [2, 4, 7, 1, 9, 8, 0, 6, 5, 3]
    assert [number for number, _ in sort_runs(numbered, "-x")] == [5, 6, 0, 8, 9, 1, 7, 4, 2, 3]
