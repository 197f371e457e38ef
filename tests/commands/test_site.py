"""git run site: the same bytes for the same runs, no word about the machine, and the same pages as git run view."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from browser import serving, trained, wait_until
from sampled import sampled_values

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (
    "/",
    "/?q=lr<0.1&sort=-loss",
    "/runs/{0}",
    "/runs/{0}?tab=output",
    "/compare?r={0},{1}",
    "/diff/{1}/{0}",
    "/batches/{b}",
)


COUNTED = "src|for|id|list|points|aria-controls|aria-labelledby|aria-activedescendant|clip-path"
VARIES = re.compile(rf'\b({COUNTED})="[^"]*"|\b\d+ [a-z]+ ago\b|just now')
"""What is different in two equal pages: counted ids, addresses of images, tenths of a pixel, and the time that passes."""


def tree_of(directory: Path) -> dict[str, bytes]:
    """All files below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_same_runs_give_the_same_bytes_wherever_the_world_is(topic, tmp_path) -> None:
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "TERM": "xterm", "HOSTNAME": "elsewhere"}
    for name, env in (("a", None), ("b", other)):
        topic.run("site", "--out", tmp_path / name, env=env, check=True)
        topic.run("site", "--single-file", tmp_path / f"{name}.html", env=env, check=True)
    assert tree_of(tmp_path / "a") == tree_of(tmp_path / "b")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_nothing_names_the_machine_its_user_or_a_directory(topic, tmp_path) -> None:
    topic.run("site", "--out", tmp_path / "site", "--source", "--files", "all", check=True)
    whole = b"".join(data for name, data in tree_of(tmp_path / "site").items() if not name.startswith("static/")).decode()
    words = [str(topic.path), str(tmp_path), socket.gethostname(), os.uname().nodename, "A User"]
    assert [word for word in words if word in whole] == []
    assert not re.search(rf"\b{re.escape(getpass.getuser())}/", whole)


def test_directory_of_others_is_left_alone(repo, tmp_path) -> None:
    repo.run("echo.py", check=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    ended = repo.run("site", "--out", tmp_path / "mine")
    assert (ended.returncode, "git run site did not write" in ended.stderr) == (128, True)
    assert tree_of(tmp_path / "mine") == {"index.html": b"mine"}
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    assert repo.run("site", "--out", tmp_path / "link").returncode == 128


def test_own_directory_is_replaced_as_a_whole(repo, tmp_path) -> None:
    repo.run("echo.py", check=True)
    repo.run("site", "--out", tmp_path / "site", check=True)
    (tmp_path / "site" / "data" / "old.json").write_text("{}")
    repo.run("site", "--out", tmp_path / "site", check=True)
    assert "data/old.json" not in tree_of(tmp_path / "site")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_site_of_some_runs_says_what_it_lacks(topic, tmp_path) -> None:
    ended = topic.run("site", "--single-file", tmp_path / "a.html", "--where", "lr=0.2", "--json", check=True)
    assert json.loads(ended.stdout) == {
        "path": str(tmp_path / "a.html"), "runs": 1, "size": (tmp_path / "a.html").stat().st_size,
        "left_out": ["all code", "names of authors"],
    }  # fmt: skip
    ended = topic.run("site", "--out", tmp_path / "b", "--limit", "1", check=True)
    assert "1 run," in ended.stderr
    assert "2 older runs" in ended.stderr


def test_run_that_cannot_be_read_is_named_as_missing(repo, tmp_path) -> None:
    repo.run("echo.py", check=True)
    repo.git("update-ref", f"refs/runs/{'1' * 40}", "HEAD")
    ended = repo.run("site", "--single-file", tmp_path / "a.html", check=True)
    assert "1 run," in ended.stderr
    assert "1 unreadable run" in ended.stderr


def test_repository_without_runs_or_commits_has_a_site(empty_repo, tmp_path) -> None:
    empty_repo.run("site", "--out", tmp_path / "site", check=True)
    assert json.loads((tmp_path / "site" / "data" / "runs.json").read_text())["ids"] == []


@pytest.mark.parametrize("words", [(), ("--out", "a", "--single-file", "b")])
def test_one_of_the_two_forms_must_be_chosen(repo, words) -> None:
    ended = repo.run("site", *words)
    assert (ended.returncode, "give either --out or --single-file" in ended.stderr) == (129, True)


def test_no_match_writes_nothing(repo, tmp_path) -> None:
    repo.run("echo.py", check=True)
    assert repo.run("site", "--out", tmp_path / "site", "--where", "x=77").returncode == 128
    assert not (tmp_path / "site").exists()


@pytest.fixture(scope="module")
def shown(browsing_home, tmp_path_factory):
    """A repository of runs of several kinds: served, as a directory behind a host, and as one file."""
    pytest.importorskip("starlette", reason="there is no starlette")
    repo = trained(tmp_path_factory.mktemp("shown") / "demo")
    repo.run("train.py", "lr=[0.01,0.1]", "--minimize", "loss", check=True)
    picture = "open('plot.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>top.hurt = 1</script></svg>')"
    repo.write("draw.py", f"name = '<img src=x onerror=hurt=1>'\n{picture}\nprint('</script><script>hurt = 1</script>')\n")
    repo.run("draw.py", "--label", "</title><script>hurt = 1</script>", check=True)
    target = tmp_path_factory.mktemp("site")
    repo.run("site", "--single-file", target / "one.html", "--source", "--authors", check=True)
    repo.run("site", "--out", target / "many", "--source", "--authors", check=True)
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHost, directory=target / "many"))
    Thread(target=host.serve_forever, daemon=True).start()
    with serving(repo) as server:
        yield server, target / "one.html", f"http://127.0.0.1:{host.server_port}/"
    host.shutdown()
    host.server_close()


class QuietHost(SimpleHTTPRequestHandler):
    """A host of static pages that says nothing."""

    def log_message(self, *words: object) -> None:
        pass


class Window:
    """A page in a browser, with its requests and faults."""

    def __init__(self, context, address: str) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda asked: self.requests.append(asked.url))
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(address)

    def main(self) -> str:
        """The page as it is now, with addresses as a server has them."""
        return VARIES.sub("", re.sub(r'href="#/', 'href="/', self.page.inner_html("#main")))


@pytest.fixture
def window(chromium):
    """How to open a window."""
    contexts = []

    def open_window(address: str, server=None) -> Window:
        contexts.append(chromium.new_context(viewport={"width": 1400, "height": 900}))
        if server:
            contexts[-1].request.get(server.url, max_redirects=0)
        return Window(contexts[-1], address)

    yield open_window
    for context in contexts:
        context.close()


def places(server) -> list[str]:
    """The addresses of pages about the runs of a repository."""
    found = json.loads(server.run("list", "--json", "--all").stdout)
    trains = [run["id"] for run in found if run["operation"] == "train.py"]
    batch = next(run["id"] for run in found if run["operation"] == "train.py+")
    return [page.format(*trains[:2], b=batch) for page in PAGES]


def test_one_file_asks_for_nothing_and_filters(shown, window) -> None:
    server, file, _ = shown
    opened = window(file.as_uri())
    wait_until(lambda: "trials" in opened.page.inner_text("p.count"))
    for expression in ("lr<0.05", "metric:loss:min<0.2", "started>2020-01-01 and not optimizer=adam"):
        count = len(json.loads(server.run("list", "--all", "--where", expression, "--json").stdout))
        opened.page.fill("#filter", expression)
        wait_until(lambda words=f"{count} of 22": words in opened.page.inner_text("#main"))
    assert (opened.requests, opened.faults) == ([file.as_uri()], [])


def test_hostile_texts_stay_texts_in_one_file(shown, window) -> None:
    server, file, _ = shown
    (run,) = json.loads(server.run("list", "--op", "draw.py", "--json").stdout)
    opened = window(f"{file.as_uri()}#/runs/{run['id']}?tab=files")
    wait_until(lambda: "plot.svg" in opened.page.inner_text("#main"))
    opened.page.evaluate("location.hash = location.hash.replace('files', 'output')")
    wait_until(lambda: "</script>" in opened.page.inner_text("#main"))
    assert opened.page.evaluate("window.hurt") is None
    assert [asked for asked in opened.requests if not asked.startswith(("file:", "blob:"))] == []
    assert opened.faults == []


@pytest.mark.parametrize("number", sampled_values(1, range(7)))
def test_site_shows_what_the_server_shows(shown, window, number) -> None:
    server, file, host = shown
    place = places(server)[number]
    live = window(server.origin + place, server)
    one, many = (window(f"{address}#{place}") for address in (file.as_uri(), host))
    wait_until(lambda: live.page.query_selector("#main h1"))
    for static in (one, many):
        # parts of a page come one after the other
        try:
            wait_until(lambda static=static: static.main() == live.main())
        except AssertionError:
            assert static.main() == live.main()
        assert static.faults == []
