"""What is read line by line is what tomli reads."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
import tomli
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model import encode
from gitrun.model.flags import Flags
from gitrun.model.toml import LONGEST_SIMPLE, is_simple, parse_statements, parse_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.one_of(st.sampled_from(["a", "b-1", "t", "files"]), TEXT)
TIMES = st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=2)), None]))
PLAIN = st.one_of(st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(), TEXT, TIMES)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.lists(st.lists(PLAIN, max_size=2), max_size=2))
TABLES = st.dictionaries(NAMES, VALUES, max_size=4)
DOCUMENTS = st.dictionaries(NAMES, st.one_of(VALUES, TABLES, st.lists(TABLES, max_size=2)), max_size=5)
PIECES = st.sampled_from([
    "[", "]", "[a]", "[[a]]", "[[files]]", "a = 1", "b = ", "a.b = 1", '"', "'", "\\", "=", " ", "\t", "\n", "\r\n", "\r", "#",
    ",", "0", "-", "_", "[t]", "e5", "inf", "nan", "true", "{}", "\x85", "\u2028", "[\n", "\n]\n",
    "2026-02-30 01:02:03+00:00", "2026-01-02 24:00:00+00:00",
])  # fmt: skip
WRITTEN = """format = 1
operation = "train.py"
command = [
    "{python}",
    "train.py",
]
empty = []
created = 2026-01-02 03:04:05.000006+00:00
loss = -1.5e-07
worst = nan

[source]
dirty = true
size = -3

[[files]]
path = "out.txt"
stored = "git"

[[files]]
path = "model.bin"
parts = [
    1,
    2.5,
    true,
]
"""


def read_by(reader, text: str) -> str:
    """What a reader makes of the text; types and nan count, for it is the text of it."""
    try:
        return repr(reader(text))
    except (ValueError, RecursionError) as error:
        return type(error).__name__


@given(DOCUMENTS)
def test_what_tomli_w_writes_is_read_as_tomli_reads_it(document) -> None:
    text = tomli_w.dumps(document)
    assert read_by(parse_text, text) == read_by(tomli.loads, text)


@given(st.dictionaries(TEXT, st.one_of(st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT)), max_size=4))
def test_flags_are_read_as_tomli_reads_them(values) -> None:
    text = encode.encode_flags(Flags(values)).decode()
    assert read_by(parse_text, text) == read_by(tomli.loads, text)


@given(st.lists(st.tuples(st.integers(0, len(WRITTEN)), st.integers(0, 9), PIECES), min_size=1, max_size=4))
def test_what_was_changed_by_hand_or_by_chance_is_read_as_tomli_reads_it(changes) -> None:
    text = WRITTEN
    for start, length, piece in changes:
        text = text[:start] + piece + text[start + length :]
    assert read_by(parse_text, text) == read_by(tomli.loads, text)


@pytest.mark.parametrize("text", ["a = [b = []", 'a = [b = [\n    "x",\n]', "a = []\n]", "a = [\n]\n]"])
def test_a_list_that_holds_the_begin_of_another_is_no_list(text) -> None:
    assert read_by(parse_text, text) == read_by(tomli.loads, text) == "TOMLDecodeError"


@given(st.lists(st.one_of(PIECES, st.sampled_from(WRITTEN.splitlines(keepends=True))), max_size=8))
def test_lines_in_any_order_are_read_as_tomli_reads_them(lines) -> None:
    text = "".join(lines)
    assert read_by(parse_text, text) == read_by(tomli.loads, text)


LINES = st.sampled_from([
    "a = 1", "b = -0.5e-07", "c = 1e5", "d = 007", "e = -01", 'f = "x y"', 'g = ""', 'h = "\\u0041"', 'i = "\x7f"',
    "j = true", "k = True", "l = 2026-02-28 23:59:59.000001+00:00", "m = 2026-02-30 00:00:00+00:00", "", " ", "\r",
    "n = 2026-13-01T00:00:00+00:00", "[t]", "[[t]]", "t = 1", "[a]", "[u.v]", "o = 99999999999999999999", "p = [1]",
    "q = é", 'r = "é"', "s=1", "w = nan", "x = .5", "y = 1.",
])  # fmt: skip


@given(st.lists(st.one_of(LINES, PIECES), max_size=6), st.sampled_from(["", "\n"]))
def test_what_is_simple_is_toml(lines, end) -> None:
    data = ("\n".join(lines) + end).encode()
    assert is_toml(data) or not is_simple(data)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_toml_are_not_simple(data) -> None:
    assert is_toml(data) or not is_simple(data)


def is_toml(data: bytes) -> bool:
    """Whether the parser of others takes these bytes."""
    try:
        tomli.loads(data.decode())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 1\n", "a = 1\n[a]\n", "[a]\n[a]\n", "a = 01\n", "a = 2026-02-30 01:02:03+00:00\n", 'a = "\n', "a = 1",
        "a = 1\n" + "\n" * LONGEST_SIMPLE,
    ],
)  # fmt: skip
def test_what_may_not_be_toml_is_not_simple(text) -> None:
    assert not is_simple(text.encode())


def test_flags_and_results_without_files_are_simple() -> None:
    assert is_simple(encode.encode_flags(Flags({"lr": 0.1, "epochs": 10, "name": "adam", "fast": True})))
    assert is_simple(b'format = 1\nstatus = "completed"\nstarted = 2026-01-02T03:04:05.000006+00:00\n\n[metrics]\nloss = 0.5\n')


def test_what_we_write_needs_no_tomli() -> None:
    assert repr(parse_statements(WRITTEN)) == repr(tomli.loads(WRITTEN))


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 2",
        "[t]\na = 1\n[t]",
        "t = 1\n[t]",
        "[t]\n[[t]]",
        "[[t]]\n[t]",
        "t = []\n[[t]]",
        "a = [\n1",
        'a = "\\u0041"',
        "a.b = 1",
        "a = {}",
    ],
)
def test_what_is_not_plain_is_left_to_tomli(text) -> None:
    assert parse_statements(text) is None


def test_a_list_that_was_read_is_nobody_elses() -> None:
    parse_text('a = ["x"]')["a"].append("y")
    assert parse_text('a = ["x"]') == {"a": ["x"]}
