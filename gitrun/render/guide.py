"""Guides: reads the Markdown that they are written in, and renders it as text for a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from gitrun.dataclass import dataclass
from gitrun.model.text import count_columns
from gitrun.render.palette import PLAIN, Palette

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INDENT = 4
FENCE = "```"
# - text   * text   1. text
ITEM = re.compile(r"( *)(?:[-*]|(\d+)\.) +(.*)")
HEADING = re.compile(r"(#{1,6}) +(.*)")
# | --- | :---: |, the line below the heading of a table
RULE = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+\s*:?-*:?\s*")
BAR = re.compile(r"(?<!\\)\|")
# `code`   **bold**   *emphasis*   [text](target)
SPAN = re.compile(
    r"(?P<ticks>`+)(?P<code>.+?)(?P=ticks)(?!`)|\*\*(?P<bold>.+?)\*\*|(?<![\w*])\*(?P<emphasis>[^*\s][^*]*)\*"
    r"|\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one style: `code`, `bold`, `emphasis`, or plain (empty)."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, as one line of Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """The lines of a fenced block."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list: its mark (`-` or `1.`), its depth from 0, and its text as one line."""

    mark: str
    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table; the first one is its heading, and may be empty."""

    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Heading | Paragraph | Code | Item | Table


def parse_blocks(markdown: str) -> list[Block]:
    """Parses headings, paragraphs, fenced blocks, lists, and tables. Comments of HTML are dropped."""
    lines = [line for line in markdown.splitlines() if not line.startswith("<!--")]
    blocks = list[Block]()
    at = 0
    while at < len(lines):
        block, at = parse_block(lines, at)
        if block is not None:
            blocks.append(block)
    return blocks


def parse_block(lines: Sequence[str], at: int) -> tuple[Block | None, int]:
    """Parses the block that starts at a line. Returns it (None for an empty line) and the number of the next line."""
    line = lines[at]
    if not line.strip():
        return None, at + 1
    if line.startswith(FENCE):
        # a fence that is never closed reaches to the end, as in CommonMark
        end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith(FENCE)), len(lines))
        return Code(tuple(lines[at + 1 : end])), end + 1
    if heading := HEADING.fullmatch(line):
        return Heading(len(heading[1]), heading[2]), at + 1
    if line.startswith("|"):
        end = next((n for n in range(at, len(lines)) if not lines[n].startswith("|")), len(lines))
        return Table(tuple(split_cells(row) for row in lines[at:end] if not RULE.fullmatch(row.strip("|") + "|"))), end
    end = next((n for n in range(at + 1, len(lines)) if starts_block(lines[n])), len(lines))
    text = " ".join(part.strip() for part in lines[at:end])
    if item := ITEM.fullmatch(line):
        words = ITEM.fullmatch(text if not item[1] else item[1] + text)
        return Item(f"{item[2]}." if item[2] else "-", len(item[1]) // 2, words[3] if words else text), end
    return Paragraph(text), end


def starts_block(line: str) -> bool:
    """Returns whether the line ends a paragraph: it is empty, or another block starts there."""
    return not line.strip() or line.startswith((FENCE, "|")) or bool(HEADING.fullmatch(line) or ITEM.fullmatch(line))


def split_cells(row: str) -> tuple[str, ...]:
    r"""Splits a row of a table at its bars; `\|` is a bar in a cell."""
    cells = BAR.split(row.strip().removeprefix("|").removesuffix("|"))
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)


def parse_spans(text: str) -> Iterator[Span]:
    """Yields the styled pieces of a line. A link becomes its text and where it leads."""
    end = 0
    for match in SPAN.finditer(text):
        if match.start() > end:
            yield Span(text[end : match.start()])
        end = match.end()
        if match["code"] is not None:
            # `` ` `` needs blanks next to its ticks, which are not part of the code
            yield Span(match["code"].strip() if "`" in match["code"] else match["code"], "code")
        elif match["target"] is not None:
            # a link's text may have styles: [`git run`](run.md)
            yield from (Span(span.text, span.style) for span in parse_spans(match["text"]))
            yield Span(describe_target(match["target"]))
        else:
            style = "bold" if match["bold"] is not None else "emphasis"
            yield from (Span(span.text, span.style or style) for span in parse_spans(match[style]))
    if end < len(text):
        yield Span(text[end:])


def describe_target(target: str) -> str:
    """Returns how a reader follows a link: a command for another guide, the address of a page, else nothing."""
    # recipes.md   ../guides/remotes.md#push
    if guide := re.fullmatch(r"(?:[\w./-]*/)?([a-z-]+)\.md(?:#.*)?", target):
        return f" (git run help {guide[1]})"
    return f" <{target}>" if "://" in target else ""


def strip_marks(text: str) -> str:
    """Returns a line of Markdown without its marks."""
    return "".join(span.text for span in parse_spans(text))


def render_terminal(markdown: str, width: int, palette: Palette = PLAIN) -> str:
    """Renders a guide in lines of at most `width` columns, where words allow it. Headings and code are bold in colour."""
    lines = list[str]()
    before: Block | None = None
    for block in parse_blocks(markdown):
        if lines and not (isinstance(before, Item) and isinstance(block, Item)):
            lines.append("")
        lines += render_block(block, width, palette)
        before = block
    return "\n".join(lines) + "\n"


def render_block(block: Block, width: int, palette: Palette) -> Iterator[str]:
    """Yields the lines of a block."""
    pad = " " * INDENT
    if isinstance(block, Heading):
        yield (pad[: INDENT // 2] if block.level > 2 else "") + palette.paint("heading", strip_marks(block.text))
    elif isinstance(block, Code):
        yield from (f"{pad}  {line}".rstrip() for line in block.lines)
    elif isinstance(block, Paragraph):
        yield from wrap_line(block.text, width, pad, palette)
    elif isinstance(block, Item):
        head = pad + "  " * block.depth
        # the mark takes the place of the first line's indent
        first, *rest = wrap_line(block.text, width, head + " " * (len(block.mark) + 1), palette)
        yield f"{head}{block.mark} {first.lstrip(' ')}"
        yield from rest
    else:
        yield from render_table(block, width, palette)


def render_table(table: Table, width: int, palette: Palette) -> Iterator[str]:
    """Yields a table as aligned columns, or, where it is too wide, row by row: the first cell above the others."""
    pad = " " * INDENT
    if (aligned := align_table(table, width - INDENT)) is not None:
        heading = bool("".join(table.rows[0]))
        for number, line in enumerate(aligned):
            yield pad + (palette.paint("heading", line) if heading and number == 0 else line)
        return
    for number, (name, texts) in enumerate(list_definitions(table)):
        if number:
            yield ""
        yield from wrap_line(name, width, pad, palette)
        for text in texts:
            yield from wrap_line(text, width, pad * 2, palette)


def align_table(table: Table, room: int) -> list[str] | None:
    """Returns the rows as aligned plain text, without an empty heading; None if they are wider than `room`."""
    rows = [[strip_marks(cell) for cell in row] for row in table.rows if any(row)]
    # Markdown allows rows with fewer cells, so zip is not strict
    widths = [max(count_columns(cell) for cell in column) for column in zip(*rows, strict=False)]
    if sum(widths) + 2 * (len(widths) - 1) > room:
        return None
    return [
        "  ".join(cell + " " * (wide - count_columns(cell)) for cell, wide in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def list_definitions(table: Table) -> Iterator[tuple[str, list[str]]]:
    """Yields the first cell of each row, and its other cells, each with its heading if there are several."""
    heading, *rows = table.rows
    for name, *cells in rows:
        labels = [f"{label}: " if label and len(heading) > 2 else "" for label in heading[1:]]
        yield name, [label + cell for label, cell in zip(labels, cells, strict=False) if cell]


def wrap_line(text: str, width: int, indent: str, palette: Palette) -> Iterator[str]:
    """Yields a line of Markdown wrapped to the width, with code and bold words in the palette's heading colour."""
    line, used = "", 0
    for word in split_words(text):
        # counted without escape sequences, which take no columns
        wide = sum(count_columns(span.text) for span in word)
        text_shown = "".join(
            palette.paint("heading", span.text) if span.style in {"code", "bold"} else span.text for span in word
        )
        if used and len(indent) + used + 1 + wide > width:
            yield indent + line
            line, used = "", 0
        line, used = (f"{line} {text_shown}", used + 1 + wide) if used else (text_shown, wide)
    yield indent + line


def split_words(text: str) -> list[list[Span]]:
    """Splits a line at its blanks; a word may have pieces of several styles."""
    words: list[list[Span]] = [[]]
    for span in parse_spans(text):
        # the first part continues the word before it: `--flag`=VALUE is one word
        for number, part in enumerate(span.text.split(" ")):
            if number:
                words.append([])
            if part:
                words[-1].append(Span(part, span.style))
    return [word for word in words if word]
