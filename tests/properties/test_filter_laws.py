"""Filters obey the laws of and, or and not, and say where they do not read, whatever is written."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.errors import FilterError
from gitrun.model.filters import PROPERTIES, parse_filter
from gitrun.model.flags import Flags, format_value
from gitrun.model.run import Notes
from gitrun.model.text import count_columns, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.model.run import Run

    Asked = tuple[str, Callable[[dict[str, int]], bool]]

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq}
NAMES = st.sampled_from(("a", "b", "flag:a", "flag:b", "c"))
NUMBERS = st.integers(-3, 3)
WORDS = st.sampled_from((
    "a", "and", "or", "not", "in", "contains", "(", ")", "<", "<=", "=", "!=", "==", "[", "]", "'", '"', "1", "0.5", "\\",
    ",", " ", "\t", "flag:", ":", "metric:loss:min", "[1, 2]", "'it''s'", '"\\""', "é", "\x1b[31m", "\n", "not in",
))  # fmt: skip


def comparison(name: str, sign: str, value: int, blank: str) -> Asked:
    """A comparison as text, and what Python says of it; of what is not there nothing is true."""
    flag = name.removeprefix("flag:")
    test = operator.ne if sign == "!=" else SIGNS[sign]
    return f"{name}{blank}{sign}{blank}{value}", lambda flags: flag in flags and test(flags[flag], value)


def joined(word: str, parts: list[Asked]) -> Asked:
    """Expressions joined by `and` or `or`, each in parentheses."""
    both = operator.and_ if word == "and" else operator.or_
    text = f" {word} ".join(f"({part})" for part, _ in parts)
    return text, lambda flags: reduce(both, (test(flags) for _, test in parts))


def negated(part: Asked) -> Asked:
    """The opposite of an expression."""
    return f"not ({part[0]})", lambda flags: not part[1](flags)


def larger(parts: st.SearchStrategy[Asked]) -> st.SearchStrategy[Asked]:
    """Expressions that are made of others."""
    some = st.lists(parts, min_size=2, max_size=3)
    return st.builds(joined, st.sampled_from(("and", "or")), some) | st.builds(negated, parts)


SIMPLE = st.builds(comparison, NAMES, st.sampled_from((*SIGNS, "!=")), NUMBERS, st.sampled_from(("", " ", "\t ")))
EXPRESSIONS = st.recursive(SIMPLE, larger, max_leaves=8)


def with_flags(flags: dict[str, int]) -> Run:
    return made_up(flags=flags)


@given(EXPRESSIONS, st.dictionaries(st.sampled_from("ab"), NUMBERS))
def test_expression_is_true_where_python_says_so(asked, flags) -> None:
    text, test = asked
    assert parse_filter(text)(with_flags(flags)) == test(flags)


@given(st.lists(SIMPLE, min_size=1, max_size=4), st.lists(st.sampled_from(("and", "or")), min_size=3), NUMBERS, NUMBERS)
def test_and_binds_closer_than_or_as_it_does_in_python(parts, words, a, b) -> None:
    text, tests = parts[0][0], [[parts[0][1]]]
    for word, (part, test) in zip(words, parts[1:], strict=False):
        text += f" {word} {part}"
        tests = [*tests[:-1], [*tests[-1], test]] if word == "and" else [*tests, [test]]
    flags = {"a": a, "b": b}
    assert parse_filter(text)(with_flags(flags)) == any(all(test(flags) for test in some) for some in tests)


@given(st.text() | st.lists(WORDS).map("".join) | st.lists(WORDS).map(" ".join))
def test_whatever_is_written_is_read_or_the_place_where_it_ends_is_shown(text) -> None:
    run = replace(made_up(flags={"a": 1}), notes=Notes(tags=("x",)))
    try:
        found = parse_filter(text)(run)
    except FilterError as error:
        shown, _, caret = (error.detail or "").rpartition("\n")
        room = range(2, count_columns(shown) + 1)
        found = (shown == f"  {safe_text(text)}" and caret.strip(" ") == "^" and caret.index("^") in room) or error.detail
    assert isinstance(found, bool)


def test_caret_stands_below_what_does_not_read_however_it_is_shown() -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter("\x1b日 & 1")
    assert raised.value.detail == "  \\x1b日 & 1\n         ^"


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=6) | st.lists(st.integers(0, 3))


@given(st.text(st.characters(categories=("Ll", "Nd")), min_size=1, max_size=8), VALUES.filter(lambda value: value is not None))
def test_flag_is_equal_to_itself_as_it_is_typed(name, value) -> None:
    name = f"x{name}"  # no word of the language, and no property
    assert name not in PROPERTIES
    run = made_up(flags=Flags({name: value}))
    text = format_value(value)
    if not isinstance(value, list):
        assert parse_filter(f"flag:{name}={quoted(text)}")(run)
        assert not parse_filter(f"flag:{name}!={quoted(text)}")(run)


def quoted(text: str) -> str:
    """A value in an expression: what is more than a word stands in quotes there."""
    return text if text[:1] in {"'", '"'} or not set(text) & set(" \t\n()<>=!'\"[],") else "'" + text.replace("'", "''") + "'"
