"""Formats: one line per run in the syntax of `git for-each-ref`: `%(id:short) %(if)%(label)%(then)[%(label)]%(end)`.

format  (text | "%%" | "%" two hex digits | "%(" atom ")" | align | choice)*
align   "%(align:" width ["," position] ")" format "%(end)"
choice  "%(if" [":equals=" text | ":notequals=" text] ")" format "%(then)" format ["%(else)" format] "%(end)"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.model.text import COLOUR, columns
from gitrun.views.format_fields import atom

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gitrun.model.run import Run
    from gitrun.views.format_fields import Line

PIECE = re.compile(r"%\((?P<atom>[^)]*)\)|(?P<open>%\()|(?P<bytes>(?:%[0-9a-fA-F]{2})+)|%(?P<percent>%)|(?P<text>[^%]+|%)")
BLOCKS = {"then", "else", "end"}
DEEPEST = 100
ALIGN = re.compile(r"(?:width=)?(?P<width>[0-9]{1,5})(?:,(?:position=)?(?P<position>left|middle|right))?")
BACKWARDS = re.compile(r"(?:position=)?(?P<position>left|middle|right),(?:width=)?(?P<width>[0-9]{1,5})")


def read_format(text: str, colour: Callable[[str], str] = lambda _: "", safe: Callable[[str], str] = str) -> Line:
    """Parses a format into a function of a run and the current time that returns text. Raises UsageError.

    Bytes that are not UTF-8 become surrogates. `colour` turns a name such as `red` into a terminal sequence. `safe` escapes all
    text that comes from a run.
    """
    reader = Reader(text, colour, safe)
    line, _ = reader.sequence("", frozenset())
    # git for-each-ref also resets the colour at the end of a line
    reset = colour("reset") if reader.is_coloured else ""
    return lambda run, now: line(run, now) + reset


class Reader:
    """A parser of one format."""

    def __init__(self, text: str, colour: Callable[[str], str], safe: Callable[[str], str]) -> None:
        self.pieces = PIECE.finditer(text)
        self.text, self.colour, self.safe = text, colour, safe
        self.is_coloured = False
        self.depth = 0

    def sequence(self, opened: str, ends: frozenset[str]) -> tuple[Line, str]:
        """Parses up to one of the `ends` of the block `opened`, or to the end of the text without a block.

        Returns the line so far and the end that was found. Raises UsageError.
        """
        lines: list[Line] = []
        for piece in self.pieces:
            name = piece["atom"]
            if piece["open"]:
                raise UsageError(f"malformed format: '{self.text[piece.start() :]}' has no ')'", "%( opens an atom, %% is a %")
            if name in ends:
                return joined(lines), name
            if name in BLOCKS:
                raise UsageError(f"malformed format: %({name}) belongs to nothing here", "%(if)...%(then)...%(else)...%(end)")
            lines.append(constant(literal(piece)) if name is None else self.block(name))
        if ends:
            raise UsageError(f"malformed format: %({opened}) has no %({min(ends, key=len)})", "%(if)...%(then)...%(end)")
        return joined(lines), ""

    def block(self, name: str) -> Line:
        """Returns the line for an atom, with the whole block if the atom opens one."""
        head, _, form = name.partition(":")
        if head in {"if", "align"}:
            self.depth += 1
            if self.depth > DEEPEST:
                raise UsageError("malformed format: it is nested too deeply")
            found = self.choice(name, form) if head == "if" else self.aligned(name, form)
            self.depth -= 1
            return found
        if head == "color":
            self.is_coloured = form != "reset"
            return constant(self.colour(form))
        tell = atom(name)
        return lambda run, now: self.safe(tell(run, now))

    def choice(self, name: str, form: str) -> Line:
        """Parses an `%(if)` block into a line that picks one of two branches."""
        sort, _, wanted = form.partition("=")
        if sort not in {"", "equals", "notequals"} or (sort and "=" not in form):
            raise UsageError(f"there is no %({name})", "there are %(if), %(if:equals=<text>), %(if:notequals=<text>)")
        asked, _ = self.sequence(name, frozenset({"then"}))
        then, end = self.sequence(name, frozenset({"else", "end"}))
        other = self.sequence(name, frozenset({"end"}))[0] if end == "else" else constant("")

        def holds(found: str) -> bool:
            return bool(found.strip()) if not sort else (found == wanted) == (sort == "equals")

        return lambda run, now: (then if holds(asked(run, now)) else other)(run, now)

    def aligned(self, name: str, form: str) -> Line:
        """Parses an `%(align)` block into a line that pads its content."""
        match = ALIGN.fullmatch(form) or BACKWARDS.fullmatch(form)
        if match is None:
            raise UsageError(f"there is no %({name})", "there is %(align:<width>,<position>): left, middle or right")
        inner, _ = self.sequence(name, frozenset({"end"}))
        width, position = int(match["width"]), match["position"] or "left"
        return lambda run, now: filled(inner(run, now), width, position)


def literal(piece: re.Match[str]) -> str:
    """Returns the text of a piece that is not an atom."""
    if piece["bytes"]:
        return bytes.fromhex(piece["bytes"].replace("%", "")).decode(errors="surrogateescape")
    return piece["percent"] or piece["text"]


def constant(text: str) -> Line:
    """Returns a line that is the same for every run."""
    return lambda _run, _now: text


def joined(lines: list[Line]) -> Line:
    """Returns a line that concatenates these lines."""

    def line(run: Run, now: datetime) -> str:
        return "".join([one(run, now) for one in lines])

    return line


def filled(text: str, width: int, position: str) -> str:
    """Pads the text to `width` columns; `position` is left, middle or right."""
    blanks = max(width - columns(COLOUR.sub("", text)), 0)
    left = {"left": 0, "middle": blanks // 2, "right": blanks}[position]
    return " " * left + text + " " * (blanks - left)
