"""TensorBoard event files, written without TensorFlow: the scalars of a run, and its flags for the hparams page.

A file is a chain of records: length (8 bytes), checksum (4), a protocol buffer message, checksum (4); the checksum is CRC32C,
rotated and shifted. Fields: Event {1: wall_time, 2: step, 3: file_version, 5: Summary}, Summary {1: Value}, Value {1: tag,
2: simple_value, 9: metadata {1: {1: plugin, 2: content}}}. The content for hparams is HParamsPluginData {3: session start {1:
flags, 4: group, 5: time}, 4: session end {1: status, 2: time}}. Their definitions are in tensorflow/core and tensorboard.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gitrun.model.flags import format_value
from gitrun.model.run import COMPLETED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitrun.model.flags import Value
    from gitrun.model.run import Run
    from gitrun.views.curves import Curve

VERSION = b"brain.Event:2"
POLYNOMIAL = 0x82F63B78
"""CRC32C (Castagnoli), with its bits reversed (RFC 3720, appendix B.4)."""
START, END = "_hparams_/session_start_info", "_hparams_/session_end_info"
STATUSES = {COMPLETED: 1, RUNNING: 3}
"""Numbers of statuses for hparams; all others are 2, a failure."""
FAILURE = 2
MOST_STEPS = 1 << 62


def write_events(run: Run, curves: Iterable[Curve]) -> bytes:
    """Returns an event file with the flags and end of a run, and these curves of its metrics. Steps become whole numbers."""
    attempt = run.attempt
    started = (attempt.started or attempt.created).timestamp()
    ended = attempt.stopped.timestamp() if attempt.stopped else started
    head = [event(started, 0, field(3, VERSION))]
    head.append(event(started, 0, summary(hparams_value(START, field(3, session_start(run.flags, run.id, started))))))
    scalars = [scalar for curve in curves for scalar in scalar_events(curve, started, ended)]
    status = STATUSES.get(run.status, FAILURE)
    end = field(4, number_field(1, status) + double_field(2, ended))
    return b"".join(map(record, [*head, *scalars, event(ended, 0, summary(hparams_value(END, end)))]))


def scalar_events(curve: Curve, started: float, ended: float) -> Iterator[bytes]:
    """Yields a scalar for each point. The record has no times, so the points are spread over the time of the run."""
    count = max(len(curve.steps) - 1, 1)
    for at, (step, value) in enumerate(zip(curve.steps, curve.values, strict=True)):
        number = round(step) if abs(step) < MOST_STEPS else at
        content = field(1, curve.metric.encode()) + b"\x15" + struct.pack("<f", to_float32(value))
        yield event(started + (ended - started) * at / count, number, summary(content))


def to_float32(value: float) -> float:
    """Returns a value that fits into 32 bits; larger ones become infinite."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value


def session_start(flags: Mapping[str, Value], group: str, started: float) -> bytes:
    """Returns the message about the start of a run."""
    entries = b"".join(field(1, field(1, name.encode()) + field(2, flag_value(value))) for name, value in flags.items())
    return entries + field(4, group.encode()) + double_field(5, started)


def flag_value(value: Value) -> bytes:
    """Returns a flag as a google.protobuf.Value: a number, a text or a boolean."""
    if isinstance(value, bool):
        return number_field(4, int(value))
    if isinstance(value, int | float):
        return double_field(2, float(value))
    return field(3, (value if isinstance(value, str) else format_value(value)).encode())


def hparams_value(tag: str, content: bytes) -> bytes:
    """Returns a value of a summary that the hparams page reads."""
    return field(1, tag.encode()) + field(9, field(1, field(1, b"hparams") + field(2, content)))


def summary(value: bytes) -> bytes:
    """Returns a summary of one value, as a field of an event."""
    return field(5, field(1, value))


def event(time: float, step: int, content: bytes) -> bytes:
    """Returns an event."""
    return double_field(1, time) + number_field(2, step) + content


def field(number: int, data: bytes) -> bytes:
    """Returns a field of bytes: texts and messages."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def double_field(number: int, value: float) -> bytes:
    """Returns a field of 64 bits."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def number_field(number: int, value: int) -> bytes:
    """Returns a field with a whole number."""
    return varint(number << 3) + varint(value)


def varint(value: int) -> bytes:
    """Returns a whole number in groups of seven bits; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def record(data: bytes) -> bytes:
    """Returns a message as a record of an event file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_checksum(length)) + data + struct.pack("<I", masked_checksum(data))


def masked_checksum(data: bytes) -> int:
    """Returns the checksum of a record: CRC32C, rotated by 15 bits, plus a constant (tensorflow/core/lib/hash/crc32c.h)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest = TABLE[(rest ^ byte) & 0xFF] ^ rest >> 8
    crc = rest ^ 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def table_entry(number: int) -> int:
    """Returns the entry of a byte in the table of CRC32C."""
    for _ in range(8):
        number = number >> 1 ^ (POLYNOMIAL if number & 1 else 0)
    return number


TABLE = tuple(map(table_entry, range(256)))
