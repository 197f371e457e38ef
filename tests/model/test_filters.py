"""Filters mean what a person reads in them, and say where they do not read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.errors import FilterError
from gitrun.model.filters import parse_filter
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics, Summary

METRICS = Metrics({"loss": 0.3, "bad": float("nan")}, {"loss": Summary(2.0, 0.3, 0.1, 2.5, 7)})
BARE = made_up("a" * 40, "train.py", label="best")
RUN = replace(
    BARE,
    notes=replace(BARE.notes, tags=("paper", "fig 2", "5", "1.10")),
    attempt=replace(
        BARE.attempt, flags=Flags({"lr": 0.05, "opt": "adam", "deep": True, "lst": [1, [2, "c"], "]"]}), metrics=METRICS
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        "lr<0.1", "lr <= 0.05", "lr=0.05", "lr==0.05", "loss>=0.3 and status=completed", "opt=adam or opt=sgd", "not opt=sgd",
        "opt in [adam, sgd]", "opt not in [sgd]", "tag contains paper", "tag='fig 2'", "tags not contains draft", "deep",
        "not draft",
        "operation contains train", "flag:lr<1", "metric:loss<1", "loss:min=0.1", "metric:loss:max>2 and loss:count=7",
        "loss:first=2 and loss:last=0.3", "bad:last!=1", "label=best", "op=train.py",
        "(lr<0.01 or lr>0.04) and loss<1",
        "tags contains 5", "tags=5", "tag='5'", "tag in [4, 1.10]", "tags not contains 1.1", "lst=[1, [2, c], ']']",
        "lst contains [2, c] and lr<1", "(lst!=[1, [2]])",
        "opt contains da", "deep=true", "not (lr>1 and loss<1)", "lr!=1", 'opt="adam"',
    ],
)  # fmt: skip
def test_filter_holds(text) -> None:
    assert parse_filter(text)(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "lr>0.1", "missing=1", "missing!=1", "missing<1", "not lr<0.1", "opt<1", "deep=1", "status=error", "bad<1", "bad>=0",
        "lr<0.1 and opt=sgd", "metric:lr<1", "flag:loss<1", "bad:min<1", "bad:count", "lr:min<1", "loss:mean",
        "loss:", "opt in adam", "lr in [1, 2]", "missing", "branch=main and nothing",
    ],
)  # fmt: skip
def test_filter_does_not_hold(text) -> None:
    assert not parse_filter(text)(RUN)


def test_and_binds_closer_than_or() -> None:
    assert parse_filter("opt=adam or opt=sgd and lr>1")(RUN)


@pytest.mark.parametrize("word", ["2024", "1.10", "true", "null", "1e3"])
def test_label_is_the_word_as_it_stands(word) -> None:
    run = made_up(label=word, branch=word)
    assert parse_filter(f"label={word} and branch={word} and label in [x, {word}] and label contains {word}")(run)
    assert parse_filter(f"label='{word}' and label!=2025 and label>0")(run)


def test_times_compare_with_dates() -> None:
    started = made_up("b" * 40, "a").attempt.started or made_up("b" * 40, "a").attempt.created
    run = replace(RUN, attempt=replace(RUN.attempt, started=started))
    assert parse_filter(f"started>={started.date().isoformat()}")(run)
    assert not parse_filter("started<2000-01-01")(run)
    assert parse_filter("started=2026-11 and started!=2025 and started in [2026-11-22] and stopped>=2026-11-22T00:00:00Z")(run)
    assert parse_filter("started=2026-11-22T10:14:03.123456Z and started='2026-11-22 10:14'")(run)


@pytest.mark.parametrize("text", ["started>yesterday", "stopped<2.weeks", "started=today", "started in [now]", "stopped>2026"])
def test_time_in_other_words_is_refused_with_the_forms_that_are_taken(text) -> None:
    with pytest.raises(FilterError, match="is not a date") as raised:
        parse_filter(text)
    assert raised.value.hint.startswith("Write 2026-11-01 or 2026-11-01T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "place"),
    [("lr<", 3), ("(lr<1", 0), ("a b", 2), ("lr & 2", 3), ("", 0), ("'x'=1", 0), ("lr<1 and", 8), ("lr<1)", 4)],
)
def test_caret_shows_where_it_does_not_read(text, place) -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter(text)
    assert raised.value.detail == f"  {text}\n  {' ' * place}^"


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FilterError, match="nested too deeply"):
        parse_filter("(" * 5000 + "lr<1" + ")" * 5000)


@given(st.text())
def test_any_text_is_read_or_refused(text) -> None:
    try:
        found = parse_filter(text)(RUN)
    except FilterError as error:
        found = error.detail
    assert isinstance(found, bool | str)
