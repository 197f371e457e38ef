"""The space of a batch: which values each flag takes, as a list to try or as a range to search in.

Pure values: this module reads and writes no files, and knows nothing of samplers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from gitrun import model
from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import BadValue
from gitrun.model.flags import Flag, Typed, find_declared, read_typed, resolve_flag
from gitrun.model.values import (
    BARE,
    COMMA,
    LIST_START,
    QUOTED,
    copy_value,
    format_value,
    list_end,
    parse_value,
    same_value,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gitrun.model.values import Value

_SEQUENCE = re.compile(r"(range|linspace|logspace)\[([^\[\]]*)\](?:\*([0-9]{1,7})(?![0-9]))?")
_INTERVAL = re.compile(r"(uniform|loguniform|)\[([^\[\]]*)\]")
_LIST_END = re.compile(r"\s*\](?:\*([0-9]{1,7})(?![0-9]))?")
_LONG_ENOUGH = 10
"""Fewest numbers that are written as a range instead of a list."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A list of values to try, in the order in which they were typed; values may repeat.

    `when` maps other flags to the values for which this flag exists (empty: always).
    """

    values: tuple[Value, ...]
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """An interval to search in, both ends included.

    `kind` is `int` or `float`. `log` searches evenly in the logarithm. `step` is the distance of the values (None: any).
    `initial` is the value of the first trial (None: drawn). `when` is as for `Choice`.
    """

    kind: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    initial: float | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


Domain: TypeAlias = Choice | Range
Space: TypeAlias = Mapping[str, Domain]


@dataclass(frozen=True, slots=True)
class SpaceRequest:
    """Given flags, divided into those with one value and those with a domain."""

    fixed: Mapping[str, Value | Typed | None]
    space: Space


def read_space(
    values: Mapping[str, Value | Typed | Domain | None],
    declared: Sequence[Flag] | None,
    *,
    operation: str = "the operation",
    force: bool = False,
    columns: Collection[str] = (),
) -> SpaceRequest:
    """Divides given flags into fixed ones and domains, by their declared names.

    Values of a domain are exactly those that `resolve_flags` returns for each of them alone; `force` accepts what the flag
    would refuse. A list is one value for a flag declared as a list, which takes a list of lists as domain. A flag that exists
    only with values of others (`Flag.when`) keeps as conditions those that are in the space, or in `columns`, the flags of a
    file of points. Raises BadValue.
    """
    fixed: dict[str, Value | Typed | None] = {}
    space: dict[str, Domain] = {}
    for name, value in values.items():
        flag = find_declared(declared or (), name) or Flag(name)
        domain_read = _read_given(flag, value)
        if isinstance(domain_read, Choice | Range):
            fixed.pop(flag.name, None)
            space[flag.name] = _resolve_domain(flag, domain_read, operation=operation, force=force)
        else:
            space.pop(flag.name, None)
            fixed[flag.name] = domain_read
    # a fixed flag wins over those of the file
    varied = {*space, *(_declared_name(declared, column) for column in columns)} - fixed.keys()
    defaults: dict[str, Value | None] = {flag.name: flag.default for flag in declared or ()}
    for name, value in fixed.items():
        flag = find_declared(declared or (), name) or Flag(name)
        defaults[name] = read_typed(flag, value) if isinstance(value, Typed) else value
    resolved: dict[str, Domain] = {}
    for name, domain in space.items():
        when = {_declared_name(declared, other): allowed for other, allowed in domain.when.items()}
        _require_possible(name, {other: allowed for other, allowed in when.items() if other not in varied}, defaults)
        resolved[name] = replace(domain, when={other: allowed for other, allowed in when.items() if other in varied})
    # refuses a circle
    order_flags(resolved)
    return SpaceRequest(fixed, resolved)


def order_flags(space: Space) -> list[str]:
    """Returns the flags of a space by name, each after those on which it depends. Raises BadValue for a circle."""
    ordered: list[str] = []
    waiting = sorted(space)
    while waiting:
        ready = next((name for name in waiting if not (space[name].when.keys() & set(waiting))), "")
        if not ready:
            raise BadValue(f"flags exist only with each other: {', '.join(waiting)}", "Remove a `when` from gitrun.toml")
        ordered.append(ready)
        waiting.remove(ready)
    return ordered


def format_domain(domain: Domain) -> str:
    """Returns the text from which `read_space` restores exactly this domain, but for its conditions."""
    if isinstance(domain, Choice):
        return _format_sequence(domain.values) or f"[{', '.join(map(_format_item, domain.values))}]"
    texts = [format_value(domain.low), format_value(domain.high)]
    if domain.initial is not None or domain.step is not None:
        texts.append("" if domain.initial is None else format_value(domain.initial))
    if domain.step is not None:
        texts.append(format_value(domain.step))
    return f"{'loguniform' if domain.log else 'uniform'}[{':'.join(texts)}]"


def format_given(name: str, domain: Domain) -> str:
    """Returns the domain of a flag as people type it, for messages: `lr=[0.001:0.1]`."""
    return f"{name}={format_domain(domain).removeprefix('uniform')}"


def uniform(low: float, high: float, first: float | None = None) -> Range:
    """Returns a range to search in evenly, in whole numbers if both ends are. `first` is the value of the first trial.

    Raises BadValue.
    """
    return _range_of_numbers("uniform", low, high, first)


def loguniform(low: float, high: float, first: float | None = None) -> Range:
    """Returns a range to search in evenly in the logarithm, as `uniform` does. Raises BadValue."""
    return _range_of_numbers("loguniform", low, high, first)


def choice(*values: Value) -> Choice:
    """Returns a list of values to try. Raises BadValue if there are none."""
    return Choice(tuple(copy_value("choice", value) for value in _require_some("choice=[]", values)))


def range_(first: float, last: float, step: float = 1) -> Choice:
    """Returns the values from first to last, both included, computed in decimal: `range_(0, 0.3, 0.1)` ends with 0.3.

    Raises BadValue.
    """
    texts = [format_value(copy_value("range_", number)) for number in (first, last, step)]
    return Choice(tuple(model.sequences.compute_sequence(f"range[{':'.join(texts)}]", "range", texts)))


def _range_of_numbers(function: str, low: float, high: float, first: float | None) -> Range:
    texts = [format_value(copy_value(function, number)) for number in (low, high, first) if number is not None]
    return _read_range(f"{function}[{':'.join(texts)}]", texts, log=function == "loguniform")


def _read_given(flag: Flag, value: Value | Typed | Domain | None) -> Value | Typed | Domain | None:
    """Returns the domain that was given, or else the fixed value, which stays as typed."""
    if isinstance(value, Typed):
        return _read_typed_domain(flag, value) if "[" in value.text else value
    # arrays of numpy and series of pandas; a number of numpy gives a number
    unpacked = getattr(value, "tolist", None)
    if callable(unpacked) or isinstance(value, range):
        return _read_given(flag, list(value) if isinstance(value, range) else unpacked())
    if isinstance(value, list | tuple) and (not _takes_list(flag) or _is_list_of_lists(value)):
        return Choice(tuple(value))
    return value


def _read_typed_domain(flag: Flag, typed: Typed) -> Value | Typed | Domain | None:
    text, label = typed.text, f"{flag.name}={typed.text}"
    if QUOTED.fullmatch(text):
        inner = parse_value(text)
        # other quotes belong to the text of a flag that takes text
        return inner if flag.kind == "str" and isinstance(inner, str) and _is_expression(inner) else typed
    if _takes_list(flag):
        items = _split_list(text, label)
        is_batch = items is not None and bool(items) and all(isinstance(item, str) and item.startswith("[") for item in items)
        return _read_choice(flag, typed, items) if is_batch and items else typed
    interval = _INTERVAL.fullmatch(text)
    if interval and (interval[1] or _looks_like_range(interval[2])):
        return _read_range(label, interval[2].split(":"), log=interval[1] == "loguniform", is_float=_takes_float(flag))
    items = _split_list(text, label)
    return typed if items is None else _read_choice(flag, typed, items)


def _is_expression(text: str) -> bool:
    return bool(_INTERVAL.fullmatch(text) or _SEQUENCE.fullmatch(text)) or list_end(text, 0) == len(text)


def _takes_float(flag: Flag) -> bool:
    return flag.kind == "float" or isinstance(flag.default, float)


def _takes_list(flag: Flag) -> bool:
    return flag.kind == "list" or flag.many or isinstance(flag.default, list)


def _is_list_of_lists(items: Sequence[object]) -> bool:
    return bool(items) and all(isinstance(item, list | tuple) for item in items)


def _looks_like_range(text: str) -> bool:
    first, colon, _ = text.partition(":")
    number = parse_value(first.strip())
    return bool(colon) and "," not in text and isinstance(number, int | float) and not isinstance(number, bool)


def _split_list(text: str, label: str) -> list[str | int | float] | None:
    """Splits a list or a function into items: text as typed, or numbers that a function gives.

    Returns None for text that is neither. Raises BadValue.
    """
    start, sequence = LIST_START.match(text), _SEQUENCE.fullmatch(text)
    if sequence:
        return _repeat(label, _compute(label, sequence), sequence[3])
    if not start:
        return None
    items: list[str | int | float] = []
    at = start.end()
    end = _LIST_END.match(text, at)
    while end is None:
        function = _SEQUENCE.match(text, at)
        if function:
            items += _repeat(label, _compute(label, function), function[3])
            at = function.end()
        else:
            stop = _item_end(text, at)
            if stop < 0:
                return None
            items.append(text[at:stop].rstrip())
            at = stop
        end, comma = _LIST_END.match(text, at), COMMA.match(text, at)
        if not end and not comma:
            return None
        at = comma.end() if comma else at
    return _repeat(label, items, end[1]) if end.end() == len(text) else None


def _item_end(text: str, at: int) -> int:
    """Returns the end of the list item at `at`; -1 if there is none."""
    if text.startswith("[", at):
        return list_end(text, at)
    match = (QUOTED if text.startswith(("'", '"'), at) else BARE).match(text, at)
    return match.end() if match else -1


def _compute(label: str, function: re.Match[str]) -> Sequence[int | float]:
    name = label.partition("=")[0]
    texts = function[2].split(":")
    return model.sequences.compute_sequence(f"{name}={function[1]}[{function[2]}]", function[1], texts)


def _repeat(label: str, items: Sequence[str | int | float], times: str | None) -> list[str | int | float]:
    count = int(times or 1)
    model.sequences.require_few(label, len(items) * count)
    return [*items] * count


def _read_choice(flag: Flag, typed: Typed, items: Iterable[str | int | float]) -> Choice:
    """Returns the values of the items of a list, each read as a word of its own."""
    values: list[Value] = []
    for item in items:
        if isinstance(item, int | float):
            value: Value | None = format_value(item) if flag.kind == "str" else item
        else:
            value = read_item(flag, Typed(item, typed.as_typed))
        if value is None:
            raise BadValue(f"{flag.name}={typed.text}: a list cannot hold null")
        values.append(value)
    return Choice(_require_some(f"{flag.name}={typed.text}", values))


def read_item(flag: Flag, typed: Typed) -> Value | None:
    """Returns the value of an item of a list or table: as `read_typed`, but quotes never belong to the text."""
    if flag.kind == "str" and QUOTED.fullmatch(typed.text):
        return parse_value(typed.text)
    return read_typed(flag, typed)


def _require_some(label: str, values: Iterable[Value]) -> tuple[Value, ...]:
    values_read = tuple(values)
    if not values_read:
        raise BadValue(f"{label} has no values", f"To try some: {label.partition('=')[0]}=[VALUE,VALUE]")
    model.sequences.require_few(label, len(values_read))
    return values_read


def _read_range(label: str, texts: Sequence[str], *, log: bool, is_float: bool = False) -> Range:
    """Returns the range of the text of its bounds, its first value and its step, any of the last two empty.

    Bounds that are whole numbers make a range of them, unless the flag `is_float`.
    """
    if not 2 <= len(texts) <= 4:
        hint = "For example: lr=[0.001:0.1], or to start at 0.01: lr=[0.001:0.1:0.01]"
        raise BadValue(f"{label} needs 2 or 3 numbers", hint)
    low, high = (model.sequences.parse_number(label, text) for text in texts[:2])
    first, step = (model.sequences.parse_number(label, text) if text.strip() else None for text in [*texts[2:], "", ""][:2])
    kind = "int" if isinstance(low, int) and isinstance(high, int) and not is_float else "float"
    return _checked_range(label, Range(kind, low, high, log, step, first))


def _checked_range(label: str, range_read: Range) -> Range:
    """Returns the range with numbers of its kind. Raises BadValue for bounds, a step or a first value that contradict."""
    low, high = format_value(range_read.low), format_value(range_read.high)
    name = label.partition("=")[0] if "=" in label else "lr"
    if range_read.low > range_read.high:
        raise BadValue(f"{label}: the lower bound is above the upper one", f"To search between them: {name}=[{high}:{low}]")
    if range_read.log and range_read.low <= 0:
        raise BadValue(f"{label}: the lower bound must be above 0", f"To search evenly: {name}=[{low}:{high}]")
    if range_read.initial is not None and not range_read.low <= range_read.initial <= range_read.high:
        raise BadValue(f"{label}: the first value, {format_value(range_read.initial)}, is not between {low} and {high}")
    _check_step(label, range_read)
    numbers = (range_read.low, range_read.high, range_read.step, range_read.initial)
    if range_read.kind == "int":
        if not all(number is None or isinstance(number, int) for number in numbers):
            raise BadValue(
                f"{label} mixes whole numbers with others",
                f"To search in all numbers: {name}=[{range_read.low:.1f}:{range_read.high:.1f}]",
            )
        return range_read
    try:
        step, initial = (None if number is None else float(number) for number in (range_read.step, range_read.initial))
        return replace(range_read, low=float(range_read.low), high=float(range_read.high), step=step, initial=initial)
    except OverflowError as error:
        raise BadValue(f"{label}: its numbers are too large") from error


def _check_step(label: str, range_read: Range) -> None:
    if range_read.step is None:
        return
    if range_read.step <= 0 or range_read.log:
        raise BadValue(f"{label} must have {'no step: it is logarithmic' if range_read.log else 'a step above 0'}")
    exact = (
        model.sequences.to_fraction(number, format_value(number))
        for number in (range_read.low, range_read.high, range_read.step)
    )
    low, high, step = exact
    if (high - low) % step:
        end = model.sequences.decimal_text(low + (high - low) // step * step)
        raise BadValue(f"{label} does not reach {format_value(range_read.high)}: its last value is {end}")
    if (
        range_read.initial is not None
        and (model.sequences.to_fraction(range_read.initial, format_value(range_read.initial)) - low) % step
    ):
        raise BadValue(f"{label}: the first value, {format_value(range_read.initial)}, is not one of its steps")


def _resolve_domain(flag: Flag, domain: Domain, *, operation: str, force: bool) -> Domain:
    """Returns the domain with values that the flag accepts, and with its conditions. Raises BadValue."""
    when = domain.when or dict(flag.when)
    if isinstance(domain, Choice):
        values = (resolve_flag(flag, value, operation=operation, force=force) for value in domain.values)
        if any(value is None for value in domain.values):
            raise BadValue(f"{flag.name}: a list cannot hold null")
        return Choice(_require_some(f"{flag.name}=[]", (value for value in values if value is not None)), when)
    label = format_given(flag.name, domain)
    if flag.kind in {"str", "bool", "list"} or flag.choices:
        takes = {"str": "text", "bool": "true or false", "list": "lists"}.get(flag.kind, "only some values")
        examples = ",".join(map(_format_item, flag.choices)) or ("true,false" if flag.kind == "bool" else "VALUE,VALUE")
        as_text = f". {model.sequences.keep_as_text(label)}" if flag.kind == "str" else ""
        raise BadValue(
            f"{label} is a range of numbers, but {flag.name} takes {takes}",
            f"To try some of them: {flag.name}=[{examples}]{as_text}",
        )
    checked = _checked_range(label, replace(domain, kind="float" if _takes_float(flag) else domain.kind, when=when))
    # a flag for whole numbers, or one with limits
    for bound in (checked.low, checked.high):
        resolve_flag(flag, bound, operation=operation, force=force)
    return checked


def _require_possible(name: str, when: Mapping[str, tuple[Value, ...]], values: Mapping[str, Value | None]) -> None:
    """Raises BadValue if a flag that does not vary has a value with which this flag does not exist."""
    for other, allowed in when.items():
        if not any(same_value(values.get(other), value) for value in allowed):
            words = " or ".join(f"{other}={_format_item(value)}" for value in allowed)
            raise BadValue(f"flag {name!r} exists only with {words}", f"To try both: {other}=[VALUE,VALUE]")


def _declared_name(declared: Sequence[Flag] | None, name: str) -> str:
    flag = find_declared(declared or (), name)
    return flag.name if flag else name


def _format_item(value: Value) -> str:
    text = format_value(value)
    # an unquoted colon could make a range, brackets begin or end a list
    is_bare = isinstance(value, str) and text == value
    return f"'{text}'" if is_bare and any(char in "[]:" for char in text) else text


def _format_sequence(values: Sequence[Value]) -> str:
    """Returns `range[first:last:step]` if that gives exactly these numbers and they are many; else empty text."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) < _LONG_ENOUGH or len(numbers) < len(values):
        return ""
    texts = [format_value(numbers[index]) for index in (0, -1, 1)]
    try:
        first, _, second = (model.sequences.to_fraction(model.sequences.parse_number("", text), text) for text in texts)
        step = model.sequences.decimal_text(second - first)
        texts = texts[:2] if step == "1" and isinstance(numbers[0], int) else [*texts[:2], step]
        values_computed = model.sequences.compute_sequence("", "range", texts)
    except BadValue:
        return ""
    # repr tells 1 from 1.0 and 0.0 from -0.0
    return f"range[{':'.join(texts)}]" if list(map(repr, values_computed)) == list(map(repr, numbers)) else ""
