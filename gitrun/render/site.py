"""A static site of runs: the pages of `git run view` as files for a host of pages, or as one file that needs no host.

The bytes depend on the runs and this version of gitrun alone. All scripts and styles are named by their hashes in the content
policy of a site of one file; the other kind allows those beside it.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from typing import TYPE_CHECKING, Any

from gitrun.model.text import count_text, safe_text
from gitrun.render.assets import VIEW, policy_hash, read_asset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.render.site_answers import SiteAnswers

PAGE, ICON, BOOT, SOURCE, ROUTER, DATA = "index.html", "icon.svg", "boot.js", "site.js", "router.js", "data.js"
RULES = "base-uri 'none'; form-action 'none'"
# href="/static/view.css", src="/static/dom.js"
STYLE, SCRIPT = re.compile(r'href="/static/([\w.]+\.css)"'), re.compile(r'src="/static/([\w.]+\.js)"')
LATER = re.compile(r"'([\w.]+\.js)'")
"""Scripts that the router loads when a page needs them."""
BODY = re.compile(r"<body>.*</body>", re.DOTALL)
LIVE = '<a href="/live">Live</a>\n'
COMMENT = re.compile(r"^[ \t]*//[^\n]*\n|^/\*(?!!).*?\*/\n|^[ \t]+", re.DOTALL | re.MULTILINE)
"""A comment on lines of its own, unless it begins with `/*!` as licences do; and the blanks before a line."""
CHARTS, LICENCE = "uPlot.iife.min.js", "uPlot-LICENSE"
LIVE_PAGE = "live.js"
BETWEEN = "\0"
"""The separator of the texts of the code."""


def list_styles() -> list[str]:
    """Returns the names of the style sheets in their order."""
    return STYLE.findall(read_asset(PAGE))


def first_scripts() -> list[str]:
    """Returns the names of the scripts that every page needs, with the source of the data after the module that asks it."""
    names = SCRIPT.findall(read_asset(PAGE))
    count = names.index(DATA) + 1
    return [*names[:count], SOURCE, *names[count:]]


def later_scripts() -> list[str]:
    """Returns the names of the scripts of single pages, in an order in which they can be loaded. Nothing is live in a site."""
    table = read_asset(ROUTER).partition("const SCRIPTS")[2].partition("];\n")[0]
    # those that no page needs at once come last
    names = [CHARTS, *LATER.findall(table), *sorted(path.name for path in VIEW.glob("*.js"))]
    return [name for name in dict.fromkeys(names) if name not in {LIVE_PAGE, BOOT, SOURCE, *first_scripts()}]


def render_directory(answers: SiteAnswers) -> Iterator[tuple[str, bytes]]:
    """Yields path and content of each file of a site for a host of pages."""
    for name, value in answers.packs():
        yield f"data/{name}.json", encode_json(value)
    for name in (*list_styles(), *first_scripts(), *later_scripts(), ICON, LICENCE):
        yield f"static/{name}", read_asset(name).encode()
    linked = [f'<link rel="icon" href="static/{ICON}" type="image/svg+xml">']
    linked += [f'<link rel="stylesheet" href="static/{name}">' for name in list_styles()]
    linked += [f'<script defer src="static/{name}"></script>' for name in first_scripts()]
    policy = f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; {RULES}"
    yield PAGE, render_page("", policy, linked, answers).encode()


def render_file(answers: SiteAnswers) -> bytes:
    """Returns a site as one file."""
    # the columns are in the details too, which are all here
    packs = [render_pack(name, encode_json(value)) for name, value in answers.packs() if name != "columns"]
    styles, scripts = map(shorten_assets, (list_styles(), [*first_scripts(), *later_scripts()]))
    boot = read_asset(BOOT)
    hashes = {"script": [boot, *scripts], "style": styles}
    allowed = "; ".join(f"{kind}-src {' '.join(map(policy_hash, texts))}" for kind, texts in hashes.items())
    code = BETWEEN.join((read_asset(LICENCE), str(len(styles)), *styles, *scripts))
    policy = f"default-src 'none'; {allowed}; img-src blob:; {RULES}"
    elements = [render_pack("code", code.encode()), *packs, f"<script>{boot}</script>"]
    return render_page("file", policy, elements, answers).encode()


def shorten_assets(names: Iterable[str]) -> list[str]:
    """Returns scripts or styles without comments and blanks that mean nothing."""
    return [COMMENT.sub("", read_asset(name)) for name in names]


def render_pack(name: str, data: bytes) -> str:
    """Renders data as an element that no browser executes."""
    # without a time, and with the same level, the same data has the same bytes
    packed = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    return f'<script type="application/octet-stream" data-pack="{name}">{packed}</script>'


def encode_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Returns a value as compact JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def render_page(kind: str, policy: str, elements: Sequence[str], answers: SiteAnswers) -> str:
    """Renders the page around scripts, styles and packs."""
    match = BODY.search(read_asset(PAGE))
    body = match[0] if match else ""
    # the address behind the # is the page
    body = body.replace(LIVE, "").replace('href="/', 'href="#/').replace("</body>", f"{render_foot(answers)}</body>")
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-site="{kind}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n<title>gitrun</title>\n'
        + "\n".join(elements)
        + f"\n</head>\n{body}\n</html>\n"
    )


def render_foot(answers: SiteAnswers) -> str:
    """Renders what the site is, and what it does not have."""
    missing = f" Not in it: {', '.join(answers.left_out)}." if answers.left_out else ""
    words = f"A copy of {count_text(len(answers.runs), 'run')}, made by git run site.{missing}"
    return f'<footer id="site" class="soft">{html.escape(safe_text(words))}</footer>\n'
