"""The page of runs with very many of them: `python tests/bench/view_bench.py [COUNT]` prints a table of milliseconds.

Times of the page are taken inside of the browser, until the frame after the act is drawn; they include what else the machine
does. `work` is the CPU time that the main thread of the page took, whatever else the machine does. Needs chromium and
playwright. `scroll` is a notch of a wheel, `jump` shows other rows altogether; `nothing` is what a measurement itself
takes. MANY_RUNS names a repository that is there already.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import which
from signal import SIGINT

from many_runs import make
from playwright.sync_api import CDPSession, Page, sync_playwright

LIMITS = {"first 50 rows": 1000, "filter": 100, "sort": 250, "scroll": 16, "jump": 16, "nothing": 0, "row elements": 100}
ACT = """given => new Promise(done => {
  const start = performance.now();
  act(given);
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
# the content policy forbids code made of text
ACTS = """() => { window.act = ([name, value]) => name === 'scroll'
  ? document.querySelector('[role=grid]').scrollTo(0, value) : gitrun.router.setQuery({ [name]: value }); }"""
FILTERS = ("lr<0.1", "lr<0.1 and status=completed", "loss<0.5 or acc>0.9", "op contains train and not lr>0.5", "")
ORDERS = ("loss", "-lr", "status", "-acc", "operation")


def work_of(session: CDPSession) -> float:
    """Milliseconds of CPU that the main thread has taken."""
    values = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * values["TaskDuration"]


def measure(page: Page, session: CDPSession, acts: list[tuple[str, object]]) -> tuple[float, float, float]:
    """Median and largest time of acts until they are seen, and the median of the work."""
    times, works = [], []
    for act in acts:
        before = work_of(session)
        times.append(page.evaluate(ACT, act))
        works.append(work_of(session) - before)
        # pictures come after the table
        page.wait_for_timeout(600 if act[0] != "scroll" else 60)
    return statistics.median(times), max(times), statistics.median(works)


def look(page: Page, address: str) -> None:
    """Measures the page at the address, and prints the table."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(address)
    while page.locator("[role=grid] .rows [role=row]").count() < 20:
        time.sleep(0.01)
    first, first_work = page.evaluate("performance.now()"), work_of(session)
    begun = time.monotonic()
    while "loading" in page.locator("p.count").inner_text():
        time.sleep(0.1)
    print(f"{page.locator('p.count').inner_text()}; the rest of them after {time.monotonic() - begun:.1f} s")
    page.evaluate(ACTS)
    page.wait_for_timeout(2000)
    print(f"{'':16} {'median':>8} {'largest':>8} {'work':>8} {'limit':>8}")
    print(f"{'first 50 rows':16} {first:8.0f} {'':8} {first_work:8.0f} {LIMITS['first 50 rows']:8}")
    acts = {
        "filter": [("q", text) for text in FILTERS * 2], "sort": [("sort", key) for key in ORDERS * 2],
        "scroll": [("scroll", 120 * at) for at in range(60)],
        "jump": [("scroll", 20_011 * at) for at in range(60)],
        "nothing": [("scroll", 0)] * 20,
    }  # fmt: skip
    for name, some in acts.items():
        median, largest, work = measure(page, session, some)
        print(f"{name:16} {median:8.1f} {largest:8.1f} {work:8.1f} {LIMITS[name]:8}")
    print(f"{'row elements':16} {page.locator('[role=row]').count():8} {'':8} {'':8} {LIMITS['row elements']:8}")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    print(f"{'heap, MB':16} {heap / 1e6:8.0f} {'':8} {'':8} {200:8}")


def main(count: int) -> None:
    """Makes a repository of so many runs, serves it, and looks at it."""
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(os.environ.get("MANY_RUNS", ""))
        place = kept if kept.name else make(Path(scratch) / "repo", count)
        words = ("git", "run", "view", "--no-open")
        with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as driver:
            assert server.stdout
            url = server.stdout.readline().strip()
            browser = driver.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
            look(browser.new_page(viewport={"width": 1400, "height": 900}), url)
            browser.close()
            server.send_signal(SIGINT)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
