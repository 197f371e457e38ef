"""Channels from a program's stdout and stderr to ours: pipes, or pseudo-terminals if ours is a terminal."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from gitrun.process.streams import NoStream

if TYPE_CHECKING:
    from gitrun.process.run import Stream


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
        shown = self.stream.descriptor() if self.pending else None
        return (self.outer, select.POLLIN) if shown is None else (shown, select.POLLOUT)

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
        return self.terminal is not None and copy_size(self.terminal, self.outer)

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
    if stdout is stderr or (out is not None and err is not None and place_of(out) == place_of(err)):
        return (open_channel(stdout, out),)
    return open_channel(stdout, out), open_channel(stderr, err)


def place_of(descriptor: int) -> tuple[int, int, int]:
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
    import termios

    outer, inner = os.openpty()
    modes = termios.tcgetattr(descriptor)
    modes[1] &= ~termios.OPOST  # the real terminal does the output processing
    termios.tcsetattr(inner, termios.TCSANOW, modes)
    copy_size(descriptor, outer)
    return Channel(stream, outer, inner, descriptor)


def copy_size(source: int, target: int) -> bool:
    """Gives the terminal `target` the rows and columns of `source`. Returns whether they changed."""
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
