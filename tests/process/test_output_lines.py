"""Lines of output, as a terminal would show them, and patterns searched for in them."""

from __future__ import annotations

import time

import pytest

from gitrun.process.output_lines import CHUNK, MAX_UNFINISHED, required_text
from gitrun.workspace.metric_lines import MetricRules


def test_of_a_line_counts_what_a_terminal_would_show_in_the_end(read) -> None:
    assert read("10%\r 50%\rloss: 1\r\n\x1b[32macc\x1b[0m: \x1b[1;31m2\x1b[m\r\r\n\x1b]0;title\x07z: 3\nx: 9\rgone\n") == [
        ("loss", 1.0, 0), ("acc", 2.0, 0), ("z", 3.0, 0),
    ]  # fmt: skip
    assert read(f"{'=' * 90}\r" * 3000 + "loss: 4\n") == [("loss", 4.0, 0)]


def test_last_line_needs_no_end_and_lines_may_lie_across_what_is_read_at_once(read) -> None:
    filler = "x" * 998 + "\n"
    output = filler * (CHUNK // 999) + "y" * (CHUNK % 999 - 5) + "\nloss: 0.25\n" + "z" * (3 * MAX_UNFINISHED) + "\nacc: 1"
    assert read(output) == [("loss", 0.25, 0), ("acc", 1.0, 0)]


def test_line_that_is_too_long_is_none_however_it_ends(read) -> None:
    assert read(b"x" * (3 * CHUNK) + b"\nx: 1\n" + b"\0" * (2 * CHUNK) + b"y: 1\n") == [("x", 1.0, 0)]


def test_pattern_that_would_search_for_ever_ends_with_a_word(read) -> None:
    begun = time.monotonic()
    rules = MetricRules(only_patterns=True, patterns=(("x", r"x=(\d+)"), ("bad", r"^(a+)+$")))
    assert read("x=1\n" + "a" * 40 + "!\nx=2\n", rules) == [("x", 1.0, 0)]
    assert "took too long" in " ".join(read.said)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("accuracy[:=]", "accuracy"),
        ("ab*", "a"),
        ("ab{2}", "a"),
        ("a|b", ""),
        ("(?i)ab", ""),
        ("^ab", ""),
        (r"x=\d", "x="),
        ("", ""),
    ],
)
def test_what_a_pattern_cannot_do_without_is_seen_where_it_is_plain(pattern, text) -> None:
    assert required_text(pattern) == text.encode()
