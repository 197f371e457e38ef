"""What a git that talks to another repository says while it works."""

from __future__ import annotations

import os

from gitrun.git.stderr_reader import MAX_STDERR, StderrReader


def read(text: bytes, *, progress: bool) -> bytes:
    """What the reader keeps of a git that says this."""
    end, start = os.pipe()
    with os.fdopen(end, "rb") as stream:
        reader = StderrReader(stream, progress=progress)
        with os.fdopen(start, "wb") as writer:
            writer.write(text)
        return reader.end()


def test_progress_is_shown_without_control_characters(capfd):
    said = b"Receiving objects: 50%\r\x1b[31mred\n"
    assert read(said, progress=True) == said
    assert capfd.readouterr().err == "Receiving objects: 50%\r[31mred\n"


def test_without_progress_nothing_is_shown(capfd):
    assert read(b"Receiving objects\n", progress=False) == b"Receiving objects\n"
    assert capfd.readouterr().err == ""


def test_the_end_of_a_long_message_is_kept():
    kept = read(b"x" * MAX_STDERR + b"fatal: no\n", progress=False)
    assert (len(kept), kept[-10:]) == (MAX_STDERR, b"fatal: no\n")
