"""The lines of runs that are watched: aligned, cut to the window, and safe."""

from __future__ import annotations

from datetime import timedelta

from evil_texts import EVIL
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import WHEN, made_up

from gitrun.model.metrics import Metrics
from gitrun.model.text import count_columns, safe_text
from gitrun.render.palette import PLAIN
from gitrun.render.watch_text import ended_line, running_lines
from gitrun.views.watched import Progress

LATER = WHEN + timedelta(seconds=80)


def progress(operation: str = "train.py", line: str = "", **more) -> Progress:
    """A running run that has reported nothing but this line, unless `more` says so."""
    reported = {"step": None, "metrics": Metrics(), "values": ()} | more
    run = made_up(operation=operation, status="running", stopped=None, duration=None, exit_status=None)
    return Progress(run, last_line=line, **reported)


def lines(*found: Progress, columns: int = 80, has_blocks: bool = True) -> list[str]:
    return running_lines(found, LATER, columns, PLAIN, has_blocks=has_blocks)


def test_line_has_id_operation_time_step_metrics_course_and_output() -> None:
    known = Metrics({"loss": 0.25, "acc": 1, "f1": 0})
    (line,) = lines(progress("train.py", "epoch 2", step=7, metrics=known, values=(2, 1, 0)), columns=120)
    assert line == "3fa2c1d8  train.py  1m20s  step 7  loss=0.25 acc=1 and 1 more  █▅▁  epoch 2"


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    assert lines(progress("a.py", "x"), progress("longer.py", "y")) == [
        "3fa2c1d8  a.py       1m20s  x",
        "3fa2c1d8  longer.py  1m20s  y",
    ]


def test_locale_without_blocks_has_no_sparkline() -> None:
    (line,) = lines(progress(values=(1, 2), step=1, line="end"), has_blocks=False)
    assert line == "3fa2c1d8  train.py  1m20s  step 1  end"


def test_wide_characters_count_twice_when_a_line_is_cut() -> None:
    (line,) = lines(progress("漢字.py", "漢" * 80), columns=40)
    assert count_columns(line) <= 40
    assert line.endswith("…")


def test_trial_has_its_number_and_flags() -> None:
    run = made_up(flags={"lr": 0.1}, batch="b" * 40, trial=3, metrics=Metrics({"loss": 2}))
    assert ended_line(run, 80, PLAIN) == "3fa2c1d8  echo.py #3  completed in 0.50s  loss=2  lr=0.1"


@given(st.one_of(st.just(EVIL), st.text(min_size=1)), st.integers(1, 120))
def test_lines_fit_and_are_safe_whatever_runs_are_called(text: str, columns: int) -> None:
    run = made_up(operation=text, flags={text: text}, metrics=Metrics({text: 1}))
    shown = [ended_line(run, columns, PLAIN), *lines(progress(text, metrics=Metrics({text: 1})), columns=columns)]
    for line in shown:
        assert safe_text(line) == line
        assert count_columns(line) <= columns
