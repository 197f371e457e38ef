"""Event files as tensorboardX writes them, and forged ones."""

from __future__ import annotations

import struct

import pytest
from tensorboardX import SummaryWriter

from gitrun.extras.importers import event_files
from gitrun.extras.importers.event_files import read_event_files
from gitrun.render.event_file import masked_checksum


@pytest.fixture
def event_file(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("loss", 1 / (step + 1), step)
    (file,) = tmp_path.iterdir()
    return file


def points(file) -> list[tuple[str, float, float]]:
    return [(point.name, point.step, round(point.value, 4)) for point in read_event_files([("p/", file)])]


def records(file) -> list[int]:
    """The places at which the records of an event file begin."""
    data, at, places = file.read_bytes(), 0, []
    while at < len(data):
        places.append(at)
        at += struct.unpack_from("<Q", data, at)[0] + 16
    return places


def test_scalars_are_read_with_their_steps(event_file) -> None:
    assert points(event_file) == [("p/loss", step, round(1 / (step + 1), 4)) for step in range(5)]


@pytest.mark.parametrize("offset", [0, 9, 14], ids=["length", "its checksum", "record"])
def test_reading_ends_at_a_wrong_checksum(event_file, offset) -> None:
    data = bytearray(event_file.read_bytes())
    data[records(event_file)[-2] + offset] ^= 1
    event_file.write_bytes(data)
    assert len(points(event_file)) == 3


def test_cut_file_keeps_its_whole_records(event_file) -> None:
    event_file.write_bytes(event_file.read_bytes()[:-3])
    assert len(points(event_file)) == 4


def test_record_that_claims_much_is_skipped_or_ends_it(event_file) -> None:
    head = struct.pack("<Q", 1 << 40)
    event_file.write_bytes(head + struct.pack("<I", masked_checksum(head)) + event_file.read_bytes())
    assert points(event_file) == []


def test_budget_is_that_of_all_files(event_file, monkeypatch) -> None:
    monkeypatch.setattr(event_files, "MOST_BYTES", records(event_file)[-1])
    assert len(points(event_file)) == 4
