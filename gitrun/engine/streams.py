"""Where a program's output is shown: a file descriptor of ours, or a text stream of a Python program."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


class FileStream:
    """Output to a file descriptor, at once and byte for byte."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Writes all of it. Raises BrokenPipeError if nobody reads any more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody made it non-blocking
                select.select([], [self._descriptor], [])
            except BrokenPipeError:
                raise
            except OSError as error:  # a terminal that is gone, a full disk behind a redirection
                raise BrokenPipeError(*error.args) from error

    def terminal(self) -> int | None:
        """The descriptor, if it is a terminal."""
        return self._descriptor if os.isatty(self._descriptor) else None


class TextStream:
    """Output to what is `sys.stdout` or `sys.stderr` of a Python program at the moment, a notebook's or a test's too."""

    def __init__(self, current: Callable[[], TextIO]) -> None:
        self._current = current

    def write(self, data: bytes) -> None:
        """Writes all of it, as bytes where the stream has a place for them."""
        stream = self._current()
        binary = getattr(stream, "buffer", None)
        if binary is None:
            stream.write(data.decode(errors="replace"))
        else:
            stream.flush()
            binary.write(data)
        stream.flush()

    def terminal(self) -> int | None:
        """None: a library takes no terminal."""
        return None


class NoStream:
    """Output that nobody sees: of a run in the background."""

    def write(self, data: bytes) -> None:
        """Shows nothing; the record has it."""

    def terminal(self) -> int | None:
        """None."""
        return None
