"""A block of lines at the bottom of a terminal is drawn in place, and lines above it stay."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
from typing import TYPE_CHECKING

import pytest

from gitrun.process.status_block import StatusBlock
from gitrun.process.streams import FileStream

if TYPE_CHECKING:
    from collections.abc import Iterator


class Screen:
    """A pseudo-terminal with a block, and what has been written to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        self.block = StatusBlock(FileStream(self.theirs))

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def seen(self) -> str:
        found = b""
        while select.select([self.ours], [], [], 0)[0]:
            found += os.read(self.ours, 65536)
        # the terminal's driver writes a second CR
        return found.decode().replace("\r\r\n", "\r\n")


@pytest.fixture
def screen() -> Iterator[Screen]:
    found = Screen()
    yield found
    os.close(found.ours)
    os.close(found.theirs)


def test_cursor_returns_to_the_first_line_of_the_block(screen: Screen) -> None:
    screen.block.draw(["one", "two", "three"])
    assert screen.seen() == "\rone\x1b[K\r\ntwo\x1b[K\r\nthree\x1b[J\x1b[2A\r"


def test_lines_above_stay_and_the_block_follows_them(screen: Screen) -> None:
    screen.block.draw(["one"], ["ended"])
    assert screen.seen() == "\rended\x1b[K\r\none\x1b[J\r"
    screen.block.draw([], ["last"])
    assert screen.seen() == "\rlast\x1b[K\r\n\x1b[J\r"


def test_block_that_is_left_stays_above_the_cursor(screen: Screen) -> None:
    screen.block.draw(["one", "two"])
    screen.seen()
    screen.block.leave()
    assert screen.seen() == "\rone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J"


def test_size_leaves_the_last_column_and_a_row_free(screen: Screen) -> None:
    screen.resize(24, 80)
    assert tuple(screen.block.size) == (79, 23)
    screen.resize(1, 1)
    assert tuple(screen.block.size) == (1, 1)
