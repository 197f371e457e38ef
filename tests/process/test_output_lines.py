"""Lines of output, as a terminal would show them, and patterns searched for in them."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone

import pytest

from gitrun.model.plan import Outcome
from gitrun.process.output_lines import CHUNK, MAX_UNFINISHED, required_text
from gitrun.store.live import hold_live
from gitrun.workspace.metric_lines import MetricRules, write_rules
from gitrun.workspace.metrics import Meter

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


ENDED = Outcome("completed", 0, NOW, NOW, 0.0)


@pytest.fixture
def read(tmp_path):
    """The points that an output has under rules: name, value and step, in their order."""

    def points(output, rules=MetricRules()):  # noqa: B008 - a value
        points.said = []
        live = measured(tmp_path / os.urandom(4).hex(), output, rules, points.said.append)
        rows = map(json.loads, live.series.read_text().splitlines()) if live.series.exists() else ()
        return [(name, value, row["step"]) for row in rows for name, value in row.items() if name != "step"]

    return points


def measured(state, output, rules, say):
    """The live record of a run with that output, whose metrics are put together."""
    live = hold_live(state, "a" * 40)
    live.output.write_bytes(output if isinstance(output, bytes) else output.encode())
    write_rules(live.directory, rules)
    found = json.loads((live.directory / "rules.json").read_text())
    (live.directory / "rules.json").write_text(json.dumps({**found, "seconds": 0.5}))
    live.found = Meter(live, rules).finish(ENDED, None, say)
    live.leave()
    return live


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
