"""Formats say of a run what their atoms name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from runs_made_up import made_up

from gitrun.errors import UsageError
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics, Summary
from gitrun.model.settings import require_date
from gitrun.model.text import relative_text
from gitrun.views.formats import read_format

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
BARE = made_up("3fa2c1d8" + "0" * 32, "train.py", label="best")
RUN = replace(
    BARE,
    attempt=replace(
        BARE.attempt,
        flags=Flags({"lr": 0.1, "z": "a b"}),
        metrics=Metrics({"loss": 0.25}, {"loss": Summary(1.0, 0.25, 0.2, 1.5, 3)}),
        started=NOW - timedelta(hours=3),
    ),
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%(id:short) %(status)", "3fa2c1d8 completed"),
        ("%(flag:lr)|%(metric:loss)|%(flag:none)", "0.1|0.25|"),
        ("%(metric:loss:min)|%(metric:loss:count)|%(metric:none:min)", "0.2|3|"),
        ("%(started:relative)", "3 hours ago"),
        ("%(started)", "2026-11-22T09:00:00.000000Z"),
        ("%(started:unix)", "1795338000"),
        ("100%% of %(operation)%00%(label)", "100% of train.py\0best"),
        ("%(flags)", "lr=0.1 z='a b'"),
        ("plain", "plain"),
        ("%(id:short=12) %(source:short) %(base:short=4)|", "3fa2c1d80000 55555555 |"),
        ("%(refname:short)", f"runs/{RUN.id}"),
        ("%(started:short) %(started:iso)", "2026-11-22 2026-11-22 09:00:00 +0000"),
        ("%(started:iso-strict) %(started:rfc)", "2026-11-22T09:00:00+00:00 Sun, 22 Nov 2026 09:00:00 +0000"),
        ("%(started:format:%H:%M) %(stopped:format:)|", "09:00 |"),
        (
            "%(if)%(flag:none)%(then)a%(else)%(if:equals=best)%(label)%(then)%(align:6,right)%(label)%(end)%(end)%(end)|",
            "  best|",
        ),
        ("%(if:notequals=best)%(label)%(then)a%(end)|", "|"),
    ],
)
def test_line_is(text, line) -> None:
    assert read_format(text)(RUN, NOW) == line


@pytest.mark.parametrize(
    "text", ["%(nope)", "%(status:short)", "%()", "%(flag:)", "%(started:never)", "%(id:short=0)", "%(id:long)"]
)
def test_atom_that_there_is_not_is_refused_with_those_there_are(text) -> None:
    with pytest.raises(UsageError, match=r"no atom %\("):
        read_format(text)


@pytest.mark.parametrize("text", ["%(id", "a%(if)b", "%(if)%(then)a%(else)", "%(then)", "%(end)", "%(align:9)a"])
def test_malformed_format_is_refused(text) -> None:
    with pytest.raises(UsageError, match="malformed format"):
        read_format(text)


def test_refused_atom_names_the_forms_that_there_are() -> None:
    with pytest.raises(UsageError) as error:
        read_format("%(started:nope)")
    assert ":short=<n>" in (error.value.hint or "")
    assert ":iso-strict" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "just now"), (90, "90 seconds ago"), (86400 * 3, "3 days ago"), (-7200, "in 2 hours"), (86400 * 800, "2 years ago")],
)
def test_age_is_told_as_git_does(seconds, text) -> None:
    assert relative_text(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    "text", ["2.weeks", "2 weeks ago", "yesterday", "2026-11-01", "2026-11-01 12:00", "last monday", "noon"]
)
def test_date_that_git_reads_is_taken(text) -> None:
    assert require_date(text) == text


@pytest.mark.parametrize("text", ["nonsense", "", "2.wekks", "--all", "2026-11-01;", "\x1b", "..."])
def test_nonsense_is_no_date(text) -> None:
    with pytest.raises(UsageError, match="not a date"):
        require_date(text)
