"""The line at the bottom of a terminal is erased before output, and never drawn into a line of it."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios

import pytest

from gitrun.process.status_line import StatusLine, open_status_line
from gitrun.process.streams import FileStream, NoStream

ERASE = b"\r\x1b[J"
PARTS = ["1 of 3 trials", "2 running", "best 0.1"]


class Screen:
    """A pseudo-terminal, what appears on it, and a clock that is set by hand."""

    def __init__(self, columns=80):
        self.ours, self.theirs = os.openpty()
        self.now = 100.0
        self.resize(columns)
        self.stream = FileStream(self.theirs)
        self.line = StatusLine(self.stream, [], lambda: self.now)
        self.above = self.line.wrap(self.stream)

    def resize(self, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def seen(self):
        found = b""
        while select.select([self.ours], [], [], 0)[0]:
            found += os.read(self.ours, 65536)
        return found

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def screen():
    found = Screen()
    yield found
    found.close()


def test_the_line_is_erased_before_output(screen):
    screen.line.draw(PARTS)
    assert screen.seen() == ERASE + b"1 of 3 trials, 2 running, best 0.1\r"
    screen.above.write(b"loss: 0.3\n")
    assert screen.seen() == ERASE + b"loss: 0.3\r\n"
    screen.above.write(b"more\n")
    assert screen.seen() == b"more\r\n"


def test_the_line_is_erased_before_a_message(screen):
    said = []
    screen.line.draw(PARTS)
    screen.seen()
    screen.line.wrap_say(lambda words: said.append((words, screen.seen())))("a note")
    assert said == [("a note", ERASE)]


def test_the_line_waits_while_a_program_has_its_own_open(screen):
    screen.above.write(b"epoch 3: 40%")
    screen.now += 60
    assert screen.line.patience == float("inf")
    screen.above.write(b"\n")
    screen.now += 60
    assert screen.line.patience == 0


def test_drawing_leaves_no_line_open(screen):
    screen.line.draw(PARTS)
    assert not screen.stream.is_inside_line()
    assert screen.stream.leave_line() is False


def test_the_line_comes_back_calmly_after_output(screen):
    screen.line.draw(PARTS)
    screen.now += 0.3
    assert screen.line.patience == pytest.approx(0.7)
    screen.above.write(b"loss: 0.3\n")
    assert screen.line.patience == pytest.approx(0.2)
    screen.now += 0.1
    screen.above.write(b"loss: 0.2\n")
    assert screen.line.patience == pytest.approx(0.2)
    screen.now += 0.2
    assert screen.line.patience == 0


def test_steady_output_does_not_hide_the_line_for_long(screen):
    screen.line.draw(PARTS)
    for _ in range(15):
        screen.now += 0.1
        screen.above.write(b"loss: 0.3\n")
    assert screen.line.patience == 0


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(40, b"1 of 3 trials, 2 running, best 0.1"), (30, b"1 of 3 trials, 2 running"), (14, b"1 of 3 trials"), (13, b"")],
)
def test_a_narrow_window_has_fewer_parts(screen, columns, shown):
    screen.resize(columns)
    screen.line.draw(PARTS)
    assert screen.seen() == ERASE + shown + b"\r"


def test_a_resize_is_followed(screen):
    screen.line.draw(PARTS)
    screen.resize(20)
    screen.line.draw(PARTS)
    assert screen.seen().endswith(ERASE + b"1 of 3 trials\r")


def test_a_closed_terminal_does_no_harm(screen):
    screen.line.draw(PARTS)
    os.close(screen.ours)
    screen.line.draw(PARTS)
    assert screen.line.erase()
    screen.ours = os.open(os.devnull, os.O_RDONLY)


def test_only_a_terminal_that_can_erase_has_a_line(screen, tmp_path):
    with (tmp_path / "file").open("wb") as file:
        assert open_status_line(screen.stream, FileStream(file.fileno()), {"TERM": "xterm"}) is None
        line = open_status_line(FileStream(file.fileno()), screen.stream, {"TERM": "xterm"})
        assert line is not None
        other = FileStream(file.fileno())
        assert line.wrap(other) is other
    assert open_status_line(screen.stream, screen.stream, {"TERM": "dumb"}) is None
    assert open_status_line(screen.stream, screen.stream, {}) is None
    assert open_status_line(NoStream(), NoStream(), {"TERM": "xterm"}) is None
