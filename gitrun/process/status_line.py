"""One line at the bottom of a terminal that tells how far things are, below the output of programs.

It is drawn only while the cursor is at the start of a line, so that it never mixes with a line that a program has not ended,
and erased before anything else is written. The cursor stays at its start: after a change of the window's size, all below the
cursor is the line, however many rows it takes now.
"""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING

from gitrun.model.text import count_columns
from gitrun.process.streams import FileStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitrun.process.streams import Stream

QUIET, INTERVAL = 0.2, 1.0
"""Seconds without output before the line is drawn, and between two drawings while there is output."""
ERASE = b"\r\x1b[J"


class StatusLine:
    """The line on `terminal`. `others` are further streams to the same screen. `clock` returns seconds."""

    def __init__(self, terminal: FileStream, others: Sequence[FileStream], clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal, self._streams, self._clock = terminal, (terminal, *others), clock
        self._is_drawn = False
        self._wrote_at = self._drew_at = -math.inf

    def wrap(self, stream: Stream) -> Stream:
        """Returns the stream for output above the line; the same one if it leads elsewhere."""
        return StreamAbove(stream, self) if stream in self._streams else stream

    def wrap_say(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Returns the function for messages above the line."""

        def say_above(words: str) -> None:
            self.erase()
            say(words)
            self.note_output()

        return say_above

    @property
    def patience(self) -> float:
        """Returns the seconds until the line can be drawn again; infinity while a program's line is open."""
        if any(stream.is_inside_line() for stream in self._streams):
            return math.inf
        due = self._drew_at + INTERVAL
        return max((due if self._is_drawn else min(due, self._wrote_at + QUIET)) - self._clock(), 0.0)

    def draw(self, parts: Sequence[str]) -> None:
        """Draws as many of the parts as fit into the window, joined by commas; nothing if the first does not fit."""
        self._drew_at = self._clock()
        try:
            room = os.get_terminal_size(self._terminal.descriptor()).columns - 1
            candidates = [", ".join(parts[:count]) for count in range(len(parts), 0, -1)]
            text = next((words for words in candidates if count_columns(words) <= room), "")
            # in one piece, so that the line does not flicker
            self._is_drawn = self._terminal.draw(ERASE + text.encode() + b"\r") or self._is_drawn
        except OSError:  # the terminal is gone
            self._is_drawn = False

    def erase(self) -> bool:
        """Erases the line. Returns false if the terminal takes nothing now."""
        try:
            if self._is_drawn and self._terminal.draw(ERASE):
                self._is_drawn = False
        except OSError:  # the terminal is gone, and the line with it
            self._is_drawn = False
        return not self._is_drawn

    def note_output(self) -> None:
        """Notes that there was output just now."""
        self._wrote_at = self._clock()


class StreamAbove:
    """A stream that erases the line before anything is written."""

    def __init__(self, stream: Stream, line: StatusLine) -> None:
        self._stream, self._line = stream, line

    def write(self, data: bytes) -> None:
        """Writes all bytes. Raises BrokenPipeError if nobody reads any more."""
        self._line.erase()
        self._line.note_output()
        self._stream.write(data)

    def offer(self, data: bytes | memoryview) -> int:
        """Writes as many bytes as it can without blocking. Returns their number. Raises BrokenPipeError."""
        self._line.note_output()
        return self._stream.offer(data) if self._line.erase() else 0

    def descriptor(self) -> int | None:
        """Returns the stream's descriptor."""
        return self._stream.descriptor()


def open_status_line(stdout: Stream, stderr: Stream, environ: Mapping[str, str]) -> StatusLine | None:
    """Returns the line on the terminal of stderr; None if that is none, or one that cannot erase."""
    if not isinstance(stderr, FileStream) or not stderr.is_terminal() or environ.get("TERM", "dumb") == "dumb":
        return None
    return StatusLine(stderr, [stdout] if isinstance(stdout, FileStream) and stdout.is_terminal() else [])
