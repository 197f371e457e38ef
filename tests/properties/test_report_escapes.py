"""Whatever texts a repository holds, a report keeps its shape: in every format they are read as text and nothing else."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import cmarkgfm
from cmarkgfm.cmark import Options
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs_made_up import made_up

from gitrun.model.metrics import Metrics
from gitrun.model.text import safe_lines
from gitrun.render.html import render_page
from gitrun.render.junit import render_junit
from gitrun.render.markdown import render_markdown
from gitrun.render.report_json import report_data
from gitrun.views.code_changes import CodeChanges
from gitrun.views.contents import Change
from gitrun.views.curves import Curve
from gitrun.views.history import Commit, Range
from gitrun.views.report import Detail, Report

if TYPE_CHECKING:
    from collections.abc import Callable

NASTY = (
    "<script>alert(1)</script>", "</code>", "</details>", "</td></tr></table>", "<img src=x onerror=y>", "<!--", "-->",
    "]]>", "@somebody", "#12", "a/b#3", "http://x.example", "www.x.example", "x@y.example", "[l](http://x.example)",
    "![i](u)", "|", "\\|", "\\", "`", "``", "```", "~~~", "~~", "**", "_", "\n", "\r\n", "\n\n", "\n# ", "\n- ", "\n> ",
    "&lt;", "&#60;", "&amp;", "\t", "\x1b[31m", "\x1b]52;c;eA==\x07", "\u202e", "\u2066", "\u200b", "\x00", "\ud800",
    "\udcff", "\u2028", "\x85", "'", '"', "$x$", "data:text/html,", "javascript:", "://", "<http://x.example>", "[^1]",
    "[x]: http://x.example", " ", "é",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(NASTY) | st.text(max_size=4), max_size=6).map("".join)
NAMES = TEXTS.filter(bool)
WHEN = datetime(2026, 11, 22, tzinfo=timezone.utc)
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "strong", "span", "code", "table", "thead",
    "tbody", "tr", "th", "td", "div", "b", "pre", "details", "summary", "svg", "polyline", "br", "em", "a", "caption",
    "section", "figure", "figcaption",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "colspan", "data-label", "open", "viewbox", "role", "points",
    "preserveaspectratio", "aria-label", "vector-effect", "stroke-width", "align", "id", "scope", "href",
}  # fmt: skip
VOID = {"meta", "br"}


class Shape(HTMLParser):
    """The tags of a page, each closed where it must be, and the text that stands outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.prose: list[str] = []
        self.comments: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.attributes.update(name for name, _ in attrs)
        self.open += [tag] if tag not in VOID else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre", "style"} & set(self.open):
            self.prose.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@st.composite
def reports(draw: Callable) -> Report:
    """A report of a run whose texts are all nasty, of a commit likewise."""
    flags = draw(st.dictionaries(TEXTS.map(scrubbed), TEXTS.map(scrubbed), max_size=2))
    numbers = draw(st.dictionaries(NAMES, st.floats(), max_size=2))
    ended = {"metrics": Metrics(numbers), "author": draw(TEXTS), "status": draw(st.sampled_from(("completed", "error")))}
    run = made_up("a" * 40, draw(NAMES), flags=flags, label=draw(TEXTS), **ended)
    base = made_up("b" * 40, run.operation, flags={"lr": 1}, metrics=Metrics(dict.fromkeys(numbers, 1.0)))
    differing = draw(st.dictionaries(NAMES, st.tuples(TEXTS, TEXTS), max_size=2))
    paths = draw(st.sets(NAMES.map(lambda text: text.replace("\ud800", "\udc80")), max_size=2))  # as Python has bytes
    changes = tuple(Change(path, "changed") for path in sorted(paths))
    tail = tuple(safe_lines(draw(TEXTS)))  # as the view makes it
    lines = tuple(line for text in draw(st.lists(TEXTS, max_size=2)) for line in safe_lines(text))
    code = CodeChanges(changes, lines, more_lines=draw(st.booleans()), commit=draw(st.sampled_from(("", "e" * 40))))
    series = draw(st.dictionaries(NAMES, st.lists(st.floats(), min_size=1, max_size=4), max_size=2))
    curves = tuple(Curve(run.id, name, tuple(map(float, range(len(values)))), tuple(values)) for name, values in series.items())
    found = Detail(run, base, differing, {}, differing, code, curves, tail, 0, draw(TEXTS))
    commit = Commit("c" * 40, draw(TEXTS), WHEN, draw(TEXTS), (run,), ())
    known = {run.operation: base} if draw(st.booleans()) else {}
    return Report(Range("x..y", "c" * 40, "d" * 40), (commit,), (), known, (found,))


def scrubbed(text: str) -> str:
    """Text that a flag can hold."""
    return text.encode(errors="replace").decode()


def prose_is_ours(shape: Shape) -> None:
    """Fails if a mention, a link or a mark-up of somebody stands where a forge reads it."""
    said = "".join(shape.prose)
    assert not re.search(r"@\w|#\d|://|www\.|\*\*|~~|\x1b", said), said


def is_calm(text: str) -> None:
    """Fails if a character in it would be obeyed by a terminal, or would turn the text around."""
    assert not {unicodedata.category(char) for char in text.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(reports())
def test_markdown_has_no_tag_link_or_mention_that_is_not_ours(report) -> None:
    text = render_markdown(report, 0)
    is_calm(text)
    words = ["table", "autolink", "strikethrough", "tagfilter"]
    shape = Shape(cmarkgfm.markdown_to_html_with_extensions(text, Options.CMARK_OPT_UNSAFE, words))
    assert shape.tags <= TAGS
    assert shape.attributes <= ATTRIBUTES
    assert set(shape.comments) <= {" "}
    assert shape.links == []
    prose_is_ours(shape)


@MANY
@given(reports())
def test_page_has_no_tag_attribute_or_comment_that_is_not_ours(report) -> None:
    text = render_page(report, 0)
    is_calm(text)
    shape = Shape(text)
    assert shape.tags <= TAGS
    assert shape.attributes <= ATTRIBUTES
    assert shape.comments == []
    assert {link.removeprefix("#") for link in shape.links} <= set(shape.ids)
    assert len(shape.ids) == len(set(shape.ids))


@MANY
@given(reports(), st.integers(0, 20_000))
def test_report_that_must_be_short_is_short_and_whole(report, budget) -> None:
    budget += 1_500
    text = render_markdown(report, budget)
    assert len(text) <= budget
    Shape(cmarkgfm.markdown_to_html_with_extensions(text, Options.CMARK_OPT_UNSAFE, ["table", "autolink"]))


@MANY
@given(reports())
def test_data_for_programs_is_read_by_them(report) -> None:
    found = json.loads(report_data(report))
    assert found["runs"][0]["id"] == "a" * 40
    assert report_data(report).isascii()
    suite = ET.fromstring(render_junit(report).encode())
    assert [case.tag for case in suite.iter() if case.tag == "testcase"] == ["testcase"]
