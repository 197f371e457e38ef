"""Guides as man pages: renders our Markdown in the macros of man(7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitrun.render.guide import (
    Block,
    Code,
    Heading,
    Item,
    Paragraph,
    Table,
    align_table,
    list_definitions,
    parse_blocks,
    parse_spans,
    strip_marks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM = 71
"""Columns of a table that is printed as it is aligned here; a page has 78, and indents it by 7."""
# roff prints a plain - as a hyphen, and ' ` ^ ~ as quotes and accents: commands could not be copied
ESCAPES = {"\\": "\\e", "-": "\\-", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga", "'": "\\(aq", '"': "\\(dq"}
FONTS = {"code": "B", "bold": "B", "emphasis": "I"}


def render_man(markdown: str, topic: str, summary: str, date: str) -> str:
    """Renders a guide as the source of the page `git-run-<topic>(7)`."""
    lines = [
        '.\\" part of git-run-tracker; made from the guide of this name, so edit that one',
        f'.TH {escape_roff(f"GIT-RUN-{topic.upper()}")} 7 "{escape_roff(date)}" gitrun "Guides of gitrun"',
        # no hyphens and no stretched blanks: both would change words that are to be typed
        ".nh",
        ".ad l",
        ".SH NAME",
        f"git\\-run\\-{escape_roff(topic)} \\- {escape_roff(summary)}",
    ]
    before: Block | None = None
    for block in parse_blocks(markdown):
        lines += render_macros(block, before)
        before = block
    lines += [".SH SEE ALSO", "git\\-run(1)"]
    return "\n".join(lines) + "\n"


def render_macros(block: Block, before: Block | None) -> Iterator[str]:
    """Yields the lines of a block, which depend on the one before only in lists."""
    if isinstance(block, Heading):
        yield f".S{'H' if block.level < 3 else 'S'} {escape_roff(heading_text(block))}"
    elif isinstance(block, Paragraph):
        yield from (".PP", render_line(block.text))
    elif isinstance(block, Code):
        yield from (".PP", ".RS 4", ".EX", *map(render_verbatim, block.lines), ".EE", ".RE")
    elif isinstance(block, Item):
        if not isinstance(before, Item):
            yield from (".PP", ".PD 0")  # no blank lines between items
        mark = "\\(bu" if block.mark == "-" else escape_roff(block.mark)
        yield from (f'.IP "{mark}" {4 + 2 * block.depth}', render_line(block.text), ".PD")
    elif (aligned := align_table(block, ROOM)) is not None:
        yield from (".PP", ".EX", *map(render_verbatim, aligned), ".EE")
    else:
        yield from render_table_macros(block)


def heading_text(heading: Heading) -> str:
    """Returns the text of a heading: sections in capitals; the text below the title is the description."""
    if heading.level == 1:
        return "DESCRIPTION"
    return strip_marks(heading.text).upper() if heading.level == 2 else strip_marks(heading.text)


def render_table_macros(table: Table) -> Iterator[str]:
    """Yields a wide table as a list: the first cell of a row as the term."""
    for name, texts in list_definitions(table):
        # .TP takes the next line as its term, and \& is an empty one
        yield from (".TP", render_line(name) or "\\&")
        for number, text in enumerate(texts):
            if number:
                yield ".br"
            yield render_line(text)
        if not texts:
            yield "\\&"


def render_line(text: str) -> str:
    """Returns a line of Markdown with fonts; a leading dot is no request."""
    parts = (
        f"\\f{FONTS[span.style]}{escape_roff(span.text)}\\fR" if span.style else escape_roff(span.text)
        for span in parse_spans(text)
    )
    return guard_line("".join(parts))


def render_verbatim(line: str) -> str:
    """Returns a line that is printed as it is."""
    return guard_line(escape_roff(line))


def guard_line(line: str) -> str:
    """Keeps a line that starts with a control character from being read as a request."""
    # \& has no width
    return f"\\&{line}" if line.startswith((".", "'")) else line


def escape_roff(text: str) -> str:
    """Escapes what roff would change: quotes, hyphens, backslashes; other scripts by their code points."""
    marked = "".join(ESCAPES.get(char, char) for char in text)
    # groff reads Latin-1 unless preconv runs before it: this form is right with both
    return re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", marked)
