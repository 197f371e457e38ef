"""Flags: the named, typed values of an operation, as typed by a person, declared by a program, held by a run.

Only here is decided which values an operation takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitrun.errors import UsageError
from gitrun.model.values import (
    Value,
    copy_value,
    format_value,
    identity,
    is_unicode,
    parse_spelled,
    parse_texts,
    parse_value,
    same_value,
)

__all__ = [
    "Flag",
    "Flags",
    "Typed",
    "Value",
    "copy_value",
    "defaults",
    "format_value",
    "is_name",
    "parse_flags",
    "parse_value",
    "same_value",
    "settle",
    "split_word",
]

_JOINERS = str.maketrans("", "", "-./")
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "any": ("a value", (bool, int, float, str, list)),
    "number": ("a number", (int, float)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "str": ("text", (str,)),
    "bool": ("true or false", (bool,)),
    "list": ("a list such as [1, 2]", (list,)),
}
_FORCE = "use --force-flags to pass it all the same"


@dataclass(frozen=True, slots=True)
class Typed:
    """A value as typed on the command line, whose kind is not known yet.

    `as_typed` is that of its flag, if nothing else is known of it.
    """

    text: str
    as_typed: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that an operation declares.

    `kind` is any, number, int, float, str, bool or list; a number is at least `least` and at most `most`, a list has
    `size` items if that is not 0. `option`,
    `action`, `many` and `required` are how a program takes it on its command line, in the words of argparse: `option`
    is `--batch-size`, `many` is a `nargs` of several values. `words` are options that stand for a value: of a switch the
    one that puts it off, of a "const" the one of each choice; an argument without option has some (REST) if it takes all
    that follows, options too. `as_typed` is what stays as it was typed, for its program is given text: `numbers` that would
    be spelled in another way (`1.10`), or `all` that is no number, and the items of a list. `aliases` are further
    spellings of `option`, such as `-b`. `file` is the path below the top of the file whose value it is, if it is one.
    """

    name: str
    default: Value | None = None
    kind: str = "any"
    choices: tuple[Value, ...] = ()
    help: str = ""
    option: str = ""
    action: str = "store"
    many: bool = False
    required: bool = False
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    size: int = 0
    as_typed: str = ""
    aliases: tuple[str, ...] = field(default=(), compare=False)
    file: str = ""


class Flags(Mapping[str, Value]):
    """Flag values, sorted by name, never changed: what goes in and what comes out are copies.

    A name whose value is None is left out. Equal to any mapping with the same names and the same values
    (`same_value`). Raises UsageError for a value that a flag cannot hold (`copy_value`).
    """

    __slots__ = ("_values",)
    _values: dict[str, Value]

    def __init__(self, values: Mapping[str, Value | None]) -> None:
        present = ((name, value) for name, value in sorted(values.items()) if value is not None)
        self._values = {name: copy_value(name, value) for name, value in present}

    def __getitem__(self, name: str) -> Value:
        value = self._values[name]
        return copy_value(name, value) if isinstance(value, list) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._values.keys() == other.keys() and all(
            same_value(value, other[name]) for name, value in self._values.items()
        )

    def __hash__(self) -> int:
        return hash(tuple((name, identity(value)) for name, value in self._values.items()))

    def __reduce__(self) -> tuple[type[Flags], tuple[dict[str, Value]]]:
        return Flags, (self._values,)

    def put(self, over: Mapping[str, Value | None]) -> Flags:
        """These flags with the given ones over them; None takes a flag away."""
        return Flags({**self, **over})

    def text(self, first: Iterable[str] = ()) -> str:
        """`x=1.0 y=2 z=a`: what a person types to get these flags, those named `first` before the others."""
        return " ".join(f"{name}={format_value(self._values[name])}" for name in self.order(first))

    def order(self, first: Iterable[str]) -> list[str]:
        """The names, those named `first` before the others."""
        names = [name for name in dict.fromkeys(first) if name in self._values]
        return [*names, *(name for name in self._values if name not in names)]


def is_name(name: str) -> bool:
    """Whether it can name a flag: a letter or `_`, then letters, digits, `_`, `-`, `.` and `/`."""
    return name[:1].isidentifier() and name.translate(_JOINERS).isidentifier()


def split_word(word: str) -> tuple[str, str]:
    """Name and text of a word `name=text`.

    Raises UsageError for a word without `=`, with a bad name (`is_name`), a NUL, or text that is not UTF-8.
    """
    name, equals, text = word.partition("=")
    if not equals or not is_name(name):
        raise UsageError(f"not a flag: '{word}'", "write name=value, for example lr=0.1")
    if "\0" in text or not is_unicode(text):
        raise UsageError(f"not a flag: '{word}'", "the value of a flag is text in UTF-8, without NUL")
    return name, text


def parse_flags(words: Iterable[str]) -> dict[str, Value | None]:
    """Values by name, of words such as `lr=0.1`; the last of a name wins. Raises UsageError."""
    return {name: parse_value(text) for name, text in map(split_word, words)}


def defaults(declared: Iterable[Flag]) -> dict[str, Value]:
    """The default values by name; flags without one are left out."""
    return {flag.name: copy_value(flag.name, flag.default) for flag in declared if flag.default is not None}


def settle(
    declared: Sequence[Flag] | None,
    given: Mapping[str, Value | Typed | None],
    *,
    operation: str,
    force: bool = False,
    partial: bool = False,
) -> dict[str, Value | None]:
    """The values that an operation gets, by declared name; only those given, None where one is taken away.

    Declared None is an open set: every name, every value; with `partial` there may be more than those declared.
    Otherwise a name must be declared (`-` and `_` are the same) and its value be of the kind and the choices declared,
    or the default. For a flag of text, what was typed is the value as it stands. Raises UsageError; with `force` only
    for what no flag can be.
    """
    settled: dict[str, Value | None] = {}
    for name, value in given.items():
        flag = _find(declared or (), name)
        if flag is None and declared is not None and not (force or partial):
            names = ", ".join(flag.name for flag in declared)
            has = f"its flags are: {names}" if names else "it has no flags"
            raise UsageError(f"{operation} has no flag {name!r}", f"{has}; {_FORCE}")
        if flag is None and not is_name(name):
            raise UsageError(f"not the name of a flag: {name!r}", "write name=value, for example lr=0.1")
        flag = flag or Flag(name)
        settled[flag.name] = _settle_one(flag, value, operation=operation, force=force)
    return settled


def _settle_one(flag: Flag, given: Value | Typed | None, *, operation: str, force: bool) -> Value | None:
    value = _read_typed(flag, given) if isinstance(given, Typed) else given
    value = None if value is None else copy_value(flag.name, value)
    if force or value is None or same_value(value, flag.default) or _takes(flag, value):
        return value
    takes = "one of " + ", ".join(map(format_value, flag.choices)) if flag.choices else _KINDS[flag.kind][0] + _range(flag)
    shown = given.text if isinstance(given, Typed) else given
    raise UsageError(f"flag {flag.name!r} of {operation} takes {takes}, not {shown!r}", _FORCE)


def _read_typed(flag: Flag, given: Typed) -> Value | None:
    if flag.kind == "str":
        return given.text
    # of what has a default that is no text, or choices, the values are known
    as_typed = flag.as_typed or (given.as_typed if flag.kind == "any" else "")
    if not as_typed or flag.choices or isinstance(flag.default, bool | int | float):
        return parse_value(given.text)
    if flag.kind == "list":
        return parse_texts(given.text)
    value = parse_spelled(given.text)
    if not isinstance(value, bool) or as_typed == "numbers":
        return value
    is_declared = flag.option or flag.action == "positional"
    return value if given.text in {"true", "false"} and not is_declared else given.text


def _takes(flag: Flag, value: Value) -> bool:
    if isinstance(value, bool) and flag.kind not in ("bool", "any"):
        return False
    if not isinstance(value, _KINDS[flag.kind][1]):
        return False
    if flag.size and isinstance(value, list) and len(value) != flag.size:
        return False
    items = value if flag.many and isinstance(value, list) else [value]
    if not _is_within(flag, value):
        return False
    return not flag.choices or all(any(same_value(item, choice) for choice in flag.choices) for item in items)


def _range(flag: Flag) -> str:
    """The limits of a number as a person says them."""
    least, most = flag.least, flag.most
    if flag.size:
        return f" of {flag.size} values"
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    return f" of at least {least:g}" if least is not None else f" of at most {most:g}" if most is not None else ""


def _is_within(flag: Flag, value: Value) -> bool:
    items = value if isinstance(value, list) else [value]
    numbers = [item for item in items if isinstance(item, int | float) and not isinstance(item, bool)]
    least, most = flag.least, flag.most
    return all((least is None or number >= least) and (most is None or number <= most) for number in numbers)


def _find(declared: Iterable[Flag], name: str) -> Flag | None:
    like = [flag for flag in declared if flag.name.replace("-", "_") == name.replace("-", "_")]
    return next((flag for flag in like if flag.name == name), like[0] if like else None)
