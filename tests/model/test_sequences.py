"""Functions of numbers that give the values of a list, exact in the digits typed."""

from __future__ import annotations

import pytest

from gitrun.errors import BadValue
from gitrun.model.sequences import MOST_VALUES, compute_sequence


@pytest.mark.parametrize(
    ("function", "texts", "values"),
    [
        ("range", ("0", "0.3", "0.1"), [0.0, 0.1, 0.2, 0.3]),
        ("range", ("1", "3"), [1, 2, 3]),
        ("range", ("3", "1", "-1"), [3, 2, 1]),
        ("linspace", ("0", "1", "5"), [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("linspace", ("7", "7", "1"), [7]),
        ("logspace", ("-2", "1", "4"), [0.01, 0.1, 1.0, 10.0]),
        ("logspace", ("0", "3", "4", "2"), [1, 2, 4, 8]),
    ],
)
def test_values_are_those_of_the_digits_typed(function: str, texts: tuple[str, ...], values: list[float]) -> None:
    assert repr(compute_sequence("x", function, texts)) == repr(values)


@pytest.mark.parametrize(
    ("function", "texts", "message"),
    [
        ("range", ("1",), "needs 2 or 3 numbers"),
        ("range", ("1", "x"), "'x' is not a number"),
        ("range", ("1", "inf"), "inf is not finite"),
        ("range", ("1", "5", "0"), "is 0"),
        ("range", ("5", "1"), "has no values"),
        ("range", ("0", "1", "0.3"), "its last value is 0.9"),
        ("range", ("0", str(MOST_VALUES)), "the most is 1,000,000"),
        ("linspace", ("0", "1", "0"), "a whole number above 0, not 0"),
        ("linspace", ("0", "1", "1"), "cannot be both 0 and 1"),
        ("logspace", ("0", "999", "3"), "too large or too small"),
        ("logspace", ("0", "1", "2", "-1"), "the base must be above 0"),
    ],
)
def test_a_function_without_such_values_is_refused(function: str, texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        compute_sequence("x=f[]", function, texts)


def test_the_refusal_shows_a_range_that_works() -> None:
    with pytest.raises(BadValue) as refused:
        compute_sequence("x=range[5:1]", "range", ("5", "1"))
    assert refused.value.hint == "To count down: x=range[5:1:-1]"
