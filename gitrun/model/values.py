"""Values that a flag can hold: what a typed text means, how a value is spelled, and which values are equal."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from typing import TypeAlias

from gitrun.errors import UsageError

Value: TypeAlias = bool | int | float | str | list["Value"]
Plain: TypeAlias = Callable[[str], "Value | None"]

# Python converts up to 640 digits whatever sys.set_int_max_str_digits() says; longer ints may fail to print.
LONGEST_INT = 640
DEEPEST_LIST = 32
LONGEST_REPEAT = 10_000

_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf|nan")
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_BARE = re.compile(r"[^,\]]+")
_START = re.compile(r"\[\s*")
_COMMA = re.compile(r"\s*,\s*")
_END = re.compile(r"\s*\](?:\*([0-9]{1,5})(?![0-9]))?")


def same_value(a: object, b: object) -> bool:
    """Whether two values are equal as flags: `1 == 1.0`, `True != 1`, nan equals nan; likewise in lists."""
    return identity(a) == identity(b)


def copy_value(name: str, value: object) -> Value:
    """A copy made of plain Python types; a tuple becomes a list, a path text, a number of numpy's an int or a float.

    Raises UsageError, naming the flag, for what a run cannot hold: other types, text that is not valid
    Unicode, ints of more than 640 digits, lists nested more than 32 deep.
    """
    try:
        return _copy(value)
    except (TypeError, ValueError, OverflowError) as error:
        hint = "a flag holds true or false, a number, text, or a list of these"
        raise UsageError(f"flag {name!r} cannot hold {error}", hint) from error


def parse_value(text: str) -> Value | None:
    """The value of a typed text; never raises: what is not well formed is text as typed.

    Ints, floats, `true false yes no on off`, `null` (None), quoted text (in single quotes '' is a quote, in
    double quotes JSON escapes), lists (`[a, 'b c', [1]*3]`). Dates, `1_000`, `007`, `0x10` are text.
    """
    return _parse(text, _read_plain)


def parse_spelled(text: str) -> Value | None:
    """As `parse_value`, but a number that would be spelled in another way (`1.10`, a hash like `12e4567`) is text.

    `1e-3` and `.5` are numbers all the same: nobody means anything else.
    """
    return _parse(text, _read_spelled)


def parse_texts(text: str) -> Value | None:
    """As `parse_value`, but what stands in a list without quotes is text as it was typed."""
    return _parse(text, str) if text.startswith("[") else parse_value(text)


def list_end(text: str, start: int) -> int:
    """Where the list ends that begins at `start`, as `parse_value` reads lists; -1 if there is none."""
    try:
        return _read_item(text, start, 1, _read_plain)[1] if text.startswith("[", start) else -1
    except ValueError:
        return -1


def format_value(value: Value) -> str:
    """What a person types to get exactly this value and type back from `parse_value`."""
    if isinstance(value, str):
        return value if _is_plain(value) else _quote(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_format_item, value))}]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def is_unicode(text: str) -> bool:
    """Whether the text is valid Unicode: a word that is not UTF-8 comes with halves of surrogate pairs."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def identity(value: object) -> object:
    """A key that is equal exactly for values equal as flags."""
    if isinstance(value, list | tuple):
        return "list", tuple(map(identity, value))
    if isinstance(value, bool):
        return "bool", value
    return "nan" if isinstance(value, float) and math.isnan(value) else ("value", value)


def _copy(value: object, depth: int = 1) -> Value:
    if isinstance(value, list | tuple):
        if depth > DEEPEST_LIST:
            raise ValueError("a list nested this deep")
        return [_copy(item, depth + 1) for item in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) >= 10**LONGEST_INT:
            raise ValueError("an int of this many digits")
        return int(value)
    if isinstance(value, float):
        # numpy.float64 is a float, but its repr is not one
        return float(value)
    if not isinstance(value, str):
        return _copy(_plain(value), depth)
    if not is_unicode(value):
        raise ValueError("text that is not valid Unicode")
    return str.__str__(value)


def _plain(value: object) -> Value:
    """A number of another kind, such as numpy's, or a path, as Python's own."""
    from numbers import Integral, Real

    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _read_plain(text: str) -> Value | None:
    if text == "null":
        return None
    if text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    if _INT.fullmatch(text):
        return int(text) if len(text.lstrip("+-")) <= LONGEST_INT else text
    return float(text) if _FLOAT.fullmatch(text) else text


def _read_spelled(text: str) -> Value | None:
    value = _read_plain(text)
    if not isinstance(value, float):
        return value
    if "e" in text.lower():
        return value if math.isfinite(value) else text
    digits = text.lstrip("+-")
    exact = f"{'0' if digits.startswith('.') else ''}{digits}{'0' if digits.endswith('.') else ''}"
    return value if repr(abs(value)) == exact else text


def _parse(text: str, plain: Plain) -> Value | None:
    """The value of a typed text, in which `plain` reads what is neither a list nor quoted."""
    if not text.startswith(("[", "'", '"')):
        return plain(text)
    try:
        value, end = _read_item(text, 0, 1, plain)
    except ValueError:
        return text
    return value if end == len(text) else text


def _read_item(text: str, at: int, depth: int, plain: Plain) -> tuple[Value, int]:
    """The list, quoted or plain item at `at`, and where it ends. Raises ValueError if it is none."""
    start = _START.match(text, at)
    if start:
        return _read_list(text, start.end(), depth, plain)
    quoted = text.startswith(("'", '"'), at)
    match = (_QUOTED if quoted else _BARE).match(text, at)
    if match is None:
        raise ValueError("no item here, or its quote is open")
    value = _unquote(match[0]) if quoted else plain(match[0].rstrip())
    if value is None:
        raise ValueError("a list cannot hold null")
    return value, match.end()


def _read_list(text: str, at: int, depth: int, plain: Plain) -> tuple[list[Value], int]:
    """The list whose first item or end is at `at`, and where it ends. Raises ValueError if it is none."""
    if depth > DEEPEST_LIST:
        raise ValueError("a list nested this deep")
    items: list[Value] = []
    end = _END.match(text, at)
    while end is None:
        item, at = _read_item(text, at, depth + 1, plain)
        items.append(item)
        end, comma = _END.match(text, at), _COMMA.match(text, at)
        at = comma.end() if comma else at
        if not end and not comma:
            raise ValueError("a list ends with ]")
    times = int(end[1] or 1)
    if times > 1 and _size(items) * times > LONGEST_REPEAT:
        raise ValueError("a list this long")
    return [_copy(item, depth) for _ in range(times) for item in items], end.end()


def _size(items: list[Value]) -> int:
    return sum(1 + (_size(item) if isinstance(item, list) else 0) for item in items)


def _unquote(quoted: str) -> str:
    """Raises ValueError for a bad escape, and for one that makes text that is not valid Unicode."""
    if quoted.startswith("'"):
        return quoted[1:-1].replace("''", "'")
    text: str = json.loads(quoted, strict=False)
    if not is_unicode(text):
        raise ValueError("half of a surrogate pair")
    return text


def _format_item(value: Value) -> str:
    # in a list, `a]` would end it
    if isinstance(value, str) and ("]" in value or "[" in value):
        return _quote(value)
    return format_value(value)


def _is_plain(text: str) -> bool:
    """Whether the text stands for itself when typed, on its own."""
    special = text.startswith("[") or any(char in " ,'\"" or not char.isprintable() for char in text)
    return not special and text != "" and isinstance(_read_plain(text), str)


def _quote(text: str) -> str:
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    chars = (c if c.isprintable() and c not in '"\\' else json.dumps(c)[1:-1] for c in text)
    return '"' + "".join(chars) + '"'
