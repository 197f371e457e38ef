"""The words that give a program its flags on the command line, as its front end expects them."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from gitrun.errors import BadValue, UsageError
from gitrun.model.flags import Flag, Value, format_value, same_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# each count is a word of its own, and the length of a command line is limited
MAX_COUNT = 1000
PREFIXES = ("-", "+", "@")
"""Prefixes that argparse may take for an option, or for the name of a file of arguments (`fromfile_prefix_chars`)."""
# argparse.REMAINDER is the text "..."
REST = ("...",)
"""The `words` of a flag that is an argparse positional and takes all words that follow."""
# argparse's own names; type_bool stands for `type=bool`, which makes True of any text that is not empty
SWITCHES = ("store_true", "store_false", "boolean_optional", "type_bool")
SEVERAL = ("append", "extend")
# the action for an undeclared option, by front end
UNDECLARED = {
    "argparse": "guessed", "argparse-typed": "valued", "click": "any_order", "absl": "equals", "fire": "literal",
    "jsonargparse": "json", "sacred": "sacred", "pydantic": "one_word", "tyro": "any_order", "dataclasses": "any_order",
    "hydra": "add", "omegaconf": "dotlist",
}  # fmt: skip
NONE = {"literal": "None", "sacred": "None", "json": "null", "override": "null", "dotlist": "null", "tyro": "None"}
"""The word for null, by action, where there is one."""
NULLS = {"json": ("~", "null", "Null", "NULL"), "tyro": ("None",)}
"""The texts that a program reads as null, by action, if the flag may be null."""


def words_for(flag: Flag, value: Value | None) -> list[str]:
    """Returns the words that give the flag this value. Raises UsageError if no words can."""
    if value is None:
        if flag.action in NULLS and flag.kind in {"any", "str"} and not flag.words:
            raise BadValue(
                f"flag {flag.name!r} cannot be null: its program reads null as text", "Leave it out, or give a value"
            )
        return assignment_words(flag, NONE[flag.action])
    if flag.words and isinstance(value, str) and value in NULLS.get(flag.action, ()):
        raise inexpressible_error(flag, value, "Its program reads this text as null")
    if flag.action in {"literal", "sacred"} and has_nan(value):
        raise inexpressible_error(flag, value, "Its program reads Python literals, which do not include nan")
    if flag.action in TEXTS_BY_ACTION:
        return assignment_words(flag, TEXTS_BY_ACTION[flag.action](value))
    if flag.action in WORDS_BY_ACTION:
        return WORDS_BY_ACTION[flag.action](flag, value)
    return argparse_words(flag, value)


def argparse_words(flag: Flag, value: Value) -> list[str]:
    """Returns the words for argparse. Raises UsageError if no words can give the flag this value."""
    if isinstance(value, bool) and flag.action in SWITCHES:
        return switch_words(flag, value)
    if flag.bare is not None and same_value(value, flag.bare):
        return [flag.option]
    if flag.action == "count" and isinstance(value, int):
        return [flag.option] * count_repeats(flag, value)
    items = value if isinstance(value, list) and flag.many else [value]
    if flag.action in SEVERAL:
        items = appended_items(flag, items)
    # with nargs an item is a list: --x 1 2 --x 3 4 is [[1, 2], [3, 4]]
    if flag.action == "append":
        return [word for item in items for word in option_words(flag, item if isinstance(item, list) else [item], PREFIXES)]
    return option_words(flag, items, PREFIXES) if items or flag.action not in SEVERAL else []


def option_words(flag: Flag, items: list[Value], prefixes: tuple[str, ...] = ("-",)) -> list[str]:
    """Returns the option and its values. A single value that begins with a prefix is joined to the option by `=`."""
    texts = [plain_text(item) for item in items]
    # --x -v may be read as two options, --x=-v cannot
    if len(texts) == 1 and texts[0].startswith(prefixes):
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *(write_out_exponent(item) for item in items)]


def write_out_exponent(value: Value) -> str:
    """Returns the text of one of several values, with negative floats written out: -0.00001 for -1e-05."""
    text = plain_text(value)
    if not isinstance(value, float) or value >= 0 or "e" not in text:
        return text
    # argparse before Python 3.14 takes -1e-05 for an option, but not -0.00001
    return format(Decimal(text), "f")


def plain_text(value: Value) -> str:
    """Returns the text of a value as argparse and click read it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list) else repr(value)


def switch_words(flag: Flag, value: bool) -> list[str]:  # noqa: FBT001  it is the value of a flag
    """Returns the words that turn an argparse switch on or off. Raises UsageError if it has no word for that."""
    if flag.action == "type_bool":
        # type=bool makes False of the empty text only
        return [flag.option, "True" if value else ""]
    # argparse.BooleanOptionalAction adds --no-x for each --x
    if flag.action == "boolean_optional" and not value and flag.option.startswith("--"):
        return [f"--no-{flag.option.lstrip('-')}"]
    if value is (flag.action != "store_false"):
        return [flag.option]
    # the option can only turn it the other way, and without it the program uses the default
    if same_value(value, flag.default):
        return []
    raise inexpressible_error(flag, value)


def count_repeats(flag: Flag, value: int) -> int:
    """Returns the number of times that an option must be repeated to count from its default to the value. Raises UsageError."""
    # with default=2, one -v makes 3
    start = flag.default if isinstance(flag.default, int) else 0
    if not 0 <= value - start <= MAX_COUNT:
        raise inexpressible_error(flag, value)
    return value - start


def appended_items(flag: Flag, items: list[Value]) -> list[Value]:
    """Returns the items that are not in the default, since argparse appends to it. Raises UsageError if the start differs."""
    start = flag.default if isinstance(flag.default, list) else []
    if not same_value(items[: len(start)], start):
        raise inexpressible_error(flag, items)
    return items[len(start) :]


def inexpressible_error(flag: Flag, value: Value, hint: str = "") -> UsageError:
    """Returns the error for a value that the flag's option cannot express."""
    option = flag.option or "".join(flag.words[:1])
    # a default may be null, or one that only the program knows
    start = "It has no known default" if flag.default is None else f"By default it is {format_value(flag.default)}"
    does = "adds to it"
    if flag.kind == "bool":
        does = "turns it on" if flag.option and flag.action != "store_false" else "turns it off"
    hint = hint or f"{start}, and its option only {does}"
    return UsageError(f"flag {flag.name!r} cannot be {format_value(value)} with its option {option}", hint)


def on_off_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--shout` or `--no-shout`. Raises UsageError if the program does not have that option."""
    if not isinstance(value, bool):
        return option_words(flag, [value])
    word = flag.option if value else "".join(flag.words[:1])
    # without the option the program uses the default
    if not word and not same_value(value, flag.default):
        raise inexpressible_error(flag, value)
    return [word] if word else []


def const_words(flag: Flag, value: Value) -> list[str]:
    """Returns the option that stands for the value. Raises UsageError if there is none."""
    for choice, word in zip(flag.choices, flag.words, strict=False):
        if same_value(choice, value):
            return [word]
    raise inexpressible_error(flag, value, f"Its options stand for {', '.join(map(format_value, flag.choices))}")


def any_order_words(flag: Flag, value: Value) -> list[str]:
    """Returns the option and its values, for front ends whose options take any next word, even with a dash.

    A bool for an undeclared option is a switch: `--x` or `--no-x`.
    """
    if isinstance(value, bool) and flag.kind == "any":
        return [flag.option if value else f"--no-{flag.option.lstrip('-')}"]
    items = value if isinstance(value, list) and flag.many else [value]
    texts = [plain_text(item) for item in items]
    # a short option cannot be joined by `=`: click reads -x=5 as the value =5
    if len(texts) == 1 and texts[0].startswith("-") and flag.option.startswith("--"):
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *texts]


def repeated_words(flag: Flag, value: Value) -> list[str]:
    """Repeats the option for each value. Raises UsageError for an empty list if the default is not empty."""
    items = value if isinstance(value, list) else [value]
    # without the option the program uses the default, so an empty list cannot replace that
    if not items and flag.default:
        raise inexpressible_error(flag, value)
    return [
        word
        for item in items
        for word in any_order_words(Flag(flag.name, option=flag.option, kind="str", many=True), item)
    ]  # fmt: skip


def counted_words(flag: Flag, value: Value) -> list[str]:
    """Repeats the option as often as the value says. Raises UsageError for a number that cannot be reached."""
    # click counts from 0 once the option is given, and uses the default only without it
    if not isinstance(value, int) or not (0 if not flag.default else 1) <= value <= MAX_COUNT:
        raise inexpressible_error(flag, value)
    return [flag.option] * value


def tyro_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--optim.lr=0.1`; several values, or an empty text, become words of their own."""
    texts = [plain_text(item) for item in (value if isinstance(value, list) else [value])]
    if len(texts) == 1 and texts[0]:
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *texts]


def csv_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--x=a,b`, which absl reads as a line of CSV. Raises UsageError for an item with blanks around it."""
    items = [plain_text(item) for item in (value if isinstance(value, list) else [value])]
    if any(item != item.strip() for item in items):
        raise inexpressible_error(flag, value, "absl removes the blanks around an item")
    # a quoted item keeps its comma: --x=a,"b,c"
    quoted = ['"' + item.replace('"', '""') + '"' if re.search(r'[,"\s]', item) or not item else item for item in items]
    return [f"{flag.option}={','.join(quoted)}"]


def blank_separated_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--x=a b`. Raises UsageError for an item with a blank in it."""
    items = [plain_text(item) for item in (value if isinstance(value, list) else [value])]
    if any(item.split() != [item] for item in items):
        raise inexpressible_error(flag, value, "absl splits items at blanks")
    return [f"{flag.option}={' '.join(items)}"]


def absl_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--x=value` for absl, whose switches are `--x` and `--nox`. A list repeats the option."""
    if isinstance(value, bool):
        return [f"--{'' if value else 'no'}{flag.option.lstrip('-')}"]
    if isinstance(value, list):
        if not value and flag.default:
            raise inexpressible_error(flag, value, "Its option needs values, and none means an empty list")
        return [f"{flag.option}={plain_text(item)}" for item in value]
    return [f"{flag.option}={plain_text(value)}"]


def undeclared_option_words(flag: Flag, value: Value) -> list[str]:
    """Returns the words for an undeclared option: true becomes the bare option, false no word at all."""
    if isinstance(value, bool):
        # nothing tells whether an undeclared option has a word for off
        return [flag.option] if value else []
    return option_words(flag, value if isinstance(value, list) else [value])


def valued_words(flag: Flag, value: Value) -> list[str]:
    """Returns the words of an option that is no switch: true and false are its values, like any other."""
    return option_words(flag, value if isinstance(value, list) else [value], PREFIXES)


def one_word_words(flag: Flag, value: Value) -> list[str]:
    """Returns the words of an option that takes JSON as one word."""
    text = plain_text(value)
    if flag.option.startswith("--"):
        return [f"{flag.option}={text}"]
    # argparse may take a word of its own that begins with a dash for an option
    return [flag.option + text] if text.startswith("-") else [flag.option, text]


def bool_value_words(flag: Flag, value: Value) -> list[str]:
    """Returns `--x True`, for click options of type bool."""
    return [flag.option, plain_text(value)]


def python_literal(value: Value) -> str:
    """Returns a Python literal, since Fire evaluates its arguments. A plain word needs no quotes."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value not in {"True", "False", "None"}:
        return value
    if isinstance(value, list):
        return f"[{', '.join(python_literal(item) if isinstance(item, float | list) else repr(item) for item in value)}]"
    # there is no literal for inf, but Python reads 1e999 as inf
    return repr(value).replace("inf", "1e999") if isinstance(value, float) else repr(value)


def jsonargparse_text(value: Value) -> str:
    """Returns a value for jsonargparse, which reads YAML. Text is unquoted, but quoted inside a list."""
    if isinstance(value, list):
        return f"[{', '.join(double_quoted(item) if isinstance(item, str) else jsonargparse_text(item) for item in value)}]"
    return value if isinstance(value, str) else yaml_number(value)


def omegaconf_text(value: Value) -> str:
    """Returns a value for OmegaConf, which reads YAML. Text is quoted unless it is a plain word."""
    if isinstance(value, list):
        return f"[{', '.join(map(omegaconf_text, value))}]"
    if isinstance(value, str):
        return value if is_word(value) else double_quoted(value)
    return yaml_number(value)


def double_quoted(text: str) -> str:
    """Returns text in double quotes, valid in YAML and JSON. Characters that YAML rejects are escaped."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    # a character above U+FFFF does not fit into a \u escape
    return '"' + "".join(char if char.isprintable() or char > "\uffff" else f"\\u{ord(char):04x}" for char in text) + '"'


def hydra_text(value: Value) -> str:
    """Returns a value in the grammar of Hydra's overrides."""
    if isinstance(value, list):
        return f"[{','.join(map(hydra_text, value))}]"
    if not isinstance(value, str):
        # Hydra's grammar has inf and nan without the dot of YAML
        return yaml_number(value).replace(".inf", "inf").replace(".nan", "nan")
    if is_word(value):
        return value
    # in Hydra's grammar a backslash escapes only before a quote
    text = re.sub(r"(\\*)'", r"\1\1\\'", value)
    ending = len(text) - len(text.rstrip("\\"))
    return f"'{text}{text[len(text) - ending :]}'"


def is_word(text: str) -> bool:
    """Returns whether YAML and Hydra read the unquoted text as this same text."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text)
    # YAML 1.1 or Hydra read these as a bool, null or a float
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


def yaml_number(value: Value) -> str:
    """Returns a number or a bool in YAML's spelling."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(repr(value), ".nan")
    # JSON spells true and false in lower case, as YAML does
    return json.dumps(value)


def assignment_words(flag: Flag, text: str) -> list[str]:
    """Returns `--x=text`, or `x=text` where options have no dashes."""
    return [f"{flag.option or flag.name}={text}"]


def has_nan(value: Value) -> bool:
    """Returns whether the value is nan or a list that contains nan."""
    return any(map(has_nan, value)) if isinstance(value, list) else isinstance(value, float) and math.isnan(value)


TEXTS_BY_ACTION: Mapping[str, Callable[[Value], str]] = {
    "literal": python_literal,
    "sacred": python_literal,
    "json": jsonargparse_text,
    "override": hydra_text,
    "dotlist": omegaconf_text,
}
WORDS_BY_ACTION: Mapping[str, Callable[[Flag, Value], list[str]]] = {
    "switch": on_off_words,
    "const": const_words,
    "any_order": any_order_words,
    "repeat": repeated_words,
    "times": counted_words,
    "tyro": tyro_words,
    "separated": csv_words,
    "spaced": blank_separated_words,
    "equals": absl_words,
    "titled": bool_value_words,
    "guessed": undeclared_option_words,
    "valued": valued_words,
    "one_word": one_word_words,
}


def undeclared_words(frontend: str, name: str, value: Value, *, partial: bool) -> list[str]:
    """Returns the words for a flag that the program does not declare. If `partial`, the program may declare it anyway."""
    # HfArgumentParser and simple_parsing read --x False, and have --no_x for few
    is_titled = frontend == "dataclasses" and isinstance(value, bool)
    action = "titled" if is_titled else UNDECLARED.get(frontend, "guessed")
    if action == "add":
        # `++` adds a key that is missing from the config
        return assignment_words(Flag(name, option=name if partial else f"++{name}"), hydra_text(value))
    if action in {"dotlist", "sacred"}:
        return words_for(Flag(name, action=action), value)
    return words_for(Flag(name, option=f"--{name}", action=action, many=True), value)


def positional_words(flags: Sequence[Flag], flags_given: Mapping[str, Value]) -> list[str]:
    """Returns the words of the arguments without an option, up to the last one that is given. Raises UsageError."""
    last = max((number for number, flag in enumerate(flags, 1) if is_given(flag, flags_given)), default=0)
    words: list[str] = []
    for flag in flags[:last]:
        # arguments go by their place, so those before the last one need a value too
        value = flags_given.get(flag.name, flag.default)
        if value is None:
            message = f"flag {flags[last - 1].name!r} comes after {flag.name!r} on the command line, which has no value"
            raise UsageError(message, f"To give that one too: {flag.name}=VALUE")
        words += [plain_text(item) for item in (value if isinstance(value, list) and flag.many else [value])]
    if flags[:last] and flags[last - 1].words == REST and not words[0].startswith("-"):
        return words  # argparse.REMAINDER would keep the --
    # without -- an argument such as -x would be read as an option
    return ["--", *words] if any(word.startswith("-") for word in words) else words


def is_given(flag: Flag, flags: Mapping[str, Value]) -> bool:
    """Returns whether the flag is given a value other than its default."""
    value = flags.get(flag.name)
    return value is not None and (flag.required or not same_value(value, flag.default))
