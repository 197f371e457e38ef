"""The details of a run in a report, as a browser shows and prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from runs_made_up import made_up

from gitrun.model.metrics import Metrics, Summary
from gitrun.render.html import render_page
from gitrun.render.report_details import draw_curve, render_diff
from gitrun.views.code_changes import CodeChanges
from gitrun.views.curves import Curve
from gitrun.views.report import Detail, Report

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


def detail_of(run, values=(2.11, 1.0, 0.17)) -> Detail:
    """A run in full whose loss had these values."""
    curve = Curve(run.id, "loss", tuple(map(float, range(len(values)))), tuple(map(float, values)))
    return Detail(run, None, {}, {}, {}, CodeChanges(lines=("@@ -1 +1 @@", "-a", "+b")), (curve,), ("the end",), 0, "unsigned")


def many_runs(count: int) -> Report:
    """A report of many runs of one operation, of which some flags differ."""
    runs = tuple(
        made_up(
            f"{number:08x}" * 5, "train.py", metrics=Metrics({"loss": 1 / (number + 1), "acc": 0.5}),
            flags={"lr": number / 10, "opt": "adam" if number % 2 else "sgd", "width": 2 ** (number % 5), "epochs": 40},
        )
        for number in range(count)
    )  # fmt: skip
    return Report(None, (), runs, details=tuple(map(detail_of, runs[:20])))


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Page:
    """A report of 167 runs in a browser."""
    (tmp_path / "report.html").write_text(render_page(many_runs(167), 0), encoding="utf-8")
    context = chromium.new_context(viewport={"width": 800, "height": 900})
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    context.close()


def visible(page: Page) -> int:
    """The number of runs whose details are shown."""
    return page.evaluate("[...document.querySelectorAll('.inside')].filter(one => one.offsetHeight > 0).length")


def test_curve_is_named_by_its_metric_and_its_ends() -> None:
    summary = {"loss": Summary(2.11, 0.17, 0.17, 2.11, 40)}
    run = made_up(metrics=Metrics({"loss": 0.17}, summary))
    drawn = draw_curve(detail_of(run), detail_of(run).curves[0])
    assert 'aria-label="loss: 2.11 to 0.17 over 40 steps"' in drawn
    assert draw_curve(detail_of(run, [1.0]), detail_of(run, [1.0]).curves[0]) == ""


def test_single_high_value_is_drawn_whatever_the_length() -> None:
    run, values = made_up(), [0.0] * 5000
    values[2503] = 1.0
    drawn = draw_curve(detail_of(run, values), detail_of(run, values).curves[0])
    heights = [float(point.partition(",")[2]) for point in re.search(r'points="([^"]*)"', drawn)[1].split()]
    assert min(heights) == 2.0
    assert len(heights) <= 240


def test_lines_of_a_diff_have_the_colour_of_what_they_do() -> None:
    assert render_diff(["+a<b", "-c", " d"]) == '<span class="added">+a&lt;b</span>\n<span class="deleted">-c</span>\n d'


def test_many_runs_stay_a_readable_page_at_every_width(page) -> None:
    for width, most in ((390, 9_000), (800, 6_000), (1200, 6_000)):
        page.set_viewport_size({"width": width, "height": 900})
        high, wide = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        assert (wide, high < most) == (width, True), high
    assert page.locator("table.runs tbody tr").count() == 50


def test_details_are_printed_though_hidden_on_the_screen(page) -> None:
    assert visible(page) == 1
    page.emulate_media(media="print")
    assert visible(page) == 20


def test_paper_is_white_whatever_the_screen_is(page) -> None:
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert (dark, page.evaluate("getComputedStyle(document.body).backgroundColor")) == ("rgb(13, 17, 23)", "rgb(255, 255, 255)")


def test_link_of_a_row_shows_the_details(page) -> None:
    page.click("#run-00000007 a")
    assert page.evaluate("document.querySelector('#details-00000007').offsetHeight") > 0
    assert visible(page) == 2


def test_every_table_has_a_caption_and_every_heading_a_scope(page) -> None:
    assert page.locator("table").count() == page.locator("table > caption").count() > 20
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("svg[role=img]:not([aria-label])").count() == 0
