"""Values of an import."""

from __future__ import annotations

import math

import pytest

from gitrun.extras.importers.imported import ImportReport, LeftOut, read_time


def test_reasons_name_each_run_once() -> None:
    report = ImportReport(left_out=(LeftOut("a", "a link"), LeftOut("a", "a link"), LeftOut("b", "a link"), LeftOut("b", "x")))
    assert report.reasons() == {"a link": ["a", "b"], "x": ["b"]}
    assert len(report.as_json()["left_out"]) == 4


@pytest.mark.parametrize("seconds", [None, -1.0, 1e300, math.inf, math.nan, 220_000_000_001])
def test_time_that_no_clock_shows_is_none(seconds) -> None:
    assert read_time(seconds) is None


def test_time_keeps_microseconds() -> None:
    assert read_time(1795973642.744128).isoformat() == "2026-11-29T17:34:02.744128+00:00"
