"""Records a program's output in the order of arrival, and which stream each part belongs to."""

from __future__ import annotations

import os
from contextlib import suppress

from gitrun.lazy import Protocol
from gitrun.process.output_lines import SWITCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


class OutputReader(Protocol):
    """A consumer that follows the output while it is recorded."""

    def feed(self, stream: int, data: bytes) -> None:
        """Takes the next bytes of a stream (0: stdout or both, 1: stderr)."""

    @property
    def patience(self) -> float:
        """Returns the seconds until `poll` is due."""

    def poll(self) -> None:
        """Does its periodic work."""


class Recorder:
    """Writes output to a file. If the disk is full, the rest of the record is lost, but the program continues.

    The file `<output>.streams` beside it records each offset at which the stream changes.
    """

    def __init__(self, path: Path, reader: OutputReader | None = None) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._switches = -1
        self._at, self._stream = os.fstat(self._file).st_size, 0
        self.lost, self.reader = "", reader

    def write(self, data: bytes, stream: int = 0) -> None:
        """Appends the bytes, unless an earlier write failed, and passes them to the reader."""
        rest = memoryview(data)
        if stream != self._stream:
            self._switch(stream)
        try:
            while rest and not self.lost:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self.lost = error.strerror or str(error)
        self._at += len(data)
        if self.reader:
            self.reader.feed(stream, data)

    def poll(self) -> None:
        """Lets the reader do its periodic work."""
        if self.reader:
            self.reader.poll()

    def _switch(self, stream: int) -> None:
        """Records that another stream begins here. Ignores errors: only the recovery of a dead run reads the file."""
        self._stream = stream
        with suppress(OSError):
            if self._switches < 0:
                path = self._path.with_name(f"{self._path.name}.streams")
                # created late: most programs write to one stream only
                self._switches = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._switches, SWITCH.pack(self._at, stream))

    def close(self) -> None:
        """Closes the files."""
        os.close(self._file)
        if self._switches >= 0:
            os.close(self._switches)
