"""Values of flags: parsed, formatted, copied and compared."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import UsageError
from gitrun.model.flags import (
    Flags,
    Value,
    format_value,
    parse_value,
    same_value,
)

plain: st.SearchStrategy[Any] = st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))


tricky = st.text(st.sampled_from("[],'\"\\*0123456789.e-+_ \tnulltrueinfa=#:\x00\x1b\u202eé")).filter(lambda t: t)


values: st.SearchStrategy[Any] = st.recursive(plain | tricky, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def exactly(value: object) -> tuple[type, str]:
    return type(value), repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-1", -1), ("+1", 1), ("0", 0), ("1.0", 1.0), ("1e-3", 0.001), (".5", 0.5), ("1.", 1.0),
        ("inf", math.inf), ("-inf", -math.inf), ("nan", math.nan), ("1E5", 1e5),
        ("true", True), ("Yes", True), ("ON", True), ("false", False), ("nO", False), ("off", False),
        ("null", None), ("", ""), ("a", "a"), ("'1'", "1"), ("'it''s'", "it's"), ('"a\\nb"', "a\nb"),
        ("''", ""), ("[]", []), ("[1, a,'b c']", [1, "a", "b c"]),
        ("[[1],[ 2.0 , [x]]]", [[1], [2.0, ["x"]]]), ("[1]*3", [1, 1, 1]), ("[[0]*2]*2", [[0, 0], [0, 0]]),
        ("[a]*0", []), ("[it's, a b]", ["it's", "a b"]),
    ],
)  # fmt: skip
def test_a_typed_text_is_read_as_a_value(text: str, value: Value | None) -> None:
    assert exactly(parse_value(text)) == exactly(value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01", "1_000", "1:2", "a=b", "#x", "-", "a: b", "007", "-01", "00.5", "0x10", "1e", "[a", "[",
        "a]", "[1]2", "[1]*x", "[1,,2]", "[1,]", "[,]", "[null]", "['a]", "[1]*10001", "[[1]*5000]*3", "'a",
        "'a'b", '"\\x"', '"\\ud800"', "e5", ".", "Null", "NaN", "-nan", " 1", "1 ", "\u0661", "[" * 99_999,
        "[" * 40 + "]" * 40, "9" * 5_000, "[1] ", "[1]*999999999999", "infinity", "~", "y", "{a: 1}", "1j",
        "%", "@x", "- a",
    ],
)  # fmt: skip
def test_a_text_that_is_no_other_value_stays_as_typed(text: str) -> None:
    assert parse_value(text) == text


@given(st.text() | tricky)
def test_no_text_is_refused_as_a_value(text: str) -> None:
    assert isinstance(parse_value(text), bool | int | float | str | list | None)


@given(values)
def test_what_is_formatted_reads_back_with_the_same_value_and_type(value: Value) -> None:
    text = format_value(value)
    assert text.isprintable()
    assert exactly(parse_value(text)) == exactly(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"), (1e-05, "1e-05"), (True, "true"), ("d", "d"), ("1", "'1'"), ("null", "'null'"),
        ("", "''"), ("a b", "'a b'"), ("it's", "'it''s'"), ("a\n", '"a\\n"'), ("\x1b[0m", '"\\u001b[0m"'),
        ("é", "é"), ("[a", "'[a'"), ("a[0]", "a[0]"), (["a[0]", 1, "b,c", ["x"]], "['a[0]', 1, 'b,c', [x]]"),
        ("a/b-c.d", "a/b-c.d"),
    ],
)  # fmt: skip
def test_only_what_would_be_misread_is_quoted(value: Value, text: str) -> None:
    assert format_value(value) == text


def test_numbers_are_equal_by_value_and_true_is_not_one() -> None:
    assert same_value(1, 1.0)
    assert same_value([1, [math.nan]], [1.0, [math.nan]])
    assert not same_value(True, 1)
    assert not same_value([0], [False])
    assert not same_value("1", 1)


@pytest.mark.parametrize("value", [{}, b"x", 1j, [None], "\udcff", 10**640, object()])
def test_a_value_that_a_run_cannot_hold_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UsageError, match="flag 'x' cannot hold "):
        Flags({"x": value})


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UsageError, match="nested this deep"):
        Flags({"x": endless})


def test_values_of_foreign_types_become_plain_ones() -> None:
    class Real(float):
        def __repr__(self) -> str:
            return "Real()"

    given_values: Any = {"x": Real(1.5), "t": (1, 2)}
    assert repr(Flags(given_values)) == "{'t': [1, 2], 'x': 1.5}"


def test_numbers_of_other_kinds_and_paths_become_plain_values() -> None:
    given_values: Any = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "l": [np.uint8(1), Fraction(1, 2)],
        "p": Path("a/b"),
        "t": True,
    }
    assert repr(Flags(given_values)) == "{'f': 0.5, 'i': 3, 'l': [1, 0.5], 'p': 'a/b', 't': True}"
    for far in (Fraction(10**400), np.array([1, 2])):
        with pytest.raises(UsageError, match="flag 'x' cannot hold "):
            Flags({"x": far})
