"""Streams that show a program's output: a file descriptor, or a text stream of a Python program."""

from __future__ import annotations

import codecs
import os
import select
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


class FileStream:
    """Output to a file descriptor, unbuffered and byte for byte."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._last = b"\n"

    def write(self, data: bytes) -> None:
        """Writes all bytes. Raises BrokenPipeError if that is no longer possible."""
        rest = memoryview(data)
        while rest := rest[self.offer(rest) :]:
            self._poll.poll()

    def offer(self, data: bytes | memoryview) -> int:
        """Writes as many bytes as it can without blocking. Returns their number. Raises BrokenPipeError."""
        done = 0
        try:
            # a pipe that polls as writable takes PIPE_BUF bytes without blocking
            while done < len(data) and self._poll.poll(0):
                done += os.write(self._descriptor, data[done : done + select.PIPE_BUF])
        except BlockingIOError:  # another process made it non-blocking
            return done
        except BrokenPipeError:
            raise
        except OSError as error:  # a closed terminal, or a full disk behind a redirection
            raise BrokenPipeError(*error.args) from error
        finally:
            self._last = bytes(data[done - 1 : done]) or self._last
        return done

    def is_terminal(self) -> bool:
        """Returns whether the output goes to a terminal."""
        return os.isatty(self._descriptor)

    def leave_line(self) -> bool:
        """Returns whether a terminal's cursor is inside a line. Resets that state, since the caller now writes a line end."""
        is_inside, self._last = self._last != b"\n" and self.is_terminal(), b"\n"
        return is_inside

    def descriptor(self) -> int:
        """Returns the descriptor."""
        return self._descriptor


def before_line(stream: object, *others: object) -> bytes:
    """Returns the line end that the terminal needs before a message, if output ended inside a line; else nothing."""
    if not isinstance(stream, FileStream) or not stream.is_terminal():
        return b""
    left = [one.leave_line() for one in (stream, *others) if isinstance(one, FileStream)]
    return b"\n" if any(left) else b""


class TextStream:
    """Output to the current `sys.stdout` or `sys.stderr` of a Python program, also in a notebook or a test.

    If that is None, shows nothing: Python sets it so if there is no console or the stream was closed at its start.
    """

    def __init__(self, current: Callable[[], TextIO | None]) -> None:
        self._current = current
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data: bytes) -> None:
        """Writes all bytes, to the binary buffer if the stream has one. Raises BrokenPipeError if the stream is closed."""
        stream = self._current()
        if stream is None:
            return
        binary, flush = getattr(stream, "buffer", None), getattr(stream, "flush", lambda: None)
        try:
            if binary is None:
                write_text(stream, self._decode(data))
            else:
                flush()  # earlier text must come out first
                binary.write(data)
            flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise BrokenPipeError(*error.args) from error

    def offer(self, data: bytes | memoryview) -> int:
        """Writes all bytes."""
        self.write(bytes(data))
        return len(data)

    def descriptor(self) -> None:
        """Returns None: a library does not take the terminal."""


def write_text(stream: TextIO, text: str) -> None:
    """Writes the text. Escapes characters that the stream's encoding lacks."""
    try:
        stream.write(text)
    except UnicodeEncodeError as error:
        stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))


class NoStream:
    """Output that is not shown, only recorded."""

    def write(self, data: bytes) -> None:
        """Shows nothing."""

    def offer(self, data: bytes | memoryview) -> int:
        """Accepts all bytes."""
        return len(data)

    def descriptor(self) -> None:
        """Returns None."""
