"""Reads what a git that talks to another repository says while it works."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.lazy import lazy_pattern

if TYPE_CHECKING:
    from typing import IO

MAX_STDERR = 1 << 20
"""Bytes of git's standard error that are kept."""
CONTROL_CHARACTERS = lazy_pattern(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
"""Control and text-direction characters, which the other side could send to a terminal."""


class StderrReader(threading.Thread):
    """A thread that reads a git's stderr. With `progress`, it copies that to ours, without control characters."""

    def __init__(self, stream: IO[bytes], *, progress: bool) -> None:
        # a thread, because git blocks on a full pipe while we read its stdout
        super().__init__(daemon=True)
        self._stream, self._shown = stream, progress
        self._said = bytearray()
        self.start()

    def run(self) -> None:
        """Reads until the end, and keeps the last MAX_STDERR bytes."""
        while piece := os.read(self._stream.fileno(), 1 << 16):
            self._said += piece
            del self._said[:-MAX_STDERR]
            if self._shown:
                with suppress(OSError):
                    # progress has no line ends, so a buffered stream would hold it back
                    os.write(2, CONTROL_CHARACTERS.sub(b"", piece))

    def end(self) -> bytes:
        """Waits for the end and returns the kept bytes."""
        self.join()
        return bytes(self._said)
