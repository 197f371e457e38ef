"""Plots in the terminal: what is drawn of five series, and that nothing breaks the drawing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from evil_texts import EVIL
from hypothesis import given
from hypothesis import strategies as st
from plots_made_up import SERIES, curves_plot, points_plot

from gitrun.model.text import count_columns, safe_text
from gitrun.render.palette import PLAIN, Palette
from gitrun.render.plot_text import ASCII, BRAILLE, Marks, TextPlot, draw_text
from gitrun.views.plot_subjects import HISTORY, SCATTER

if TYPE_CHECKING:
    from gitrun.views.plots import Plot

DRAWN = {
    ("flat", BRAILLE): """
loss
    │
    │
0.5 ┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀a
    │
    │
    │
    └─────────────────────────────────
     0             step             19
""",
    ("nan", BRAILLE): """
loss
   4 ┤⠑⢄⡀
     │  ⠈⠢
     │
     │              ⠉⠒⠤⣀⡀
     │                  ⠈⠑⠢⠄
0.25 ┤                            ⠒⠤⠤⣀a
     └────────────────────────────────
      0             step             9
""",
    ("one point", BRAILLE): """
loss
      │
      │
0.125 ┤               ⡀a
      │
      │
      │
      └───────────────────────────────
                      0  step
""",
    ("inf", BRAILLE): """
loss
3 ┤           ▲     ⠁
  │
  │      ⡀                      ⡀
  │    ⡠⠊                       ⠈⠢⡀
  │  ⡠⠊                           ⠈⢆
1 ┤⡠⠊                     ▼         ⠑⢄a
  └───────────────────────────────────
   0              step               6
""",
    ("10k points", BRAILLE): """
loss
2.22803 ┤            ⢸
        │            ⢸
        │ ⢀⡴⠒⠲⢄      ⢸   ⣠⠖⠒⢦⡀
        │⣠⠋   ⠈⢳⡀    ⢸ ⢀⠞⠁   ⠹⣄
        │⠁      ⠹⣄   ⢸⣠⠏      ⠘⢦    ⢀⡞a
     -1 ┤        ⠈⠦⣄⣠⠜⠁        ⠈⠳⣄⣀⡴⠋
        └─────────────────────────────
         0          step          9999
""",
    ("flat", ASCII): """
loss
    |
    |
    |
0.5 +aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |
    |
    +---------------------------------
     0             step             19
""",
    ("nan", ASCII): """
loss
   4 +aa
     |  aa
     |
     |              aaaaa
     |                   aaa
0.25 +                            aaaaa
     +--------------------------------
      0             step             9
""",
    ("one point", ASCII): """
loss
      |
      |
      |
0.125 +               aa
      |
      |
      +-------------------------------
                      0  step
""",
    ("inf", ASCII): """
loss
3 +           ^     a
  |
  |
  |     aa                     aa
  |  aaa                         aaa
1 +aa                     v         aaa
  +-----------------------------------
   0              step               6
""",
    ("10k points", ASCII): """
loss
2.22803 +            a
        |            a
        |  aaaaa     a   aaaaa
        |aa    aa    a aaa   aa
        |       aaa  aaa      aaa  aaaa
     -1 +         aaaa          aaaa
        +-----------------------------
         0          step          9999
""",
}


def drawn(plot: Plot, marks: Marks = BRAILLE, columns: int = 44, rows: int = 6) -> TextPlot:
    """The plot, without colours."""
    return draw_text(plot, columns, rows, marks, PLAIN)


@pytest.mark.parametrize(("name", "marks"), DRAWN, ids=str)
def test_series_are_drawn_as_here(name: str, marks: Marks) -> None:
    assert drawn(curves_plot(SERIES[name]), marks).lines == tuple(DRAWN[name, marks].strip("\n").split("\n"))


def test_list_counts_the_values_that_have_no_place() -> None:
    series = [1, math.nan, math.inf, -math.inf, 0, -2, 1e308]
    assert drawn(curves_plot(series)).legend[0][2] == "loss=0 (1 nan, 1 inf, 1 -inf, 1 too large)"
    assert drawn(curves_plot(series, log_y=True)).legend[0][2] == "loss=0 (1 nan, 1 inf, 1 -inf, 2 not above 0, 1 too large)"


def test_series_without_a_number_says_so() -> None:
    assert drawn(curves_plot([math.nan])).lines == ("loss", " no value that can be drawn")


def test_logarithmic_axis_gives_each_power_the_same_height() -> None:
    lines = drawn(curves_plot([1000, 100, 10, 1], log_y=True), ASCII, rows=4).lines
    assert lines[0] == "loss, logarithmic"
    assert [line.index("a") for line in lines[1:5]] == sorted(line.index("a") for line in lines[1:5])


def test_each_curve_ends_in_letters_of_its_own() -> None:
    lines = drawn(curves_plot(*([1, 2, value] for value in range(5))), rows=8).lines
    ends = "".join(line[-6:] for line in lines[1:9])
    assert {char for char in ends if char.isalpha() and char.isascii()} == set("abcde")


def test_curves_differ_without_colour_in_ascii() -> None:
    body = "".join(drawn(curves_plot([0, 0, 0], [1, 1, 1]), ASCII).lines[1:7])
    assert {"a", "b"} <= set(body)


def test_runs_of_a_scatter_are_marked_with_their_letters() -> None:
    lines = drawn(points_plot(["adam", "sgd", "adam"], [1, 2, 2]), rows=4).lines
    assert lines[0] == "loss by lr"
    assert [char for line in lines[1:5] for char in line if char in "abc"] == ["c", "b", "a"]
    assert lines[-1].split() == ["adam", "sgd"]


def test_many_runs_of_a_scatter_are_dots_without_a_list() -> None:
    plot = drawn(points_plot([float(x) for x in range(40)], [float(x) for x in range(40)]))
    assert plot.legend == ()
    assert sum(line.count("●") for line in plot.lines) > 20


def test_history_names_the_best_run_alone() -> None:
    plot = drawn(points_plot([1, 2, 3, 4], [3.0, 1.0, 2.0, 1.0], form=HISTORY))
    assert plot.lines[0] == "loss by lr, the line is the smallest so far"
    assert [(row[0], row[1], row[2]) for row in plot.legend] == [("best", "00000000", "loss=1")]
    assert "".join(plot.lines).count("●") == 4


def test_colours_go_around_whole_pieces_of_a_line() -> None:
    palette = Palette({f"curve-{number}": f"<{number}>" for number in range(1, 7)})
    lines = draw_text(curves_plot([0, 0], [1, 1]), 40, 2, ASCII, palette).lines
    assert lines[1].endswith("\x1b[m")
    assert lines[1].count("<2>") == 1
    assert lines[2].count("<1>") == 1


texts = st.one_of(st.just(EVIL), st.text(min_size=1, max_size=30))
numbers = st.lists(st.floats(), min_size=1, max_size=30)


@given(texts, st.lists(numbers, min_size=1, max_size=4), st.booleans(), st.integers(20, 200), st.integers(2, 30))
def test_drawing_fits_and_is_safe_whatever_is_drawn(text, series, log_y, columns, rows) -> None:
    for marks in (BRAILLE, ASCII):
        plot = drawn(curves_plot(*series, text=text, metric=text, log_y=log_y), marks, columns, rows)
        assert all(count_columns(line) <= max(columns, 34) for line in plot.lines)
        for words in (*plot.lines, *(cell for row in plot.legend for cell in row)):
            assert safe_text(words) == words


@given(texts, st.lists(st.tuples(texts, st.floats(-1e300, 1e300)), min_size=1, max_size=40), st.booleans())
def test_points_fit_and_are_safe_whatever_they_are(text, points, log_y) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    for form in (SCATTER, HISTORY):
        plot = drawn(points_plot(xs, ys, text, form=form, log_y=log_y))
        assert all(count_columns(line) <= 44 for line in plot.lines)
        for words in (*plot.lines, *(cell for row in plot.legend for cell in row)):
            assert safe_text(words) == words
