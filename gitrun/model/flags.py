"""Flags: the named, typed values of an operation, as typed, as declared by a program, and as recorded in a run.

Only this module decides which values an operation accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitrun.dataclass import dataclass, field
from gitrun.errors import BadValue, UnknownFlag, UsageError
from gitrun.lazy import difflib
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
    "default_values",
    "format_value",
    "is_flag_name",
    "parse_flags",
    "parse_value",
    "resolve_flags",
    "same_value",
    "split_assignment",
]

# argparse has batch-size, Hydra has optim.lr and model/optimizer; the rest must be an identifier
_JOINERS = str.maketrans("", "", "-./")
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "any": ("a value", (bool, int, float, str, list)),
    "number": ("a number", (int, float)),
    "int": ("a whole number", (int,)),
    # people write lr=1 for 1.0
    "float": ("a number", (int, float)),
    "str": ("text", (str,)),
    "bool": ("true or false", (bool,)),
    "list": ("a list such as [1, 2]", (list,)),
}
_FORCE = "To pass it anyway: --force-flags"
NEAR = 0.75
"""Similarity of two names, from 0 to 1, above which one is taken for a typo of the other."""
MANY = 40
"""Flags of an operation that an error names; of more, `git run ops` tells."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A value as typed on the command line, before its kind is known.

    `as_typed` is the default for flags that declare none (see `Flag`).
    """

    text: str
    as_typed: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that an operation declares.

    `kind` is any, number, int, float, str, bool or list. A number is between `least` and `most`; a list has `size` items unless
    that is 0.

    The next fields describe the program's command line in argparse's words. `option` is `--batch-size`, `aliases` are its other
    spellings, such as `-b`. `action` and `required` are argparse's; `many` stands for a `nargs` of several values. `words` are
    options that stand for a value: the one that turns a switch off, or one for each choice of a "const". A positional argument
    has `words` (REST) if it takes all that follows, options too.

    `as_typed` tells which typed values stay text because the program receives text. `numbers` keeps numbers whose spelling
    would change (`1.10`); `all` keeps words for booleans, such as `yes`, too. Either keeps unquoted items of a list flag.
    `file` is the path, below the top, of the file that holds the value; empty if no file does. `when` has pairs of another flag
    and those of its values for which this flag exists (none: always). `bare` is the value of an option that stands without one
    (argparse's `nargs="?"` with a `const`).
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
    when: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    bare: Value | None = None


class Flags(Mapping[str, Value]):
    """Immutable flag values, sorted by name; lists are copied in and out.

    A name whose value is None is absent. Equal to any mapping with the same names and values (`same_value`). Raises UsageError
    for a value that a flag cannot hold (`copy_value`).
    """

    __slots__ = ("_values",)
    _values: dict[str, Value]

    def __init__(self, values: Mapping[str, Value | None]) -> None:
        # __hash__ relies on this order: equal flags must have equal hashes however they were typed
        present = ((name, value) for name, value in sorted(values.items()) if value is not None)
        self._values = {name: copy_value(name, value) for name, value in present}

    def __getitem__(self, name: str) -> Value:
        value = self._values[name]
        # a caller who changes the list must not change the flags
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
        """Returns these flags, overridden by the given ones; None removes a flag."""
        return Flags({**self, **over})

    def text(self, first: Iterable[str] = ()) -> str:
        """Returns `x=1.0 y=2 z=a`: the words that give these flags, those named `first` before the others."""
        return " ".join(self.words(first))

    def words(self, first: Iterable[str] = ()) -> list[str]:
        """Returns the words that give these flags, those named `first` before the others."""
        return [f"{name}={format_value(self._values[name])}" for name in self.order(first)]

    def order(self, first: Iterable[str]) -> list[str]:
        """Returns the names, those named `first` before the others."""
        names = [name for name in dict.fromkeys(first) if name in self._values]
        return [*names, *(name for name in self._values if name not in names)]


def is_flag_name(name: str) -> bool:
    """Returns whether a flag can have this name: a letter or `_`, then letters, digits, `_`, `-`, `.` and `/`."""
    # without the first test, -x and .x would pass
    return name[:1].isidentifier() and name.translate(_JOINERS).isidentifier()


def split_assignment(word: str) -> tuple[str, str]:
    """Splits a word `name=text` into name and text.

    Raises UsageError for a word without `=`, with a bad name (`is_flag_name`), a NUL, or text that is not UTF-8.
    """
    name, equals, text = word.partition("=")
    if not equals or not is_flag_name(name):
        raise UsageError(f"'{word}' is not a flag", "To set a flag: NAME=VALUE, for example lr=0.1")
    # no word of a command can hold a NUL (execve)
    if "\0" in text or not is_unicode(text):
        raise UsageError(f"'{word}' is not a flag", "A flag's value must be UTF-8 text without NUL")
    return name, text


def parse_flags(words: Iterable[str]) -> dict[str, Value | None]:
    """Parses words such as `lr=0.1` into values by name; the last word of a name wins. Raises UsageError."""
    return {name: parse_value(text) for name, text in map(split_assignment, words)}


def default_values(declared: Iterable[Flag]) -> dict[str, Value]:
    """Returns the default values by name, without flags that have none."""
    return {flag.name: copy_value(flag.name, flag.default) for flag in declared if flag.default is not None}


def describe_names(declared: Sequence[Flag]) -> str:
    """Returns a sentence that names the declared flags."""
    names = ", ".join(flag.name for flag in declared[:MANY])
    more = f" and {len(declared) - MANY} more" if len(declared) > MANY else ""
    return f"Its flags: {names}{more}" if names else "It has no flags"


def find_nested_name(declared: Iterable[Flag], name: str) -> str:
    """Returns the only declared flag whose dotted name ends with this name, such as `model.lr` for `lr`; "" without one."""
    matches = {flag.name for flag in declared if flag.name.endswith(f".{name}")}
    return matches.pop() if len(matches) == 1 else ""


def find_similar_name(declared: Iterable[Flag], name: str) -> str:
    """Returns the declared flag of which this name may be a typo; "" without one."""
    return next(iter(difflib.get_close_matches(name, [flag.name for flag in declared], 1, NEAR)), "")


def hint_for_unknown(declared: Sequence[Flag], name: str) -> str:
    """Returns a hint for a flag that is not declared."""
    spelled = name.replace("-", "_")
    # --no-amp is an option of the flag amp, --fast one of mode=fast
    for flag in declared:
        values = flag.choices if flag.action == "const" else (False,) * len(flag.words) if flag.action == "switch" else ()
        words = flag.words
        # argparse.BooleanOptionalAction adds --no-x for each --x
        if flag.action == "boolean_optional":
            words = tuple(f"--no-{word[2:]}" for word in (flag.option, *flag.aliases) if word.startswith("--"))
            values = (False,) * len(words)
        for word, value in zip(words, values, strict=False):
            if word.lstrip("-").replace("-", "_") == spelled:
                return f"To pass {word}: {flag.name}={format_value(value)}"
    longer = [flag.name for flag in declared if flag.name.replace("-", "_").startswith(spelled)]
    likely = find_nested_name(declared, name) or (longer[0] if len(longer) == 1 else find_similar_name(declared, name))
    return f"To set {likely}: {likely}=VALUE" if likely else describe_names(declared)


def resolve_flags(
    declared: Sequence[Flag] | None,
    values: Mapping[str, Value | Typed | None],
    *,
    operation: str,
    force: bool = False,
    partial: bool = False,
) -> dict[str, Value | None]:
    """Validates given flags against the declared ones. Returns the given values by declared name; None removes a flag.

    `declared` None accepts all flags; `partial` accepts flags beyond the declared ones. Otherwise a name must be declared (`-`
    equals `_`), and its value must match kind and choices, or be the default. Text for a flag of kind str stays as typed.
    Raises UsageError. With `force` it does so only for what no flag can be called or hold.
    """
    resolved: dict[str, Value | None] = {}
    for name, value in values.items():
        flag = find_declared(declared or (), name)
        if flag is None and declared is not None and not (force or partial):
            raise UnknownFlag(f"{operation} has no flag {name!r}", f"{hint_for_unknown(declared, name)}. {_FORCE}")
        # refused even by force: NAME=VALUE could not give this flag again
        if flag is None and not is_flag_name(name):
            raise BadValue(f"{name!r} cannot be the name of a flag", "To set a flag: NAME=VALUE, for example lr=0.1")
        flag = flag or Flag(name)
        # by the declared name, so that batch-size and batch_size are one flag in the record
        resolved[flag.name] = resolve_flag(flag, value, operation=operation, force=force)
    return resolved


def resolve_flag(flag: Flag, given_value: Value | Typed | None, *, operation: str, force: bool = False) -> Value | None:
    """Returns the value of one flag, as `resolve_flags` does."""
    value = read_typed(flag, given_value) if isinstance(given_value, Typed) else given_value
    value = None if value is None else copy_value(flag.name, value)
    # a default is always allowed: programs have defaults that their own choices exclude
    if force or value is None or any(same_value(value, own) for own in (flag.default, flag.bare)) or _accepts(flag, value):
        return value
    takes = "one of " + ", ".join(map(format_value, flag.choices)) if flag.choices else _KINDS[flag.kind][0] + _range_text(flag)
    text = given_value.text if isinstance(given_value, Typed) else given_value
    # a list without --restart makes a batch
    is_list = isinstance(given_value, Typed) and given_value.text[:1] == "["
    hint = f"To try several values: git run {operation} {flag.name}={text}" if is_list else _FORCE
    raise BadValue(f"flag {flag.name!r} of {operation} must be {takes}, not {text!r}", hint)


def read_typed(flag: Flag, typed: Typed) -> Value | None:
    """Returns the value that a typed text has for this flag; accepts what the flag would refuse."""
    # 007 and true stay as typed for a program that takes text
    if flag.kind == "str":
        return typed.text
    # choices, or a default that is a number, tell how the program reads the value
    as_typed = flag.as_typed or (typed.as_typed if flag.kind == "any" else "")
    if not as_typed or flag.choices or isinstance(flag.default, bool | int | float):
        return parse_value(typed.text)
    if flag.kind == "list":
        return parse_texts(typed.text)
    value = parse_spelled(typed.text)
    if not isinstance(value, bool) or as_typed == "numbers":
        return value
    is_declared = flag.option or flag.action == "positional"
    return value if typed.text in {"true", "false"} and not is_declared else typed.text


def _accepts(flag: Flag, value: Value) -> bool:
    # bool is a subclass of int in Python
    if isinstance(value, bool) and flag.kind not in ("bool", "any"):
        return False
    if not isinstance(value, _KINDS[flag.kind][1]):
        return False
    if flag.size and isinstance(value, list) and len(value) != flag.size:
        return False
    # where several values are taken, each one must be a choice
    items = value if flag.many and isinstance(value, list) else [value]
    if not _is_within(flag, value):
        return False
    return not flag.choices or all(any(same_value(item, choice) for choice in flag.choices) for item in items)


def _range_text(flag: Flag) -> str:
    """Returns the limits of a number as a message words them."""
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


def find_declared(declared: Iterable[Flag], name: str) -> Flag | None:
    """Returns the declared flag that a given name means, in which `-` equals `_`. The flag's other options name it too."""
    # argparse and click turn `-` into `_`, and users type either
    spelled = name.replace("-", "_")
    like = [flag for flag in declared if flag.name.replace("-", "_") == spelled]
    # --imgsz is also --img-size: its alias is no other flag
    like = like or [flag for flag in declared if any(word.lstrip("-").replace("-", "_") == spelled for word in flag.aliases)]
    return next((flag for flag in like if flag.name == name), like[0] if like else None)
