"""Lines of an output as a person sees them, searched with patterns of the user's in a process of its own, which can be ended.

Stdlib only, one file: `python patterns.py RULES OUTPUT SWITCHES` prints lines of JSON, a list of what was found in lines of
output: `[{"name": "text of the number"}, "text of the step" or null]`. It reads the output up to each place that a line of
stdin names, prints `0` when it has, and reads the rest when stdin ends; `"late"` is the last line if the time was over before.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO, TypeAlias

    Search: TypeAlias = tuple[str, Callable[[str], re.Match[str] | None], str | int, bool]

SIZE = 1 << 20
"""Bytes read at a time."""
LONGEST = 1 << 16
"""Bytes above which a line is none; only its beginning is then searched by nobody."""
SEARCHED = 4096
"""Characters of a line that patterns are searched in."""
WHOLE, PART = 512 << 20, 256 << 20
"""Bytes of output above which only the first and last part are read."""
SECONDS = 10.0
"""Time that the patterns of a user may take in all."""
MOST = 1_000_000
"""Lines in which something was found, more or less, after which no more are searched."""
CSI = rb"\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
FOLLOWED = "?*{+"
CLOCK = rb"\[\d+:\d\d(?::\d\d)?[<,][^\]\n]{0,200}(?:/s|s/)[^\]\n]{0,200}\] *(?=[^\s\]])"
BAR = rb"\n[^\n]{0,400}?\d\S* " + CLOCK
"""A bar of tqdm with something behind it: on a terminal, stdout goes on where stderr has left the line."""
REDRAWN = (
    rb"\n[^\n]*\r(?: *[\d.]+(?:/[\d.]+|%)(?:[ \d.,:;|/%#=>()<?\[\]-]|\xe2[\x94-\x97].)*(?<! )(?=[A-Za-z_][\w./@-]*:[ \t]))?"
)
"""A line up to its last carriage return, with a bar such as `2/3` behind that if a word follows at once."""
SWITCH = struct.Struct("<QB")
"""A record of the file of switches: where in the output a stream begins, and its number."""
CUT = b"\n"


def open_regular(path: str) -> BinaryIO | None:
    """The file, if it is one: a program may have put a pipe in its place, from which a reader never comes back."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def pieces(file: BinaryIO, switches: str, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Reads an output from `start` on, in pieces of one stream each (0: stdout or both, 1: stderr).

    `switches` is the file that says where in the output another stream begins. Of an output of more than 512 MiB the first
    and the last 256 MiB are read; a piece of `CUT` stands for what lies between them.
    """
    size = os.fstat(file.fileno()).st_size
    parts = [(start, size)] if size <= WHOLE else [(start, max(start, PART)), (max(start, size - PART), size)]
    for number, (first, end) in enumerate(parts):
        if number:
            yield from ((0, CUT), (1, CUT))
        file.seek(first)
        for stream, until in [*streams_in(switches, first, end)]:
            while (left := until - file.tell()) > 0 and (data := file.read(min(SIZE, left))):
                yield stream, data


def streams_in(switches: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lists which stream the bytes of an output from `start` to `end` belong to, and up to where."""
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
    """Puts the pieces of a stream together to lines, as they stand on a terminal in the end."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns the lines that are complete now, with a line end before and behind each; empty if there is none."""
        lines, end, begun = data.rpartition(b"\n")
        if not end:
            self._rest = shorten(self._rest + begun)
            return b""
        found = clean(b"\n" + self._rest + lines + b"\n")
        self._rest = begun
        return found

    def finish(self) -> bytes:
        """Returns the last line if it has no end."""
        rest, self._rest = self._rest, b""
        return clean(b"\n" + rest + b"\n") if rest else b""


def blocks(output: BinaryIO, switches: str, streams: tuple[Lines, Lines]) -> Iterator[bytes]:
    """Reads an output from where its file is to its end, in blocks of whole lines, a line end before and behind each."""
    for stream, data in pieces(output, switches, output.tell()):
        if block := streams[stream].feed(data):
            yield block
    yield from filter(None, (lines.finish() for lines in streams))


def blocks_until(output: BinaryIO, switches: str, streams: tuple[Lines, Lines], end: int) -> Iterator[bytes]:
    """Reads what an output has gained, up to a place in it."""
    for stream, until in [*streams_in(switches, output.tell(), end)]:
        while (left := until - output.tell()) > 0 and (data := output.read(min(SIZE, left))):
            if block := streams[stream].feed(data):
                yield block


def shorten(line: bytes) -> bytes:
    """The beginning of a line that may go on: what a carriage return took back is left out, and all of it if it is too long."""
    if len(line) <= LONGEST:
        return line
    line = line[:-1].rpartition(b"\r")[2] + line[-1:]
    return line if len(line) <= LONGEST else b"\0"


def clean(block: bytes) -> bytes:
    """Returns the lines of a block as they stand on a terminal in the end.

    No colours, only what follows the last carriage return, and no progress bar that was left standing before the line.
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


def needle(pattern: str) -> bytes:
    """Text without which the pattern finds nothing; empty if that is not plain to see."""
    if "|" in pattern or "(?" in pattern:
        return b""
    plain = re.match(r"[A-Za-z0-9_ =:,-]*", pattern)
    text = plain[0] if plain else ""
    if pattern[len(text) : len(text) + 1] in FOLLOWED:
        text = text[:-1]
    return text.encode()


def find(rules: list[tuple[str, str]], found: Iterable[bytes]) -> Iterator[list[tuple[dict[str, str], str | None]]]:
    """What the patterns find in each line, for each block of lines: texts of numbers by name, and that of a step.

    Raises TimeoutError, once it has said what it found before, if the time is over.
    """
    searches: list[tuple[str, Callable[[str], re.Match[str] | None], str | int, bool, bytes]] = []
    for name, text in rules:
        with suppress(re.error, RecursionError, OverflowError):
            pattern = re.compile(text)
            group = "value" if "value" in pattern.groupindex else min(pattern.groups, 1)
            searches.append((name, pattern.search, group, "step" in pattern.groupindex, needle(text)))
    for block in found:
        active = [search[:4] for search in searches if search[4] in block]
        told: list[tuple[dict[str, str], str | None]] = []
        try:
            for line in block.decode(errors="replace").split("\n") if active else ():
                if numbers := found_in(line if len(line) <= SEARCHED else line[:SEARCHED], active):
                    told.append(numbers)  # noqa: PERF401 - what was found before the time was over is kept
        except TimeoutError:
            yield told
            raise
        yield told


def found_in(line: str, searches: Sequence[Search]) -> tuple[dict[str, str], str | None] | None:
    """What is found in a line; None if it is nothing."""
    found, step = {}, None
    for name, search, group, has_step in searches:
        if match := search(line):
            found[name] = match[group] or ""
            if has_step:
                step = match["step"]
    return (found, step) if found else None


def late(_number: int, _frame: object) -> None:
    """Ends a search that takes too long: what comes after it was not reached."""
    raise TimeoutError


def searched(rules: list[tuple[str, str]], found: Iterable[bytes], left: int) -> int:
    """Prints what the patterns find in blocks; returns how many more lines may be printed. Raises TimeoutError."""
    for told in find(rules, found):
        if told:
            sys.stdout.write(json.dumps(told[:left]) + "\n")
        left -= len(told)
        if left < 0:
            raise TimeoutError
    return left


def asked(output: BinaryIO, switches: str, streams: tuple[Lines, Lines]) -> Iterator[Iterable[bytes]]:
    """Returns, for each number that is read from stdin, the blocks up to that place of the output, then those to its end."""
    for line in sys.stdin:
        until = min(int(line), PART)
        yield blocks_until(output, switches, streams, until)
    yield blocks(output, switches, streams)


def main() -> None:
    """Prints what the patterns of a file of rules find in a file of output, as often as stdin asks, at last at its end."""
    signal.signal(signal.SIGALRM, late)
    with open(sys.argv[1], "rb") as file:
        rules = json.load(file)
    seconds, left, output = rules.get("seconds", SECONDS), MOST, open_regular(sys.argv[2])
    try:
        for found in asked(output, sys.argv[3], (Lines(), Lines())) if output else ():
            signal.setitimer(signal.ITIMER_REAL, seconds)
            left = searched(rules["patterns"], found, left)
            seconds = max(signal.setitimer(signal.ITIMER_REAL, 0)[0], 1e-3)
            sys.stdout.write("0\n")
            sys.stdout.flush()
    except TimeoutError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write('"late"\n')


if __name__ == "__main__":
    main()
