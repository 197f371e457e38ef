"""Gates read as arithmetic reads, and nothing that is typed is more than arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import GateError, GitrunError, UnknownRun, UsageError
from gitrun.model.metrics import Metrics, Summary
from gitrun.views.gates import GateResult, Sides, judge_gate, parse_gate

RUN = Metrics({"loss": 0.5, "acc": 0.9, "val/loss": 0.6, "nan": math.nan}, {"loss": Summary(0.9, 0.5, 0.4, 0.9, 7)})
BASE = Metrics({"loss": 0.5, "acc": 0.8, "zero": 0.0})


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("loss<=base*1.02", True), ("loss < base", False), ("loss<base*1.02", True),
        ("loss = base", True), ("loss!=base", False),
        ("loss:min<0.41", True), ("val/loss >= loss", True), ("val/loss>loss+0.2", False), ("loss<'val/loss'", True),
        ("acc>base+0.05", True), ("acc > base:acc + 0.2", False), ("loss>=2-1.5", True), ("loss>2-1-1", True),
        ("loss==8/4/4", True),
        ("loss>-(1+1)*2", True), ("loss>--.4", True), ("loss<5e-1", False), ("loss:count==7", True), ("nan=nan", False),
        ("nan!=1", False),
        ("acc<1/base:zero", False), ("acc>0.9e0", False), ("acc>base:loss", True),
    ],
)  # fmt: skip
def test_gate_says_what_arithmetic_says(text, passed) -> None:
    assert judge_gate(parse_gate(text), Sides(RUN, BASE)).passed is passed


@pytest.mark.parametrize(
    "text", ["", "loss", "<1", "loss<", "loss<1 2", "loss<(1", "loss<1)", "loss<base*", "loss<1<2", "loss<__import__('os')",
             "loss<" + "(" * 5000, "loss<" + "-" * 5000 + "1", "loss<1**2", "loss<a.b()", "loss<'a"],
)  # fmt: skip
def test_what_is_no_gate_is_refused_with_its_place(text) -> None:
    with pytest.raises(GateError) as error:
        parse_gate(text)
    assert "^" in error.value.detail


@pytest.mark.parametrize("text", ["lost<1", "loss<lost", "loss<base:lost", "val/loss<base"])
def test_metric_that_is_not_there_is_named(text) -> None:
    with pytest.raises(UnknownRun, match="has no metric"):
        judge_gate(parse_gate(text), Sides(RUN, BASE))


def test_limit_that_is_nan_is_told_that_it_is_none() -> None:
    for text in ("loss=nan", "loss!=-nan"):
        with pytest.raises(UsageError, match="nan cannot be a limit"):
            judge_gate(parse_gate(text), Sides(BASE, BASE))
    with pytest.raises(UnknownRun, match="has no metric 'nan'"):
        judge_gate(parse_gate("loss<'nan'"), Sides(BASE, BASE))


def test_gate_knows_whether_it_needs_a_base() -> None:
    asked = {text: parse_gate(text).needs_base for text in ("loss<1", "loss<base", "loss<base:acc", "base<1", "loss<'base'")}
    assert list(asked.values()) == [False, True, True, False, False]


def outcome(text: str) -> object:
    """What comes of a gate that is typed so."""
    try:
        return judge_gate(parse_gate(text), Sides(RUN, BASE))
    except GitrunError as error:
        return error


@given(st.text("loasbe:'<=>!+-*/(). 0123456789\n\u00e9", max_size=30))
def test_any_text_is_a_gate_or_an_error_of_ours(text) -> None:
    assert isinstance(outcome(text), GateResult | GitrunError)
