"""The output of a program, recorded in the order of arrival."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitrun.process.output_lines import read_pieces
from gitrun.process.recorder import Recorder


class Listener:
    """Keeps what it is fed."""

    patience = 1.0

    def __init__(self) -> None:
        self.fed: list[tuple[int, bytes]] = []
        self.polled = 0

    def feed(self, stream: int, data: bytes) -> None:
        self.fed.append((stream, data))

    def poll(self) -> None:
        self.polled += 1


WRITTEN = [(0, b"out\n"), (1, b"err\n"), (1, b"more\n"), (0, b"end\n")]


def test_order_and_streams_of_the_output_are_kept(tmp_path) -> None:
    recorder = Recorder(tmp_path / "output")
    for stream, data in WRITTEN:
        recorder.write(data, stream)
    recorder.close()
    assert (tmp_path / "output").read_bytes() == b"out\nerr\nmore\nend\n"
    with (tmp_path / "output").open("rb") as file:
        pieces = list(read_pieces(file, str(tmp_path / "output.streams")))
    assert pieces == [(0, b"out\n"), (1, b"err\nmore\n"), (0, b"end\n")]


def test_output_of_one_stream_needs_no_second_file(tmp_path) -> None:
    recorder = Recorder(tmp_path / "output")
    recorder.write(b"a")
    recorder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_a_reader_follows_the_output(tmp_path) -> None:
    listener = Listener()
    recorder = Recorder(tmp_path / "output", listener)
    for stream, data in WRITTEN:
        recorder.write(data, stream)
    recorder.poll()
    recorder.close()
    assert (listener.fed, listener.polled) == (WRITTEN, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_remembered_and_the_reader_still_fed() -> None:
    listener = Listener()
    recorder = Recorder(Path("/dev/full"), listener)
    recorder.write(b"lost")
    recorder.close()
    assert (recorder.lost, listener.fed) == ("No space left on device", [(0, b"lost")])
