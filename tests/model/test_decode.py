"""Records of runs are read, also those that no gitrun wrote."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import WHEN

from gitrun.errors import BadRun
from gitrun.model import decode, encode, record_files
from gitrun.model.metrics import Metrics
from gitrun.model.plan import Outcome

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


PLAIN = st.one_of(st.booleans(), st.integers(), st.floats(), TEXT)


VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


END = b"\n[[files]]\npath = 'a'\n"


def test_a_result_that_names_very_many_shared_files_is_read() -> None:
    shared = tuple(f"{number:0200}" for number in range(10_000))
    result = decode.parse_toml(
        encode.encode_result(Outcome("completed", 0, WHEN, WHEN, 2.0, shared=shared)), record_files.RESULT
    )
    assert result["shared_left_out"] == len(shared) - len(result["shared"]) > 0


@pytest.mark.parametrize("data", [b"a = 1\n" + b"#" * (1 << 20) + END, b"a = '''\n" + END * 90_000 + b"'''"])
def test_a_result_that_is_long_in_another_way_is_a_bad_run(data) -> None:
    with pytest.raises(BadRun, match=r"^.gitrun/result.toml "):
        decode.parse_toml(data, record_files.RESULT)


@pytest.mark.parametrize(
    "data",
    [b"a = [", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 9000, b"#" * ((1 << 20) + 1), b"a" + b".a" * 9000 + b" = 1", b"\0"],
)
def test_what_is_no_table_is_a_bad_run(data) -> None:
    with pytest.raises(BadRun, match=r"^run.toml "):
        decode.parse_toml(data, "run.toml")


@given(st.dictionaries(st.sampled_from(["label", "tags", "comments", "marked", "other"]), st.one_of(VALUES, st.just({}))))
def test_annotations_of_another_kind_are_passed_over(found) -> None:
    import tomli_w

    notes = decode.read_notes(tomli_w.dumps(found).encode())
    assert notes.label == (found.get("label") if isinstance(found.get("label"), str) else None)
    assert notes.marked == (found.get("marked") is True)
    assert all(isinstance(tag, str) for tag in notes.tags)


@pytest.mark.parametrize("value", [True, "1", 1 << 64, None, [1]])
def test_number_that_is_none_is_passed_over(value) -> None:
    assert decode.get_int({"n": value}, "n") is None


def test_metric_that_no_float_can_hold_is_passed_over() -> None:
    assert decode.read_metrics({"a": 10**400, "b": True, "c": "1", "d": 2}) == Metrics({"d": 2.0})


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (datetime(2026, 11, 22, 12, 14, 3, 123456, timezone(timedelta(hours=2))), WHEN),
        (datetime(2026, 11, 22, 10, 14, 3, 123456), WHEN),  # noqa: DTZ001 - a file may lack the zone
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10))), None),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-10))), None),
        ("2026-11-22", None),
    ],
)
def test_time_is_utc_or_none(written, found) -> None:
    assert decode.get_time({"t": written}, "t") == found
