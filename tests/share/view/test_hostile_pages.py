"""Pages about runs whose names, texts and files attack what shows them: nothing executes, nothing leaves the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from browser import WIDTHS, serving, wait_until
from page_rules import sideways
from repository import Repo
from sampled import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Served

EVIL = (
    "<script>window.hurt=1</script><img src=x onerror=window.hurt=1><svg onload=window.hurt=1>"
    "\"'`${1}\u202e javascript:alert(1)"
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="window.hurt=1"><script>window.hurt=1;'
    'fetch("http://evil.example/")</script><image href="http://evil.example/a.png"/><rect width="9" height="9"/></svg>'
)
HTML = (
    "<script>document.title='hurt';parent.hurt=1</script><img src='http://evil.example/b.png'><p>text</p>"
    "<form action='http://evil.example/'></form><meta http-equiv='refresh' content='0;url=http://evil.example/'>"
)
CELL = {
    "cell_type": "code", "source": EVIL,
    "outputs": [
        {"output_type": "display_data", "data": {"text/html": EVIL, "application/javascript": "window.hurt=1"}},
        {"output_type": "display_data", "data": {"image/svg+xml": SVG, "text/plain": EVIL}},
        {"output_type": "error", "traceback": [EVIL, 3, None]},
        {"output_type": "stream", "text": {"a": EVIL}},
    ],
}  # fmt: skip
FILES = {
    "a.svg": SVG, "a.html": HTML, "a.js": "window.hurt = 1", "a.csv": f'a,"{EVIL.replace(chr(34), chr(34) * 2)}"\n=1+1,2\n',
    "a.ipynb": json.dumps({"cells": [{"cell_type": "markdown", "source": EVIL}, CELL]}), "a.xml": SVG, "a.md": f"# {EVIL}\n",
    "<img src=x onerror=window.hurt=1>.txt": EVIL, "a.png": HTML, "b.ipynb": HTML,
}  # fmt: skip
SCRIPT = """\
import json, sys
value = "a"
for path, text in json.loads(open("files.json").read()).items():
    open(path, "w").write(text)
print(EVIL, "\\x1b]0;hurt\\x07\\x1b]8;;http://evil.example/\\x1b\\\\link\\x1b[31m red")
print("loss:", 1)
sys.exit(len(value) > 90)
"""


@pytest.fixture(scope="module")
def lair(browsing_home, tmp_path_factory) -> Iterator[tuple[Served, list[str]]]:
    """A server of a repository in which everything is hostile, and the ids of its runs, newest first."""
    pytest.importorskip("starlette", reason="there is no starlette")
    repo = Repo.create(tmp_path_factory.mktemp("lair") / "repo")
    repo.git("config", "user.name", "<script>window.hurt=1</script>")
    repo.write("files.json", json.dumps(FILES))
    repo.write("evil.py", SCRIPT.replace("EVIL", repr(EVIL)))
    repo.commit(EVIL.replace("\u202e", ""))
    repo.run("evil.py", check=True)
    repo.write("evil.py", SCRIPT.replace("EVIL", repr(EVIL)) + f"# {EVIL}\n")
    repo.run("evil.py", f"value={EVIL}", "--label", EVIL)
    repo.run("tag", "<b>x", "1", check=True)
    repo.run("comment", "1", "-m", EVIL, check=True)
    repo.run("--", "true", EVIL, check=True)
    ids = [run["id"] for run in json.loads(repo.run("list", "--json", check=True).stdout)]
    with serving(repo, lasts=True) as server:
        yield server, ids


def is_inert(page) -> bool:
    """Whether nothing of a run executes: no script but ours, no handler in an attribute, no foreign address."""
    found = page.evaluate("""() => [
        window.hurt === undefined && document.title !== 'hurt',
        [...document.scripts].every(script => script.src.startsWith(location.origin + '/static/')),
        [...document.querySelectorAll('*')].every(node => [...node.attributes].every(({ name, value }) =>
            !name.startsWith('on') && !(/^(href|src|action)$/.test(name) && /^(javascript|data|https?):/i.test(value)
                && !value.startsWith(location.origin)))),
    ]""")
    return all(found)


ADDRESSES = (
    "/runs/{1}", "/runs/{1}?tab=output", "/runs/{1}?tab=files", "/runs/{1}?tab=code", "/runs/{1}?tab=attempts",
    "/runs/{0}", "/compare?r={0},{1},{2}", "/diff/{2}/{1}", "/commits", "/live", "/lineage/{1}",
)  # fmt: skip
OFTEN = ADDRESSES[3:5]
"""Pages that are opened in each round of the tests. tests/extras/view opens the others in each round."""


@pytest.mark.parametrize(
    "address", [pytest.param(address, marks=() if address in OFTEN else pytest.mark.slow) for address in ADDRESSES]
)
def test_hostile_texts_are_texts_on_every_page(lair, open_page, address) -> None:
    server, ids = lair
    page = open_page(server, address.format(*ids))
    page.wait_for_selector("main .foot")
    wait_until(lambda: page.locator("[aria-busy]").count() == 0)

    assert is_inert(page)
    # the bidi control is shown as an escape
    assert "\u202e" not in page.text_content("main")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        # pictures are drawn again in the next frame
        wait_until(lambda: sideways(page) <= 0)


@pytest.mark.parametrize("path", sampled(3, FILES))
def test_hostile_files_are_inert_in_their_previews(lair, open_page, path) -> None:
    server, ids = lair
    page = open_page(server, f"/runs/{ids[1]}?tab=files")
    page.locator("[role=tabpanel] th a").filter(has_text=path).first.click()
    preview = page.locator("section[aria-label=Preview]")
    preview.locator("h2").wait_for()
    preview.locator("img, pre, table, .prose, .remark").first.wait_for()

    assert is_inert(page)
    if path.endswith((".html", ".js", ".xml", ".md", ".txt")):
        assert preview.locator("pre").text_content().rstrip("\n") == FILES[path].replace("\u202e", "\\u202e").rstrip("\n")


def test_terminal_commands_in_output_are_shown_not_obeyed(lair, open_page) -> None:
    server, ids = lair
    page = open_page(server, f"/runs/{ids[1]}?tab=output")
    page.wait_for_selector("[role=log] .ansi-fg1")

    text = page.text_content("[role=log]")
    assert "\\x1b]0;hurt\\x07" in text
    assert "\\x1b]8;;http://evil.example/" in text
    assert page.locator("[role=log] a").count() == 0
