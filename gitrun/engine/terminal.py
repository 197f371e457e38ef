"""The ways from a program's stdout and stderr to ours: pipes, or a pseudo-terminal where ours is a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitrun.engine.process import Stream


class Channel:
    """A way for bytes: the program writes to `inner`, we read from `outer` and show on `stream`."""

    def __init__(self, stream: Stream, outer: int, inner: int, terminal: int | None) -> None:
        self.stream, self.outer, self.inner, self.terminal = stream, outer, inner, terminal

    def read(self, most: int) -> bytes:
        """The next bytes; none when the program, and all it started, have closed their end."""
        try:
            return os.read(self.outer, most)
        except OSError:  # what Linux says when the last one has closed a pseudo-terminal
            return b""

    def resize(self) -> None:
        """Gives the pseudo-terminal the size of the real one."""
        if self.terminal is not None:
            copy_size(self.terminal, self.inner_or_outer())

    def inner_or_outer(self) -> int:
        """An open end of the channel."""
        return self.inner if self.inner >= 0 else self.outer

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
    """A channel for each stream; one for both if they are one, or the same terminal, so that their order is kept."""
    out, err = stdout.terminal(), stderr.terminal()
    if out is not None and err is not None and os.fstat(out).st_rdev == os.fstat(err).st_rdev:
        return (open_channel(stdout, out),)
    if stdout is stderr:
        return (open_channel(stdout, out),)
    return open_channel(stdout, out), open_channel(stderr, err)


def open_channel(stream: Stream, terminal: int | None) -> Channel:
    """A pseudo-terminal that looks like `terminal` but changes no byte; a pipe if there is no terminal."""
    if terminal is None:
        outer, inner = os.pipe()
        return Channel(stream, outer, inner, None)
    import termios

    outer, inner = os.openpty()
    modes = termios.tcgetattr(terminal)
    modes[1] &= ~termios.OPOST  # the real terminal does that
    termios.tcsetattr(inner, termios.TCSANOW, modes)
    copy_size(terminal, inner)
    return Channel(stream, outer, inner, terminal)


def copy_size(source: int, target: int) -> None:
    """Gives the terminal `target` the rows and columns of `source`."""
    import fcntl
    import termios

    try:
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8)))
    except OSError:  # the terminal is gone
        return
