"""The words that give a program its flags on its command line, in the manner of whatever reads them there."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Value, format_value, same_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LONGEST_COUNT = 1000
PREFIXES = ("-", "+", "@")
"""What argparse takes for an option, or for the name of a file of words, if its parser says so."""
REST = ("...",)
"""The words of an argument of argparse that takes all that follows."""
# those of argparse, by its own names; type_bool is an option of `type=bool`, which makes True of any text but the empty one
SWITCHES = ("store_true", "store_false", "boolean_optional", "type_bool")
SEVERAL = ("append", "extend")
# how each front end takes what it does not declare
UNDECLARED = {
    "argparse": "guessed", "argparse-typed": "valued", "click": "any_order", "absl": "equals", "fire": "literal",
    "jsonargparse": "json", "sacred": "sacred", "pydantic": "one_word", "tyro": "any_order", "dataclasses": "any_order",
    "hydra": "add", "omegaconf": "dotlist",
}  # fmt: skip
NONE = {"literal": "None", "sacred": "None", "json": "null", "override": "null", "dotlist": "null", "tyro": "None"}
"""What stands for no value, where there is such a word."""
NULLS = {"json": ("~", "null", "Null", "NULL"), "tyro": ("None",)}
"""The texts that are no value, where a flag can have none."""


def words_for(flag: Flag, value: Value | None) -> list[str]:
    """The words that give the flag this value. Raises UsageError if none do."""
    if value is None:
        if flag.action in NULLS and flag.kind in {"any", "str"} and not flag.words:
            raise UsageError(
                f"flag {flag.name!r} cannot be null: its program takes it for text", "leave it out, or give a value"
            )
        return assigned(flag, NONE[flag.action])
    if flag.words and isinstance(value, str) and value in NULLS.get(flag.action, ()):
        raise not_given(flag, value, "its program takes this text for null")
    if flag.action in {"literal", "sacred"} and has_nan(value):
        raise not_given(flag, value, "its program reads literals of Python, and nan is none")
    if flag.action in ASSIGNED:
        return assigned(flag, ASSIGNED[flag.action](value))
    if flag.action in OTHERS:
        return OTHERS[flag.action](flag, value)
    return argparse_words(flag, value)


def argparse_words(flag: Flag, value: Value) -> list[str]:
    """The words for argparse."""
    if isinstance(value, bool) and flag.action in SWITCHES:
        return switch(flag, value)
    if flag.action == "count" and isinstance(value, int):
        return [flag.option] * added_count(flag, value)
    items = value if isinstance(value, list) and flag.many else [value]
    if flag.action in SEVERAL:
        items = added_items(flag, items)
    if flag.action == "append":
        return [word for item in items for word in option_words(flag, item if isinstance(item, list) else [item], PREFIXES)]
    return option_words(flag, items, PREFIXES) if items or flag.action not in SEVERAL else []


def option_words(flag: Flag, items: list[Value], prefixes: tuple[str, ...] = ("-",)) -> list[str]:
    """The option and its values; one that begins with one of the prefixes, as options do, is tied to it by `=`."""
    texts = [text_of(item) for item in items]
    if len(texts) == 1 and texts[0].startswith(prefixes):
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *(without_exponent(item) for item in items)]


def without_exponent(value: Value) -> str:
    """A value among others: before 3.14 argparse takes -1e-05 for an option, but not -0.00001, which is the same float."""
    text = text_of(value)
    if not isinstance(value, float) or value >= 0 or "e" not in text:
        return text
    from decimal import Decimal

    return format(Decimal(text), "f")


def text_of(value: Value) -> str:
    """A value as argparse and click read it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list) else repr(value)


def switch(flag: Flag, value: bool) -> list[str]:  # noqa: FBT001  it is the value of a flag
    """The words that put a switch of argparse on or off."""
    if flag.action == "type_bool":
        return [flag.option, "True" if value else ""]
    if flag.action == "boolean_optional" and not value:
        return [f"--no-{flag.option.lstrip('-')}"]
    if value is (flag.action != "store_false"):
        return [flag.option]
    if same_value(value, flag.default):
        return []
    raise not_given(flag, value)


def added_count(flag: Flag, value: int) -> int:
    """How often an option must stand there to count up to the value from its default."""
    start = flag.default if isinstance(flag.default, int) else 0
    if not 0 <= value - start <= LONGEST_COUNT:
        raise not_given(flag, value)
    return value - start


def added_items(flag: Flag, items: list[Value]) -> list[Value]:
    """What is to be added to the default, for argparse adds to it."""
    start = flag.default if isinstance(flag.default, list) else []
    if not same_value(items[: len(start)], start):
        raise not_given(flag, items)
    return items[len(start) :]


def not_given(flag: Flag, value: Value, hint: str = "") -> UsageError:
    """Why the flag cannot have this value."""
    exact = "null" if flag.default is None else format_value(flag.default)
    hint = hint or f"by default it is {exact}, and its option can only add to that"
    return UsageError(f"flag {flag.name!r} cannot be {format_value(value)}: {flag.option} is {flag.action}", hint)


def on_or_off(flag: Flag, value: Value) -> list[str]:
    """`--shout` and `--no-shout`, of which one may be missing."""
    if not isinstance(value, bool):
        return option_words(flag, [value])
    word = flag.option if value else "".join(flag.words[:1])
    if not word:
        raise not_given(flag, value)
    return [word]


def constant(flag: Flag, value: Value) -> list[str]:
    """The option that stands for the value."""
    for choice, word in zip(flag.choices, flag.words, strict=False):
        if same_value(choice, value):
            return [word]
    raise not_given(flag, value)


def any_order(flag: Flag, value: Value) -> list[str]:
    """As argparse has it, but an option takes what follows it whatever it is; an unknown switch is only named."""
    if isinstance(value, bool) and flag.kind == "any":
        return [flag.option if value else f"--no-{flag.option.lstrip('-')}"]
    items = value if isinstance(value, list) and flag.many else [value]
    texts = [text_of(item) for item in items]
    if len(texts) == 1 and texts[0].startswith("-") and flag.option.startswith("--"):
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *texts]


def repeated(flag: Flag, value: Value) -> list[str]:
    """The option again for each value."""
    items = value if isinstance(value, list) else [value]
    if not items and flag.default:
        raise not_given(flag, value)
    return [
        word
        for item in items
        for word in any_order(Flag(flag.name, option=flag.option, kind="str", many=True), item)
    ]  # fmt: skip


def times(flag: Flag, value: Value) -> list[str]:
    """The option as often as the value says."""
    if not isinstance(value, int) or not (0 if not flag.default else 1) <= value <= LONGEST_COUNT:
        raise not_given(flag, value)
    return [flag.option] * value


def tyro(flag: Flag, value: Value) -> list[str]:
    """`--optim.lr 0.1`; an empty text is a word of its own."""
    texts = [text_of(item) for item in (value if isinstance(value, list) else [value])]
    if len(texts) == 1 and texts[0]:
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *texts]


def separated(flag: Flag, value: Value) -> list[str]:
    """`--x=a,b`, as absl reads it: as a line of CSV."""
    items = [text_of(item) for item in (value if isinstance(value, list) else [value])]
    if any(item != item.strip() for item in items):
        raise not_given(flag, value, "absl takes away the blanks around an item")
    quoted = ['"' + item.replace('"', '""') + '"' if re.search(r'[,"\s]', item) or not item else item for item in items]
    return [f"{flag.option}={','.join(quoted)}"]


def spaced(flag: Flag, value: Value) -> list[str]:
    """`--x=a b`."""
    items = [text_of(item) for item in (value if isinstance(value, list) else [value])]
    if any(item.split() != [item] for item in items):
        raise not_given(flag, value, "absl parts its items at blanks")
    return [f"{flag.option}={' '.join(items)}"]


def equals(flag: Flag, value: Value) -> list[str]:
    """`--x=value` of absl, whose switches are `--x` and `--nox`."""
    if isinstance(value, bool):
        return [f"--{'' if value else 'no'}{flag.option.lstrip('-')}"]
    if isinstance(value, list):
        if not value and flag.default:
            raise not_given(flag, value, "its option only takes values, and none stands for an empty list")
        return [f"{flag.option}={text_of(item)}" for item in value]
    return [f"{flag.option}={text_of(value)}"]


def guessed(flag: Flag, value: Value) -> list[str]:
    """An option of which nothing is known: true or false is taken for a switch, which is named if it is on."""
    if isinstance(value, bool):
        return [flag.option] if value else []
    return option_words(flag, value if isinstance(value, list) else [value])


def valued(flag: Flag, value: Value) -> list[str]:
    """Returns the words of an option that is no switch: true and false are its values, like any other."""
    return option_words(flag, value if isinstance(value, list) else [value], PREFIXES)


def one_word(flag: Flag, value: Value) -> list[str]:
    """Returns the words of an option that takes JSON as one word."""
    text = text_of(value)
    if flag.option.startswith("--"):
        return [f"{flag.option}={text}"]
    return [flag.option + text] if text.startswith("-") else [flag.option, text]


def titled(flag: Flag, value: Value) -> list[str]:
    """`--x True`."""
    return [flag.option, text_of(value)]


def python(value: Value) -> str:
    """A literal of Python, for Fire evaluates what it is given; a plain word is text to it."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value not in {"True", "False", "None"}:
        return value
    if isinstance(value, list):
        return f"[{', '.join(python(item) if isinstance(item, float | list) else repr(item) for item in value)}]"
    # a number that is too large for a float is inf
    return repr(value).replace("inf", "1e999") if isinstance(value, float) else repr(value)


def jsonlike(value: Value) -> str:
    """A value for jsonargparse, which reads YAML: text as it is, but in quotes in a list."""
    if isinstance(value, list):
        return f"[{', '.join(quoted(item) if isinstance(item, str) else jsonlike(item) for item in value)}]"
    return value if isinstance(value, str) else number(value)


def yamllike(value: Value) -> str:
    """A value for OmegaConf, which reads YAML: text in quotes unless it is a plain word."""
    if isinstance(value, list):
        return f"[{', '.join(map(yamllike, value))}]"
    if isinstance(value, str):
        return value if is_word(value) else quoted(value)
    return number(value)


def quoted(text: str) -> str:
    """Text in double quotes, as YAML and JSON have it; YAML knows no surrogates, and takes few controls as they are."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() or char > "\uffff" else f"\\u{ord(char):04x}" for char in text) + '"'


def hydralike(value: Value) -> str:
    """A value by the grammar of Hydra's overrides."""
    if isinstance(value, list):
        return f"[{','.join(map(hydralike, value))}]"
    if not isinstance(value, str):
        return number(value).replace(".inf", "inf").replace(".nan", "nan")
    if is_word(value):
        return value
    # only before a quote is a backslash more than itself
    text = re.sub(r"(\\*)'", r"\1\1\\'", value)
    ending = len(text) - len(text.rstrip("\\"))
    return f"'{text}{text[len(text) - ending :]}'"


def is_word(text: str) -> bool:
    """Whether YAML and Hydra read the text as just this text, without quotes."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text)
    return bool(plain) and text.lower() not in {
        "true",
        "false",
        "null",
        "none",
        "yes",
        "no",
        "on",
        "off",
        "inf",
        "nan",
        "y",
        "n",
    }


def number(value: Value) -> str:
    """A number, or true or false, as YAML has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(repr(value), ".nan")
    return json.dumps(value)


def assigned(flag: Flag, text: str) -> list[str]:
    """`--x=text`, and `x=text` where options have no dashes."""
    return [f"{flag.option or flag.name}={text}"]


def has_nan(value: Value) -> bool:
    """Whether it is nan, or a list with one."""
    return any(map(has_nan, value)) if isinstance(value, list) else isinstance(value, float) and math.isnan(value)


ASSIGNED: Mapping[str, Callable[[Value], str]] = {
    "literal": python, "sacred": python, "json": jsonlike, "override": hydralike, "dotlist": yamllike,
}  # fmt: skip
OTHERS: Mapping[str, Callable[[Flag, Value], list[str]]] = {
    "switch": on_or_off, "const": constant, "any_order": any_order, "repeat": repeated, "times": times, "tyro": tyro,
    "separated": separated, "spaced": spaced, "equals": equals, "titled": titled, "guessed": guessed,
    "valued": valued, "one_word": one_word,
}  # fmt: skip


def undeclared_words(frontend: str, name: str, value: Value, *, partial: bool) -> list[str]:
    """The words for a name that the program does not declare."""
    action = UNDECLARED.get(frontend, "guessed")
    if action == "add":
        # what is not in the config at all must be added to it
        return assigned(Flag(name, option=name if partial else f"++{name}"), hydralike(value))
    if action in {"dotlist", "sacred"}:
        return words_for(Flag(name, action=action), value)
    return words_for(Flag(name, option=f"--{name}", action=action, many=True), value)


def positional_words(flags: Sequence[Flag], given: Mapping[str, Value]) -> list[str]:
    """The words of the arguments that have no option, up to the last one that is given. Raises UsageError."""
    last = max((number for number, flag in enumerate(flags, 1) if is_given(flag, given)), default=0)
    words: list[str] = []
    for flag in flags[:last]:
        value = given.get(flag.name, flag.default)
        if value is None:
            message = f"flag {flags[last - 1].name!r} stands after {flag.name!r} on the command line, which has no value"
            raise UsageError(message, f"give {flag.name}=value as well")
        words += [text_of(item) for item in (value if isinstance(value, list) and flag.many else [value])]
    if flags[:last] and flags[last - 1].words == REST and not words[0].startswith("-"):
        return words  # argparse would leave -- among them
    return ["--", *words] if any(word.startswith("-") for word in words) else words


def is_given(flag: Flag, given: Mapping[str, Value]) -> bool:
    """Whether the flag has another value than its default."""
    value = given.get(flag.name)
    return value is not None and (flag.required or not same_value(value, flag.default))
