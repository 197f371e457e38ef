"""Scalars from TensorBoard event files, read without TensorFlow and in bounded time.

A file is a chain of records: length (8 bytes), checksum (4), a protocol buffer message `Event`, checksum (4). These fields are
used: Event {1: wall_time, 2: step, 5: Summary}, Summary {1: Value}, Value {1: tag, 2: simple_value, 8: TensorProto, 9: metadata
{1: {1: plugin}}}, TensorProto {1: dtype, 2: shape, 4: content, 5.. values}. Their definitions are in tensorflow/core.
"""

from __future__ import annotations

import math
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from gitrun.process.output_lines import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from gitrun.model.metrics import MetricCollector


PREFIX = "events.out.tfevents."
MAX_FILES, MAX_BYTES = 1_000, 256 << 20
"""Event files, and bytes of records, that are read of one attempt."""
MAX_RECORD = 16 << 20
"""Bytes of the longest record that is read. Longer ones hold images or sounds."""
VARINT, TEXT, WIDTHS = 0, 2, {1: 8, 5: 4}
"""Protocol buffer wire types: varint, length-delimited, and fixed widths in bytes."""
NO_BYTES = memoryview(b"")
KINDS = {1: "f", 2: "d", 3: "i", 9: "q"}
"""Tensor types that can hold a scalar, with their `struct` format."""
LISTS = {5: "f", 6: "d", 7: "varint", 10: "varint"}
"""Tensor fields that hold the values if `content` is empty."""
MAX_FLOAT = 3.4e38
BATCH = 500
"""Scalars read between two calls of `turn`."""


class Scalar(NamedTuple):
    """The value of a tag at a step."""

    tag: str
    step: int
    value: float


def list_event_files(paths: Iterable[str]) -> list[str]:
    """Returns the event files among the paths, sorted by directory and start time, at most MAX_FILES."""
    # events.out.tfevents.1700000000.host.123.0: the time comes first, so names sort by it
    event_files = [path for path in paths if os.path.basename(path).startswith(PREFIX)]
    return sorted(event_files, key=lambda path: (os.path.dirname(path), os.path.basename(path)))[:MAX_FILES]


def gather_events(
    tree: Path, paths: Iterable[str], since: float, collector: MetricCollector, turn: Callable[[], object] = int
) -> bool:
    """Gathers the scalars written since `since` from the event files. Returns false if limits cut the reading short.

    Tags get their directory as a prefix if files are in several directories, as for training and validation. Calls `turn` after
    each BATCH scalars.
    """
    bytes_left = MAX_BYTES
    for path, before in tag_prefixes(paths):
        file = open_regular(str(tree / path))
        if file is None:
            continue
        with file:
            for number, scalar in enumerate(read_scalars(file, since, bytes_left)):
                if number % BATCH == 0:
                    turn()
                name = before + scalar.tag
                if collector.admit(name):
                    collector.add(name, scalar.value, float(scalar.step))
            bytes_left -= file.tell()
        if bytes_left <= 0:
            return False
    return True


def tag_prefixes(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields each event file among the paths with the prefix of its tags: its directory, if there are several."""
    files = list_event_files(paths)
    top = os.path.commonpath([os.path.dirname(path) for path in files]) if files else ""
    for path in files:
        directory = os.path.relpath(os.path.dirname(path) or ".", top or ".")
        yield path, "" if directory == "." else f"{directory}/"


def read_scalars(file: BinaryIO, since: float = 0.0, most: int = MAX_BYTES) -> Iterator[Scalar]:
    """Yields the scalars in an event file. Skips damaged records: a killed program leaves half a record."""
    return EventReader(since).scalars(file, most)


class EventReader:
    """A reader of one event file, which may grow: `at` is the end of the last record that was read."""

    def __init__(self, since: float) -> None:
        self.at = 0
        self._since, self._known = since, set[str]()

    def scalars(self, file: BinaryIO, most: int = MAX_BYTES) -> Iterator[Scalar]:
        """Yields the scalars behind `at` in the file. Skips damaged records."""
        for record in self._records(file, most):
            try:
                yield from read_event(memoryview(record), self._since, self._known)
            except (ValueError, struct.error, IndexError):  # not a message, or truncated
                continue

    def _records(self, file: BinaryIO, most: int) -> Iterator[bytes]:
        """Yields the whole records in the first `most` bytes of a file. Checksums are not verified."""
        size = os.fstat(file.fileno()).st_size
        file.seek(self.at)
        # a killed program may leave half a header
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack_from("<Q", head)
            # length (8), its checksum (4), the record, its checksum (4)
            end = self.at + length + 16
            if end > size or end > most:
                return
            self.at = end
            # the header's checksum is not verified, so a damaged length must stay harmless
            if length > MAX_RECORD:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            yield file.read(length)
            file.read(4)


def read_event(message: memoryview, since: float, tags: set[str]) -> Iterator[Scalar]:
    """Yields the scalars of an event that is not older than `since`. `tags` collects tags of the scalars plugin."""
    step, summaries = 0, []
    for number, whole, content in read_fields(message):
        if number == 1 and len(content) == 8:
            (moment,) = struct.unpack("<d", content)
            # files inherited from earlier attempts still have their events
            if moment < since:
                return
        elif number == 2:
            step = whole
        elif number == 5:
            summaries.append(content)
    for summary in summaries:
        for number, _, content in read_fields(summary):
            if number == 1:
                yield from read_scalar(content, step, tags)


def read_scalar(message: memoryview, step: int, tags: set[str]) -> Iterator[Scalar]:
    """Yields the scalar in a summary value, if it holds one."""
    tag, value, tensor, plugin = "", None, None, ""
    for number, _, content in read_fields(message):
        if number == 1:
            tag = str(content, "utf-8")
        elif number == 2:
            value = shortest_decimal(*struct.unpack("<f", content))
        elif number == 8:
            tensor = content
        elif number == 9:
            plugin = read_plugin(content)
    # TensorBoard names the plugin only in the first event of a tag
    if plugin == "scalars" and len(tags) < MAX_FILES:
        tags.add(tag)
    if value is None and tensor is not None and (plugin == "scalars" or (not plugin and tag in tags)):
        value = read_tensor(tensor)
    if tag and value is not None:
        yield Scalar(tag, step, value)


def read_plugin(metadata: memoryview) -> str:
    """Returns the name of the plugin that a value is for; empty if it names none."""
    for number, _, content in read_fields(metadata):
        if number == 1:
            return next((str(name, "utf-8") for inner, _, name in read_fields(content) if inner == 1), "")
    return ""


def read_tensor(tensor: memoryview) -> float | None:
    """Returns the number in a tensor of rank 0; None for any other tensor."""
    kind, values = 0, list[float]()
    for number, whole, content in read_fields(tensor):
        if number == 1:
            kind = whole
        elif number == 2 and any(inner in {2, 3} for inner, _, _ in read_fields(content)):
            return None  # it has a dimension, or an unknown rank
        elif number == 4 and len(content) and kind in KINDS:
            values += struct.unpack(f"<{KINDS[kind]}", content)
        elif number in LISTS:
            values += read_numbers(LISTS[number], whole, content)
    if len(values) != 1:
        return None
    return shortest_decimal(values[0]) if kind == 1 else float(values[0])


def read_numbers(kind: str, whole: int, content: memoryview) -> list[float]:
    """Returns the values of a repeated field, packed or not. Stops at two, which is enough to see that it is no scalar."""
    if not len(content):
        return [whole]
    if kind == "varint":
        number, end = read_varint(content, 0)
        return [as_signed(number)] * (1 if end == len(content) else 2)
    width = struct.calcsize(kind)
    return list(struct.unpack(f"<{kind}", content[:width])) * (1 if len(content) == width else 2)


def shortest_decimal(value: float) -> float:
    """Returns the shortest decimal of a 32-bit float: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return value
    bits = struct.pack("<f", value)
    # 9 digits identify every 32-bit float, so a value without a shorter form is returned as it is
    for digits in (6, 7, 8):
        text = float(f"{value:.{digits}g}")
        if abs(text) < MAX_FLOAT and struct.pack("<f", text) == bits:
            return text
    return value


def read_fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yields (number, integer, bytes) of each field of a message. Integer or bytes is 0 or empty, as the type demands.

    Raises ValueError or IndexError if the bytes are not a message.
    """
    at, end = 0, len(message)
    while at < end:
        # a key is the number of the field << 3, with its wire type
        key, at = read_varint(message, at)
        number, sort = key >> 3, key & 7
        if sort == VARINT:
            whole, at = read_varint(message, at)
            yield number, as_signed(whole), NO_BYTES
            continue
        length, at = (WIDTHS[sort], at) if sort in WIDTHS else read_varint(message, at)
        if length > end - at or (sort != TEXT and sort not in WIDTHS):
            raise ValueError(sort)
        yield number, 0, message[at : at + length]
        at += length


def read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Returns a varint and the position after it. Raises IndexError at the end of the bytes, ValueError if too long."""
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        # a varint has at most 10 bytes
        if shift > 63:
            raise ValueError(shift)


def as_signed(number: int) -> int:
    """Returns the integer read as signed 64 bits."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number
