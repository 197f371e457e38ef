"""Lines of an output as a person sees them, searched with patterns of the user's in a process of its own, which can be ended.

Stdlib only, one file: `python patterns.py RULES OUTPUT` prints lines of JSON, a list of what was found in lines of output:
`[{"name": "text of the number"}, "text of the step" or null]`; `"late"` is the last line if the time was over before.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
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


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """The file in blocks of whole lines, each with a line end before and behind it, without what a terminal does not show."""
    rest, left = b"", WHOLE
    size = os.fstat(file.fileno()).st_size
    while data := file.read(SIZE):
        left -= len(data)
        if size > WHOLE and 0 <= left - PART < SIZE:
            file.seek(size - PART)
            data, size = data + b"\n", 0
        lines, end, begun = data.rpartition(b"\n")
        if not end:
            rest = shorten(rest + begun)
            continue
        yield clean(b"\n" + rest + lines + b"\n")
        rest = begun
    if rest:
        yield clean(b"\n" + rest + b"\n")


def shorten(line: bytes) -> bytes:
    """The beginning of a line that may go on: what a carriage return took back is left out, and all of it if it is too long."""
    if len(line) <= LONGEST:
        return line
    line = line[:-1].rpartition(b"\r")[2] + line[-1:]
    return line if len(line) <= LONGEST else b"\0"


def clean(block: bytes) -> bytes:
    """The lines of a block as they stand on a terminal in the end: no colours, only what follows the last carriage return."""
    if b"\x1b" in block:
        block = re.sub(CSI, b"", block)
    if b"\r" in block:
        block = re.sub(rb"\r+\n", b"\n", block)
        if b"\r" in block:
            block = re.sub(rb"\n[^\n]*\r", b"\n", block)
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


def find(rules: list[tuple[str, str]], file: BinaryIO) -> Iterator[list[tuple[dict[str, str], str | None]]]:
    """What the patterns find in each line, a block of lines at a time: texts of numbers by name, and that of a step.

    Raises TimeoutError, once it has said what it found before, if the time is over.
    """
    searches: list[tuple[str, Callable[[str], re.Match[str] | None], str | int, bool, bytes]] = []
    for name, text in rules:
        with suppress(re.error, RecursionError, OverflowError):
            pattern = re.compile(text)
            group = "value" if "value" in pattern.groupindex else min(pattern.groups, 1)
            searches.append((name, pattern.search, group, "step" in pattern.groupindex, needle(text)))
    for block in blocks(file):
        active = [search[:4] for search in searches if search[4] in block]
        told: list[tuple[dict[str, str], str | None]] = []
        try:
            for line in block.decode(errors="replace").split("\n") if active else ():
                if found := found_in(line if len(line) <= SEARCHED else line[:SEARCHED], active):
                    told.append(found)  # noqa: PERF401 - what was found before the time was over is kept
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


def main() -> None:
    """Prints what the patterns of a file of rules find in a file of output."""
    signal.signal(signal.SIGALRM, late)
    with open(sys.argv[1], "rb") as file:
        rules = json.load(file)
    signal.setitimer(signal.ITIMER_REAL, rules.get("seconds", SECONDS))
    try:
        output = open_regular(sys.argv[2])
        left = MOST
        for found in find(rules["patterns"], output) if output else ():
            if found:
                sys.stdout.write(json.dumps(found[:left]) + "\n")
            left -= len(found)
            if left < 0:
                raise TimeoutError  # noqa: TRY301 - it is the same for whoever reads what we found
    except TimeoutError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write('"late"\n')


if __name__ == "__main__":
    main()
