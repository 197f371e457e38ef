"""Fast reader of the TOML that gitrun writes, line by line; leaves any other form to tomli, with the same result.

Only this module knows which lines can be read alone: statements that mean the same whatever surrounds them.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from gitrun.lazy import lazy_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_CACHED = 200
"""Longest statement, in characters, that is cached: most runs repeat the same few hundred."""
TABLE, ROW = object(), object()
"""Values of the headers `[name]` and `[[name]]`."""
# integers of 18 digits fit in 64 bits; longer ones, and times of other forms, are left to tomli
# re.VERBOSE would take half as long again to compile
PLAIN = lazy_pattern(
    r"([A-Za-z0-9_-]+) = (?:"
    r"(?P<int>-?(?:0|[1-9][0-9]{0,17}))|(?P<float>-?(?:(?:0|[1-9][0-9]*)\.[0-9]+(?:e[-+]?[0-9]+)?|inf)|nan)"
    r'|(?P<bool>true|false)|"(?P<str>[^"\\\x00-\x1f\x7f]*)"'
    r"|(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?\+00:00)"
    r"|(?P<list>\[.*\])"
    r")|\[(?P<table>[A-Za-z0-9_-]+)\]|\[\[(?P<row>[A-Za-z0-9_-]+)\]\]",
    re.DOTALL,
)
READ: dict[str, Callable[[str], object]] = {
    "int": int, "float": float, "bool": lambda word: word == "true", "str": str, "time": datetime.fromisoformat,
}  # fmt: skip
# statements of ASCII without lists, and times on days that each month has; more would cost more than it saves
SIMPLE = lazy_pattern(
    rb"(?:(?:[A-Za-z0-9_-]+ = (?:-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]+(?:e[-+]?[0-9]+)?)?|true|false"
    rb'|"[ !#-\[\]-~]*"|[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])[T ]'
    rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?\+00:00"
    rb")|\[[A-Za-z0-9_-]+\])?\n)*"
)
NAME = lazy_pattern(rb"^\[?([A-Za-z0-9_-]+)", re.MULTILINE)
LONGEST_SIMPLE = 1 << 12
"""Bytes up to which a file is held against SIMPLE, which takes memory for each line."""
ITEMS = frozenset({"int", "float", "bool", "str"})
"""Kinds of items of a plain list. A list or table inside would be shared by all that read the cached statement."""


def parse_text(text: str) -> dict[str, Any]:
    """Parses TOML. Raises ValueError or RecursionError."""
    lines = parse_statements(text)
    return load_toml(text) if lines is None else lines


def load_toml(text: str) -> dict[str, Any]:
    """Parses any TOML with tomli. Raises ValueError or RecursionError."""
    # gitrun's own files rarely need tomli: only other files pay 3 ms for this import
    import tomli

    return tomli.loads(text)


def is_simple(data: bytes) -> bool:
    """Returns whether these bytes are sure to be TOML, in a third of the time of `parse_text`. Is not sure of all TOML."""
    if len(data) > LONGEST_SIMPLE or not SIMPLE.fullmatch(data):
        return False
    names = NAME.findall(data)
    # a name may come again in another table, but only the parser knows
    return len(set(names)) == len(names)


def parse_statements(text: str) -> dict[str, Any] | None:
    """Parses TOML statement by statement; None if one is not in plain form, or repeats a key."""
    document: dict[str, Any] = {}
    table = document
    rows: dict[str, list[object]] = {}
    # splitlines would also split at U+2028 and others, which a text may hold
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        # tomli_w writes a list over several lines: `command = [`, an item on each, `]`
        whole = join_list(line, lines) if line[-1] == "[" else line
        name, value = parse_cached(whole) if len(whole) <= MAX_CACHED else parse_statement(whole)
        if value is ROW:
            # a key or a table of that name before it is an error
            if document.setdefault(name, rows.setdefault(name, [])) is not rows[name]:
                return None
            table = {}
            rows[name].append(table)
            continue
        # a repeated key is an error in TOML, which tomli reports
        if name in (document if value is TABLE else table):
            return None
        if value is TABLE:
            table = document[name] = {}
        elif name:
            # a new list each time: the cached one would be shared by many runs
            table[name] = list(value) if type(value) is tuple else value
        else:
            return None
    return document


def join_list(line: str, lines: Iterator[str]) -> str:
    """Returns the statement that begins with this line, up to the line that ends a list."""
    joined = [line]
    for more in lines:
        joined.append(more)
        if more == "]":
            break
    return "\n".join(joined)


def parse_statement(text: str) -> tuple[str, Any]:
    """Returns name and value of a statement: a list as a tuple, TABLE or ROW for a header. An empty name: not plain."""
    match = PLAIN.fullmatch(text)
    if match is None:
        return "", None
    name, kind = match[1], match.lastgroup or ""
    if kind in {"table", "row"}:
        return match[kind], TABLE if kind == "table" else ROW
    try:
        return name, parse_flat_list(text) if kind == "list" else READ[kind](match[kind])
    except (ValueError, RecursionError):  # a date that does not exist, an invalid list
        return "", None


parse_cached = lru_cache(maxsize=4096)(parse_statement)


def parse_flat_list(text: str) -> tuple[object, ...]:
    """Parses the one list in these lines. Raises ValueError if there is more, or items are not plain."""
    head, *lines = text.split("\n")
    begin = head.partition(" = ")[2]
    if begin == "[]":
        return ()
    # tomli_w writes `command = [`, each item in a line of its own, indented by four blanks, and `]`
    if begin == "[" and lines[-1:] == ["]"]:
        matches = [PLAIN.fullmatch(f"item = {line[4:-1]}") for line in lines[:-1] if line[:4] == "    " and line[-1] == ","]
        items = [(match.lastgroup or "", match) for match in matches if match]
        if len(items) == len(lines) - 1 and all(kind in ITEMS for kind, _ in items):
            return tuple(READ[kind](match[kind]) for kind, match in items)
    # unpacking raises ValueError if these lines hold a second statement
    ((_, values),) = load_toml(text).items()
    if any(type(value) not in {str, int, float, bool} for value in values):
        raise ValueError("not a list of plain values")
    return tuple(values)
