"""Searches the lines of an output with the user's patterns, in a process of its own, which can be killed.

Uses only the standard library, in one file. `python output_lines.py RULES OUTPUT SWITCHES` prints a JSON list for each block
of output: `[{"name": "text of the number"}, "text of the step" or null]` for each line with a match. Each line of stdin
names a place in the output. The process searches up to there, and prints `0`. When stdin ends, it searches the rest. If
the patterns take too long, it prints `"late"` as its last line.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import struct
import sys
from contextlib import nullcontext, suppress

# importing typing is slow, and type checkers know this name
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO, TypeAlias

    Search: TypeAlias = tuple[str, Callable[[str], re.Match[str] | None], str | int, bool]

CHUNK = 1 << 20
"""The bytes read at once."""
MAX_UNFINISHED = 1 << 16
"""The most bytes of an unfinished line that are kept. Of a longer line only the last part is searched."""
MAX_SEARCHED = 4096
"""The characters at the beginning of a line that are searched."""
WHOLE, PART = 512 << 20, 256 << 20
"""An output with more bytes than the first number is read in two parts of the second size: the first and the last."""
SECONDS = 10.0
"""The total time that the user's patterns may take."""
MAX_MATCHES = 1_000_000
"""The most lines with a match, roughly; after them the search ends."""
CSI = rb"\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
QUANTIFIERS = "?*{+"
CLOCK = rb"\[\d+:\d\d(?::\d\d)?[<,][^\]\n]{0,200}(?:/s|s/)[^\]\n]{0,200}\] *(?=[^\s\]])"
BAR = rb"\n[^\n]{0,400}?\d\S* " + CLOCK
"""A tqdm bar with text after it: on a terminal, stdout continues the line where stderr left it."""
REDRAWN = (
    rb"\n[^\n]*\r(?: *[\d.]+(?:/[\d.]+|%)(?:[ \d.,:;|/%#=>()<?\[\]-]|\xe2[\x94-\x97].)*(?<! )(?=[A-Za-z_][\w./@-]*:[ \t]))?"
)
"""A line up to its last carriage return. A bar such as `2/3` after it belongs to it if a word follows directly."""
SWITCH = struct.Struct("<QB")
"""A record of the file of switches: the offset in the output at which a stream begins, and the stream's number."""
SEPARATOR = b"\n"


def open_regular(path: str) -> BinaryIO | None:
    """Opens a regular file; returns None for anything else.

    A program may have put a pipe there, which would block the reader.
    """
    try:
        # O_NONBLOCK: opening a FIFO without a writer would block
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def read_pieces(file: BinaryIO, switches: str, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yields an output from `start` on, in pieces of one stream each (0: stdout or both, 1: stderr).

    `switches` is the file that records where another stream begins. Of an output of more than 512 MiB, yields the first
    and the last 256 MiB. A piece of `SEPARATOR` for each stream separates them.
    """
    size = os.fstat(file.fileno()).st_size
    parts = [(start, size)] if size <= WHOLE else [(start, max(start, PART)), (max(start, size - PART), size)]
    for number, (first, end) in enumerate(parts):
        if number:
            yield from ((0, SEPARATOR), (1, SEPARATOR))
        file.seek(first)
        for stream, until in [*split_by_stream(switches, first, end)]:
            while (size_left := until - file.tell()) > 0 and (data := file.read(min(CHUNK, size_left))):
                yield stream, data


def split_by_stream(switches: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields (stream, end offset) for each part of an output between `start` and `end`."""
    stream, file = 0, open_regular(switches)
    with file or nullcontext():
        while file and len(record := file.read(SWITCH.size)) == SWITCH.size:
            at, following = SWITCH.unpack(record)
            if at >= end:
                break
            if at > start:
                yield stream, at
            stream = following
    yield stream, end


class Lines:
    """A buffer that joins pieces of a stream to lines, as a terminal finally shows them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns the lines that are now complete, with a line end before and after each; empty if there are none."""
        lines, end, begun = data.rpartition(b"\n")
        if not end:
            self._rest = shorten_line(self._rest + begun)
            return b""
        lines_found = clean_block(b"\n" + self._rest + lines + b"\n")
        self._rest = begun
        return lines_found

    def finish(self) -> bytes:
        """Returns the last line if it has no line end."""
        rest, self._rest = self._rest, b""
        return clean_block(b"\n" + rest + b"\n") if rest else b""


def read_blocks(output: BinaryIO, switches: str, streams: tuple[Lines, Lines]) -> Iterator[bytes]:
    """Yields an output from the current position to its end, in blocks of whole lines.

    Each has a line end before and after it.
    """
    for stream, data in read_pieces(output, switches, output.tell()):
        if block := streams[stream].feed(data):
            yield block
    yield from filter(None, (lines.finish() for lines in streams))


def read_blocks_until(output: BinaryIO, switches: str, streams: tuple[Lines, Lines], end: int) -> Iterator[bytes]:
    """Yields the output from the current position up to `end`, in blocks of whole lines."""
    for stream, until in [*split_by_stream(switches, output.tell(), end)]:
        while (size_left := until - output.tell()) > 0 and (data := output.read(min(CHUNK, size_left))):
            if block := streams[stream].feed(data):
                yield block


def shorten_line(line: bytes) -> bytes:
    """Shortens the beginning of an unfinished line.

    Drops what a carriage return erased, and all of it if it is still too long.
    """
    if len(line) <= MAX_UNFINISHED:
        return line
    # a last CR stays: it may be the first half of a CR LF
    line = line[:-1].rpartition(b"\r")[2] + line[-1:]
    # a NUL keeps the rest of the line from looking like a line of its own
    return line if len(line) <= MAX_UNFINISHED else b"\0"


def clean_block(block: bytes) -> bytes:
    """Returns the lines of a block as a terminal finally shows them.

    Removes colours, text that a carriage return erased, and progress bars before the line's own text.
    """
    if b"\x1b" in block:
        block = re.sub(CSI, b"", block)
    if b"\r" in block:
        block = re.sub(rb"\r+\n", b"\n", block)
        if b"\r" in block:
            block = re.sub(REDRAWN, b"\n", block)
    if b"]" in block and re.search(CLOCK, block):
        block = re.sub(BAR, b"\n", block)
    return block


def required_text(pattern: str) -> bytes:
    """Returns a text that every match of the pattern contains; empty if the pattern is too complex to tell."""
    if "|" in pattern or "(?" in pattern:
        return b""
    plain = re.match(r"[A-Za-z0-9_ =:,-]*", pattern)
    text = plain[0] if plain else ""
    if pattern[len(text) : len(text) + 1] in QUANTIFIERS:
        text = text[:-1]
    return text.encode()


def find_matches(rules: list[tuple[str, str]], lines: Iterable[bytes]) -> Iterator[list[tuple[dict[str, str], str | None]]]:
    """Yields the matches of each block: for each line with a match, texts of numbers by name, and the text of the step.

    Raises TimeoutError when the time is over, after yielding what was found. Skips invalid patterns.
    """
    searches: list[tuple[str, Callable[[str], re.Match[str] | None], str | int, bool, bytes]] = []
    for name, text in rules:
        with suppress(re.error, RecursionError, OverflowError):
            pattern = re.compile(text)
            group = "value" if "value" in pattern.groupindex else min(pattern.groups, 1)
            searches.append((name, pattern.search, group, "step" in pattern.groupindex, required_text(text)))
    for block in lines:
        # finding a text is far cheaper than matching each line
        active = [search[:4] for search in searches if search[4] in block]
        matches: list[tuple[dict[str, str], str | None]] = []
        try:
            for line in block.decode(errors="replace").split("\n") if active else ():
                if numbers := match_line(line if len(line) <= MAX_SEARCHED else line[:MAX_SEARCHED], active):
                    matches.append(numbers)  # noqa: PERF401 - what was found before the time was over is kept
        except TimeoutError:
            yield matches
            raise
        yield matches


def match_line(line: str, searches: Sequence[Search]) -> tuple[dict[str, str], str | None] | None:
    """Returns the matches of a line, or None."""
    values, step = {}, None
    for name, search, group, has_step in searches:
        if match := search(line):
            values[name] = match[group] or ""
            if has_step:
                step = match["step"]
    return (values, step) if values else None


def raise_timeout(_number: int, _frame: object) -> None:
    """Ends the search when the timer fires. Raises TimeoutError."""
    raise TimeoutError


def print_matches(rules: list[tuple[str, str]], lines: Iterable[bytes], most: int) -> int:
    """Prints the matches in blocks. Returns how many more lines may be printed. Raises TimeoutError."""
    for match in find_matches(rules, lines):
        if match:
            sys.stdout.write(json.dumps(match[:most]) + "\n")
        most -= len(match)
        if most < 0:
            raise TimeoutError
    return most


def blocks_on_demand(output: BinaryIO, switches: str, streams: tuple[Lines, Lines]) -> Iterator[Iterable[bytes]]:
    """Yields the blocks up to each offset that stdin names, and at its end the blocks of the rest."""
    for line in sys.stdin:
        until = min(int(line), PART)
        yield read_blocks_until(output, switches, streams, until)
    yield read_blocks(output, switches, streams)


def print_all_matches() -> None:
    """Prints the matches of a file of rules in a file of output: up to each offset from stdin, and finally to its end."""
    # Python's re cannot be stopped otherwise: it checks for signals while it matches
    signal.signal(signal.SIGALRM, raise_timeout)
    with open(sys.argv[1], "rb") as file:
        rules = json.load(file)
    seconds, matches_left, output = rules.get("seconds", SECONDS), MAX_MATCHES, open_regular(sys.argv[2])
    try:
        for lines in blocks_on_demand(output, sys.argv[3], (Lines(), Lines())) if output else ():
            signal.setitimer(signal.ITIMER_REAL, seconds)
            matches_left = print_matches(rules["patterns"], lines, matches_left)
            # the rest of the time is for the next search; zero would turn the timer off
            seconds = max(signal.setitimer(signal.ITIMER_REAL, 0)[0], 1e-3)
            sys.stdout.write("0\n")
            sys.stdout.flush()
    except TimeoutError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write('"late"\n')


if __name__ == "__main__":
    print_all_matches()
