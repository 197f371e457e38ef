"""The page of all runs of `git run view`, in a real browser."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from batch_of_four import NOISY
from bench.many_runs import make
from browser import serving, wait_until
from filter_table import EXPRESSIONS
from page_rules import faint, nameless, sideways
from repository import Repo
from templates import made_once

from gitrun.model.text import number_text

if TYPE_CHECKING:
    from browser import Served
    from playwright.sync_api import Page, Route

ROWS = "[role=grid] .rows [role=row]"
WIDTHS = (360, 800, 1400)
MOST_BYTES = 120_000
"""Bytes that are sent for the scripts and styles of the page of runs, with those of uPlot."""
SORTED = "[...document.querySelectorAll(rows)].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
SETTLED = f"""rows => {{
  const count = document.querySelector('p.count')?.innerText;
  return count && !count.includes('loading') && {{ ids: {SORTED}.map(row => row.dataset.run) }};
}}"""
"""The ids of the rows, or nothing while there are more to come."""
TRAIN = """\
import time
import gitrun
steps = 1
for step in range(steps):
    gitrun.log({"loss": 1 / (step + 1)}, step=step)
    time.sleep(0.05)
"""


def rows_of(page: Page) -> list[str]:
    """The ids of the rows in their order, once the table has settled."""
    return wait_until(lambda: page.evaluate(SETTLED, ROWS))["ids"]


def listed(served: Served, *words: str) -> list[str]:
    """The ids that `git run list` has, as the page cuts them."""
    return [run["id"][:12] for run in json.loads(served.run("list", "--all", "--json", *words).stdout)]


def column(page: Page, title: str) -> list[str]:
    """The texts of a column, row by row."""
    return page.evaluate(
        """([rows, title]) => {
          const heads = [...document.querySelectorAll('[role=columnheader]')];
          const at = heads.findIndex(head => head.textContent === title);
          return SORTED.map(row => row.children[at]?.textContent ?? '');
        }""".replace("SORTED", SORTED),
        [ROWS, title],
    )


def set_query(page: Page, **changes: str | None) -> None:
    page.evaluate("changes => gitrun.router.setQuery(changes)", changes)


# the same as the terminal


def test_rows_are_those_of_the_list(served, open_page) -> None:
    page = open_page(served)

    assert rows_of(page) == listed(served)


def test_numbers_are_those_of_the_list(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    for title in ("lr", "optimizer", "width"):
        assert column(page, title) == served.run("list", "--all", "--format", f"%(flag:{title})").stdout.splitlines()
    for title in ("loss", "accuracy"):
        exact = served.run("list", "--all", "--format", f"%(metric:{title})").stdout.splitlines()
        # six digits, as lists for people have them
        assert column(page, title) == [number_text(float(value)) if value else "" for value in exact]


FILTERS = (
    "lr<0.1 and status=completed", "not lr<0.1", "optimizer=adam or width=64", "loss:min<0.2", "tag=paper", "tag!=paper",
    "label contains best",
    "started>2020-01-01 and duration>0", "operation=plot.py", "id contains a", "metric:loss<0.5 and not marked", "missing!=1",
    "lr in [0.1, 3]",
)  # fmt: skip
ORDERS = ("loss", "-loss", "lr", "-accuracy", "optimizer", "started", "-duration")


def test_a_filter_gives_the_runs_of_where(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    for expression in FILTERS:
        set_query(page, q=expression)
        expected = listed(served, "--where", expression)
        assert wait_until(lambda wanted=expected: rows_of(page) == wanted), expression


def test_an_order_is_that_of_sort(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    for key in ORDERS:
        set_query(page, sort=key)
        expected = listed(served, f"--sort={key}")
        assert wait_until(lambda wanted=expected: rows_of(page) == wanted), key


def test_a_rounded_metric_is_compared_exactly(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    exact = json.loads(served.run("list", "--all", "--json").stdout)[2]["metrics"]["loss"]
    set_query(page, q=f"loss={exact}")

    assert f"{exact:g}" != str(exact)
    assert wait_until(lambda: rows_of(page) == listed(served, "--where", f"loss={exact}"))
    set_query(page, q=f"loss<{exact:g}")
    assert wait_until(lambda: rows_of(page) == listed(served, "--where", f"loss<{exact:g}"))


@pytest.mark.slow
def test_each_expression_of_the_table_gives_the_runs_of_where(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    for expression in EXPRESSIONS[::3]:
        set_query(page, q=expression)
        expected = listed(served, "--where", expression)
        assert wait_until(lambda wanted=expected: rows_of(page) == wanted), expression


def test_the_foot_has_the_command_of_the_list(served, open_page) -> None:
    page = open_page(served, "/?q=optimizer='adam' and lr<0.2&sort=-loss&op=train.py")
    shown = rows_of(page)
    command = page.locator(".foot code").inner_text()

    assert command == "git run list --all --op train.py --where 'optimizer='\"'\"'adam'\"'\"' and lr<0.2' --sort=-loss"
    told = served.repo.git("-c", f"alias.x=!{command} --format '%(id)'", "x").splitlines()
    assert [name[:12] for name in told] == shown


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_what_is_seen_is_saved(served, open_page, kind) -> None:
    page = open_page(served, "/?q=lr<0.1&cols=id,lr,loss")
    shown = rows_of(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=kind).click()
    text = download.value.path().read_text("utf-8")

    names = (
        [row["id"] for row in json.loads(text)] if kind == "JSON" else [line.split(",")[0] for line in text.splitlines()[1:]]
    )
    assert [name[:12] for name in names] == shown
    assert {len(name) for name in names} == {len(served.repo.head())}
    assert kind == "JSON" or text.splitlines()[0] == "id,lr,loss"


# state in the address


def test_reload_back_and_a_new_tab_restore_the_page(served, open_page) -> None:
    page = open_page(served)
    everything = rows_of(page)
    page.get_by_role("combobox", name=re.compile("Filter")).fill("lr<0.1")
    page.keyboard.press("Enter")
    filtered = listed(served, "--where", "lr<0.1")
    wait_until(lambda: rows_of(page) == filtered)
    page.get_by_role("button", name="loss", exact=True).click()
    best_first = listed(served, "--where", "lr<0.1", "--sort=loss")
    wait_until(lambda: rows_of(page) == best_first)
    page.locator(ROWS).first.locator(".sign").click()
    wait_until(lambda: "sel=" in page.url)
    page.reload()

    assert rows_of(page) == best_first
    assert page.locator(f"{ROWS}[aria-selected=true]").count() == 1
    assert page.locator("#filter").input_value() == "lr<0.1"
    other = open_page(served, page.url.removeprefix(served.origin))
    assert rows_of(other) == best_first
    page.go_back()
    wait_until(lambda: rows_of(page) == filtered)
    page.go_back()
    wait_until(lambda: rows_of(page) == everything)
    page.go_forward()
    assert wait_until(lambda: rows_of(page) == filtered)


def test_chosen_columns_stay(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    page.locator(".picker summary").click()
    page.get_by_role("checkbox", name="branch").check()
    wait_until(lambda: set(column(page, "branch")) == {"main"})
    page.reload()
    rows_of(page)

    assert set(column(page, "branch")) == {"main"}


# what decides


def test_the_best_run_is_named_with_its_code(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    best = served.run("select", "--min", "loss").stdout.strip()
    line = page.locator(".best")

    assert best[:8] in line.inner_text()
    assert "optimizer=adam" in line.inner_text()
    assert line.get_by_role("link", name="its code").get_attribute("href") == f"/runs/{best[:12]}?tab=code"
    assert page.locator(".field.winner").count() == 1


def test_a_baseline_shows_differences(served, open_page) -> None:
    page = open_page(served)
    first, second, *_ = listed(served, "--where", "loss<1")
    set_query(page, pin=first)
    wait_until(lambda: page.locator(".pin [role=row]").count() == 1)

    values = {
        run["id"][:12]: run["metrics"]["loss"]
        for run in json.loads(served.run("list", "--all", "--json").stdout)
        if run["metrics"]
    }
    delta = page.locator(f"{ROWS}[data-run='{second}'] .delta").first.inner_text()
    assert float(delta.replace("\N{MINUS SIGN}", "-")) == pytest.approx(values[second] - values[first], rel=0.01)


def test_curves_show_the_newest_eight_or_the_selection(served, open_page) -> None:
    page = open_page(served)
    wait_until(lambda: page.locator(".values li").count() == 8)
    chosen = listed(served, "--where", "lr=0.01")[:2]
    set_query(page, sel=",".join(chosen))

    wait_until(lambda: page.locator(".values li").count() == 2)
    assert {text[:8] for text in page.locator(".values .id").all_inner_texts()} == {name[:8] for name in chosen}
    assert "over 20 points" in page.locator(".curves").get_attribute("aria-label")


def test_a_request_is_aborted_when_the_selection_changes(served, open_page) -> None:
    page = open_page(served)
    runs = rows_of(page)
    wait_until(lambda: page.locator(".values li").count() == 8)
    held = []
    page.route("**/api/series?*", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers

    def requests_of(run: str) -> list[Route]:
        """Those for the curve of one run. The table asks too, for the small curves of all its rows."""
        page.title()  # playwright hands requests over while it is asked something
        return [route for route in held if parse_qs(urlsplit(route.request.url).query)["ids"] == [run]]

    set_query(page, sel=runs[-1], y="accuracy")
    given_up = wait_until(lambda: requests_of(runs[-1]))
    set_query(page, sel=runs[-2])
    wait_until(lambda: requests_of(runs[-2]))[-1].continue_()
    wait_until(lambda: page.locator(".values .id").all_inner_texts() == [runs[-2][:8]])
    # the browser has given up the first request
    wait_until(lambda: page.title() and "ABORTED" in (given_up[-1].request.failure or ""))
    page.unroute_all(behavior="ignoreErrors")


def test_a_brush_on_an_axis_becomes_part_of_the_filter(served, open_page) -> None:
    page = open_page(served, "/?q=operation=train.py")
    rows_of(page)
    # the pictures above it have their heights
    wait_until(lambda: page.locator(".values li").count() == 8)
    picture = page.get_by_role("img", name=re.compile("Parallel coordinates"))
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 28, box["y"] + 185)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 28, box["y"] + 140, steps=4)
    page.mouse.up()

    wait_until(lambda: "loss<=" in page.locator("#filter").input_value())
    expression = page.locator("#filter").input_value()
    assert expression.startswith("operation=train.py and loss>=")
    expected = listed(served, "--where", expression)
    assert 0 < len(expected) < 17
    # the page asks for exact values before it filters
    wait_until(lambda: rows_of(page) == expected)


def test_names_complete_in_the_filter(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    page.keyboard.press("/")
    page.keyboard.type("opt")
    wait_until(lambda: page.get_by_role("option", name="optimizer").count() == 1)
    page.keyboard.press("Tab")
    page.keyboard.type("=")
    wait_until(lambda: page.get_by_role("option", name="adam").count() == 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    assert page.locator("#filter").input_value() == "optimizer=adam"
    assert wait_until(lambda: rows_of(page) == listed(served, "--where", "optimizer=adam"))


def test_a_filter_that_cannot_be_read_says_so(served, open_page) -> None:
    page = open_page(served)
    everything = rows_of(page)
    page.locator("#filter").fill("lr<0.1 status=completed")

    wait_until(lambda: "unexpected 'status'" in page.locator("#filter-fault").inner_text())
    assert page.locator("#filter").get_attribute("aria-invalid") is not None
    assert rows_of(page) == everything


# keyboard


def test_the_keyboard_alone_is_enough(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    page.keyboard.press("/")
    page.keyboard.type("loss<1")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    shown = listed(served, "--where", "loss<1")
    wait_until(lambda: rows_of(page) == shown)
    for key in ("Home", "Space", "j", "j", "Space"):
        page.keyboard.press(key)
    wait_until(lambda: page.locator(f"{ROWS}[aria-selected=true]").count() == 2)
    active = page.locator("[role=grid]").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("data-run") == shown[2]
    page.keyboard.press("d")
    wait_until(lambda: f"/diff/{shown[2]}/{shown[0]}" in page.url)
    page.go_back()
    wait_until(lambda: rows_of(page) == shown)
    page.keyboard.press("c")
    wait_until(lambda: "/compare?r=" in page.url)
    page.go_back()
    rows_of(page)
    for key in ("End", "p"):
        page.keyboard.press(key)
    wait_until(lambda: page.locator(".pin [role=row]").count() == 1)
    page.keyboard.press("x")
    wait_until(lambda: page.locator(f"{ROWS}[aria-selected=true]").count() == 0)
    page.keyboard.press("Enter")
    assert wait_until(lambda: f"/runs/{shown[-1]}" in page.url)
    page.wait_for_selector("[role=tab][aria-selected=true]")
    while page.evaluate("document.activeElement.getAttribute('role')") != "tab":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[role=tabpanel] .text")
    # the output can be scrolled by keys too
    while page.evaluate("!document.activeElement.matches('.text')"):
        page.keyboard.press("Tab")
    page.go_back()
    page.go_back()
    assert wait_until(lambda: rows_of(page) == shown)


def test_help_lists_the_keys(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    page.keyboard.press("?")
    wait_until(lambda: page.get_by_role("dialog").count() == 1)
    page.keyboard.press("Escape")

    assert wait_until(lambda: page.get_by_role("dialog").count() == 0)


# live


@pytest.fixture
@made_once
def trained(empty_repo):
    """A repository with three runs that the test may change."""
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    for steps in (1, 2, 3):
        empty_repo.run("train.py", f"steps={steps}", check=True)
    return empty_repo


@pytest.fixture
def own_server(browsing_home, trained):
    """A server of that repository."""
    with serving(trained) as server:
        yield server


def test_a_run_appears_while_it_runs_and_changes_in_place(own_server, open_page) -> None:
    page = open_page(own_server)
    before = rows_of(page)
    set_query(page, sel=before[1])
    kept = page.locator(f"{ROWS}[data-run='{before[0]}']").element_handle()
    with own_server.repo.start("train.py", "steps=900") as process:
        wait_until(lambda: page.locator(f"{ROWS}[data-status=running]").count() == 1)
        assert rows_of(page)[1:] == before
        assert page.locator(f"{ROWS}[aria-selected=true]").get_attribute("data-run") == before[1]
        own_server.run("stop", "1")
        process.wait(20)
        wait_until(lambda: page.locator(f"{ROWS}[data-status=terminated]").count() == 1)
    # the row of a run that did not change is the same element
    assert kept.evaluate("row => row.isConnected && row.dataset.run") == before[0]


def test_changes_are_on_the_page_within_two_seconds(own_server, open_page) -> None:
    page = open_page(own_server)
    labelled = rows_of(page)[0]
    delays: dict[str, list[float]] = {"label": [], "start": [], "end": []}

    def wait_for(kind: str, row: str) -> None:
        begun = time.monotonic()
        page.locator(f"{ROWS}{row}").wait_for()
        delays[kind].append(time.monotonic() - begun)

    for word in ("one", "two", "three"):
        own_server.run("label", word, labelled)
        wait_for("label", f"[data-run='{labelled}']:has-text('{word}')")
        run = own_server.run("--background", "train.py", "steps=900").stdout.strip()[:12]
        wait_for("start", f"[data-run='{run}'][data-status=running]")
        own_server.run("stop", run)
        wait_for("end", f"[data-run='{run}'][data-status=terminated]")
    # on a busy machine single ones may be late
    assert min(delays["label"]) < 1
    assert max(min(delays["start"]), min(delays["end"])) < 2


def test_trials_are_folded_into_their_batch_until_asked_for(own_server, open_page) -> None:
    own_server.run("train.py", "steps=[4,5]", "--minimize", "loss")
    (batch,) = listed(own_server, "--op", "train.py+")
    page = open_page(own_server)

    assert rows_of(page) == listed(own_server)
    assert page.locator("p.count").inner_text() == "4 runs, 2 trials"
    best = own_server.run("select", "--min", "loss").stdout[:8]
    assert own_server.run("list", "--batch", "1", "--all").stdout.count(best) == 1
    assert f"{best} trial " in page.locator("p.best").inner_text()
    assert "completed 2/2" in page.locator(f"{ROWS}[data-run='{batch}']").inner_text()
    page.get_by_role("button", name="show trials").click()
    wait_until(lambda: len(rows_of(page)) == 6)
    assert rows_of(page) == listed(own_server, "--flat")
    assert page.locator(".foot code").inner_text() == "git run list --all --flat"
    page.locator(f"{ROWS}[data-run='{batch}'] a.id").click()
    wait_until(lambda: page.url.endswith(f"/batches/{batch}"))


def test_trials_of_a_grid_are_ranked_and_the_best_is_named(own_server, open_page) -> None:
    own_server.run("train.py", "steps=[2,5,3]")
    (batch,) = listed(own_server, "--op", "train.py+")
    page = open_page(own_server, f"/batches/{batch}")

    heads = page.locator("[aria-label='Trials, best first'] tbody th")
    wait_until(lambda: heads.all_inner_texts() == ["2", "3", "1"])
    best = own_server.run("select", "--batch", batch, "--min", "loss").stdout[:8]
    assert f"Lowest loss 0.2 {best} trial 2" in page.locator("p.best").inner_text()
    (command, _) = page.locator(".foot code").all_inner_texts()
    ranked = own_server.run(*command.split()[2:], "--columns", "steps").stdout.split()
    assert ranked == ["steps", "5", "3", "2"]


def test_points_that_are_repeated_are_ranked_by_their_medians(own_server, open_page, tmp_path) -> None:
    (tmp_path / "counts").mkdir()
    own_server.repo.write("noisy.py", NOISY % (tmp_path / "counts"))
    own_server.run("noisy.py", "x=[1,2]", "--repeat", "3", "--minimize", "loss")
    (batch,) = listed(own_server, "--op", "noisy.py+")
    page = open_page(own_server, f"/batches/{batch}")

    points = page.locator("[aria-label='Points, best first'] tbody tr")
    wait_until(lambda: points.count() == 2)
    told = own_server.run("report", batch, "--json").stdout
    report = json.loads(told)["batches"][0]["points"]
    shown = [row.locator("td").all_inner_texts() for row in points.all()]
    assert [float(median) for median, *_ in shown] == [point["median"] for point in report] == [5, 9]
    assert [
        row.locator("a").evaluate_all("links => links.map(one => one.pathname.split('/').pop())") for row in points.all()
    ] == [point["trials"] for point in report]
    assert shown[0][1:] == ["5 ± 1", "#4, #5, #6", "2"]
    assert "Lowest median loss 5 mean 5 ± 1 of trials #4, #5, #6 x=2" in page.locator("p.best").inner_text()
    trials = page.locator("[aria-label='Trials, by their points'] tbody th").all_inner_texts()
    compared = own_server.run("compare", batch, "--columns", "trial").stdout.split()[1:]
    assert trials == compared == ["4", "5", "6", "1", "2", "3"]


def test_a_deleted_run_leaves_and_the_page_says_how_to_restore_it(own_server, open_page) -> None:
    page = open_page(own_server)
    runs = rows_of(page)
    set_query(page, sel=runs[0])
    own_server.run("rm", runs[0])

    wait_until(lambda: rows_of(page) == runs[1:])
    assert wait_until(lambda: "git run restore" in page.locator(".chosen").inner_text())
    own_server.run("restore", runs[0])
    assert wait_until(lambda: rows_of(page) == runs)


def test_an_ended_server_is_named_and_a_new_one_is_found(browsing_home, tmp_path, open_page) -> None:
    repo = Repo.create(tmp_path / "repo")
    repo.write("train.py", "lr = 0.1\n")
    repo.commit()
    repo.run("train.py", check=True)
    with serving(repo) as server:
        page = open_page(server)
        rows_of(page)
        port = server.origin.rpartition(":")[2]
    wait_until(lambda: "The server has ended" in page.locator("#connection").inner_text())
    repo.run("train.py", "lr=2", check=True)
    with serving(repo, "--port", port) as server:
        # the new server opens its address in the same browser
        page.context.request.get(server.url, max_redirects=0)
        wait_until(lambda: page.locator("#connection").get_attribute("data-state") == "open")
        assert wait_until(lambda: len(rows_of(page)) == 2)
        page.goto("about:blank")


def test_a_repository_without_runs_says_how_to_make_one(browsing_home, tmp_path, open_page) -> None:
    with serving(Repo.create(tmp_path / "repo")) as server:
        page = open_page(server)
        wait_until(lambda: page.locator(".nothing").count() == 1)
        assert "git run train.py lr=0.1" in page.locator(".nothing").inner_text()
        page.goto("about:blank")


def test_a_broken_run_is_listed_with_its_reason(own_server, open_page) -> None:
    own_server.repo.git("update-ref", f"refs/runs/{'b' * 40}", own_server.repo.head())
    page = open_page(own_server)
    rows_of(page)

    assert wait_until(lambda: "bbbbbbbb" in page.locator(".broken").inner_text())


# for everybody, on every screen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_contrast_and_width_are_right(served, open_page, scheme) -> None:
    page = open_page(served, "/?q=lr<1&sort=loss", color_scheme=scheme)
    runs = rows_of(page)
    set_query(page, sel=",".join(runs[:2]), pin=runs[3])
    wait_until(lambda: page.locator(".values li").count() == 2)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        # rows and pictures are drawn again in the next frame
        wait_until(lambda: sideways(page) == 0)
        assert (nameless(page), faint(page)) == ([], []), width


def test_text_of_twice_the_size_fits(served, open_page) -> None:
    page = open_page(served, width=800)
    rows_of(page)
    before = page.locator(ROWS).first.bounding_box()["height"]
    page.evaluate("() => document.documentElement.style.setProperty('font-size', '28px')")
    page.set_viewport_size({"width": 801, "height": 900})

    wait_until(lambda: page.locator(ROWS).first.bounding_box()["height"] == pytest.approx(2 * before, abs=2))
    wait_until(lambda: sideways(page) == 0)

    def are_close() -> bool:
        second, third = (page.locator(f"{ROWS}[aria-rowindex='{at}']").bounding_box() for at in (3, 4))
        return third["y"] - second["y"] == pytest.approx(second["height"], abs=1)

    assert wait_until(are_close)
    page.goto("about:blank")  # the next test has letters of the usual size


def test_the_grid_says_what_it_holds(served, open_page) -> None:
    page = open_page(served, "/?sort=-loss")
    runs = rows_of(page)
    grid = page.get_by_role("grid", name="Runs")

    assert grid.get_attribute("aria-rowcount") == str(len(runs) + 1)
    assert grid.get_attribute("aria-multiselectable") == "true"
    assert page.locator("[aria-sort]").evaluate_all("heads => heads.map(head => [head.textContent, head.ariaSort])") == [
        ["loss", "descending"]
    ]
    assert page.locator("p.count").get_attribute("aria-live") == "polite"
    assert page.locator(ROWS).first.get_attribute("data-status") in {"completed", "error"}
    assert re.match(
        r"Scatter of loss over lr, 18 runs\. best: \w{8}",
        page.get_by_role("img", name=re.compile("Scatter")).get_attribute("aria-label"),
    )


def test_focus_is_seen_and_motion_is_reduced(served, open_page) -> None:
    page = open_page(served, reduced_motion="reduce")
    rows_of(page)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("() => [document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]")
        )

    assert {style for _, style in seen} == {"solid"}
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_a_print_shows_rows_without_controls(served, open_page) -> None:
    page = open_page(served)
    rows_of(page)
    page.emulate_media(media="print")

    assert page.locator(ROWS).count() == 18
    assert not page.locator("#filter").is_visible()
    assert page.locator("[role=grid]").evaluate("grid => grid.scrollHeight - grid.clientHeight") <= 1


# runs from anywhere

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_words_of_runs_stay_words(browsing_home, tmp_path, open_page) -> None:
    repo = Repo.create(tmp_path / "repo")
    name = "<script>alert(0)<b>.py"
    repo.write(name, f"import gitrun\nlr = 0.1\ntext = ''\ngitrun.log({{{EVIL!r}: 1.0, 'loss': lr}})\nprint({EVIL!r})\n")
    repo.commit(EVIL)
    for lr in (1, 2):
        repo.run(f"./{name}", f"lr={lr}", f"text={EVIL} {lr} \u202e \x1b[31m", check=True)
    repo.run("label", EVIL, "1", check=True)
    repo.run("tag", "<b>", "1")
    with serving(repo) as server:
        page = open_page(server)
        spoken = []
        page.on("dialog", lambda dialog: spoken.append(dialog.message))
        page.reload()
        assert len(rows_of(page)) == 2
        wait_until(lambda: page.locator(".values li").count() == 2)
        shown = page.locator(ROWS).first.inner_text()

        assert EVIL in shown
        assert "\\u202e \\x1b[31m" in shown
        assert page.locator("img, main script, main b, main [onerror]").count() == 0
        assert spoken == []
        page.goto("about:blank")


# size


def test_more_runs_than_are_shown_at_first_follow_in_blocks(browsing_home, tmp_path, open_page) -> None:
    repo = Repo(make(tmp_path / "many", 300))
    repo.run("list", check=True)
    with serving(repo) as server:
        page = open_page(server)
        # the page has asked for all when it is opened again
        rows_of(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/api/runs?" in request.url else None)
        page.reload()
        wait_until(lambda: page.locator("p.count").inner_text() == "300 runs")
        assert [re.sub("&stamp=.*", "", url.rpartition("?")[2]) for url in asked] == [
            "limit=200", "start=200&limit=5000",
        ]  # fmt: skip
        page.locator("[role=grid]").focus()
        page.keyboard.press("End")
        oldest = listed(server)[-1]
        wait_until(lambda: page.locator(f"{ROWS}[data-run='{oldest}']").count() == 1)
        assert page.locator("[role=row]").count() <= 100
        set_query(page, q="lr<0.5 and status=completed", sort="loss")
        expected = listed(server, "--where", "lr<0.5 and status=completed", "--sort=loss")
        assert len(expected) > 30
        wait_until(lambda: page.locator("p.count").inner_text() == f"{len(expected)} of 300")
        page.locator("[role=grid]").focus()
        page.keyboard.press("Home")
        wait_until(lambda: rows_of(page)[:20] == expected[:20])
        page.goto("about:blank")


def test_a_page_of_runs_loads_little(served, open_page) -> None:
    page = open_page(served, "/commits")
    page.goto(served.origin + "/")
    wait_until(lambda: page.locator(".values li").count() == 8)

    entries = page.evaluate(
        "performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => [name, encodedBodySize])"
    )
    sizes = {name: size for name, size in entries if "/static/" in name}
    assert any("uPlot" in name for name in sizes)
    assert 0 < sum(sizes.values()) <= MOST_BYTES, sizes
    assert page.locator("[role=row]").count() <= 100
