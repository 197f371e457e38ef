"""Where a program's output is shown: a file descriptor of ours, or a text stream of a Python program."""

from __future__ import annotations

import codecs
import os
import select
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


class FileStream:
    """Output to a file descriptor, at once and byte for byte."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._last = b"\n"

    def write(self, data: bytes) -> None:
        """Writes all of it. Raises BrokenPipeError if that is not possible any more."""
        rest = memoryview(data)
        while rest := rest[self.offer(rest) :]:
            self._poll.poll()

    def offer(self, data: bytes | memoryview) -> int:
        """Writes as much as is taken without making us wait; how many bytes that was. Raises BrokenPipeError."""
        done = 0
        try:
            # what is ready takes a whole PIPE_BUF without making us wait
            while done < len(data) and self._poll.poll(0):
                done += os.write(self._descriptor, data[done : done + select.PIPE_BUF])
        except BlockingIOError:  # somebody made it non-blocking
            return done
        except BrokenPipeError:
            raise
        except OSError as error:  # a terminal that is gone, a full disk behind a redirection
            raise BrokenPipeError(*error.args) from error
        finally:
            self._last = bytes(data[done - 1 : done]) or self._last
        return done

    def is_terminal(self) -> bool:
        """Whether somebody looks at it."""
        return os.isatty(self._descriptor)

    def leave_line(self) -> bool:
        """Whether a terminal was left in the middle of a line; it is asked for once, for then a line end is shown."""
        is_inside, self._last = self._last != b"\n" and self.is_terminal(), b"\n"
        return is_inside

    def descriptor(self) -> int:
        """The descriptor."""
        return self._descriptor


def before_line(stream: object, *others: object) -> bytes:
    """The line end that a terminal needs before a line of ours, where it or another one was left in the middle of a line."""
    if not isinstance(stream, FileStream) or not stream.is_terminal():
        return b""
    left = [one.leave_line() for one in (stream, *others) if isinstance(one, FileStream)]
    return b"\n" if any(left) else b""


class TextStream:
    """Output to what is `sys.stdout` or `sys.stderr` of a Python program at the moment, a notebook's or a test's too.

    None shows nothing: where there is no console, or it was closed before Python started, that is what they are.
    """

    def __init__(self, current: Callable[[], TextIO | None]) -> None:
        self._current = current
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data: bytes) -> None:
        """Writes all of it, as bytes where the stream has a place for them. Raises BrokenPipeError if it was closed."""
        stream = self._current()
        if stream is None:
            return
        binary, flush = getattr(stream, "buffer", None), getattr(stream, "flush", lambda: None)
        try:
            if binary is None:
                write_text(stream, self._decode(data))
            else:
                flush()
                binary.write(data)
            flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise BrokenPipeError(*error.args) from error

    def offer(self, data: bytes | memoryview) -> int:
        """Writes all of it."""
        self.write(bytes(data))
        return len(data)

    def descriptor(self) -> None:
        """None: a library takes no terminal."""


def write_text(stream: TextIO, text: str) -> None:
    """Writes the text, letters that the stream does not know by their numbers."""
    try:
        stream.write(text)
    except UnicodeEncodeError as error:
        stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))


class NoStream:
    """Output that nobody sees: the record has it."""

    def write(self, data: bytes) -> None:
        """Shows nothing."""

    def offer(self, data: bytes | memoryview) -> int:
        """Takes all of it."""
        return len(data)

    def descriptor(self) -> None:
        """None."""
