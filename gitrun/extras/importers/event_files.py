"""Metrics in TensorBoard event files of other tools: checksums are verified, and a forged file costs little."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from gitrun.extras.importers.imported import MetricPoint
from gitrun.process.output_lines import open_regular
from gitrun.render.event_file import masked_checksum
from gitrun.workspace.tensorboard import MAX_RECORD, read_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

MOST_BYTES = 256 << 20
"""Bytes of event files that are read of one run."""
LARGEST_CHECKED = 64 << 10
"""Bytes of a record up to which its checksum is verified. Longer records hold images; a scalar takes a hundred bytes."""


def read_event_files(files: Sequence[tuple[str, Path]], since: float = 0.0) -> Iterator[MetricPoint]:
    """Yields the scalars of event files that were written since `since`, seconds since 1970. Stops at the budget of a run.

    Each file comes with the prefix of its tags.
    """
    room = MOST_BYTES
    for prefix, path in files:
        file = open_regular(os.fspath(path))
        if file is None:
            continue
        with file:
            tags = set[str]()
            for record in read_records(file, room):
                try:
                    for scalar in read_event(memoryview(record), since, tags):
                        yield MetricPoint(prefix + scalar.tag, float(scalar.step), scalar.value)
                except (ValueError, struct.error, IndexError, OverflowError):  # not a message
                    continue
            room -= file.tell()
        if room <= 0:
            return


def read_records(file: BinaryIO, room: int) -> Iterator[bytes]:
    """Yields the records of an event file. Ends at the first wrong checksum: what follows cannot be found reliably."""
    # length (8 bytes), its checksum (4), the record, its checksum (4)
    while len(head := file.read(12)) == 12:
        length, check = struct.unpack("<QI", head)
        if check != masked_checksum(head[:8]) or file.tell() + length > room:
            return
        if length > MAX_RECORD:
            file.seek(length + 4, os.SEEK_CUR)
            continue
        record, tail = file.read(length), file.read(4)
        if len(record) < length or len(tail) < 4:
            return
        if length <= LARGEST_CHECKED and struct.unpack("<I", tail)[0] != masked_checksum(record):
            return
        yield record
