"""Columns say of each run what the run itself says, and changes lead from one snapshot to the next."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from runs_made_up import made_up
from templates import made_once

from gitrun import Project
from gitrun.model.filters import PROPERTIES, look_up_value
from gitrun.model.metrics import Metrics, Summary
from gitrun.store import columns, index
from gitrun.store.columns import Part, read_changes, read_columns, read_snapshot
from gitrun.store.index_rows import FIELDS, encode_row, index_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repository import Repo

    from gitrun.model.run import Run
    from gitrun.store.index import Index


@pytest.fixture
@made_once
def project(repo: Repo) -> Project:
    """A project with three runs."""
    project = Project(repo.path)
    for x in (1, 2.0, 3):
        project.run("echo.py", flags={"x": x})
    return project


@pytest.fixture
def filled(repo: Repo) -> Iterator[Index]:
    """An index of a repository without runs, for runs that a test makes up."""
    with Project(repo.path).index() as opened:
        yield opened


def put(filled: Index, *runs: Run) -> None:
    filled._base.executemany(index.PUT, [(*index_row(run), "") for run in runs])


def values(column: dict[str, Any]) -> list[Any]:
    """The value of each row of a column."""
    return column["v"] if "v" in column else [column["d"][position] for position in column["i"]]


def whole(filled: Index) -> dict[str, Any]:
    answer = read_columns(filled, read_snapshot(filled))
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    return answer


def test_fields_are_named_in_the_order_of_rows() -> None:
    run = made_up("a" * 40, "train.py", flags={"x": 1}, label="best", batch="b" * 40, trial=7, branch="main")
    row = dict(zip(FIELDS, json.loads(encode_row(run)), strict=True))
    assert (row["head"], row["operation"], row["flags"], row["label"]) == ("a" * 40, "train.py", {"x": 1}, "best")
    assert (row["batch"], row["trial"], row["branch"], row["marked"]) == ("b" * 40, 7, "main", False)


def test_columns_have_what_runs_have(project) -> None:
    runs = project.list_runs()
    project.mark(runs[1])
    with project.index() as opened:
        answer = whole(opened)
        assert answer["id"] == [run.id[:12] for run in runs]
        assert values(answer["status"]) == ["completed"] * 3
        assert values(answer["flags"]["x"]) == [3, 2.0, 1]
        assert [answer["flags"]["x"]["v"][at] for at in answer["flags"]["x"]["floats"]] == [2.0]
        assert answer["marked"] == [1]
        times = [answer["created"][0]]
        for earlier in answer["created"][1:]:
            times.append(times[-1] - earlier)
        assert times == [int(run.attempt.created.timestamp() * 1000) for run in runs]


@pytest.mark.parametrize("name", [*PROPERTIES, "x", "flag:x", "metric:x", "metric:loss:min", "loss", "loss:max", "none"])
def test_named_column_is_what_filters_see(filled, name) -> None:
    losses = Metrics({"loss": 0.5, "x": 3.0}, {"loss": Summary(2.0, 0.5, 0.25, 2.0, 4)})
    put(
        filled,
        made_up("a" * 40, flags={"x": 1}, label="best", marked=True, branch="main", base="c" * 40),
        made_up("b" * 40, metrics=losses, batch="a" * 40, trial=2, status="terminated", pruned=3),
    )
    answer = read_columns(filled, read_snapshot(filled), Part(columns=(name,)))
    wanted = [look_up_value(run, name) for run in filled.readable_runs()]
    times = name in {"started", "stopped"}
    wanted = [int(value.timestamp() * 1_000_000) if times else value for value in wanted]
    assert values(answer["columns"][name]) == wanted


def test_limit_and_start_cut_the_same_list(filled) -> None:
    put(filled, *(made_up(f"{number:040x}", flags={"x": number}) for number in range(50)))
    snapshot = read_snapshot(filled)
    parts = [read_columns(filled, snapshot, Part(start, 20)) for start in (0, 20, 40)]
    assert [name for part in parts for name in part["id"]] == whole(filled)["id"]
    assert [part["n"] for part in parts] == [20, 20, 10]
    assert ["broken" in part for part in parts] == [False, False, True]


def test_numbers_that_javascript_cannot_hold_are_texts(filled) -> None:
    odd = {"big": 2**53, "least": -(2**70), "nan": math.nan, "inf": -math.inf, "list": [1, [math.inf, "nan"]], "text": "nan"}
    put(filled, made_up("a" * 40, flags=odd, metrics=Metrics({"loss": math.nan, "top": math.inf})))
    answer = whole(filled)
    flags = {name: values(column)[0] for name, column in answer["flags"].items()}
    assert flags == {
        "big": {"number": "9007199254740992"},
        "least": {"number": "-1180591620717411303424"},
        "nan": {"number": "nan"},
        "inf": {"number": "-inf"},
        "list": [1, [{"number": "inf"}, "nan"]],
        "text": "nan",
    }
    assert values(answer["metrics"]["loss"]) == [{"number": "nan"}]


def test_values_that_python_holds_equal_stay_apart(filled) -> None:
    odd = [1, 1.0, True, "1", 0.0, -0.0, False]
    put(filled, *(made_up(f"{number:040x}", flags={"x": odd[number % 7]}) for number in range(70)))
    column = whole(filled)["flags"]["x"]
    assert list(map(repr, column["d"])) == list(map(repr, reversed(odd)))
    assert [column["d"][at] for at in column["floats"]] == [-0.0, 0.0, 1.0]


def test_metrics_are_rounded_unless_all_digits_are_asked_for(filled) -> None:
    put(filled, made_up("a" * 40, metrics=Metrics({"loss": 0.123456789, "acc": 0.5})))
    answer = whole(filled)
    assert answer["metrics"]["loss"] == {"v": [0.123457], "rounded": True}
    assert answer["metrics"]["acc"] == {"v": [0.5]}
    exact = read_columns(filled, read_snapshot(filled), Part(columns=("metric:loss",), digits=17))
    assert exact["columns"]["metric:loss"] == {"v": [0.123456789]}


def test_rare_columns_are_left_out_by_name(filled) -> None:
    many = {f"f{number}": 1 for number in range(60)}
    metrics = Metrics({f"m{number}": 1.0 for number in range(10)})
    put(filled, made_up("a" * 40, flags=many, metrics=metrics), made_up("b" * 40, metrics=Metrics({"m9": 1.0})))
    answer = whole(filled)
    assert (len(answer["flags"]), list(answer["metrics"])) == (60, ["m9", "m0", "m1", "m2"])
    assert answer["left_out"] == {"flags": [], "metrics": [f"m{number}" for number in range(3, 9)]}


def test_ids_are_longer_where_twelve_digits_are_not_enough(filled) -> None:
    put(filled, made_up("a" * 40), made_up("a" * 12 + "b" * 28))
    assert (whole(filled)["digits"], whole(filled)["id"]) == (40, ["a" * 12 + "b" * 28, "a" * 40])


def test_unreadable_runs_come_last_with_their_reason(repo, project) -> None:
    repo.git("update-ref", f"refs/runs/{'e' * 40}", "HEAD")
    with project.index() as opened:
        answer = whole(opened)
        assert (answer["total"], answer["n"]) == (3, 3)
        assert answer["broken"] == [{"id": "e" * 12, "reason": opened.broken()[0].reason}]


def test_repository_without_runs_has_empty_columns(filled) -> None:
    answer = whole(filled)
    assert (answer["total"], answer["n"], answer["id"], answer["flags"]) == (0, 0, [], {})


def rows_of(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    """The ids and labels of the rows of an answer."""
    return [(name, answer["label"].get(str(number))) for number, name in enumerate(answer["id"])]


def apply(shown: list[tuple[str, Any]], changes: dict[str, Any]) -> list[tuple[str, Any]]:
    """The rows after changes, as a page applies them."""
    fresh = rows_of(changes["rows"])
    kept = [row for row in shown if row[0] not in {*changes["removed"], *(name for name, _ in fresh)}]
    for position, row in zip(changes["position"], fresh, strict=True):
        kept.insert(position, row)
    return kept


def test_changes_lead_from_one_snapshot_to_the_next(repo, project) -> None:
    first, second, third = project.list_runs()
    with project.index() as opened:
        before, shown = read_snapshot(opened), rows_of(whole(opened))
    project.run("echo.py", flags={"x": 7})
    project.run(restart=third.id, flags={"x": 8})
    repo.run("label", "named", second.id)
    repo.run("rm", first.id)
    with project.index() as opened:
        after = read_snapshot(opened)
        changes = read_changes(opened, before, after)
        assert (changes["since"], changes["stamp"]) == (before.stamp, after.stamp)
        assert changes["removed"] == [first.id[:12]]
        assert apply(shown, changes) == rows_of(whole(opened))
        assert read_changes(opened, after, after)["rows"]["n"] == 0


def test_more_changes_than_a_block_ask_for_a_reload(filled, monkeypatch) -> None:
    monkeypatch.setattr(columns, "BLOCK", 3)
    before = read_snapshot(filled)
    put(filled, *(made_up(f"{number:040x}") for number in range(4)))
    after = read_snapshot(filled)
    assert read_changes(filled, before, after) == {"version": 1, "stamp": after.stamp, "reload": True}
