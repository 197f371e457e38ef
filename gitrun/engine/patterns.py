"""Lines of an output as a person sees them, searched with patterns of the user's in a process of its own, which can be ended.

Stdlib only, one file: `python patterns.py RULES OUTPUT` prints, for each line in which something is found, a line of JSON:
`[{"name": "text of the number"}, "text of the step" or null]`; `"late"` is the last one if the time was over before.
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
    from collections.abc import Iterator
    from typing import BinaryIO

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
"""Lines in which something was found after which no more are searched."""
CSI = re.compile(rb"\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
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
        block = CSI.sub(b"", block)
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


def find(rules: list[tuple[str, str]], file: BinaryIO) -> Iterator[tuple[dict[str, str], str | None]]:
    """What the patterns find in each line: the text of the numbers by name, and that of a step."""
    searches = []
    for name, text in rules:
        with suppress(re.error, RecursionError, OverflowError):
            pattern = re.compile(text)
            group = "value" if "value" in pattern.groupindex else min(pattern.groups, 1)
            searches.append((name, pattern.search, group, "step" in pattern.groupindex, needle(text)))
    for block in blocks(file):
        active = [search for search in searches if search[4] in block]
        if not active:
            continue
        for line in block.decode(errors="replace").split("\n"):
            found, step = {}, None
            for name, search, group, has_step, _ in active:
                if match := search(line[:SEARCHED]):
                    found[name] = match[group] or ""
                    step = match["step"] if has_step else step
            if found:
                yield found, step


def late(_number: int, _frame: object) -> None:
    """Ends a search that takes too long: what comes after it was not reached."""
    raise TimeoutError


def main() -> None:
    """Prints what the patterns of a file of rules find in a file of output."""
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with open(sys.argv[1], "rb") as rules:
            patterns = json.load(rules)["patterns"]
        file = open_regular(sys.argv[2])
        for count, found in enumerate(find(patterns, file) if file else ()):
            if count >= MOST:
                raise TimeoutError  # noqa: TRY301 - it is the same for whoever reads what we found
            sys.stdout.write(json.dumps(found) + "\n")
    except TimeoutError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write('"late"\n')


if __name__ == "__main__":
    main()
