"""The table of a report: what differs is in columns, and what is equal in one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from runs_made_up import WHEN, made_up

from gitrun.model.batch import Objective
from gitrun.model.metrics import Metrics
from gitrun.render.report_table import MOST_ROWS, build_table, count_unlisted, equal_lines, metric_ranges
from gitrun.views.batches import RankedBatch
from gitrun.views.history import Commit
from gitrun.views.report import Report


def numbered(number: int, operation: str = "train.py", **more):
    """The run of this number, each a second older than the one before."""
    return made_up(f"{number:08x}" * 5, operation, created=WHEN - timedelta(seconds=number), **more)


def of_runs(*runs, bases=None) -> Report:
    return Report(None, (), runs, bases or {})


def shown(table, title: str) -> list[tuple[str, str]]:
    """The texts and differences in a column."""
    column = next(column for column in table.columns if column.title == title)
    return [(cell.text, cell.delta) for cells in column.cells.values() for cell in cells]


def test_equal_flags_and_metrics_are_named_once() -> None:
    runs = [numbered(n, flags={"lr": n / 10, "epochs": 40}, metrics=Metrics({"loss": n, "rows": 7})) for n in (1, 2, 3)]
    table = build_table(of_runs(*runs))
    assert equal_lines(table) == [("", ("train.py", "epochs=40", "rows=7"))]
    assert [column.title for column in table.columns] == ["lr", "loss"]
    assert shown(table, "lr") == [("0.1", ""), ("0.2", ""), ("0.3", "")]


def test_single_run_shows_all_that_it_has() -> None:
    table = build_table(of_runs(numbered(1, flags={"lr": 0.1, "epochs": 40})))
    assert equal_lines(table) == []
    assert {column.title for column in table.columns} == {"lr", "epochs"}


def test_run_without_a_flag_differs_from_those_with_it() -> None:
    table = build_table(of_runs(numbered(1, flags={"lr": 1}), numbered(2, flags={"lr": 1, "x": 2})))
    assert [column.title for column in table.columns] == ["x"]
    assert shown(table, "x") == [("2", "")]


def test_difference_from_the_base_stands_beside_the_value() -> None:
    base = numbered(9, flags={"lr": 0.1, "opt": "sgd", "old": 1}, metrics=Metrics({"loss": 0.5}))
    run = numbered(1, flags={"lr": 0.2, "opt": "sgd"}, metrics=Metrics({"loss": 0.25}))
    table = build_table(of_runs(run, bases={"train.py": base}))
    assert equal_lines(table) == [("", ("train.py", "opt=sgd"))]
    assert (shown(table, "lr"), shown(table, "old")) == ([("0.2", "was 0.1")], [("-", "was 1")])
    assert shown(table, "loss") == [("0.25", "-0.25 (-50.0 %)")]


def test_many_differing_flags_share_a_column() -> None:
    runs = [numbered(n, flags={f"f{at}": n for at in range(9)}) for n in (1, 2)]
    table = build_table(of_runs(*runs))
    assert [column.title for column in table.columns] == ["flags"]
    assert [(cell.name, cell.text) for cell in table.columns[0].cells[runs[0].id]][:2] == [("f0", "1"), ("f1", "1")]
    assert shown(table, "flags")[8] == ("… 1 more", "")


def test_each_operation_has_its_own_equal_flags() -> None:
    runs = [numbered(n, name, flags={"n": n, "epochs": 4}) for n, name in enumerate(("a.py", "a.py", "b.py", "b.py"))]
    table = build_table(of_runs(*runs))
    assert table.operation == ""
    assert equal_lines(table) == [("a.py", ("epochs=4",)), ("b.py", ("epochs=4",))]


def test_fifty_runs_have_rows_and_the_others_are_counted() -> None:
    runs = [numbered(n, flags={"n": n}, status="error" if n > 150 else "completed") for n in range(167)]
    table = build_table(of_runs(*runs))
    assert len(table.runs) == MOST_ROWS
    assert table.caption == "50 of 167 runs, newest first"
    assert count_unlisted(table) == "… and 117 more runs: 101 completed, 16 error."


def test_older_runs_without_a_place_in_the_report_are_counted() -> None:
    runs = tuple(numbered(n) for n in range(MOST_ROWS + 3))
    table = build_table(Report(None, (Commit("c" * 40, "A <a@b>", WHEN, "s", exact=runs, more=99_000),), (), older=99_000))
    assert table.caption == f"{MOST_ROWS} of {MOST_ROWS + 99_003:,} runs, newest first"
    assert count_unlisted(table) == "… and 3 more runs: 3 completed; 99,000 older runs."


def test_run_of_two_commits_has_one_row() -> None:
    run = numbered(1)
    commits = tuple(Commit(letter * 40, "A <a@b>", WHEN, letter, (run,), ()) for letter in "ab")
    groups = build_table(Report(None, commits, ())).groups
    assert [(len(group.rows), group.note) for group in groups] == [(1, ""), (0, "its runs are those above")]


def test_what_is_true_of_all_runs_of_a_commit_is_noted_once() -> None:
    first, second = numbered(1), numbered(2)
    only_changed = Commit("a" * 40, "A <a@b>", WHEN, "x", (), (first, second))
    groups = build_table(Report(None, (only_changed,), ())).groups
    assert [(group.note, [row.note for row in group.rows]) for group in groups] == [("with changes", ["", ""])]
    mixed = build_table(Report(None, (replace(only_changed, exact=(first,), changed=(second,)),), ())).groups
    assert [(group.note, [row.note for row in group.rows]) for group in mixed] == [("", ["", "with changes"])]


def test_trials_of_a_listed_batch_are_in_its_table() -> None:
    batch = numbered(1, "train.py+", kind="batch")
    trials = tuple(numbered(n, batch=batch.id, trial=n - 1) for n in (2, 3))
    ranked = RankedBatch(batch, Objective("loss", minimize=True), trials, (), ())
    table = build_table(Report(None, (), (batch, *trials), batches=(ranked,)))
    assert [run.id for run in table.runs] == [batch.id]
    assert table.caption == "1 run, and 2 trials below"


def test_least_and_largest_values_name_their_runs() -> None:
    values = (0.5, 0.25, float("nan"), 0.75)
    runs = [numbered(n, metrics=Metrics({"loss": value, "same": 1})) for n, value in enumerate(values)]
    found = metric_ranges(of_runs(*runs))
    assert found == [("loss", ("0.25", runs[1]), ("0.75", runs[3]))]
