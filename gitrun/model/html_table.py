"""Tables for notebooks, which show what `_repr_html_` returns: escaped, without scripts, and loading nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from gitrun.model.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST = 200
"""Characters of a cell."""


def render_table(head: Iterable[str], rows: Iterable[Sequence[str]], more: str = "") -> str:
    """Returns a table of texts that may come from anybody, with a line below it."""
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = f"<p>{html.escape(more)}</p>" if more else ""
    return f"<table>{f'<thead><tr>{titles}</tr></thead>' if titles else ''}<tbody>{body}</tbody></table>{below}"


def escape_cell(text: str) -> str:
    """Escapes the beginning of a text for HTML."""
    shown = safe_text(text[:LONGEST])
    # browsers obey bidi controls too, which html.escape keeps
    return html.escape(shown if len(text) <= LONGEST else f"{shown}…")
