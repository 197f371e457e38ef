"""Numbers, times and words on a page are written as in the terminal."""

from __future__ import annotations

import json
import math
import shlex
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gitrun.model.text import count_text, duration_text, number_text, relative_text, safe_text, size_text
from gitrun.model.values import format_value

VIEW = Path(__file__).parents[3] / "gitrun" / "share" / "view"
NUMBERS = (
    0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 2 / 3, 123456.0, 1234567.0, 1e15, 1e16, 1e17, 1.5e300, 1e-4, 9.9999e-5, 1e-5, 1.25e-10,
    0.1 + 0.2,
    999999.5, 9999995.5, 0.999999949, 0.0734123499, -2.5e-7, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2, 100000.5,
    100001.5, 12345.678901, -2.0000025, 0.5000005,
)  # fmt: skip
VALUES = (
    True, False, 0, 7, -3, 0.1, 1e-05, 1e16, 1.5e300, "adam", "a b", "", "1", "1.0", "true", "null", "it's", "[x", "x]", "a,b",
    "nan", "-inf", "größe", "007",
    "1e5", [], [1, 2], ["a", "b c", "]"], [[1], [True, "x"]], 'quo"te',
)  # fmt: skip
DURATIONS = (0.0, 0.041, 9.994, 9.995, 12.44, 59.94, 59.95, 119.7, 3599.4, 3600, 7265)
AGES = (0, 1, 2, 59, 119, 120, 3599, 7200, 86399, 172800, 700000, 1209600, 5259600, 63115200)
SIZES = (0, 1, 999, 1000, 1500, 9999, 12345, 999_999, 1_500_000, 2 * 10**9, 5 * 10**12)
TEXTS = (
    "plain", "a\nb\tc", "\x1b[31mred\x1b[0m", "\u202eevil", "zero\u200bwidth", "\u2764\ufe0f heart",
    "a\ufe0f", "日本 語", "\U000e0041", "\x85\xa0\u2028", "\ue000",
)  # fmt: skip
WORDS = ("plain", "a b", "it's", "$HOME", "", "lr<0.1 and x='y'", "a=b", "--where", "日本", "back\\slash", "new\nline", "!")


@pytest.fixture(scope="module")
def sheet(chromium):
    """An empty page with the module of texts."""
    page = chromium.new_page()
    page.add_script_tag(path=VIEW / "text.js")
    yield page
    page.close()


def texts(sheet, name: str, values: object) -> list[str]:
    """What a function of the module returns for each value."""
    code = f"values => JSON.stringify(JSON.parse(values).map(value => gitrun.text.{name}(value)))"
    return json.loads(sheet.evaluate(code, json.dumps(values)))


def test_numbers_have_the_digits_of_the_terminal(sheet) -> None:
    assert texts(sheet, "number", NUMBERS) == [number_text(value) for value in NUMBERS]
    odd = sheet.evaluate("() => [NaN, Infinity, -Infinity].map(value => gitrun.text.number(value))")
    assert odd == [number_text(value) for value in (math.nan, math.inf, -math.inf)]


def test_exact_numbers_read_back(sheet) -> None:
    assert [float(text) for text in texts(sheet, "exact", NUMBERS)] == list(NUMBERS)


def test_values_are_written_as_flags_are_typed(sheet) -> None:
    assert texts(sheet, "value", VALUES) == [format_value(value) for value in VALUES]


def test_durations_sizes_and_counts_are_those_of_the_terminal(sheet) -> None:
    assert texts(sheet, "duration", DURATIONS) == [duration_text(value) for value in DURATIONS]
    assert texts(sheet, "size", SIZES) == [size_text(value) for value in SIZES]
    assert sheet.evaluate("() => [0, 1, 2, 1234, 1234567].map(n => gitrun.text.count(n, 'run'))") == [
        count_text(number, "run") for number in (0, 1, 2, 1234, 1234567)
    ]


def test_ages_are_those_of_the_terminal(sheet) -> None:
    now = datetime(2026, 11, 1, tzinfo=timezone.utc)
    ages = sheet.evaluate("ages => ages.map(age => gitrun.text.relative(-age * 1000, 0))", list(AGES))
    assert ages == [relative_text(now - timedelta(seconds=age), now) for age in AGES]
    assert sheet.evaluate("() => gitrun.text.age(-7200 * 1000, 0)") == "2 h ago"


def test_unsafe_characters_are_escaped_as_in_the_terminal(sheet) -> None:
    assert texts(sheet, "safe", TEXTS) == [safe_text(text) for text in TEXTS]


def test_words_for_a_shell_are_read_back_by_it(sheet) -> None:
    assert [shlex.split(text) for text in texts(sheet, "quote", WORDS)] == [[word] for word in WORDS]
