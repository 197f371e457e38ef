"""Streams that show a program's output: a file descriptor, or a text stream of a Python program."""

from __future__ import annotations

import codecs
import fcntl
import os
import select
from contextlib import contextmanager

from gitrun.lazy import Protocol, termios
from gitrun.model.text import safe_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TextIO


class Stream(Protocol):
    """A destination that shows output."""

    def write(self, data: bytes) -> None:
        """Shows the bytes at once. Raises BrokenPipeError if nobody reads any more."""

    def offer(self, data: bytes | memoryview) -> int:
        """Shows as many bytes as it can without blocking. Returns their number. Raises BrokenPipeError."""

    def descriptor(self) -> int | None:
        """Returns the file descriptor; None if there is none, in which case `offer` accepts everything."""


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
        offset = 0
        try:
            # a pipe that polls as writable takes PIPE_BUF bytes without blocking
            while offset < len(data) and self._poll.poll(0):
                offset += os.write(self._descriptor, data[offset : offset + select.PIPE_BUF])
        except BlockingIOError:  # another process made it non-blocking
            return offset
        except BrokenPipeError:
            raise
        except OSError as error:  # a closed terminal, or a full disk behind a redirection
            raise BrokenPipeError(*error.args) from error
        finally:
            # the last byte tells whether the cursor is inside a line
            self._last = bytes(data[offset - 1 : offset]) or self._last
        return offset

    def is_terminal(self) -> bool:
        """Returns whether the output goes to a terminal."""
        return os.isatty(self._descriptor)

    def leave_line(self) -> bool:
        """Returns whether a terminal's cursor is inside a line. Resets that state, since the caller now writes a line end."""
        is_inside, self._last = self._last != b"\n" and self.is_terminal(), b"\n"
        return is_inside

    def is_inside_line(self) -> bool:
        """Returns whether what was written last leaves the cursor inside a line."""
        return self._last != b"\n"

    def draw(self, data: bytes) -> bool:
        """Writes what counts neither as output nor as a line, since the caller erases it again.

        Returns whether the terminal took it at once. Raises BrokenPipeError.
        """
        last = self._last
        try:
            return self.offer(data) == len(data)
        finally:
            self._last = last

    def descriptor(self) -> int:
        """Returns the descriptor."""
        return self._descriptor


def close_open_line(stream: object, *others: object) -> bytes:
    """Returns the line end that the terminal needs before a message, if output ended inside a line; else nothing."""
    if not isinstance(stream, FileStream) or not stream.is_terminal():
        return b""
    unfinished = [one.leave_line() for one in (stream, *others) if isinstance(one, FileStream)]
    return b"\n" if any(unfinished) else b""


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


def as_stream(given: Any) -> Stream:  # noqa: ANN401 - Stream or TextIO
    """Returns a stream that shows output where it is given, which may be a text stream of Python, such as an open file."""
    stream: Stream = given if hasattr(given, "descriptor") else TextStream(lambda: given)
    return stream


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


class LineStream:
    """Output that reaches another stream in whole lines, each changed by `format_line`."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._rest = stream, b""

    def format_line(self, line: bytes) -> bytes:
        """Returns a line, without its end, as it is to be shown."""
        return line

    def write(self, data: bytes) -> None:
        """Shows the lines that are complete now. Raises BrokenPipeError if nobody reads any more."""
        # a progress bar returns to the start of its line: what it wrote last is the line
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        if lines:
            self._stream.write(b"".join(self.format_line(line.rpartition(b"\r")[2]) + b"\n" for line in lines))

    def offer(self, data: bytes | memoryview) -> int:
        """Takes all bytes."""
        self.write(bytes(data))
        return len(data)

    def descriptor(self) -> None:
        """Returns None: no program has the terminal for itself."""

    def close(self) -> None:
        """Shows what is left of an unfinished line."""
        if self._rest:
            self.write(b"\n")


class PrefixedStream(LineStream):
    """Output of one of several programs: whole lines, each behind a prefix such as `#3 `, on a stream that they share."""

    def __init__(self, stream: Stream, prefix: str) -> None:
        super().__init__(stream)
        self._prefix = prefix.encode()

    def format_line(self, line: bytes) -> bytes:
        """Returns the line behind the prefix."""
        return self._prefix + line


class EscapedStream(LineStream):
    """Output that may come from elsewhere, on a terminal: everything is escaped that a terminal obeys."""

    def format_line(self, line: bytes) -> bytes:
        """Returns the line escaped."""
        return " ".join(safe_lines(line.decode(errors="replace"))).encode()


@contextmanager
def protect_terminal(stream: Stream) -> Iterator[Stream]:
    """Yields a stream for output that may come from elsewhere: escaped if it reaches a terminal, else as it is."""
    descriptor = stream.descriptor()
    if descriptor is None or not os.isatty(descriptor):
        yield stream
        return
    escaped = EscapedStream(stream)
    yield escaped
    escaped.close()


class Channel:
    """A path for output: the program writes to `inner`, we read from `outer` and show it on `stream`.

    `pending` holds bytes that the stream has not accepted yet. Nothing more is read before it has, so that the program
    blocks as it would without us.
    """

    def __init__(self, stream: Stream, outer: int, inner: int, terminal: int | None) -> None:
        self.stream, self.outer, self.inner, self.terminal = stream, outer, inner, terminal
        self.pending = memoryview(b"")

    def waits_for(self) -> tuple[int, int]:
        """Returns the descriptor, and its poll event, that the channel is waiting for."""
        descriptor = self.stream.descriptor() if self.pending else None
        return (self.outer, select.POLLIN) if descriptor is None else (descriptor, select.POLLOUT)

    def read(self, most: int) -> bytes:
        """Returns the next bytes; none if the program and its children have closed their end."""
        try:
            return os.read(self.outer, most)
        except OSError:  # Linux gives EIO after the last writer closed a pseudo-terminal
            return b""

    def show(self) -> None:
        """Shows as many pending bytes as the stream accepts now. Raises BrokenPipeError if it accepts none any more."""
        self.pending = self.pending[self.stream.offer(self.pending) :]

    def mute(self) -> None:
        """Stops showing output."""
        self.stream, self.pending = NoStream(), memoryview(b"")

    def resize(self) -> bool:
        """Gives the pseudo-terminal the size of the real terminal. Returns whether it changed."""
        return self.terminal is not None and copy_window_size(self.terminal, self.outer)

    def close_inner(self) -> None:
        """Closes our copy of the program's end."""
        if self.inner >= 0:
            os.close(self.inner)
            self.inner = -1

    def close_outer(self) -> None:
        """Closes our end. The program gets an error when it writes."""
        if self.outer >= 0:
            os.close(self.outer)
            self.outer = -1

    def close(self) -> None:
        """Closes both ends."""
        self.close_inner()
        self.close_outer()


def open_channels(stdout: Stream, stderr: Stream) -> tuple[Channel, ...]:
    """Opens a channel for each stream. Opens one for both if they lead to the same place, to keep their order."""
    out, err = stdout.descriptor(), stderr.descriptor()
    if stdout is stderr or (out is not None and err is not None and file_identity(out) == file_identity(err)):
        return (open_channel(stdout, out),)
    return open_channel(stdout, out), open_channel(stderr, err)


def file_identity(descriptor: int) -> tuple[int, int, int]:
    """Returns device and inode, which are equal for descriptors of the same file, pipe or terminal."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_rdev


def open_channel(stream: Stream, descriptor: int | None) -> Channel:
    """Opens a pseudo-terminal like the terminal at `descriptor`; a pipe if that is not a terminal.

    The pseudo-terminal has the modes and size of the terminal, and passes bytes unchanged.
    """
    if descriptor is None or not os.isatty(descriptor):
        outer, inner = os.pipe()
        return Channel(stream, outer, inner, None)
    outer, inner = os.openpty()
    modes = termios.tcgetattr(descriptor)
    modes[1] &= ~termios.OPOST  # the real terminal does the output processing
    termios.tcsetattr(inner, termios.TCSANOW, modes)
    copy_window_size(descriptor, outer)
    return Channel(stream, outer, inner, descriptor)


def copy_window_size(source: int, target: int) -> bool:
    """Gives the terminal `target` the rows and columns of `source`. Returns whether they changed."""
    try:
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size == fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            return False
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)
    except OSError:  # the terminal is gone
        return False
    return True
