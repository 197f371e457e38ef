"""What a person calls a run finds that run, in the order of the rules, or says whom it might mean."""

from __future__ import annotations

import pytest
from runs_made_up import made_up

from gitrun.errors import UnknownRun
from gitrun.model.run_names import find_by_name, find_id, require_numbered, unknown_run

A, B, C = "3fa2" + "0" * 36, "3fa2" + "1" * 36, "77" + "a" * 38
RUNS = [
    made_up(A, "train.py", label="best"),
    made_up(B, "train.py", marked=True),
    made_up(C, "test.py", label="train.py"),
    made_up("d" * 40, "test.py", label="twice"),
    made_up("e" * 40, "test.py", label="twice"),
]


@pytest.mark.parametrize("name", [C, C[:4], C[:8], C.upper(), f"runs/{C}", f"runs/{C[:6]}", f"refs/runs/{C[:5]}"])
def test_id_is_found_by_what_abbreviates_it(name) -> None:
    assert find_id(name, [A, B, C]) == C


@pytest.mark.parametrize("name", ["77a", "12345", "train.py", "g" * 8, "", "0" * 41, "77aa\n"])
def test_what_is_no_id_is_left_to_other_names(name) -> None:
    assert find_id(name, [A, B, C]) is None


def test_ambiguous_abbreviation_names_its_candidates() -> None:
    with pytest.raises(UnknownRun, match="matches 2 runs: 3fa20000, 3fa21111"):
        find_id("3fa2", [A, B, C])


def test_ref_that_is_no_id_never_makes_an_id_ambiguous() -> None:
    assert find_id("77aa", [C, "77aa", "77aa-mine", "77aabbcc"]) == C


def test_ref_of_a_run_that_is_not_there_is_no_other_name() -> None:
    with pytest.raises(UnknownRun, match="no run 'runs/abcd'"):
        find_id("runs/abcd", [A])


@pytest.mark.parametrize(("name", "found"), [("train.py", B), ("test.py", C), ("best", A)])
def test_operation_and_label_name_a_run(name, found) -> None:
    assert find_by_name(name, RUNS).id == found


def test_operation_comes_before_a_label_of_the_same_words() -> None:
    assert find_by_name("train.py", RUNS).operation == "train.py"


def test_operation_without_a_mark_is_its_latest_run_of_any_status() -> None:
    assert find_by_name("a", [made_up(C, "a", status="error"), made_up(B, "a")]).id == C


def test_label_of_several_runs_names_its_candidates() -> None:
    with pytest.raises(UnknownRun, match=r"2 runs have the label 'twice': dddddddd .*; eeeeeeee ") as raised:
        find_by_name("twice", RUNS)
    assert raised.value.hint == "Give the id of one"


@pytest.mark.parametrize("name", ["6", "9" * 30])
def test_number_beyond_the_list_says_how_many_there_are(name) -> None:
    with pytest.raises(UnknownRun, match=f"no run {name}: the list has 5 runs"):
        require_numbered(name, None, 5)


def test_number_in_the_list_is_the_run_there() -> None:
    assert require_numbered("2", RUNS[1], 5) is RUNS[1]


def test_unknown_name_is_shown_safe() -> None:
    with pytest.raises(UnknownRun, match=r"no run '\\x1b\[31m'"):
        find_by_name("\x1b[31m", RUNS)


def test_an_expression_in_place_of_a_name_is_told_where_it_belongs():
    assert unknown_run("lr<0.1 and status=completed").hint == "To filter by an expression: --where EXPR"
    assert unknown_run("nobody").hint == "To list all runs: git run list --all"
