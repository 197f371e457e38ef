"""Text for people: `safe_text`, which escapes everything from a repository, and sizes, numbers and times."""

from __future__ import annotations

import math
import os
import re
import signal
from itertools import islice, pairwise

from gitrun.lazy import lazy_pattern, shlex, unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

# \x1b[1;31m   \x1b[38;5;196m   \x1b[38:5:196m
COLOUR = lazy_pattern(r"\x1b\[[0-9;:]*m")
# \xe9 for a byte that is not UTF-8, \\ for a backslash
ESCAPED = lazy_pattern(r"\\(?:x([89a-f][0-9a-f])|\\)")
SURROGATE = lazy_pattern("[\ud800-\udfff]")
LEFT_OUT = lazy_pattern(r"\n\[gitrun: (\d+) bytes left out; ")
"""The line that `gitrun.store.attempts` puts in place of the middle of a long output."""
EXACT_LIMIT = 1 << 53
"""Doubles hold every whole number below this one."""
# controls, formatting (bidi, zero width), surrogates, private and unassigned, and the two line separators
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


# characters without a glyph: fillers of Hangul, Khmer and Khitan, the blank of Braille, Mongolian and other
# variation selectors, the joiner of graphemes, a note without a head
INVISIBLE = lazy_pattern(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
MAX_LABEL = 60
"""Most columns of a label in a line with other fields."""


def safe_text(text: str) -> str:
    """Returns the text on one line; escapes all that a terminal obeys, that reorders text, or that is invisible."""
    # click and git log pass OSC 52 and bidi controls on to a terminal, click even to a pipe
    if text.isascii() and text.isprintable():
        return text
    parts, before = [], ""
    for char in text:
        # U+FE0F belongs to an emoji; after any other character it is invisible
        is_emoji = char == "\ufe0f" and before != "" and unicodedata.category(before) == "So" and not INVISIBLE.match(before)
        is_hidden = unicodedata.category(char) in UNSAFE or (INVISIBLE.match(char) is not None and not is_emoji)
        parts.append(escape_char(char) if is_hidden else char)
        before = char
    return "".join(parts)


def shell_word(text: str | os.PathLike[str]) -> str:
    r"""Returns a word as a shell reads it back. What is not printable is written for bash and zsh: `$'a\xff'`."""
    word = os.fspath(text)
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(char if char.isprintable() and char not in "\\'" else escape_bytes(char) for char in word) + "'"


def escape_bytes(char: str) -> str:
    r"""Returns the bytes of a character, each as `\xff`."""
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def label_text(label: str) -> str:
    """Returns a label for a line with other fields; the middle of a long one is cut."""
    # before escaping, because that takes time, and after it, because escapes are wider
    return shorten(safe_text(shorten(label, MAX_LABEL)), MAX_LABEL)


def hide_passwords(text: str) -> str:
    """Returns the text without passwords in URLs.

    As git does, drops the user name of web URLs too: it may be a token.
    """
    if "://" not in text or "@" not in text:
        return text
    # the name in a web URL may be a token, elsewhere (ssh) it is only a user
    text = re.sub(r"\b((?:https?|ftps?)://)[^\s/'\"]*@", r"\1", text, flags=re.IGNORECASE)
    return re.sub(r"\b([a-z][a-z0-9+.-]*://[^\s/:@'\"]*):[^\s/'\"]*@", r"\1@", text, flags=re.IGNORECASE)


def escape_char(char: str) -> str:
    """Returns the escape sequence that is shown for an unsafe character."""
    if "\udc80" <= char <= "\udcff":  # a byte of a name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    # \n   \x1b   \u202e
    return char.encode("unicode_escape", "backslashreplace").decode()


def escape_surrogates(text: str) -> str:
    """Returns the text with surrogates (bytes that are not UTF-8) escaped as `safe_text` does."""
    return SURROGATE.sub(lambda match: escape_char(match[0]), text)


def count_columns(text: str) -> int:
    """Returns the terminal columns of the text: East Asian characters and emoji take two, accents none."""
    if text.isascii():
        return len(text)
    # terminals give wide and fullwidth characters two columns (UAX 11)
    wide = sum(unicodedata.east_asian_width(char) in {"W", "F"} for char in text)
    # combining marks share the column of the character before them
    return len(text) + wide - sum(unicodedata.category(char) in {"Mn", "Me"} for char in text)


def cut_to_columns(text: str, room: int) -> str:
    """Returns the longest beginning of the text that fits in `room` columns."""
    if text.isascii():
        return text[: max(room, 0)]
    end = 0
    while end < len(text) and count_columns(text[: end + 1]) <= room:
        end += 1
    return text[:end]


def shorten(text: str, room: int) -> str:
    """Returns the text in at most `room` columns; a longer one keeps its two ends around `…`."""
    if count_columns(text) <= room:
        return text
    # the end of a path or a label often tells more than its middle
    end = cut_to_columns(text[::-1], (room - 1) // 2)[::-1]
    return f"{cut_to_columns(text, room - 1 - count_columns(end))}…{end}"


def safe_lines(text: str) -> list[str]:
    """Returns the lines of a program's output, each escaped, with tabs expanded and colours removed."""
    return [safe_text(line.expandtabs()) for line in (COLOUR.sub("", text) if "\x1b" in text else text).splitlines()]


def encode_path(path: str) -> str:
    r"""Encodes a path for TOML: bytes that are not UTF-8 (surrogates in Python) as `\xNN`, `\` as `\\`."""
    # git paths are bytes, TOML is UTF-8
    return path.replace("\\", "\\\\").encode(errors="surrogateescape").decode(errors="backslashreplace")


def decode_path(text: str) -> str:
    """Returns the path that `encode_path` encoded."""
    # Python keeps such a byte as U+DC00 plus its value (PEP 383)
    return ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)) if match[1] else "\\", text)


def is_text(words: str) -> bool:
    """Returns whether the text can be encoded as UTF-8: command-line words may hold any bytes."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def size_text(size: float) -> str:
    """Returns bytes in a fitting decimal unit: `12 kB`, `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def amount_text(output: str, lines: int) -> str:
    """Returns the number of lines, or the size of the whole if the output was recorded without its middle."""
    gap = LEFT_OUT.search(output)
    # nobody has counted the lines of the middle
    return size_text(int(gap[1]) + len(output.encode(errors="replace"))) if gap else count_text(lines, "line")


def number_text(value: float, digits: int = 6) -> str:
    """Returns a metric's value: whole numbers in full, `1234567`, others in six digits, `0.333333`."""
    return str(int(value)) if abs(value) < EXACT_LIMIT and value == int(value) else f"{value:.{digits}g}"


def metrics_text(metrics: Mapping[str, float], most: int) -> str:
    """Returns the first `most` metrics, `loss=0.31 acc=0.9`, and the number of the rest."""
    text = " ".join(f"{safe_text(name)}={number_text(value)}" for name, value in islice(metrics.items(), most))
    return text + (f" and {len(metrics) - most:,} more" if len(metrics) > most else "")


def exact_text(value: float) -> str:
    """Returns a value as `number_text` does, but in full if that would round it."""
    brief = number_text(value)
    # repr is the shortest text that reads back as the same float
    return brief if float(brief) == value else repr(value)


def numbers_text(values: Sequence[float | None]) -> list[str]:
    """Returns numbers for a column, `-` for None; with more digits where rounding would hide which one is larger."""
    known = sorted({value for value in values if value is not None and not math.isnan(value)})
    close = {one for pair in pairwise(known) if float(number_text(pair[0])) >= float(number_text(pair[1])) for one in pair}
    texts = separate_texts(sorted(close))
    return ["-" if value is None else texts.get(value) or number_text(value) for value in values]


def separate_texts(values: Sequence[float]) -> dict[float, str]:
    """Returns ascending numbers with the fewest digits in which they still ascend, seven or more; in full as a last resort."""
    for digits in range(7, 17):
        texts = [number_text(value, digits) for value in values]
        if all(float(one) < float(other) for one, other in pairwise(texts)):
            return dict(zip(values, texts, strict=True))
    return {value: exact_text(value) for value in values}


def limit_text(size: int) -> str:
    """Returns a limit in the units of git config: `10 MiB`, `1 KiB`, `1,500 B`."""
    for unit, length in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % length == 0:
            return f"{size // length:,} {unit}"
    return f"{size:,} B"


def duration_text(seconds: float) -> str:
    """Returns seconds as `0.04s`, `12.4s`, `3m20s` or `2h05m`."""
    # from here on two digits would round up to 10.00s
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    # rounded first: 119.7 seconds are 2m00s, not 1m60s
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def time_text(time: datetime | None) -> str:
    """Returns the time in the user's time zone, to the second; `-` for None."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else "-"


DAY = 86_400
# a month is a twelfth of 365.25 days
AGES = {"year": 365.25 * DAY, "month": 30.4375 * DAY, "week": 7 * DAY, "day": DAY, "hour": 3_600, "minute": 60, "second": 1}


def relative_text(time: datetime, now: datetime) -> str:
    """Returns the distance in time: `3 hours ago`, `just now`, `in 2 days`."""
    seconds = (now - time).total_seconds()
    for unit, length in AGES.items():
        # as git does: a unit is used from two of it on
        if abs(seconds) >= 2 * length:
            amount = count_text(int(abs(seconds) // length), unit)
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"


def age_text(time: datetime, now: datetime) -> str:
    """Returns the distance in time in few columns: `13s ago`, `5m ago`, `3h ago`, `2d ago`, `11mo ago`, `now`."""
    passed = (now - time).total_seconds()
    for unit, length in AGES.items():
        if abs(passed) >= length:
            amount = f"{int(abs(passed) // length)}{'mo' if unit == 'month' else unit[0]}"
            return f"{amount} ago" if passed > 0 else f"in {amount}"
    return "now"


def count_text(number: int, noun: str) -> str:
    """Returns `1 file`, `3 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def either_text(words: Sequence[str]) -> str:
    """Returns `a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def ending_text(status: str, exit_status: int | None, duration: float | None) -> str:
    """Returns how an attempt ended: `completed in 12.4s`, `error (exit status 3) in 0.41s`.

    A signal is named: `terminated (SIGTERM) in 2m05s`. Without a duration, returns the status: `running`.
    """
    # as in subprocess, minus the number of a signal
    if exit_status is not None and exit_status < 0:
        status += f" ({signal_text(-exit_status)})"
    elif exit_status:
        status += f" (exit status {exit_status})"
    return status if duration is None else f"{status} in {duration_text(duration)}"


def signal_text(number: int) -> str:
    """Returns the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        # Python names no real-time signals but the first and the last
        return f"signal {number}"


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the rows as lines with aligned columns, two blanks between."""
    widths = [max(map(count_columns, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - count_columns(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
