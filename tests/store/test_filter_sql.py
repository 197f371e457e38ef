"""What sqlite answers about a filter bounds what Python answers, whatever the flags, metrics and names are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import Repo
from runs_made_up import made_up

from gitrun import Project
from gitrun.model.filters import AND, COMPARISONS, NOT, OR, PROPERTIES, Comparison, Condition, Junction, make_test
from gitrun.model.metrics import Metrics
from gitrun.store import index
from gitrun.store.filter_sql import prefilter
from gitrun.store.index_rows import index_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.run import Run
    from gitrun.store.index import Index

NAMES = ["x", "loss", "lr", "a.b", "a/b-c", "é", 'q"q', "$", "a[0]", "a\\b", "status", "id", "x:min", "", "\0", "'", "日"]
TEXTS = ["", "a", "A", "adam", "1", "true", "nan", "null", "é", "\u2028", "a\0b", "[1]", "'", '"', "日本", "\\u0061"]
TERMS = st.sampled_from([
    0, 1, -1, 2, 0.0, -0.0, 1.0, 0.1, 0.1 + 2**-56, 0.30000000000000004, 0.3, 1e-320, 5e-324, 1e300, -1e308, 2**53, 2**53 + 1,
    2**63, 2**63 - 1, -(2**63), 10**400, 1e16, 123456789012345678, math.nan, math.inf, -math.inf, True, False,
])  # fmt: skip
SCALARS = st.one_of(TERMS, st.sampled_from(TEXTS), st.integers(), st.floats(), st.booleans(), st.text(max_size=5))
VALUES = st.one_of(SCALARS, st.lists(st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3))


def runs() -> st.SearchStrategy[Run]:
    """Runs with few names, so that filters meet them."""
    flags = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
    metrics = st.dictionaries(st.sampled_from(NAMES), st.one_of(st.floats(), st.integers(-3, 3).map(float)), max_size=3)
    labels = st.sampled_from([None, "best", "é", "a\0b", "", "1"])
    return st.builds(
        lambda flags, metrics, label: made_up(flags=flags, metrics=Metrics(metrics), label=label), flags, metrics, labels
    )


def comparisons(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    """Comparisons with these values, by all operators and sorts of names."""
    operators = st.sampled_from(["", *COMPARISONS, "not in", "not contains"])
    names = st.builds(
        lambda sort, name: sort + name, st.sampled_from(["", "", "flag:", "metric:"]), st.sampled_from([*NAMES, *PROPERTIES])
    )
    return st.builds(Comparison, names, operators, value)


def conditions(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    """Conditions of any shape."""
    return st.recursive(
        comparisons(value),
        lambda part: st.one_of(
            st.builds(lambda one: Junction(NOT, (one,)), part),
            st.builds(
                lambda word, parts: Junction(word, tuple(parts)),
                st.sampled_from([AND, OR]),
                st.lists(part, min_size=2, max_size=3),
            ),
        ),
        max_leaves=5,
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index whose rows a test replaces."""
    with Project(Repo.create(tmp_path_factory.mktemp("laws") / "repo").path).index() as found:
        yield found


def check_bounds(opened: Index, some: list[Run], *conditions: Condition) -> None:
    """Puts the runs into the index, and checks that bounds of the conditions hold for each of them."""
    opened._base.execute("DELETE FROM runs")
    named = [(f"{number:040x}", run) for number, run in enumerate(some)]
    rows = [(name, name, *index_row(run)[2:], "") for name, run in named]
    opened._base.executemany(index.PUT, rows)
    stored = [run for name, _ in named if (run := opened.get(name))]
    for condition in conditions:
        matches = {run.id for run in stored if make_test(condition)(run)}
        bounds = dict(opened.matching(prefilter(condition)))
        assert matches <= bounds.keys(), condition
        assert {name for name, is_sure in bounds.items() if is_sure} <= matches, condition


SLOWLY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@SLOWLY
@given(data=st.data())
def test_bounds_hold_for_any_condition(opened, data) -> None:
    some = data.draw(st.lists(runs(), min_size=1, max_size=6))
    held = [value for run in some for value in [*run.flags.values(), *run.metrics.values()]]
    value = st.one_of(VALUES, st.sampled_from(held)) if held else VALUES
    check_bounds(opened, some, data.draw(conditions(value)))


@SLOWLY
@given(
    number=st.floats(allow_nan=False, allow_infinity=False),
    operator=st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    sort=st.sampled_from(["flag", "metric"]),
)
def test_bounds_hold_for_neighbours_of_a_number(opened, number, operator, sort) -> None:
    near = [number, math.nextafter(number, math.inf), math.nextafter(number, -math.inf), -number, number * 2, int(number)]
    some = [made_up(flags={"x": one}, metrics=Metrics({"x": one if abs(one) < 1e300 else 0.0})) for one in near]
    check_bounds(opened, some, Comparison(f"{sort}:x", operator, number))


def test_bounds_hold_for_each_pair_of_odd_values(opened) -> None:
    odd = [
        0, 1, -1, 3, 0.0, -0.0, 0.1, 0.1 + 2**-56, 1e-320, 2**53, 2**63, 10**400, math.nan, math.inf, True, False,
        "", "1", "a", "é", "a\0b", [], [1], [0.1, "a"], [math.nan], [True],
    ]  # fmt: skip
    some = [made_up(flags={"x": one, "other": other}) for one in odd for other in (1, math.nan)]
    some += [made_up(metrics=Metrics({"x": float(one)})) for one in odd if isinstance(one, int | float) and abs(one) < 1e300]
    for sort in ("", "flag:", "metric:"):
        for operator in ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains"):
            every = [Comparison(f"{sort}x", operator, one) for one in odd]
            conditions = [*every, *(Junction(NOT, (one,)) for one in every)]
            check_bounds(opened, some, *conditions)


@pytest.mark.parametrize("status", ["completed", "terminated", "pruned", "error", "none"])
def test_sqlite_alone_judges_the_status_that_is_shown(opened, status) -> None:
    some = [made_up("a" * 40), made_up("b" * 40, status="terminated"), made_up("c" * 40, status="terminated", pruned=3)]
    some.append(made_up("d" * 40, status="error", pruned=3))
    opened._base.execute("DELETE FROM runs")
    opened._base.executemany(index.PUT, [(*index_row(run), "") for run in some])
    found = opened.matching(prefilter(Comparison("status", "=", status)))
    assert found == [(run.id, True) for run in reversed(some) if run.attempt.shown_status == status]


@pytest.mark.parametrize("name", ["x", "a.b", "a/b-c", "flag:x"])
@pytest.mark.parametrize(("value", "operator"), [(0.1, "<"), (0.1, "="), (3, "<="), (3, ">"), ("adam", "="), (True, "!=")])
def test_sqlite_alone_judges_plain_questions(opened, name, value, operator) -> None:
    plain = name.removeprefix("flag:")
    some = [made_up(f"{number:040x}", flags={plain: one}) for number, one in enumerate((0.05, 0.1, 3, 4, "adam", True, False))]
    opened._base.execute("DELETE FROM runs")
    opened._base.executemany(index.PUT, [(*index_row(run), "") for run in some])
    test = make_test(Comparison(name, operator, value))
    found = opened.matching(prefilter(Comparison(name, operator, value)))
    assert found == [(run.id, True) for run in reversed(some) if test(run)]
