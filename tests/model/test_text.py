"""Nothing that a terminal would obey, or that would reorder its line, passes `safe_text`."""

from __future__ import annotations

import os
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model.text import (
    MAX_LABEL,
    count_columns,
    cut_to_columns,
    duration_text,
    either_text,
    ending_text,
    hide_passwords,
    label_text,
    limit_text,
    number_text,
    numbers_text,
    safe_lines,
    safe_text,
    shell_word,
    size_text,
)

HOSTILE = "\x1b]52;c;eA==\x07 \x9b31m \u202e \u2066 \u200b \ufeff \x7f \r\n \u2028 \udcff \U000e0041"


def test_hostile_text_is_shown_escaped() -> None:
    assert safe_text(HOSTILE).isprintable()
    assert safe_text("\x1b[2J \udcff") == r"\x1b[2J \xff"


@given(st.text(st.characters(exclude_categories=())))
def test_safe_text_is_one_printable_line_and_stays_as_it_is(text) -> None:
    safe = safe_text(text)
    assert not {unicodedata.category(char) for char in safe} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert safe_text(safe) == safe


@pytest.mark.parametrize("text", ["Grüße", "日本語", "a\u0301", "🙂", "naïve — “quoted”"])
def test_writing_of_people_is_left_alone(text) -> None:
    assert safe_text(text) == text


def test_lines_of_a_program_lose_their_colours_and_keep_their_columns() -> None:
    assert safe_lines("\x1b[1;32mok\x1b[0m\na\tb\n\x1b[2J") == ["ok", "a       b", r"\x1b[2J"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00s"),
        (0.0382, "0.04s"),
        (9.996, "10.0s"),
        (12.44, "12.4s"),
        (59.96, "1m00s"),
        (200, "3m20s"),
        (7509, "2h05m"),
        (3599.7, "1h00m"),
    ],
)
def test_duration_is_said_in_the_unit_that_suits_it(seconds, text) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (20_000_000, "20 MB"), (10**15, "1000.0 TB")]
)
def test_size_is_said_in_the_unit_that_suits_it(size, text) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("text", "wide"), [("loss", 4), ("学習率", 6), ("é", 1), ("e\u0301", 1), ("🚀 x", 4), ("ﾊﾝ", 2), ("", 0)]
)
def test_columns_of_a_text_are_those_of_a_terminal(text, wide) -> None:
    assert count_columns(text) == wide


@given(st.text(st.sampled_from("ab学🚀e\u0301")), st.integers(-1, 9))
def test_what_fits_is_the_longest_beginning_that_does(text, room) -> None:
    found = cut_to_columns(text, room)
    assert text.startswith(found)
    assert count_columns(found) <= max(room, 0)
    assert found == text or count_columns(text[: len(found) + 1]) > room


@pytest.mark.parametrize(("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), ("abc", "a, b or c")])
def test_few_words_are_one_or_the_other(words, text) -> None:
    assert either_text(words) == text


@pytest.mark.parametrize(("size", "text"), [(10 << 20, "10 MiB"), (1 << 10, "1 KiB"), (1500, "1,500 B"), (0, "0 B")])
def test_limits_are_in_the_units_in_which_they_are_set(size, text) -> None:
    assert limit_text(size) == text


def test_ending_without_a_duration_is_how_it_stands() -> None:
    assert ending_text("running", None, None) == "running"


def test_whole_number_is_shown_in_full_and_another_in_six_digits() -> None:
    shown = {1234567.0: "1234567", -18.0: "-18", 1 / 3: "0.333333", 1e20: "1e+20", float("inf"): "inf"}
    assert {value: number_text(value) for value in shown} == shown


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=4, unique=True))
def test_numbers_beside_each_other_look_as_they_stand_to_each_other(values) -> None:
    texts = numbers_text(values)
    assert sorted(texts, key=float) == [text for _, text in sorted(zip(values, texts, strict=True))]
    assert len({float(text) for text in texts}) == len(values)


def test_numbers_that_look_different_stay_short() -> None:
    assert numbers_text([0.1 + 0.2, 0.5, None, float("nan")]) == ["0.3", "0.5", "-", "nan"]
    assert numbers_text([0.1 + 0.2, 0.3]) == ["0.30000000000000004", "0.3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pushed to http://u:SECRET@host/p.git", "pushed to http://host/p.git"),
        ("'https://TOKEN@host:8080/p' and ftp://u:p@x@h/", "'https://host:8080/p' and ftp://h/"),
        ("ssh://git@host/p.git and git@host:p.git", "ssh://git@host/p.git and git@host:p.git"),
        ("ssh://u:SECRET@host/p", "ssh://u@host/p"),
        ("see https://host/a@b and http://host", "see https://host/a@b and http://host"),
    ],
)
def test_passwords_in_urls_are_not_said(text, said) -> None:
    assert hide_passwords(text) == said


INVISIBLE = (
    "\u3164\u115f\u1160\u2800\uffa0\u034f\u17b4\u180b\ufe00\ufe0f\u200b\u200d\u2060\ufeff\u00ad\U000e0041\U000e0100\U0001d159"
)


@pytest.mark.parametrize("char", INVISIBLE, ids=lambda char: f"U+{ord(char):04X}")
def test_letters_that_nobody_sees_are_escaped(char):
    for text in (char, f"a{char}b", f"{char}{char}"):
        assert safe_text(text).isascii()
        assert safe_text(safe_text(text)) == safe_text(text)


@pytest.mark.parametrize("text", ["❤️", "Größe", "日本語", "한글", "हिन्दी", "née", "👍", "⠁⠃"])
def test_letters_that_people_write_are_shown(text):
    assert safe_text(text) == text


@pytest.mark.parametrize("label", ["x" * 5000, "\u3164" * 5000, "日" * 5000, "a\u202e" * 2500, "\U000e0041" * 5000])
def test_a_long_label_is_shown_by_its_ends(label):
    assert count_columns(label_text(label)) <= MAX_LABEL
    assert label_text("best") == "best"


@pytest.mark.parametrize(
    "word", ["plain", "a b", "it's; touch owned", "a';touch${IFS}owned;'", "é", "a\x1b[1m'\\b", "a\udcffb", "\u202eb"]
)
def test_a_shell_reads_back_the_word(word) -> None:
    quoted = shell_word(word)
    assert quoted.isprintable()
    read = subprocess.run(["bash", "-c", f"printf %s {quoted}"], stdout=subprocess.PIPE, check=True).stdout
    assert read == os.fsencode(word)
