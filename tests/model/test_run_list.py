"""A list of runs is a list, and a table in a notebook."""

from __future__ import annotations

import pickle

from evil_texts import EVIL, Tags
from runs_made_up import made_up

from gitrun.model.run import Run
from gitrun.model.run_list import MOST_ROWS, Runs


def test_runs_stay_a_list() -> None:
    runs = Runs([made_up("a" * 40), made_up("b" * 40)])
    assert isinstance(runs, list)
    assert runs == [runs[0], runs[1]]
    assert isinstance(runs[0], Run)
    assert isinstance(runs[:1], Runs)
    assert pickle.loads(pickle.dumps(runs)) == runs


def test_table_shows_the_first_rows_and_counts_the_others() -> None:
    shown = Runs([made_up(flags={"x": n}) for n in range(MOST_ROWS + 5)])._repr_html_()
    assert shown.count("<tr>") == MOST_ROWS + 1
    assert "x=19" in shown
    assert "x=20" not in shown
    assert shown.endswith("<p>5 more</p>")
    assert Runs()._repr_html_().endswith("<p>no runs</p>")


def test_run_and_list_escape_what_runs_are_called() -> None:
    run = made_up(operation=EVIL, label=EVIL, flags={EVIL: EVIL})
    for shown in (run._repr_html_(), Runs([run])._repr_html_()):
        tags = Tags()
        tags.feed(shown)
        assert {tag for tag, _ in tags.tags} <= {"table", "thead", "tbody", "tr", "th", "td"}
        assert "&lt;b&gt;" in shown
        assert "\x1b" not in shown
