"""Colours of table cells and lines."""

from __future__ import annotations

from gitrun.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


SLOTS = {
    "id": "33", "completed": "32", "error": "31", "terminated": "35", "pruned": "35", "running": "36", "staged": "34",
    "pending": "34", "unreadable": "1;31", "heading": "1",
    "curve-1": "36", "curve-2": "33", "curve-3": "32", "curve-4": "35", "curve-5": "34", "curve-6": "31",
}  # fmt: skip
"""Default colour (SGR code) of each slot."""
# git resets colours in this form
RESET = "\x1b[m"


class Cell(str):
    """A text with a colour. Its length is that of the text, so that tables align."""

    __slots__ = ("code",)
    code: str

    def painted(self, text: str) -> str:
        """Returns `text` (this one, padded or cut) in the colour."""
        return f"{self.code}{text}{RESET}"


@dataclass(frozen=True, slots=True)
class Palette:
    """The escape sequences of all slots; empty without colours."""

    codes: Mapping[str, str]

    def cell(self, slot: str, text: str) -> str:
        """Returns the text as a table cell in the colour of the slot."""
        # a colour around nothing would only leave escape sequences in the line
        if not self.codes.get(slot) or not text:
            return text
        cell = Cell(text)
        cell.code = self.codes[slot]
        return cell

    def paint(self, slot: str, text: str) -> str:
        """Returns the text with escape sequences in the colour of the slot."""
        cell = self.cell(slot, text)
        return cell.painted(text) if isinstance(cell, Cell) else text


PLAIN = Palette({})
