"""A real browser that looks at pages: files on a phone, a tablet and a desk, and the pages of `git run view`.

A module that looks at the pages of `git run view` asks for `served`, a repository of real runs with a server, or makes a
repository of its own and serves it with `serving`; `open_page` opens an address in a new window. What a page must never do
fails the test: errors, violations of its content policy, requests to anywhere else.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from calling import with_client
from homes import move_in
from repository import Repo
from templates import copy

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

WIDTHS = (360, 800, 1400)
"""Pixels of the screens."""
MEASURED = (
    "f.contentDocument.documentElement.scrollWidth - f.clientWidth + ':' + f.contentDocument.querySelectorAll('tr').length"
)


def browser_program() -> str:
    """Returns the path of a chromium. Skips the test if there is none.

    The shell without windows comes first: the whole browser takes six times its processor time for a page, and half a
    core for as long as a page is open.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if program := shutil.which(name):
            return program
    pytest.skip("there is no chromium")


def looked_at(page: Path, scratch: Path) -> list[tuple[int, int]]:
    """For each screen, by how many pixels the page is wider than it, and how many table rows it shows."""
    browser = browser_program()
    script = f"document.title = [...document.querySelectorAll('iframe')].map(f => {MEASURED}).join(' ')"
    frames = "".join(f"<iframe src='{page.as_uri()}' width={width} height=900></iframe>" for width in WIDTHS)
    (scratch / "frames.html").write_text(f"<title>-</title>{frames}<script>onload = () => {{ {script} }}</script>")
    words = (
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
        f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=5000", "--dump-dom",
        (scratch / "frames.html").as_uri(),
    )  # fmt: skip
    home = {**os.environ, "HOME": str(scratch)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=home)
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found, done.stderr
    return [(int(wider), int(rows)) for wider, rows in (pair.split(":") for pair in found[1].split())]


def rendered(page: Path, scratch: Path) -> str:
    """The page as a browser has it after its scripts ran, if it has any."""
    browser = browser_program()
    words = (
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
    )  # fmt: skip
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "HOME": str(scratch)}
    )
    return done.stdout


TRAIN = """\
import math
import sys

import gitrun

lr = 0.1
optimizer = "sgd"
width = 64
epochs = 20
loss = 2.5
for step in range(epochs):
    loss = 2.5 * math.exp(-lr * step * (1.5 if optimizer == "adam" else 1)) + 8 / width + 0.01 * math.cos(step)
    gitrun.log({"loss": loss, "accuracy": 1 - loss / 4}, step=step)
    print(f"step {step}: loss {loss:.4f}")
with open("summary.csv", "w") as file:
    file.write(f"lr,loss\\n{lr},{loss}\\n")
sys.exit(lr > 1)
"""
"""A training that learns well with some flags, and fails with others."""
GRID = [(lr, optimizer, width) for lr in (0.01, 0.05, 0.1, 0.4) for optimizer in ("sgd", "adam") for width in (64, 128)]
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A repository, and the server that shows its runs. `url` has the token. It `lasts` if all tests of a module look at it."""

    repo: Repo
    url: str
    environ: dict[str, str] = field(repr=False)
    lasts: bool = False

    @property
    def origin(self) -> str:
        """The address without path and token."""
        return "http://" + urlsplit(self.url).netloc

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The ended `git run WORDS` in the home of the server."""
        return self.repo.run(*words, env=self.environ)


@contextmanager
def serving(repo: Repo, *words: str, lasts: bool = False) -> Iterator[Served]:
    """Serves a repository with `git run view WORDS` until the end of the `with`."""
    environ = dict(os.environ)
    given = {"env": with_client(environ), "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with subprocess.Popen(("git", "run", "view", "--no-open", *words), cwd=repo.path, text=True, **given) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url, "git run view printed no address"
            yield Served(repo, url, environ, lasts)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def browsing_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the servers and repositories of a module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield move_in(tmp_path_factory.mktemp("home"), monkeypatch)


def trained(path: Path) -> Repo:
    """A repository at `path` with 18 runs, which is made once in a worker."""
    template = path.parent.parent / "templates" / "trained"
    if not template.exists():
        fill_with_runs(Repo.create(template))
    return copy(template, path)


def fill_with_runs(repo: Repo) -> Repo:
    """Makes a commit and 18 runs, of which one has failed, one is labelled and marked, and one is tagged."""
    repo.write("train.py", TRAIN)
    repo.write("plot.py", "print('nothing to plot')\n")
    repo.commit("Train and plot")
    for lr, optimizer, width in GRID:
        repo.run("train.py", f"lr={lr}", f"optimizer={optimizer}", f"width={width}", check=True)
    repo.run("train.py", "lr=3", "epochs=3")
    repo.run("plot.py", check=True)
    repo.run("label", "best so far", "4", check=True)
    repo.run("mark", "4", check=True)
    repo.run("tag", "paper", "6", check=True)
    return repo


@pytest.fixture(scope="module")
def served(browsing_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A repository of real runs with a server."""
    pytest.importorskip("starlette", reason="there is no starlette")
    with serving(trained(tmp_path_factory.mktemp("served") / "demo"), lasts=True) as server:
        yield server


FLAGS = ("--no-sandbox", "--disable-gpu", "--in-process-gpu")
"""A process that draws what others have laid out would take a tenth of all."""
UNDER_WAY = ExitStack()
"""Closes playwright and its browser, whose start takes most of a second of a processor."""


@cache
def asks_for_browser(file: Path) -> bool:
    """Returns whether tests of this file use `chromium`."""
    return re.search(r"\b(chromium|open_page)\b", file.read_text("utf-8")) is not None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> Generator[None, None, None]:
    """Begins with the browser in a worker of xdist: its tests take longer than those of any file."""
    yield
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not asks_for_browser(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Gives all files that ask for a browser to one worker, as `--dist loadfile` does with the tests of one file."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = lambda test: unit_of(config.rootpath, test)
    return scheduling


def unit_of(root: Path, test: str) -> str:
    """Returns the name of all that the worker of a test runs with it."""
    file = test.partition("::")[0]
    return "browser" if asks_for_browser(root / file) else file


@cache
def launch() -> Browser:
    """Starts playwright and its browser, without a screen, for as long as tests ask for it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright")
    program = browser_program()
    driver = UNDER_WAY.enter_context(playwright.sync_playwright())
    browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
    UNDER_WAY.callback(launch.cache_clear)
    UNDER_WAY.callback(browser.close)
    return browser


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """A chromium, which is that of the module before if it had one."""
    return launch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Closes the browser before other tests: while playwright is there, no event loop can run in this thread."""
    try:
        return (yield)
    finally:
        if nextitem is None or not asks_for_browser(nextitem.path):
            UNDER_WAY.close()


def pytest_sessionfinish() -> None:
    """Closes the browser of tests that were interrupted."""
    UNDER_WAY.close()


DRAW = "address => typeof gitrun === 'object' && ['/none', address].forEach(one => gitrun.router.go(one)) === undefined"
"""Draws the page of an address, even that of its own address. Returns whether the document is one of ours."""


@dataclass(frozen=True, slots=True)
class Window:
    """A page that looks at a server, with the options of its context, and what it should not have done."""

    server: Served
    options: dict[str, object]
    page: Page
    faults: list[str]

    @classmethod
    def open(cls, browser: Browser, server: Served, options: dict[str, object]) -> Window:
        """Opens a window whose cookie is the token of the server."""
        context = browser.new_context(**options)
        window = cls(server, options, context.new_page(), [])
        note_faults(window.page, server, window.faults)
        context.request.get(server.url, max_redirects=0)
        return window

    def renew(self, width: int, height: int) -> None:
        """Undoes what a test may have done to the window, and not only to the page in it."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(media="null")
        self.page.mouse.move(0, 0)


@pytest.fixture(scope="module")
def kept(chromium: Browser) -> Iterator[list[Window]]:
    """The window of the test before, for the next one that looks at the same server: a new one takes two processes."""
    windows: list[Window] = []
    yield windows
    for window in windows:
        window.page.context.close()


@pytest.fixture
def open_page(chromium: Browser, kept: list[Window]) -> Iterator[Callable[..., Page]]:
    """How to open an address of a server in another window: `open_page(served, "/compare?r=a,b", width=360)`.

    Options are those of playwright's contexts, such as `color_scheme="dark"`. At the end of the test all windows must have
    been quiet: no errors, no violations, no requests elsewhere.
    """
    windows: list[Window] = []

    def open_address(server: Served, address: str = "/", *, width: int = 1400, height: int = 900, **options: object) -> Page:
        again = kept and (kept[0].server, kept[0].options) == (server, options)
        window = kept.pop() if again else Window.open(chromium, server, options)
        windows.append(window)
        window.renew(width, height)
        visit(window.page, server.origin, address)
        return window.page

    yield open_address
    for window in windows:
        if window.server.lasts and not kept:
            kept.append(window)
        else:
            window.page.context.close()
    assert [fault for window in windows for fault in window.faults] == []


def visit(page: Page, origin: str, address: str) -> None:
    """Opens an address of a server. A page of it draws the other one, as after a click: loading takes twice the time."""
    if not page.url.startswith(f"{origin}/") or not page.evaluate(DRAW, address):
        page.goto(origin + address)


def note_faults(page: Page, server: Served, faults: list[str]) -> None:
    """Adds to `faults` what the page must never do: errors, violations, requests elsewhere."""
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda said: faults.append(said.text) if is_fault(said.text) else None)
    page.on("request", lambda asked: faults.append(f"asked {asked.url}") if is_elsewhere(asked.url, server) else None)


def is_fault(said: str) -> bool:
    """Whether a line of the console tells of a violation of the content policy."""
    return "Content Security Policy" in said or "Refused to" in said


def is_elsewhere(url: str, server: Served) -> bool:
    """Whether a request leaves the server of the page."""
    return not url.startswith((server.origin + "/", "data:", "blob:"))


def wait_until(condition: Callable[[], object], seconds: float = SECONDS) -> object:
    """Waits for a condition and returns what it returned. The content policy forbids playwright's `wait_for_function`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value
