"""Each point of a grid from its index, in the order that a nested loop would give."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import BadValue
from gitrun.model.grid import lay_grid, point_at, sample_points
from gitrun.model.space import Choice, Range, Space

names = st.sampled_from("abcd")
values = st.lists(st.integers(0, 2), min_size=1, max_size=3)


def points_of(space: Space, rows: Any = (), repeat: int = 1) -> list[dict[str, Any]]:
    return [point_at(space, rows, repeat, index) for index in range(lay_grid(space, rows, repeat).count)]


def test_last_name_varies_fastest() -> None:
    space = {"opt": Choice(("adam", "sgd")), "lr": Choice((0.1, 0.2))}
    assert points_of(space) == [
        {"lr": 0.1, "opt": "adam"}, {"lr": 0.1, "opt": "sgd"}, {"lr": 0.2, "opt": "adam"}, {"lr": 0.2, "opt": "sgd"},
    ]  # fmt: skip


def test_repeated_values_are_points_of_their_own() -> None:
    assert points_of({"x": Choice((1, 1))}) == [{"x": 1}, {"x": 1}]
    assert points_of({"x": Choice((1, 2))}, repeat=2) == [{"x": 1}, {"x": 1}, {"x": 2}, {"x": 2}]


def test_rows_are_crossed_with_lists_which_win() -> None:
    rows = [{"a": 1, "b": 7}, {"a": 2}]
    assert points_of({}, rows) == rows
    assert points_of({"b": Choice((3, 4))}, rows) == [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}]


def test_ranges_of_separate_values_are_listed() -> None:
    assert points_of({"x": Range("int", 1, 3)}) == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert points_of({"x": Range("float", 0.0, 0.3, step=0.1)}) == [{"x": 0.0}, {"x": 0.1}, {"x": 0.2}, {"x": 0.3}]
    with pytest.raises(BadValue) as caught:
        lay_grid({"lr": Range("float", 0.001, 0.1)})
    hint = "To try some of them: lr=linspace[0.001:0.1:5]"
    assert str(caught.value) == f"lr=[0.001:0.1] is a range, and a grid needs single values. {hint}"


def test_points_that_differ_in_absent_flags_count_once() -> None:
    space = {"opt": Choice(("adam", "sgd")), "momentum": Choice((0.1, 0.9), {"opt": ("sgd",)})}
    assert points_of(space) == [{"opt": "adam"}, {"opt": "sgd", "momentum": 0.1}, {"opt": "sgd", "momentum": 0.9}]


def test_rows_decide_which_flags_exist() -> None:
    space = {"momentum": Choice((0.1, 0.9), {"opt": ("sgd",)})}
    rows = [{"opt": "sgd"}, {"opt": "adam"}, {"opt": "sgd", "x": 1}, {}]
    assert points_of(space, rows, repeat=2)[3:8] == [
        {"opt": "sgd", "momentum": 0.9}, {"opt": "adam"}, {"opt": "adam"}, {"opt": "sgd", "x": 1, "momentum": 0.1},
        {"opt": "sgd", "x": 1, "momentum": 0.1},
    ]  # fmt: skip
    assert lay_grid(space, rows, 2).count == 12


def test_a_huge_grid_needs_no_list() -> None:
    space = {name: Choice(tuple(range(1000))) for name in "abcdefgh"}
    grid = lay_grid(space)
    assert grid.count == 10**24
    assert grid.at(10**24 - 1) == dict.fromkeys("abcdefgh", 999)
    assert grid.at(123_456) == {**dict.fromkeys("abcdef", 0), "g": 123, "h": 456}
    assert len(set(sample_points(grid.count, 5, 1))) == 5


def test_points_beyond_the_grid_are_refused() -> None:
    for index in (-1, 2):
        with pytest.raises(IndexError):
            point_at({"x": Choice((1, 2))}, (), 1, index)


def test_points_share_no_lists() -> None:
    space = {"x": Choice(([1],)), "y": Choice((1, 2))}
    point_at(space, (), 1, 0)["x"].append(2)  # type: ignore[union-attr]
    assert point_at(space, (), 1, 1) == {"x": [1], "y": 2}


@given(st.dictionaries(names, values, max_size=4), st.data())
def test_grid_is_the_product_without_absent_flags(lists: dict[str, list[int]], data: st.DataObject) -> None:
    space: dict[str, Choice] = {}
    for name in sorted(lists):
        # conditions on later names too: on those that do not yet depend on others, so that there is no circle
        others = [other for other in sorted(lists) if other != name and (other not in space or not space[other].when)]
        others = [other for other in others if not any(name in domain.when for domain in space.values())]
        when = data.draw(st.dictionaries(st.sampled_from(others), st.tuples(st.integers(0, 2)), max_size=2)) if others else {}
        space[name] = Choice(
            tuple(lists[name]), {other: allowed for other, allowed in when.items() if other < name or other not in space}
        )
    found = points_of(space)
    assert sorted(map(canonical, found)) == sorted(expected(space))


def canonical(point: dict[str, Any]) -> str:
    return str(sorted(point.items()))


def expected(space: dict[str, Choice]) -> list[str]:
    """Returns all points by their indices, each combination of existing flags once."""
    points: dict[tuple[object, ...], str] = {}
    for indices in product(*(range(len(space[name].values)) for name in space)):
        chosen = {name: space[name].values[index] for name, index in zip(space, indices, strict=True)}
        while gone := [
            name for name in chosen
            if not all(chosen.get(other) in allowed for other, allowed in space[name].when.items())
        ]:  # fmt: skip
            for name in gone:
                del chosen[name]
        points[tuple((name, index) for name, index in zip(space, indices, strict=True) if name in chosen)] = canonical(chosen)
    return list(points.values())


@given(st.integers(1, 200), st.integers(1, 220), st.integers(0, 2**32))
def test_samples_are_repeatable_and_in_order(count: int, most: int, seed: int) -> None:
    found = list(sample_points(count, most, seed))
    assert found == sorted(set(found)) == list(sample_points(count, most, seed))
    assert len(found) == min(count, most)
    assert not found or 0 <= found[0] <= found[-1] < count
