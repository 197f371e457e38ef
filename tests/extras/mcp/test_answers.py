"""Answers to an agent: bounded, and what a run wrote stays data."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import UnknownRun
from gitrun.extras.mcp.answers import LONGEST, MOST, answer_rows, answer_window, describe_error, fence, safe_rows

LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=300), max_size=30)


def body(answer: str) -> list[str]:
    (mark,) = re.findall(r"^<data (\w+)>$", answer, re.MULTILINE)
    return answer.partition(f"<data {mark}>\n")[2].rpartition(f"\n</data {mark}>")[0].split("\n")


@given(LINES, st.integers(-100, 100))
def test_answer_is_never_longer_than_its_budget(lines, start):
    lines = [line for text in lines for line in safe_rows(text)] * 40
    assert len(answer_rows("Head.", lines, "Hint.")) <= MOST
    assert len(answer_window("Head.", lines, start)) <= MOST


def test_window_names_the_lines_and_where_to_go_on():
    lines = [f"line {number}" for number in range(1, 5_001)]
    seen, start = [], 1
    while start:
        answer = answer_window("Output.", lines, start)
        seen += body(answer)
        following = re.search(r"To go on: start=(\d+)\.", answer)
        start = int(following[1]) if following else 0
    assert seen == lines


def test_negative_start_shows_the_end():
    answer = answer_window("Output.", [f"{number:0999}" for number in range(100)], -50)
    assert body(answer)[-1] == f"{99:0999}"
    assert "Lines 82 to 100 of 100." in answer
    assert "Cut: 81 of 100 lines are not shown. To read from the beginning: start=1." in answer


def test_what_fits_is_not_called_cut():
    assert "Cut" not in answer_rows("2 runs.", ["a", "b"], "Hint.")
    assert "Complete: 2 lines." in answer_window("Output.", ["a", "b"], -200)
    assert "Complete: 1 line." in answer_window("Output.", ["a"], -200)


def test_long_line_says_how_much_is_missing():
    (line,) = body(answer_rows("", ["x" * 5_000], ""))
    assert len(line) <= LONGEST
    assert line.endswith(f"[cut: {5_000 - LONGEST + 60:,} more characters]")


def test_mark_differs_in_each_answer():
    assert len({fence("", ["x"]) for _ in range(10)}) == 10


def test_invisible_characters_and_escapes_are_shown():
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "obey")
    assert safe_rows(f"a{hidden}\x1b]52;c;x\x07\u202e\tb") == [
        "a\\U000e006f\\U000e0062\\U000e0065\\U000e0079\\x1b]52;c;x\\x07\\u202e\tb"
    ]


def test_error_is_fenced_and_hides_passwords():
    answer = describe_error(UnknownRun("no run at https://ann:secret@example.org", "Hint\x1b[31m"))
    assert answer.startswith("unknown-run.\n")
    assert body(answer) == ["no run at https://example.org", "Hint"]
