"""Some lines at the bottom of a terminal that are drawn again and again, below lines that stay.

The cursor stays at the start of the first line: after a change of the window's size, all below the cursor is the block, however
many rows it takes now. A window that gets narrower than the lines may push the first of them out of reach (tmux 3.3 does): they
stay above. The terminal's other screen is not used, so what scrolled away can be read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.process.streams import FileStream


END, ERASE_BEHIND = "\x1b[K\r\n", "\x1b[J"
"""The end of a line, which erases what was behind it, and what erases everything behind the cursor."""


class StatusBlock:
    """The lines on `terminal`. Raises BrokenPipeError if it is gone."""

    def __init__(self, terminal: FileStream) -> None:
        self._terminal = terminal
        self._lines: Sequence[str] = ()

    @property
    def size(self) -> os.terminal_size:
        """Returns the columns that a line may take, and the most lines that can be drawn."""
        try:
            columns, lines = os.get_terminal_size(self._terminal.descriptor())
        except OSError:
            columns, lines = 80, 24
        # a character in the last column would wrap, and the cursor needs a row
        return os.terminal_size((max(columns - 1, 1), max(lines - 1, 1)))

    def draw(self, lines: Sequence[str], above: Sequence[str] = ()) -> None:
        """Draws the lines in place of those before. Lines `above` them stay on the terminal."""
        self._lines = lines
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        # line by line: tmux moves a screen that is erased from its first cell on into the history
        text = END.join((*above, *lines, *([] if lines else [""])))
        # in one piece, so that nothing flickers
        self._terminal.write(f"\r{text}{ERASE_BEHIND}{back}\r".encode())

    def leave(self) -> None:
        """Leaves the lines on the terminal, with the cursor below them."""
        self._terminal.write(f"\r{''.join(line + END for line in self._lines)}{ERASE_BEHIND}".encode())
        self._lines = ()
