"""The numbers in lines of output: the default rule, an operation's own patterns, what a terminal would not show."""

from __future__ import annotations

import json
import math
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_output import measured

from gitrun.model.metrics import MAX_METRICS
from gitrun.workspace.metric_lines import MetricRules, read_rules, write_rules


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("loss: 0.5", 0.5), ("loss: -1", -1.0), ("loss: +3.", 3.0), ("loss: .5", 0.5), ("loss: 1e-3", 0.001),
        ("loss:\t 2E+2", 200.0),
        ("loss: 1 (10)", 1.0), ("loss: 1 (step 10)", 1.0), ("loss: 1 (of the best (so far))", 1.0), ("loss: 1 \t", 1.0),
        ("loss: inf", "Infinity"), ("loss: -INF", "-Infinity"), ("loss: NaN", "NaN"),
        ("loss: infinity", "Infinity"),
    ],
)  # fmt: skip
def test_line_that_is_a_key_and_a_number_is_a_metric(read, line, value) -> None:
    (found,) = read(f"before\n{line}\nafter\n")
    assert found[:2] == ("loss", value)


@pytest.mark.parametrize(
    "line",
    [
        " size: 1", "size 1", "size:1", "size: 1.2.3", "size: 1_000", "size: 0x10", "size: 1e", "size: 1 2",
        "size: 1 (10", "size: 1(10)", "size: 1 (10) x", "my size: 1", "1size: 1", "-size: 1", ": 1", "size: ", "size: .",
        "size: one", "size: 1,5",
        "size: nano", "size:\n1", "“size: 1", "[size]: 1", "size : 1", "size: \N{ARABIC-INDIC DIGIT ONE}",
    ],
)  # fmt: skip
def test_any_other_line_is_none_by_the_first_rule(read, line) -> None:
    assert read(f"{line}\n") == []


def test_key_may_have_any_letters_and_signs_but_blanks(read) -> None:
    keys = ("_x", "val/loss", "größe", "a:b", "λ", "f1-score[0]")
    assert [name for name, _, _ in read("".join(f"{key}: 1\n" for key in keys))] == list(keys)


def test_step_advances_when_a_key_comes_again(read) -> None:
    assert read("x: 1\ny: 2\ny: 3\ny: 4\nx: 5\ny: 6\n") == [
        ("x", 1.0, 0), ("y", 2.0, 0), ("y", 3.0, 1), ("x", 5.0, 2), ("y", 4.0, 2), ("y", 6.0, 3),
    ]  # fmt: skip


def test_step_that_is_told_holds_until_the_next_one(read) -> None:
    assert read("x: 1\nstep: 10\nx: 2\nx: 3 (20)\ny: 4\nx: 5 (step 30)\nx: 6 (not 40)\nstep: nan\nx: 7\n") == [
        ("x", 1.0, 0), ("x", 2.0, 10), ("x", 3.0, 20), ("y", 4.0, 20), ("x", 5.0, 30), ("x", 6.0, 30), ("x", 7.0, 30),
    ]  # fmt: skip


def test_value_of_a_flag_is_no_metric_and_no_step(read) -> None:
    rules = MetricRules({"lr": 0.1, "step": 5.0})
    assert read("lr: 0.1\nstep: 5\nx: 1\nlr: 0.1\nx: 2\n", rules) == [("x", 1.0, 0), ("x", 2.0, 1)]


def test_name_of_a_flag_with_another_value_is_a_metric_from_its_first_value(read) -> None:
    rules = MetricRules({"lr": 0.1, "loss": 2.0, "step": 5.0, "same": 1.0, "never": 3.0})
    printed = "lr: 0.1\nloss: 2\nstep: 5\nsame: 1.0\nstep: 6\nlr: 0.05\nEpoch 7: loss=nan, same=1, acc=0.5\nstep: 5\nlr: 0.1\n"
    assert read(printed, rules) == [
        ("lr", 0.1, 0), ("loss", 2.0, 0), ("lr", 0.05, 6), ("acc", 0.5, 7), ("loss", "NaN", 7), ("lr", 0.1, 5),
    ]  # fmt: skip


def test_many_echoed_flags_leave_the_room_of_the_metrics(read) -> None:
    flags = {f"flag{n}": float(n) for n in range(2 * MAX_METRICS)}
    echoes = "".join(f"{name}: {value}\n" for name, value in flags.items())
    assert read(f"{echoes}loss: 1\nflag7: 8\n", MetricRules(flags)) == [("loss", 1.0, 0), ("flag7", 7.0, 0), ("flag7", 8.0, 1)]


@given(st.text(alphabet="ab_:. 1-e()\r\n\tnif", max_size=80))
def test_rule_agrees_with_its_words_on_any_output(tmp_path_factory, output) -> None:
    found = gathered(tmp_path_factory.getbasetemp() / "any-output", output.encode())
    number = r"[-+]?(\d+\.?\d*(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?|nan|inf|infinity)"
    rule = re.compile(rf"([a-z_]\S*):[ \t]+({number})([ \t]+\(.*\))?[ \t]*")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in output.split("\n")]
    assert found == {told[1]: float(told[2]) for line in shown if (told := rule.fullmatch(line))}


@given(st.binary(max_size=300) | st.text(alphabet="a: 1\x1b[]m\x07\r\n\0é", max_size=80).map(str.encode))
def test_no_output_breaks_anything(tmp_path_factory, output) -> None:
    for name, value in gathered(tmp_path_factory.getbasetemp() / "any-bytes", output).items():
        assert name.isprintable() or not name.isascii()
        assert isinstance(value, float)


def gathered(file, output):
    """The metrics in an output by the rules."""
    return measured(file.with_name(os.urandom(8).hex()), output, MetricRules(), lambda _: None).found


def test_own_patterns_replace_the_rule(read) -> None:
    rules = MetricRules(
        {"acc": 0.5},
        (("acc", r"accuracy[:=]\s*(\d+\.\d+)"), ("best", r"best (?P<what>\w+) (?P<value>\S+)")),
        only_patterns=True,
    )
    assert read("loss: 1\nepoch 1 accuracy: 0.5 best x 3\nepoch 2 accuracy=0.75\n", rules) == [
        ("acc", 0.5, 0), ("best", 3.0, 0), ("acc", 0.75, 1),
    ]  # fmt: skip


def test_own_patterns_may_name_the_step(read) -> None:
    rules = MetricRules(
        only_patterns=True,
        patterns=(("acc", r"^(?P<step>\d+) acc (?P<value>\S+)"), ("step", r"epoch (\d+)"), ("loss", "loss (.*)")),
    )
    assert read("7 acc 1\nepoch 9\nloss 2\nloss none\n", rules) == [("acc", 1.0, 7), ("loss", 2.0, 9)]


def test_pattern_that_does_not_compile_finds_nothing(read) -> None:
    assert read("x=1\n", MetricRules(only_patterns=True, patterns=(("bad", "("), ("x", r"x=(\d)")))) == [("x", 1.0, 0)]


def test_summary_is_exact_where_the_series_is_thinned(tmp_path) -> None:
    values, said = [math.sin(i) * i for i in range(30_000)], []
    live = measured(tmp_path / "state", "".join(f"x: {value!r}\n" for value in values), MetricRules(), said.append)
    known = live.found.summaries["x"]
    assert (known.first, known.last, known.least, known.most, known.count) == (
        0.0,
        values[-1],
        min(values),
        max(values),
        30_000,
    )
    rows = [json.loads(line) for line in live.series.splitlines()]
    assert 5_000 <= len(rows) <= 10_001
    assert (rows[0]["step"], rows[-1]) == (0, {"step": 29_999, "x": values[-1]})
    assert all(row["x"] == values[row["step"]] for row in rows)
    assert said[-1].startswith(f"note: {len(rows):,} of 30,000 points of metrics are recorded")


def test_rules_are_read_back_also_those_of_earlier_versions(tmp_path) -> None:
    rules = MetricRules({"lr": 0.1, "amp": 1.0, "seed": math.inf}, (("x", r"x=(\d+)"),), only_patterns=True)
    write_rules(tmp_path, rules)
    assert read_rules(tmp_path) == rules
    (tmp_path / "rules.json").write_text('{"flags": ["lr"], "patterns": [["x", "x=(.)"]]}')
    assert read_rules(tmp_path) == MetricRules({}, (("x", "x=(.)"),), only_patterns=True)
