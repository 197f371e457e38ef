"""Reports as Markdown."""

from __future__ import annotations

import re

import cmarkgfm
from cmarkgfm.cmark import Options
from evil_texts import Tags
from hypothesis import given
from hypothesis import strategies as st

from gitrun.render.markdown import code_span, fence


def rendered(text: str) -> str:
    """The text as the forge renders it, with all that it reads into a comment."""
    options = Options.CMARK_OPT_UNSAFE
    return cmarkgfm.markdown_to_html_with_extensions(text, options, ["table", "autolink", "strikethrough", "tagfilter"])


def test_nothing_from_a_repository_is_obeyed_in_markdown(evil) -> None:
    said = evil.run("report", check=True).stdout
    page = rendered(said)
    without_code = re.sub(r"<code[^>]*>.*?</code>", "", page, flags=re.DOTALL)
    for word in ("@you", "#12", "alert", "x.example", "b.example", "<b>", "<a ", "<script", "[l]"):
        assert word not in without_code, word
    assert page.count("<details>") == page.count("</details>") == said.count("\n</details>\n")
    rows = [line for line in page.splitlines() if line.startswith("<tr>")]
    assert rows
    for table in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL):
        widths = {len(re.findall(r"<t[dh][ >]", row)) for row in table.split("<tr>")[1:]}
        assert len(widths) == 1, table
    assert "\u202e" not in said
    assert "\x1b" not in said


@given(st.text("`\\|a @#<>&*_[]()!~$-", max_size=24).map(str.strip).filter(bool))
def test_any_text_in_a_cell_is_that_text_and_one_cell(text) -> None:
    page = rendered(f"| a | b |\n| --- | --- |\n| {code_span(text)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", page, flags=re.DOTALL)
    assert len(cells) == 2, page
    assert cells[1] == "end"
    found = Tags()
    found.feed(cells[0])
    assert found.text == text
    assert {tag for tag, _ in found.tags} == {"code"}


@given(st.lists(st.text("`~a<>\\ ", max_size=12), max_size=4))
def test_any_lines_in_a_fence_are_those_lines(lines) -> None:
    found = Tags()
    found.feed(rendered(fence(lines, "text") + "\nafter\n"))
    assert found.text == "".join(f"{line}\n" for line in lines) + "\nafter\n" or not lines
    assert [tag for tag, _ in found.tags] == ["pre", "code", "p"]
