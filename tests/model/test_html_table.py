"""Tables for notebooks obey nothing that they show."""

from __future__ import annotations

from evil_texts import EVIL, Tags
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model.html_table import LONGEST, render_table


@given(st.lists(st.lists(st.text(), min_size=1, max_size=3), max_size=3))
def test_texts_add_no_tags(rows) -> None:
    tags = Tags()
    tags.feed(render_table(("id",), [[EVIL, *row] for row in rows], "1 more"))
    assert {tag for tag, _ in tags.tags} <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert [attributes for _, attributes in tags.tags if attributes] == []


def test_long_text_is_cut() -> None:
    assert f"<td>{'x' * LONGEST}…</td>" in render_table((), [["x" * 500]])
