"""TOML as we write it, read line by line; what is not in that form is left to tomli, so that both read the same.

Only here is known which lines can be read one by one: those that are statements of their own, whatever stands around them.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 200
"""Characters up to which a statement is remembered: most statements of most runs are the same few hundred."""
TABLE: Final = object()
PLAIN = re.compile(
    r"""([A-Za-z0-9_-]+)[ ]=[ ](?:
        (?P<int>-?(?:0|[1-9][0-9]{0,17})) | (?P<float>-?(?:(?:0|[1-9][0-9]*)\.[0-9]+(?:e[-+]?[0-9]+)?|inf)|nan)
        | (?P<bool>true|false) | "(?P<str>[^"\\\x00-\x1f\x7f]*)"
        | (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?\+00:00)
        | (?P<list>\[.*\])
    )|\[(?P<table>[A-Za-z0-9_-]+)\]""",
    re.VERBOSE | re.DOTALL,
)
READ: dict[str, Callable[[str], object]] = {
    "int": int, "float": float, "bool": lambda word: word == "true", "str": str, "time": datetime.fromisoformat,
}  # fmt: skip


def read_toml(text: str) -> dict[str, Any]:
    """The table that the text is. Raises ValueError or RecursionError for what is no TOML."""
    found = by_statement(text)
    if found is not None:
        return found
    import tomli

    return tomli.loads(text)


def by_statement(text: str) -> dict[str, Any] | None:
    """The table that the text is; None if one of its statements is not of the plain form, or comes twice."""
    found: dict[str, Any] = {}
    table = found
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        whole = whole_list(line, lines) if line[-1] == "[" else line
        name, value = remembered(whole) if len(whole) <= LONG else statement(whole)
        if name in (found if value is TABLE else table):
            return None
        if value is TABLE:
            table = found[name] = {}
        elif name:
            table[name] = list(value) if type(value) is tuple else value
        else:
            return None
    return found


def whole_list(line: str, lines: Iterator[str]) -> str:
    """The statement whose first line this is, up to the line that ends a list."""
    found = [line]
    for more in lines:
        found.append(more)
        if more == "]":
            break
    return "\n".join(found)


def statement(text: str) -> tuple[str, Any]:
    """Name and value of a statement, a list as a tuple; `TABLE` is the value of a header. No name: it is not plain."""
    match = PLAIN.fullmatch(text)
    if match is None:
        return "", None
    name, kind = match[1], match.lastgroup or ""
    if kind == "table":
        return match["table"], TABLE
    try:
        return name, flat_list(text) if kind == "list" else READ[kind](match[kind])
    except (ValueError, RecursionError):  # a day that no calendar has, a list that is none
        return "", None


remembered = lru_cache(maxsize=4096)(statement)


def flat_list(text: str) -> tuple[object, ...]:
    """The items of the one list that these lines are, by tomli. Raises ValueError if they are more, or no plain items."""
    import tomli

    ((_, items),) = tomli.loads(text).items()
    if any(type(item) not in {str, int, float, bool} for item in items):
        raise ValueError("not a list of plain values")
    return tuple(items)
