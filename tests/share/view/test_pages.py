"""The pages about runs in a browser: the numbers of the command line, addresses, keys, names, contrast, width."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from browser import WIDTHS, note_faults, serving, visit, wait_until
from page_rules import faint, nameless, sideways
from repository import Repo
from sampled import sampled_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Served

PROJECT = """
[operations.prepare]
script = "prepare.py"
[operations.train]
script = "train.py"
needs = { prepare = "data.csv" }
"""
TRAIN = """\
import base64, json, sys
import gitrun

lr = 0.1
optimizer = "sgd"
for step in range(6):
    loss = lr / (step + 1) / 3
    gitrun.log({"loss": loss, "accuracy": 1 - loss}, step=step)
    print(f"\\x1b[32mstep\\x1b[0m {step} loss {loss}")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
open("plot.png", "wb").write(base64.b64decode(PNG))
open("table.csv", "w").write(f"lr,loss\\n{lr},{loss}\\n")
json.dump({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "# Notes"}]}, open("notes.ipynb", "w"))
sys.exit(lr > 1)
"""


def fill(repo: Repo) -> dict[str, str]:
    """Makes runs of all kinds. Returns their ids by names."""
    repo.write("gitrun.toml", PROJECT)
    repo.write("prepare.py", "n = 3\nopen('data.csv', 'w').write('x' * n)\n")
    repo.write("train.py", TRAIN)
    repo.commit("Train and plot")
    repo.run("prepare", check=True)
    repo.run("train", "lr=0.3", "--label", "first", check=True)
    repo.run("train", "lr=3")
    repo.write("train.py", TRAIN.replace("/ 3\n", "/ 7\n"))
    repo.run("train", "optimizer=adam", check=True)
    repo.run("--restart", "1", "lr=0.2", check=True)
    repo.run("tag", "paper", "1", check=True)
    repo.run("comment", "1", "-m", "Good.\nKeep it.", check=True)
    repo.run("train", "lr=[0.1,0.4]", "optimizer=[sgd,adam]", "--minimize", "loss", check=True)
    repo.run("train", "lr=[0.6,0.5]", "--repeat", "2", "--minimize", "loss", check=True)
    listed = json.loads(repo.run("list", "--json", check=True).stdout)
    return dict(zip(("repeated", "batch", "best", "failed", "first", "prepared"), [run["id"] for run in listed], strict=True))


@pytest.fixture(scope="module")
def gallery(browsing_home, tmp_path_factory) -> Iterator[tuple[Served, dict[str, str]]]:
    """A server of a repository with runs of all kinds, and their ids by names."""
    pytest.importorskip("starlette", reason="there is no starlette")
    repo = Repo.create(tmp_path_factory.mktemp("gallery") / "repo")
    ids = fill(repo)
    with serving(repo, lasts=True) as server:
        yield server, ids


@pytest.fixture(scope="module")
def window(chromium, gallery):
    """A window in which all tests look at pages, one after the other, and the list of its faults."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.request.get(gallery[0].url, max_redirects=0)
    page, faults = context.new_page(), []
    note_faults(page, gallery[0], faults)
    yield page, faults
    context.close()


@pytest.fixture
def look(gallery, window):
    """How to open an address, in which {names} of runs are their ids, and wait until it is drawn."""
    (server, ids), (page, faults) = gallery, window

    def open_address(address: str, *, loaded: bool = False):
        if loaded:
            page.goto("about:blank")
        visit(page, server.origin, address.format(**ids))
        page.wait_for_selector(READY[re.split("[/?]", address)[1]])
        return page

    page.set_viewport_size({"width": 1400, "height": 900})
    page.emulate_media(media="screen", color_scheme="light")
    yield open_address
    assert faults == []


READY = {
    "runs": "[role=tabpanel]:not([aria-busy])", "compare": ".compare", "diff": ".foot", "lineage": ".graph",
    "batches": ".foot", "commits": "[data-commit]", "live": "[role=status]",
}  # fmt: skip
"""What is there when a page is drawn."""
PAGES = (
    "/runs/{best}", "/runs/{best}?tab=output", "/runs/{best}?tab=files&path=table.csv&of=produced", "/runs/{best}?tab=code",
    "/runs/{best}?tab=attempts", "/runs/{best}?tab=lineage", "/compare?r={first},{failed},{best}", "/diff/{first}/{best}",
    "/diff/{best}/base", "/live", "/lineage/{best}", "/batches/{batch}", "/commits",
)  # fmt: skip


def told(gallery, *words: str) -> Any:
    """What the command line says in JSON."""
    server, ids = gallery
    return json.loads(server.run(*(word.format(**ids) for word in words), "--json").stdout)


def rows_of(page, label: str) -> dict[str, list[Any]]:
    """The values of a table by the heads of its rows."""
    rows = page.locator(f"[role=region][aria-label='{label}'] tbody tr").all()
    return {row.locator("th").inner_text(): values_of(row) for row in rows}


def values_of(row) -> list[Any]:
    cells = row.locator("td[data-value]").evaluate_all("cells => cells.map(cell => cell.dataset.value)")
    return [json.loads(cell) for cell in cells]


def links_of(links) -> list[str]:
    return links.evaluate_all("links => links.map(link => link.getAttribute('href'))")


# the run


def test_the_page_of_a_run_has_the_numbers_of_show(gallery, look) -> None:
    page, run = look("/runs/{best}"), told(gallery, "show", "{best}")

    assert {name: values[0] for name, values in rows_of(page, "Flags").items()} == run["flags"]
    aspects = ("last", "first", "min", "max", "count")
    assert rows_of(page, "Metrics") == {name: [known[one] for one in aspects] for name, known in run["series"].items()}
    assert page.locator(".curves[aria-label^='Curves of loss']").count() == 1


def test_flags_that_differ_from_their_default_are_marked(look) -> None:
    page = look("/runs/{best}")

    assert page.locator("[aria-label=Flags] strong").all_inner_texts() == ["lr", "optimizer"]
    assert rows_of(page, "Flags")["lr"] == [0.2, 0.1]


def test_a_run_names_its_commit_comments_and_next_commands(look) -> None:
    text = look("/runs/{best}").inner_text("main")

    for words in ("Train and plot", "1 uncommitted file", "#paper", "Good.\nKeep it.", "git run --restart", "trusted"):
        assert words in text


def test_tabs_are_chosen_by_keys_and_stay_in_the_address(gallery, look) -> None:
    page = look("/runs/{best}")
    page.focus("[role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[role=log]")
    assert page.evaluate("document.activeElement.textContent") == "Output"
    page.keyboard.press("End")
    page.wait_for_selector(".graph")
    assert page.url.endswith("?tab=lineage")
    page.reload()
    page.wait_for_selector(".graph")
    page.go_back()
    page.wait_for_selector("[role=log]")
    assert page.get_attribute("[role=tab][aria-selected=true]", "id") == "tab-output"


def test_output_is_that_of_cat_and_is_searched(gallery, look) -> None:
    page = look("/runs/{best}?tab=output")
    server, ids = gallery
    plain = re.sub(r"\x1b\[\d*m", "", server.run("cat", ids["best"]).stdout)

    page.wait_for_selector("[role=log] .ansi-fg2")
    assert page.text_content("[role=log]") == plain
    page.fill("input[type=search]", "STEP")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.inner_text("span[role=status]") == "2 of 6 lines"
    page.keyboard.press("Shift+Enter")
    assert page.get_attribute("[role=log] [aria-current]", "data-line") == "0"
    page.fill("input[type=search]", "nowhere")
    page.keyboard.press("Enter")
    assert page.inner_text("span[role=status]") == "no line"


def test_files_are_those_of_ls(gallery, look) -> None:
    page, files = look("/runs/{best}?tab=files"), told(gallery, "ls", "{best}")

    page.wait_for_selector("[aria-label^=Source]")
    assert sorted(page.locator("[role=tabpanel] tbody th").all_inner_texts()) == sorted(file["path"] for file in files)


def test_tables_pictures_and_notebooks_are_previewed(look) -> None:
    page = look("/runs/{best}?tab=files")
    preview = page.locator("section[aria-label=Preview]")

    page.click("text=table.csv")
    preview.locator("th:text('loss')").wait_for()
    page.click("text=notes.ipynb")
    preview.locator(".prose:text('# Notes')").wait_for()
    page.click("text=plot.png")
    picture = preview.locator("img[alt='plot.png']")
    picture.wait_for()
    wait_until(lambda: picture.evaluate("image => image.naturalWidth") == 1)
    page.click("text=prepare.py")
    preview.locator("pre:has-text('data.csv')").wait_for()


def test_code_is_compared_with_the_commit_the_run_before_or_any(gallery, look) -> None:
    page = look("/runs/{best}?tab=code")
    page.wait_for_selector(".patch .add:has-text('/ 7')")

    page.click("text=To the run before")
    page.wait_for_selector("[aria-label=Flags]")
    page.fill("[aria-label='Another run']", gallery[1]["first"][:8])
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label=Flags] td[data-value='0.3']")
    assert page.locator(".foot code").inner_text() == f"git run diff {gallery[1]['first'][:8]} {gallery[1]['best'][:8]}"


def test_attempts_say_what_changed(gallery, look) -> None:
    page = look("/runs/{best}?tab=attempts")

    assert [words[:9] for words in page.locator("[role=tabpanel] h2").all_inner_texts()[:2]] == ["Attempt 2", "Attempt 1"]
    assert rows_of(page, "Flags of attempt 2") == {"lr": [0.1, 0.2]}
    assert rows_of(page, "Flags of attempt 1").items() >= {"lr": [0.1], "optimizer": ["adam"]}.items()


# several runs


def test_comparison_has_the_values_of_compare(gallery, look) -> None:
    page = look("/compare?r={first},{failed},{best}")
    listed = told(gallery, "compare", "{first}", "{failed}", "{best}")
    listed.sort(key=lambda run: [gallery[1][name] for name in ("first", "failed", "best")].index(run["id"]))

    rows = {row.locator("th").inner_text(): values_of(row) for row in page.locator(".compare tbody tr:not(.group)").all()}
    for name in ("lr", "optimizer", "loss", "accuracy"):
        assert rows[name] == [run[name] for run in listed]
    assert "operation" not in rows


def test_equal_rows_are_hidden_until_asked_for(look) -> None:
    page = look("/compare?r={first},{failed}")
    assert page.locator(".compare th:text-is('optimizer')").count() == 0

    page.check("input[type=checkbox]")
    page.wait_for_selector(".compare th:text-is('optimizer')")
    page.reload()
    page.wait_for_selector(".compare th:text-is('optimizer')")


def test_the_baseline_is_the_first_run_and_metrics_differ_from_it(gallery, look) -> None:
    page = look("/compare?r={first},{failed}")
    assert page.locator(".compare tr:has(th:text-is('loss')) small").inner_text() == "+0.15"

    page.click("text=make baseline")
    page.wait_for_selector(".compare small:text-is('-0.15')")
    wait_until(lambda: page.locator("th[data-run]").first.get_attribute("data-run") == gallery[1]["failed"])


def test_pictures_and_curves_of_all_runs_are_side_by_side(look) -> None:
    page = look("/compare?r={first},{failed}")

    page.wait_for_selector(".curves[aria-label^='Curves of loss']")
    wait_until(lambda: page.locator(".curves").first.locator("ol li").count() == 2)
    assert page.locator("figcaption:text('the same in all runs')").count() == 1


def test_differences_have_the_values_of_diff(gallery, look) -> None:
    page, found = look("/diff/{first}/{best}"), told(gallery, "diff", "{first}", "{best}")
    page.wait_for_selector(".patch .file")

    for label, part in (("Flags", "flags"), ("Metrics", "metrics")):
        assert rows_of(page, label) == found[part]
    assert page.locator("button.plain").all_inner_texts() == [change["path"] for change in found["source"]]
    page.click("text=Swap")
    wait_until(lambda: page.url.endswith(f"/diff/{gallery[1]['best']}/{gallery[1]['first']}"))


def test_a_long_patch_comes_in_parts(gallery, look) -> None:
    server, _ = gallery
    server.repo.write("long.txt", "line\n" * 4500)
    server.run("--", "sh", "-c", "true")
    (run, *_) = json.loads(server.run("list", "--json", "-n", "1").stdout)
    server.repo.path.joinpath("long.txt").unlink()
    page = look(f"/diff/{run['id']}/base")

    page.wait_for_selector(".patch .add")
    assert page.locator(".patch span").count() == 2000
    more = page.locator("button:has-text('Show more')")
    while more.is_visible():
        before = page.locator(".patch span").count()
        more.click()
        wait_until(lambda before=before: page.locator(".patch span").count() > before)
    assert page.locator(".patch .add").count() > 4500


def test_lineage_is_a_picture_and_a_list_of_the_same_runs(gallery, look) -> None:
    page = look("/lineage/{best}")
    drawn, listed = links_of(page.locator(".graph a")), links_of(page.locator(".tree a"))

    assert set(drawn) == set(listed) == {f"/runs/{gallery[1][name]}" for name in ("best", "prepared")}
    assert page.locator(".graph rect").count() == 3
    page.focus(f".graph a[href='/runs/{gallery[1]['prepared']}']")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('prepare')")


def test_a_batch_is_ordered_as_compare_orders_it(gallery, look) -> None:
    page, listed = look("/batches/{batch}"), told(gallery, "compare", "{batch}")
    table = page.locator("[aria-label='Trials, best first']")

    shown = [values_of(row) for row in table.locator("tbody tr").all()]
    assert set(links_of(table.locator("a"))) == {f"/runs/{run['id']}" for run in listed}
    assert [(loss, lr) for loss, lr, *_ in shown] == [(run["loss"], run["lr"]) for run in listed]
    best = table.locator("tbody th").first.inner_text()
    assert f"best: trial {best}, loss" in page.get_attribute("canvas[aria-label^='Scatter of loss']", "aria-label")
    assert page.locator("canvas[aria-label^='Parallel coordinates of 4 runs']").count() == 1


def test_history_of_a_batch_that_repeats_its_points_draws_their_medians(gallery, look) -> None:
    page = look("/batches/{repeated}")
    points = json.loads(gallery[0].run("report", gallery[1]["repeated"], "--json").stdout)["batches"][0]["points"]

    assert page.get_attribute("canvas[aria-label^='Scatter of loss']", "aria-label").endswith(
        f"4 runs. best: median loss {points[0]['median']:.6g}"
    )
    assert page.locator("h2:has-text('loss by trial, and the best median so far')").count() == 1


def test_commits_have_the_runs_of_log(gallery, look) -> None:
    page, (commit, *_) = look("/commits"), told(gallery, "log", "HEAD")
    shown = page.locator(f"[data-commit='{commit['id']}'] [data-run]").evaluate_all("rows => rows.map(row => row.dataset.run)")

    assert set(shown) == {run["id"] for run in commit["exact"] + commit["changed"] if not run["batch"]}
    page.fill("[aria-label=Commits]", "no-such")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]:has-text('git finds no commits')")
    page.go_back()
    page.wait_for_selector(f"[data-commit='{commit['id']}']")


# all pages


@pytest.mark.parametrize("address", sampled_values(7, PAGES))
def test_pages_keep_the_rules_on_every_screen(look, address) -> None:
    page = look(address)

    assert nameless(page) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faint(page) == [], scheme
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        # pictures are drawn again in the next frame
        wait_until(lambda: sideways(page) <= 0)
    # text of twice the size on a screen for 1280 pixels is a window of 640
    page.evaluate("document.documentElement.style.setProperty('font-size', '28px')")
    page.set_viewport_size({"width": 1280, "height": 800})
    wait_until(lambda: sideways(page) <= 0)
    page.emulate_media(media="print")
    assert not page.is_visible("nav")


def test_every_page_that_is_loaded_names_commands_that_work(gallery, look) -> None:
    server, _ = gallery
    named: set[str] = set()
    for address in PAGES:
        commands = look(address, loaded=True).locator(".foot code").all_inner_texts()
        assert commands, address
        named.update(commands)
    for command in named:
        git, run, *words = shlex.split(command)
        assert (git, run) == ("git", "run")
        # to watch runs lasts until somebody ends it
        done = server.run(*words) if words[0] != "watch" else server.run("list")
        assert words[0] != "watch" or words[1] in server.run("watch", "-h").stdout
        assert done.returncode in {0, 1}, (command, done.stderr)


def test_a_command_is_copied_by_its_button(look) -> None:
    page = look("/runs/{best}")
    page.click(".foot .copy")

    wait_until(lambda: page.inner_text("#announcement") == "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text(".foot code")


def test_an_unknown_run_says_so(gallery, open_page) -> None:
    page = open_page(gallery[0], "/runs/0123456789")

    page.wait_for_selector("[role=alert]:has-text('no run')")
