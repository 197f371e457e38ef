"""The ways from a program's stdout and stderr to ours: pipes, or a pseudo-terminal where ours is a terminal."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from gitrun.engine.streams import NoStream

if TYPE_CHECKING:
    from gitrun.engine.process import Stream


class Channel:
    """A way for bytes: the program writes to `inner`, we read from `outer` and show on `stream`.

    `pending` is what the stream has not taken yet: until it has, nothing more is read, and the program waits as it
    would without us.
    """

    def __init__(self, stream: Stream, outer: int, inner: int, terminal: int | None) -> None:
        self.stream, self.outer, self.inner, self.terminal = stream, outer, inner, terminal
        self.pending = memoryview(b"")

    def waits_for(self) -> tuple[int, int]:
        """The descriptor, and its event, that lets the bytes go on."""
        shown = self.stream.descriptor() if self.pending else None
        return (self.outer, select.POLLIN) if shown is None else (shown, select.POLLOUT)

    def read(self, most: int) -> bytes:
        """The next bytes; none when the program, and all it started, have closed their end."""
        try:
            return os.read(self.outer, most)
        except OSError:  # what Linux says when the last one has closed a pseudo-terminal
            return b""

    def show(self) -> None:
        """Shows as much as the stream takes now. Raises BrokenPipeError if it takes nothing any more."""
        self.pending = self.pending[self.stream.offer(self.pending) :]

    def mute(self) -> None:
        """Shows nothing from now on."""
        self.stream, self.pending = NoStream(), memoryview(b"")

    def resize(self) -> bool:
        """Gives the pseudo-terminal the size of the real one; whether it had another."""
        return self.terminal is not None and copy_size(self.terminal, self.outer)

    def close_inner(self) -> None:
        """Closes the program's end, which it has inherited."""
        if self.inner >= 0:
            os.close(self.inner)
            self.inner = -1

    def close_outer(self) -> None:
        """Closes our end: the program learns that nobody reads."""
        if self.outer >= 0:
            os.close(self.outer)
            self.outer = -1

    def close(self) -> None:
        """Closes what is open."""
        self.close_inner()
        self.close_outer()


def open_channels(stdout: Stream, stderr: Stream) -> tuple[Channel, ...]:
    """A channel for each stream; one for both if they are one, or lead to the same place, so that their order is kept."""
    out, err = stdout.descriptor(), stderr.descriptor()
    if stdout is stderr or (out is not None and err is not None and place_of(out) == place_of(err)):
        return (open_channel(stdout, out),)
    return open_channel(stdout, out), open_channel(stderr, err)


def place_of(descriptor: int) -> tuple[int, int, int]:
    """What two descriptors have in common that lead to one file, pipe or terminal."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_rdev


def open_channel(stream: Stream, descriptor: int | None) -> Channel:
    """A pseudo-terminal that looks like the terminal at `descriptor` but changes no byte; a pipe if there is no terminal."""
    if descriptor is None or not os.isatty(descriptor):
        outer, inner = os.pipe()
        return Channel(stream, outer, inner, None)
    import termios

    outer, inner = os.openpty()
    modes = termios.tcgetattr(descriptor)
    modes[1] &= ~termios.OPOST  # the real terminal does that
    termios.tcsetattr(inner, termios.TCSANOW, modes)
    copy_size(descriptor, outer)
    return Channel(stream, outer, inner, descriptor)


def copy_size(source: int, target: int) -> bool:
    """Gives the terminal `target` the rows and columns of `source`; whether it had others."""
    import fcntl
    import termios

    try:
        wanted = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if wanted == fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            return False
        fcntl.ioctl(target, termios.TIOCSWINSZ, wanted)
    except OSError:  # the terminal is gone
        return False
    return True
