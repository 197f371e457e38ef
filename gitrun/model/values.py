"""Values that a flag can hold: how they are parsed, formatted and compared."""

from __future__ import annotations

import json
import math
import os

from gitrun.errors import BadValue
from gitrun.lazy import lazy_pattern, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

Value: TypeAlias = "bool | int | float | str | list[Value]"
Plain: TypeAlias = "Callable[[str], Value | None]"

# Python converts up to 640 digits whatever sys.set_int_max_str_digits() says; longer ints may fail to print.
LONGEST_INT = 640
DEEPEST_LIST = 32
LONGEST_REPEAT = 10_000

_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# as in JSON and TOML, a number has no leading zero: 007 is text
_INT = lazy_pattern(r"[-+]?(?:0|[1-9][0-9]*)")
# 1.   .5   1e-3   -inf; not 1_000, which Python's float accepts
_FLOAT = lazy_pattern(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf|nan")
# 'it''s'   "a \"b\" \u00e9"
QUOTED = lazy_pattern(r"""(?s)'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")
BARE = lazy_pattern(r"[^,\]]+")
LIST_START = lazy_pattern(r"\[\s*")
COMMA = lazy_pattern(r"\s*,\s*")
# `]*3` repeats the list
_END = lazy_pattern(r"\s*\](?:\*([0-9]{1,5})(?![0-9]))?")


def same_value(a: object, b: object) -> bool:
    """Returns whether two values are equal as flags: `1 == 1.0`, `True != 1`, nan equals nan; likewise in lists."""
    return identity(a) == identity(b)


def copy_value(name: str, value: object) -> Value:
    """Returns a copy in plain Python types: a tuple becomes a list, a path text, a numpy number an int or float.

    Raises UsageError, naming the flag, for what a run cannot hold: other types, text that is not valid Unicode, ints of more
    than 640 digits, lists nested more than 32 deep.
    """
    try:
        return _copy(value)
    except (TypeError, ValueError, OverflowError) as error:
        hint = "A flag holds true or false, a number, text, or a list of these"
        raise BadValue(f"flag {name!r} cannot hold {error}", hint) from error


def parse_value(text: str) -> Value | None:
    """Parses typed text. Never raises: malformed text is returned as typed.

    Reads ints, floats, `true false yes no on off`, `null` (None), quoted text and lists (`[a, 'b c', [1]*3]`). In single
    quotes, '' is a quote; double quotes use JSON escapes. Dates, `1_000`, `007` and `0x10` are text.
    """
    return _parse(text, _read_plain)


def parse_spelled(text: str) -> Value | None:
    """Parses as `parse_value`, but keeps numbers as text if their spelling would change (`1.10`, `12e4567`).

    `1e-3` and `.5` are still numbers: nobody means anything else.
    """
    return _parse(text, _read_spelled)


def parse_texts(text: str) -> Value | None:
    """Parses as `parse_value`, but unquoted items of a list stay text."""
    return _parse(text, str) if text.startswith("[") else parse_value(text)


def list_end(text: str, start: int) -> int:
    """Returns the end of the list that begins at `start`, by the rules of `parse_value`; -1 if there is none."""
    try:
        return _read_item(text, start, 1, _read_plain)[1] if text.startswith("[", start) else -1
    except ValueError:
        return -1


def format_value(value: Value) -> str:
    """Returns the text from which `parse_value` restores exactly this value and type."""
    if isinstance(value, str):
        return value if _is_plain(value) else _quote(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_format_item, value))}]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def is_unicode(text: str) -> bool:
    """Returns whether the text is valid Unicode: Python decodes words that are not UTF-8 with surrogates."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def identity(value: object) -> object:
    """Returns a key that is equal for exactly those values that are equal as flags."""
    if isinstance(value, list | tuple):
        return "list", tuple(map(identity, value))
    if isinstance(value, bool):
        # True == 1 in Python, but not as flags
        return "bool", value
    return "nan" if isinstance(value, float) and math.isnan(value) else ("value", value)


def _copy(value: object, depth: int = 1) -> Value:
    if isinstance(value, list | tuple):
        if depth > DEEPEST_LIST:
            raise ValueError("a list nested this deep")
        return [_copy(item, depth + 1) for item in value]
    # before int, of which bool is a subclass
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) >= 10**LONGEST_INT:
            raise ValueError("an int of this many digits")
        # an IntEnum becomes a plain int
        return int(value)
    if isinstance(value, float):
        # numpy.float64 is a float, but its repr is not a number
        return float(value)
    if not isinstance(value, str):
        return _copy(_plain(value), depth)
    if not is_unicode(value):
        raise ValueError("text that is not valid Unicode")
    return str.__str__(value)


def _plain(value: object) -> Value:
    """Converts a number of another library, such as numpy, or a path to a plain Python value. Raises TypeError."""
    # numpy registers its numbers with these classes, though its integers are no int
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
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
    # 1e999 is inf, as in Python
    return float(text) if _FLOAT.fullmatch(text) else text


def _read_spelled(text: str) -> Value | None:
    value = _read_plain(text)
    if not isinstance(value, float):
        return value
    # 12e4567 would become inf, and hide what was typed
    if "e" in text.lower():
        return value if math.isfinite(value) else text
    digits = text.lstrip("+-")
    # .5 and 5. count as 0.5 and 5.0
    exact = f"{'0' if digits.startswith('.') else ''}{digits}{'0' if digits.endswith('.') else ''}"
    return value if repr(abs(value)) == exact else text


def _parse(text: str, plain: Plain) -> Value | None:
    """Parses typed text; `plain` reads what is neither a list nor quoted."""
    if not text.startswith(("[", "'", '"')):
        return plain(text)
    try:
        value, end = _read_item(text, 0, 1, plain)
    except ValueError:
        return text
    return value if end == len(text) else text


def _read_item(text: str, at: int, depth: int, plain: Plain) -> tuple[Value, int]:
    """Returns the list, quoted or plain item at `at`, and its end. Raises ValueError if there is none."""
    start = LIST_START.match(text, at)
    if start:
        return _read_list(text, start.end(), depth, plain)
    quoted = text.startswith(("'", '"'), at)
    match = (QUOTED if quoted else BARE).match(text, at)
    if match is None:
        raise ValueError("no item here, or its quote is open")
    # blanks before a comma do not belong to the item
    value = _unquote(match[0]) if quoted else plain(match[0].rstrip())
    if value is None:
        raise ValueError("a list cannot hold null")
    return value, match.end()


def _read_list(text: str, at: int, depth: int, plain: Plain) -> tuple[list[Value], int]:
    """Returns the list whose first item or end is at `at`, and its end. Raises ValueError if it is malformed."""
    if depth > DEEPEST_LIST:
        raise ValueError("a list nested this deep")
    items: list[Value] = []
    end = _END.match(text, at)
    while end is None:
        item, at = _read_item(text, at, depth + 1, plain)
        items.append(item)
        end, comma = _END.match(text, at), COMMA.match(text, at)
        at = comma.end() if comma else at
        if not end and not comma:
            raise ValueError("a list ends with ]")
    times = int(end[1] or 1)
    # nested repeats multiply: a short text could ask for more than memory holds
    if times > 1 and _size(items) * times > LONGEST_REPEAT:
        raise ValueError("a list this long")
    # copies: an inner list that is repeated must not be one object
    return [_copy(item, depth) for _ in range(times) for item in items], end.end()


def _size(items: list[Value]) -> int:
    return sum(1 + (_size(item) if isinstance(item, list) else 0) for item in items)


def _unquote(quoted: str) -> str:
    """Returns the text in quotes. Raises ValueError for bad escapes and for half a surrogate pair."""
    if quoted.startswith("'"):
        return quoted[1:-1].replace("''", "'")
    # strict=False accepts line ends and tabs as they are
    text: str = json.loads(quoted, strict=False)
    if not is_unicode(text):
        raise ValueError("half of a surrogate pair")
    return text


def _format_item(value: Value) -> str:
    # unquoted brackets would begin or end a list
    if isinstance(value, str) and ("]" in value or "[" in value):
        return _quote(value)
    return format_value(value)


def _is_plain(text: str) -> bool:
    """Returns whether the text, typed without quotes, means itself."""
    special = text.startswith("[") or any(char in " ,'\"" or not char.isprintable() for char in text)
    return not special and text != "" and isinstance(_read_plain(text), str)


def _quote(text: str) -> str:
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    # double quotes use JSON escapes, single quotes have none for control characters
    chars = (c if c.isprintable() and c not in '"\\' else json.dumps(c)[1:-1] for c in text)
    return '"' + "".join(chars) + '"'
