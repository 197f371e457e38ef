"""Guides on a terminal: our Markdown as text of a given width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model.text import count_columns
from gitrun.render.guide import Code, Heading, Item, Paragraph, Table, parse_blocks, render_terminal, strip_marks
from gitrun.render.palette import Palette

BOLD = Palette({"heading": "<"})


@pytest.mark.parametrize(
    ("markdown", "block"),
    [
        ("# Title", Heading(1, "Title")),
        ("### Part", Heading(3, "Part")),
        ("two\nlines", Paragraph("two lines")),
        ("```console\n$ ls\n\n  a\n```", Code(("$ ls", "", "  a"))),
        ("- one\n  more", Item("-", 0, "one more")),
        ("12. twelve", Item("12.", 0, "twelve")),
        ("  - below", Item("-", 1, "below")),
        ("| a | b |\n|---|---:|\n| `x\\|y` | |", Table((("a", "b"), ("`x|y`", "")))),
        ("| | b |\n|:---|---|\n| c | d |", Table((("", "b"), ("c", "d")))),
    ],
)
def test_block_is_parsed(markdown, block) -> None:
    assert parse_blocks(f"{markdown}\n") == [block]


def test_blocks_end_where_others_begin() -> None:
    found = parse_blocks("text\n- one\n- two\n# Head\n| a |\n|---|\n```\ncode\n```\nend\n")
    assert [type(block) for block in found] == [Paragraph, Item, Item, Heading, Table, Code, Paragraph]


def test_fence_without_end_takes_the_rest() -> None:
    assert parse_blocks("```\na\nb") == [Code(("a", "b"))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`a` and **b** and *c*", "a and b and c"),
        ("``a`b``", "a`b"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("`*.pem` and `**kw`", "*.pem and **kw"),
        ("see [files](files.md)", "see files (git run help files)"),
        ("see [files](gitrun/share/guide/files.md#links)", "see files (git run help files)"),
        ("see [the page](https://example.org/x)", "see the page <https://example.org/x>"),
        ("see [`LICENSE`](LICENSE)", "see LICENSE"),
        ("a [list] (of words)", "a [list] (of words)"),
    ],
)
def test_marks_become_text(text, shown) -> None:
    assert strip_marks(text) == shown


def test_title_text_list_and_code_are_laid_out() -> None:
    shown = render_terminal("# Title\n\none two three four five\n\n- item of words\n- two\n\n```sh\nls -l\n```\n", 20)
    assert shown == ("Title\n\n    one two three\n    four five\n\n    - item of words\n    - two\n\n      ls -l\n")


def test_narrow_table_is_aligned_and_wide_one_is_a_list() -> None:
    table = "| name | meaning |\n|---|---|\n| `a` | one |\n| bcd | two words |\n"
    assert render_terminal(table, 40) == "    name  meaning\n    a     one\n    bcd   two words\n"
    assert render_terminal(table, 18) == "    a\n        one\n\n    bcd\n        two words\n"


def test_wide_table_of_three_columns_names_its_cells() -> None:
    table = "| a | b | c |\n|---|---|---|\n| one | two | |\n| four | five | six |\n"
    assert render_terminal(table, 14) == "    one\n        b: two\n\n    four\n        b:\n        five\n        c: six\n"


def test_table_without_heading_has_no_empty_line() -> None:
    assert render_terminal("| | |\n|---|---|\n| a | b |\n", 40) == "    a  b\n"


def test_headings_and_code_are_coloured_without_changing_widths() -> None:
    markdown = "# Title\n\nuse `git run` or **this** now, please\n"
    assert render_terminal(markdown, 22, BOLD).replace("<", "").replace("\x1b[m", "") == render_terminal(markdown, 22)
    assert "<Title\x1b[m" in render_terminal(markdown, 22, BOLD)
    assert "<git\x1b[m" in render_terminal(markdown, 22, BOLD)


@given(st.lists(st.text("ab\u4e2d `*[]|", max_size=12), max_size=20), st.integers(10, 90))
def test_no_line_is_wider_than_its_longest_word_needs(words, width) -> None:
    text = "x " + " ".join(words)
    for line in render_terminal(text, width).splitlines():
        assert count_columns(line) <= width or len(line.split()) <= 1
