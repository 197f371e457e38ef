"""Pieces of HTML from untrusted texts."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from gitrun.model.run import COMPLETED, ERROR, TERMINATED, short_id
from gitrun.model.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.run import Run

SIGNS = {COMPLETED: "good", ERROR: "bad", TERMINATED: "bad"}
"""The class of a status."""
# text cannot contain it, since its < is escaped
LINK = re.compile(r'<a href="#([a-z0-9-]+)">(.*?)</a>', re.DOTALL)
ANCHOR = re.compile(r'<[^>]* id="([a-z0-9-]+)"')


def escape_text(words: str) -> str:
    """Escapes a text for HTML."""
    # browsers obey bidi controls too, which html.escape keeps
    return html.escape(safe_text(words))


def render_code(words: str) -> str:
    """Renders a text as code."""
    return f"<code>{escape_text(words)}</code>" if words else ""


def join_lines(lines: Iterable[str]) -> str:
    """Renders lines as preformatted text."""
    return "\n".join(map(escape_text, lines))


def row_anchor(run: Run) -> str:
    """Returns the id of a run's row: `run-3fa2c1d8`."""
    return f"run-{short_id(run.id)}"


def details_anchor(run: Run) -> str:
    """Returns the id of a run's details."""
    return f"details-{short_id(run.id)}"


def link_run(run: Run, anchor: str = "") -> str:
    """Renders the short id of a run as a link to its row, or to `anchor`."""
    return f'<a href="#{anchor or row_anchor(run)}">{render_code(short_id(run.id))}</a>'


def unlink_missing(page: str) -> str:
    """Replaces links to ids that the page does not have by their texts, and drops an id that is there already."""
    known: set[str] = set()

    def keep_first(match: re.Match[str]) -> str:
        if match[1] in known:
            return match[0].replace(f' id="{match[1]}"', "")
        known.add(match[1])
        return match[0]

    page = ANCHOR.sub(keep_first, page)
    return LINK.sub(lambda match: match[0] if match[1] in known else match[2], page)
