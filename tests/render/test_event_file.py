"""Event files for TensorBoard: another library reads them, and so do we."""

from __future__ import annotations

import io
import struct
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import WHEN, made_up

from gitrun.render.event_file import masked_checksum, varint, write_events
from gitrun.views.curves import Curve
from gitrun.workspace.tensorboard import read_scalars

crc32c = pytest.importorskip("tensorboardX.crc32c")
event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
hparams_pb2 = pytest.importorskip("tensorboardX.proto.plugin_hparams_pb2")


def events(data: bytes) -> list:
    """The events of a file, after a look at both checksums of each record."""
    found, file = [], io.BytesIO(data)
    while head := file.read(12):
        (length,) = struct.unpack_from("<Q", head)
        message = file.read(length)
        for content, crc in ((head[:8], head[8:]), (message, file.read(4))):
            mask = crc32c.crc32c(content)
            assert struct.unpack("<I", crc) == ((((mask >> 15) | (mask << 17)) + 0xA282EAD8) & 0xFFFFFFFF,)
        found.append(event_pb2.Event.FromString(message))
    return found


def test_scalars_are_those_of_the_run() -> None:
    curve = Curve("a", "loss/train ü", (0, 1.0, 5), (0.5, float("nan"), 1e300))
    read = events(write_events(made_up(), [curve]))
    assert read[0].file_version == "brain.Event:2"
    scalars = [
        (one.step, value.tag, value.simple_value)
        for one in read
        for value in one.summary.value
        if not value.metadata.plugin_data.plugin_name
    ]
    assert [scalar[:2] for scalar in scalars] == [(0, "loss/train ü"), (1, "loss/train ü"), (5, "loss/train ü")]
    assert [str(scalar[2]) for scalar in scalars] == ["0.5", "nan", "inf"]
    assert read[2].wall_time == WHEN.timestamp()


def test_flags_and_end_are_hyperparameters() -> None:
    run = made_up(flags={"lr": 0.1, "n": 3, "opt": "adam", "fast": True, "sizes": [1, 2]}, status="error")
    values = {value.tag: value for one in events(write_events(run, [])) for value in one.summary.value}
    contents = {}
    for tag, value in values.items():
        assert value.metadata.plugin_data.plugin_name == "hparams"
        contents[tag] = hparams_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    start = contents["_hparams_/session_start_info"].session_start_info
    assert {name: getattr(one, one.WhichOneof("kind")) for name, one in start.hparams.items()} == {
        "lr": 0.1, "n": 3.0, "opt": "adam", "fast": True, "sizes": "[1, 2]",
    }  # fmt: skip
    assert (start.group_name, start.start_time_secs) == (run.id, WHEN.timestamp())
    assert contents["_hparams_/session_end_info"].session_end_info.status == 2


@given(st.lists(st.tuples(st.integers(0, 2**62 - 1), st.floats(-(2.0**100), 2.0**100, width=32)), max_size=20))
def test_our_own_reader_gets_back_what_was_written(points) -> None:
    curve = Curve("a", "loss", [step for step, _ in points], [value for _, value in points])
    with tempfile.TemporaryFile() as file:
        file.write(write_events(made_up(), [curve]))
        file.flush()
        # the reader gives the shortest number of the same 32 bits
        read = [(one.step, struct.pack("<f", one.value)) for one in read_scalars(file) if one.tag == "loss"]
    assert read == [(step, struct.pack("<f", value)) for step, value in points]


@given(st.binary(max_size=200))
def test_checksum_is_that_of_another_library(data) -> None:
    crc = crc32c.crc32c(data)
    assert masked_checksum(data) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_negative_step_takes_64_bits() -> None:
    assert varint(-1) == b"\xff" * 9 + b"\x01"


def test_checksum_is_that_of_the_standard() -> None:
    # RFC 3720, B.4: the CRC-32C of 32 zero bytes is 0x8A9136AA
    crc = 0x8A9136AA
    assert masked_checksum(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
