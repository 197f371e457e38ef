"""Pages while runs start, write, end and are deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from browser import serving, wait_until
from repository import Repo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Served

SLOW = """\
import os, time
import gitrun

name = "a"
for step in range(4):
    print(f"\\x1b[32m{name}\\x1b[0m {step}", flush=True)
    gitrun.log({"loss": 1 / (step + 1)}, step=step)
while not os.path.exists(STOP):
    time.sleep(0.05)
print("last words")
"""


@pytest.fixture(scope="module")
def workshop(browsing_home, tmp_path_factory) -> Iterator[Served]:
    """A server of a repository with a program that runs until the file `stop` is beside it."""
    pytest.importorskip("starlette", reason="there is no starlette")
    repo = Repo.create(tmp_path_factory.mktemp("workshop") / "repo")
    repo.write("slow.py", SLOW.replace("STOP", repr(str(repo.path.parent / "stop"))))
    repo.commit("Take time")
    with serving(repo, lasts=True) as server:
        yield server


@pytest.fixture
def running(workshop) -> Iterator[str]:
    """The id of a run that has written four lines and ends when `stop` is called."""
    stop = workshop.repo.path.parent / "stop"
    stop.unlink(missing_ok=True)
    with workshop.repo.start("slow.py", "name=b", env=workshop.environ) as process:
        try:
            yield wait_until(lambda: running_id(workshop))
        finally:
            stop.touch()
            process.communicate(timeout=60)


def running_id(workshop) -> str:
    runs = json.loads(workshop.run("list", "--status", "running", "--json").stdout)
    return runs[0]["id"] if runs else ""


def end(workshop) -> None:
    (workshop.repo.path.parent / "stop").touch()


def test_a_run_has_a_card_while_it_runs(workshop, open_page) -> None:
    page = open_page(workshop, "/live")
    page.wait_for_selector("[role=status]:has-text('Nothing is running')")
    stop = workshop.repo.path.parent / "stop"
    stop.unlink(missing_ok=True)
    with workshop.repo.start("slow.py", env=workshop.environ) as process:
        card = page.locator("article")
        card.wait_for()
        run = card.get_attribute("data-run")
        wait_until(lambda: card.locator("pre").text_content() == "a 0\na 1\na 2\na 3\n")
        assert card.locator(".ansi-fg2").count() == 4
        card.locator("tr:has(th:text-is('loss')) td[data-value='0.25']").wait_for()
        assert card.locator("header p").first.inner_text().startswith("● running for ")
        end(workshop)
        page.wait_for_selector(f"tr[data-run='{run}']:has-text('completed')")
        wait_until(lambda: card.count() == 0)
        process.communicate(timeout=60)


def test_the_output_of_a_running_program_is_followed_to_its_end(workshop, running, open_page) -> None:
    page = open_page(workshop, f"/runs/{running}?tab=output")
    wait_until(lambda: page.text_content("[role=log]") == "b 0\nb 1\nb 2\nb 3\n")
    assert page.inner_text(".facts .status") == "● running"

    end(workshop)
    wait_until(lambda: page.text_content("[role=log]").endswith("last words\n"))
    wait_until(lambda: page.inner_text(".facts .status") == "✔ completed")


def test_metrics_of_a_running_program_come_without_a_reload(workshop, running, open_page) -> None:
    page = open_page(workshop, f"/runs/{running}")

    page.wait_for_selector("[aria-label=Metrics] td[data-value='0.25']")
    page.wait_for_selector(".curves[aria-label*='4 points']")
    page.wait_for_selector("code:text('git run stop')")
    end(workshop)
    page.wait_for_selector("code:text('git run --restart')")


def test_a_run_deleted_while_shown_says_how_to_restore_it(workshop, open_page) -> None:
    end(workshop)
    workshop.run("slow.py", "--label", "doomed")
    (run, *_) = json.loads(workshop.run("list", "--json", "-n", "1").stdout)
    addresses = (f"/runs/{run['id']}", f"/runs/{run['id']}?tab=files", f"/compare?r={run['id']}", f"/diff/{run['id']}/base")
    pages = [open_page(workshop, address) for address in addresses]
    for page in pages:
        page.wait_for_selector("main .foot")
    workshop.run("rm", run["id"])

    for page in pages:
        page.wait_for_selector(".deleted[role=alert]:has-text('was deleted')")
        assert page.inner_text(".deleted code") == f"git run restore {run['id'][:8]}"
        assert run["id"][:8] in page.inner_text("main h1, main p, main thead")
    fresh = open_page(workshop, f"/runs/{run['id']}")
    fresh.wait_for_selector(f"[role=alert]:has-text('git run restore {run['id'][:8]}')")
    workshop.run("restore", run["id"])
    pages[0].wait_for_selector(".deleted", state="detached")
