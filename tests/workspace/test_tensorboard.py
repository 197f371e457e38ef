"""Event files of TensorBoard, written by a real writer, cut off, and made up to do harm."""

from __future__ import annotations

import math
import os
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.proto.tensor_pb2 import TensorProto
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

from gitrun.model.metrics import CollectedMetrics, MetricCollector
from gitrun.workspace.tensorboard import MAX_RECORD, PREFIX, gather_events, list_event_files, read_scalars

NAMED = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))


def framed(*messages: bytes) -> bytes:
    """Messages as records, with checksums of nothing."""
    return b"".join(struct.pack("<QI", len(message), 0) + message + bytes(4) for message in messages)


def told(value: Summary.Value, step: int = 3) -> bytes:
    """An event of one value."""
    return Event(wall_time=time.time(), step=step, summary=Summary(value=[value])).SerializeToString()


def read(tmp_path, *messages: bytes):
    """The scalars of a file of these messages."""
    file = tmp_path / f"{PREFIX}1.host"
    file.write_bytes(framed(*messages))
    with file.open("rb") as opened:
        return [tuple(scalar) for scalar in read_scalars(opened)]


def gathered(tree, since=0.0):
    """What event files below a directory give: the metrics and all steps."""
    collector = MetricCollector()
    gather_events(tree, [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()], since, collector)
    return CollectedMetrics((collector,))


def test_scalars_of_a_real_writer_are_read_with_their_steps_and_nothing_else_is(tmp_path) -> None:
    import numpy as np

    with SummaryWriter(str(tmp_path / "logs")) as writer:
        for step in range(0, 30, 10):
            writer.add_scalar("train/loss", 0.1 * (step + 1), step)
        writer.add_text("note", "hello", 1)
        writer.add_histogram("weights", np.arange(100), 1)
        writer.add_scalar("bad", float("nan"), 5)
    found = gathered(tmp_path)
    assert found.metrics() == {"train/loss": 2.1, "bad": math.nan}
    assert [step for _, step, _, _ in found.sources[0].series["train/loss"].points("")] == [0, 10, 20]


def test_tags_of_several_directories_have_the_directory_before_them(tmp_path) -> None:
    for name, value in (("train", 1.0), ("validation", 2.0)):
        with SummaryWriter(str(tmp_path / "logs" / name)) as writer:
            writer.add_scalar("loss", value, 0)
    assert gathered(tmp_path).metrics() == {"train/loss": 1.0, "validation/loss": 2.0}


def test_what_was_written_before_the_attempt_is_not_its_own(tmp_path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 0, walltime=1000.0)
        writer.add_scalar("loss", 2.0, 1, walltime=2000.0)
    assert gathered(tmp_path, since=1500.0).metrics().summaries["loss"].count == 1


def tensor(dtype, **values):
    """A value of the second version of TensorFlow."""
    return Summary.Value(tag="x", tensor=TensorProto(dtype=dtype, tensor_shape=TensorShapeProto(), **values), metadata=NAMED)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (tensor("DT_FLOAT", float_val=[0.1]), 0.1), (tensor("DT_FLOAT", tensor_content=struct.pack("<f", 0.3)), 0.3),
        (tensor("DT_DOUBLE", double_val=[0.1]), 0.1), (tensor("DT_DOUBLE", tensor_content=struct.pack("<d", 1e300)), 1e300),
        (tensor("DT_INT64", int64_val=[-5]), -5.0), (tensor("DT_INT32", int_val=[7]), 7.0),
    ],
)  # fmt: skip
def test_tensors_without_dimensions_are_scalars(tmp_path, value, number) -> None:
    assert read(tmp_path, told(value)) == [("x", 3, number)]


def test_tensors_with_dimensions_or_of_other_plugins_are_none(tmp_path) -> None:
    wide = tensor("DT_FLOAT", float_val=[1.0])
    wide.tensor.tensor_shape.dim.add(size=1)
    other = tensor("DT_FLOAT", float_val=[1.0])
    other.metadata.plugin_data.plugin_name = "hparams"
    two, text = tensor("DT_FLOAT", float_val=[1.0, 2.0]), tensor("DT_STRING", string_val=[b"x"])
    assert read(tmp_path, *map(told, (wide, other, two, text))) == []


def test_metadata_that_is_written_once_counts_for_what_follows(tmp_path) -> None:
    first, later = tensor("DT_FLOAT", float_val=[1.0]), tensor("DT_FLOAT", float_val=[2.0])
    later.ClearField("metadata")
    assert [value for _, _, value in read(tmp_path, told(first), told(later))] == [1.0, 2.0]


def test_file_that_is_cut_off_is_read_up_to_there(tmp_path) -> None:
    whole = framed(*(told(Summary.Value(tag="x", simple_value=number)) for number in (1.0, 2.0)))
    counts = []
    for size in range(len(whole) + 1):
        file = tmp_path / "cut"
        file.write_bytes(whole[:size])
        with file.open("rb") as opened:
            counts.append(len(list(read_scalars(opened))))
    assert counts[-1] == 2
    assert counts == sorted(counts)


def test_record_that_is_broken_or_huge_is_passed_over(tmp_path) -> None:
    good = told(Summary.Value(tag="x", simple_value=1.0))
    assert len(read(tmp_path, b"\xff" * 50, good, bytes(MAX_RECORD + 1), good)) == 2
    file = tmp_path / "length"
    file.write_bytes(framed(good) + struct.pack("<QI", 1 << 63, 0) + good)
    with file.open("rb") as opened:
        assert len(list(read_scalars(opened))) == 1


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_bytes_break_anything(tmp_path_factory, noise, inner) -> None:
    value = told(Summary.Value(tag="x", simple_value=1.0))
    summary = b"\x2a" + bytes([len(inner)]) + inner
    nested = b"\x2a" + bytes([len(inner) + 2]) + b"\x0a" + bytes([len(inner)]) + inner
    place = tmp_path_factory.getbasetemp() / "any-events"
    for data in (noise, framed(noise), framed(summary, nested, value)):
        place.write_bytes(data)
        with place.open("rb") as opened:
            assert all(isinstance(scalar.value, float) for scalar in read_scalars(opened))


def test_a_pipe_or_a_link_in_the_place_of_an_event_file_is_not_read(tmp_path) -> None:
    with SummaryWriter(str(tmp_path / "other")) as writer:
        writer.add_scalar("loss", 1.0, 0)
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mkfifo(tree / f"{PREFIX}1")
    (tree / f"{PREFIX}2").symlink_to(next((tmp_path / "other").iterdir()))
    collector = MetricCollector()
    assert gather_events(tree, [f"{PREFIX}1", f"{PREFIX}2"], 0.0, collector)
    assert CollectedMetrics((collector,)).metrics() == {}


def test_event_files_are_known_by_their_names() -> None:
    assert list_event_files(["b/" + PREFIX + "2", "b/" + PREFIX + "1", "a/" + PREFIX + "3", "x.tfevents", "a.txt"]) == [
        "a/" + PREFIX + "3", "b/" + PREFIX + "1", "b/" + PREFIX + "2",
    ]  # fmt: skip
