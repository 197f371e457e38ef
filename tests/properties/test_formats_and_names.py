"""Formats and names of runs: whatever is typed is understood or refused in words, and nothing is mistaken for another."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.errors import UnknownRun, UsageError
from gitrun.model.flags import Flags, is_flag_name
from gitrun.model.run import is_id
from gitrun.model.run_names import find_by_name, find_id, parse_id_prefix
from gitrun.model.text import safe_text
from gitrun.views.formats import ATOMS, TIME_FORMS, TIMES, read_format

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
RUN = made_up(flags={"lr": 0.1})
IDS = st.text("0123456789abcdef", min_size=40, max_size=40)
PIECES = st.sampled_from(
    (
        "%",
        "%%",
        "%(",
        ")",
        "%(if)",
        "%(then)",
        "%(end)",
        "%e2",
        "%(align:9,middle)",
        "id",
        "%(id)",
        "%(flag:lr)",
        "%(metric:",
        ":",
        "%00",
        "%0",
        "%zz",
        "short",
        "x",
    )
)
KNOWN = (*ATOMS, "id:short", "flag:lr", "metric:loss", *(f"{time}:{form}" for time in TIMES for form in TIME_FORMS if form))


@given(st.text())
def test_text_with_doubled_percent_signs_says_itself(text) -> None:
    assert read_format(text.replace("%", "%%"))(RUN, NOW) == text


@given(st.text() | st.lists(PIECES).map("".join))
def test_any_format_is_read_or_refused(text) -> None:
    try:
        found = read_format(text)(RUN, NOW)
    except UsageError as error:
        found = error.message if error.message.startswith(("no atom %(", "malformed format: ")) else None
    assert isinstance(found, str)


@given(st.lists(st.sampled_from(KNOWN) | st.text("ab% \n").map(lambda text: f" {text}"), max_size=6))
def test_format_says_its_pieces_one_after_the_other(pieces) -> None:
    texts = [f"%({piece})" if piece in KNOWN else piece.replace("%", "%%") for piece in pieces]
    said = [read_format(text)(RUN, NOW) for text in texts]
    assert read_format("".join(texts))(RUN, NOW) == "".join(said)


@given(st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=12).filter(is_flag_name), st.integers())
def test_every_flag_can_be_asked_for_by_its_name(name, value) -> None:
    assert read_format(f"%(flag:{name})")(made_up(flags=Flags({name: value})), NOW) == str(value)


@given(st.sets(IDS, min_size=1, max_size=8), st.integers(4, 40), st.sampled_from(("", "runs/", "refs/runs/")), st.booleans())
def test_beginning_of_an_id_means_that_run_or_names_all_that_it_may_mean(ids, length, before, upper) -> None:
    wanted = min(ids)
    digits = wanted[:length].upper() if upper else wanted[:length]
    alike = [run for run in ids if run.startswith(digits.lower())]
    if len(alike) == 1:
        assert find_id(before + digits, ids) == wanted
        return
    with pytest.raises(UnknownRun, match=f"matches {len(alike)} runs"):
        find_id(before + digits, ids)


@given(IDS, st.integers(4, 12))
def test_ids_that_begin_alike_are_told_apart(run, length) -> None:
    other = run[:length] + ("0" if run[length] != "0" else "1") + run[length + 1 :]
    with pytest.raises(UnknownRun, match="matches 2 runs"):
        find_id(run[:length], [run, other])
    assert {find_id(run[: length + 1], [run, other]), find_id(other[: length + 1], [run, other])} == {run, other}


@given(st.text())
def test_what_is_no_beginning_of_an_id_is_never_taken_for_one(name) -> None:
    digits = parse_id_prefix(name)
    assert digits == "" or (4 <= len(digits) <= 40 and set(digits) <= set("0123456789abcdef"))
    assume(not digits)
    assert find_id(name, [RUN.id]) is None


@given(st.text() | IDS | IDS.map(lambda run: run[:39]))
def test_only_forty_hex_digits_are_an_id(name) -> None:
    assert is_id(name) == (len(name) == 40 and set(name) <= set("0123456789abcdef"))


@given(st.text(), st.lists(st.text(max_size=3), max_size=4))
def test_run_of_no_name_is_refused_in_words_that_are_safe(name, labels) -> None:
    runs = [made_up(f"{place:040x}", label=label) for place, label in enumerate(labels)]
    try:
        found = find_by_name(name, runs)
        is_right = name in {found.operation, found.notes.label}
    except UnknownRun as error:
        is_right = safe_text(error.message) == error.message
    assert is_right
