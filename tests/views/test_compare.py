"""Which columns tell runs apart."""

from __future__ import annotations

import pytest
from runs_made_up import made_up

from gitrun.errors import UsageError
from gitrun.model.metrics import Metrics
from gitrun.views.compare import chosen_columns, columns_of, differing_names, drop_equal_properties, is_same_quickly, rows_of


def test_values_that_are_equal_as_flags_tell_nothing() -> None:
    assert differing_names([{"x": 1, "nan": float("nan")}, {"x": 1.0, "nan": float("nan")}], equal=False) == []
    assert differing_names([{"x": 1}, {"x": True}], equal=False) == ["x"]
    assert differing_names([{"x": True}, {"x": 1}], equal=False) == ["x"]
    assert differing_names([{"x": [1]}, {"x": [True]}], equal=False) == ["x"]


def test_what_only_some_have_tells_them_apart() -> None:
    tables = [{"x": 1}, {"x": 1, "y": 2}]
    assert differing_names(tables, equal=False) == ["y"]
    assert differing_names(tables, equal=True) == ["x", "y"]


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ("a", "a"), (0.5, 0.5), ([1, 2], [1.0, 2]), (float("nan"), float("nan"))])
def test_equal_values_are_the_same(one, other) -> None:
    assert is_same_quickly(one, other)


def test_names_of_properties_and_of_both_are_told_apart() -> None:
    runs = [
        made_up(name, flags={"x": x, "status": x}, metrics=Metrics({"x": -x})) for name, x in (("a" * 40, 1), ("b" * 40, 2))
    ]
    columns = [column for column in columns_of(runs) if ":" in column.name]
    assert [column.name for column in columns] == ["flag:status", "flag:x", "metric:x"]
    assert list(rows_of(columns, runs)) == [[1, 1, -1.0], [2, 2, -2.0]]


def test_columns_in_which_all_are_the_same_are_not_worth_showing() -> None:
    runs = [made_up("a" * 40, flags={"x": 1}), made_up("b" * 40, flags={"x": 2}, label="best")]
    assert [column.name for column in drop_equal_properties(columns_of(runs), runs)] == ["id", "x", "label"]


def test_column_of_which_no_run_has_anything_is_refused() -> None:
    runs = [made_up(flags={"x": 1})]
    assert [column.name for column in chosen_columns(" x, label ,", runs)] == ["x", "label"]
    for names in ("y", ",", ""):
        with pytest.raises(UsageError):
            chosen_columns(names, runs)
