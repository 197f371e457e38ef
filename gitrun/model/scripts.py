"""Which flags a Python script declares, read from its source, and how their values are handed to it.

Only here is the source of a user's program read; it is never executed.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Value, copy_value, format_value, is_name, parse_value, same_value

GLOBALS = "globals"
ARGS = "args"
LONGEST_COUNT = 1000

_Keywords = Mapping[str, ast.expr]
_ANNOTATIONS = {"int": "int", "float": "float", "str": "str", "bool": "bool"} | dict.fromkeys(
    ("list", "List", "tuple", "Tuple"), "list"
)
_TYPES = {"int": "int", "float": "float", "str": "str"}
# options without a value that a flag could have
_NO_FLAG = ("help", "version", "store_const", "append_const")
_SWITCHES = ("store_true", "store_false", "boolean_optional", "type_bool")
_SEVERAL = ("append", "extend")


@dataclass(frozen=True, slots=True)
class Script:
    """The flags of a script in the order of its source, and how it takes them.

    `style` is "globals" (assignments at the top of the module) or "args" (options of argparse).
    """

    flags: tuple[Flag, ...]
    style: str


def read_script(source: bytes, name: str) -> Script:
    """The flags of the script, by its text alone. Never raises: a file that does not parse has none.

    If it calls `add_argument` with an option anywhere, its flags are these options; otherwise they are the
    names that it gives a literal at the top level. The encoding is that of PEP 263.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # the program itself reports it when it runs
        return Script((), GLOBALS)
    calls = _option_calls(tree)
    found = filter(None, map(_option, calls)) if calls else _globals(tree)
    flags: dict[str, Flag] = {}
    for flag in found:
        # argparse refuses to have it twice, so the second is another parser's
        flags.setdefault(flag.name, flag)
    return Script(tuple(flags.values()), ARGS if calls else GLOBALS)


def arguments(declared: Sequence[Flag], flags: Mapping[str, Value]) -> list[str]:
    """The words that give an "args" script these flags: those that differ from its defaults or are required.

    Names that it does not declare follow as `--name value`. Raises UsageError for what no words can give.
    """
    words: list[str] = []
    for flag in declared:
        value = flags.get(flag.name)
        if value is not None and (flag.required or not same_value(value, flag.default)):
            words += _words(flag, value)
    for name, value in _undeclared(declared, flags).items():
        action = "store_true" if value is True else "store"
        words += _words(Flag(name, option=f"--{name}", action=action, many=True), value)
    if any("\0" in word for word in words):
        raise UsageError("a flag with a NUL cannot be given on a command line", "take the NUL out of its value")
    return words


def constants(declared: Sequence[Flag], flags: Mapping[str, Value]) -> dict[str, Value | None]:
    """The names that a "globals" script must see with another value than its source gives them.

    `1` and `1.0` are different here, for the program sees the value as it was given. An absent flag is None,
    if the source gives it another value. Names that it does not declare are set as well.
    """
    values = [(flag, flags.get(flag.name)) for flag in declared]
    changed = {flag.name: value for flag, value in values if _exact(value) != _exact(flag.default)}
    return changed | _undeclared(declared, flags)


def _undeclared(declared: Sequence[Flag], flags: Mapping[str, Value]) -> dict[str, Value]:
    names = {flag.name for flag in declared}
    return {name: value for name, value in flags.items() if name not in names}


def _exact(value: Value | None) -> str:
    return "null" if value is None else format_value(value)


def _globals(tree: ast.Module) -> Iterable[Flag]:
    flags: dict[str, Flag] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                annotation = ""
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=hint):
                annotation = _annotation(hint)
            case _:
                continue
        literal, default = _literal(value)
        if literal and not name.startswith("_"):
            flags[name] = Flag(name, default, _ANNOTATIONS.get(annotation) or _kind_of(default))
    return flags.values()


def _annotation(hint: ast.expr) -> str:
    """`list` of `list`, `list[int]`, `typing.List` and `"list[int]"`."""
    match hint:
        case ast.Constant(value=str(text)):
            return text.partition("[")[0].strip()
        case ast.Subscript(value=outer):
            return _annotation(outer)
    return _last_name(hint)


def _last_name(node: ast.expr | None) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _kind_of(value: Value | None) -> str:
    return {bool: "bool", int: "number", float: "number", str: "str", list: "list"}.get(type(value), "any")


def _literal(node: ast.expr | None) -> tuple[bool, Value | None]:
    """Whether the expression is a literal that a flag can hold, and its value."""
    try:
        value = _evaluate(node)
        return True, None if value is None else copy_value("", value)
    except (ValueError, RecursionError, UsageError):
        return False, None


def _evaluate(node: ast.expr | None) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float() as number)):
            return +number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluate(item) for item in items]
    raise ValueError("not a literal")


def _option_calls(tree: ast.Module) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _option_names(node)]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _option_names(call: ast.Call) -> list[str]:
    """`-n` and `--name` of `add_argument("-n", "--name")`; nothing of any other call."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"):
        return []
    names = (argument.value for argument in call.args if isinstance(argument, ast.Constant))
    return [name for name in names if isinstance(name, str) and name.startswith("-") and name.strip("-")]


def _option(call: ast.Call) -> Flag | None:
    names = _option_names(call)
    option = next((name for name in names if name.startswith("--")), names[0])
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    action = _action(keywords)
    if action in _NO_FLAG or not is_name(option.lstrip("-")):
        return None
    several = _is_several(keywords.get("nargs"))
    kind, default = _kind_and_default(keywords, action, several=several)
    _, text = _literal(keywords.get("help"))
    return Flag(
        name=option.lstrip("-"),
        default=default,
        kind=kind,
        choices=_choices(keywords.get("choices")),
        help=text if isinstance(text, str) else "",
        option=option,
        action=action,
        many=several or action in _SEVERAL,
        required=_literal(keywords.get("required")) == (True, True),
    )


def _action(keywords: _Keywords) -> str:
    node = keywords.get("action")
    _, name = _literal(node)
    if isinstance(name, str):
        return name
    if node is None:
        # argparse makes True of any text but the empty one
        return "type_bool" if _last_name(keywords.get("type")) == "bool" else "store"
    return "boolean_optional" if _last_name(node) == "BooleanOptionalAction" else "custom"


def _is_several(nargs: ast.expr | None) -> bool:
    _, number = _literal(nargs)
    return number in ("+", "*") or (isinstance(number, int) and number > 0)


def _kind_and_default(keywords: _Keywords, action: str, *, several: bool) -> tuple[str, Value | None]:
    _, default = _literal(keywords.get("default"))
    if action in ("store_true", "store_false"):
        return "bool", default if "default" in keywords else action == "store_false"
    if action in ("boolean_optional", "type_bool"):
        return "bool", default
    if action == "count":
        return "int", default
    if several or action in _SEVERAL:
        return "list", default
    if "type" in keywords:
        kind = _TYPES.get(_last_name(keywords["type"]), "any")
        # argparse converts a default that is text
        is_text = isinstance(default, str) and kind in ("int", "float")
        return kind, parse_value(str(default)) if is_text else default
    if action == "custom" or isinstance(default, bool | list):
        return "any", default
    return "str" if default is None else _kind_of(default), default


def _choices(node: ast.expr | None) -> tuple[Value, ...]:
    """The choices if all of them are literals; otherwise none, for then the program alone knows."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
    choices = [choice for _, choice in map(_literal, items) if choice is not None]
    return tuple(choices) if len(choices) == len(items) else ()


def _words(flag: Flag, value: Value) -> list[str]:
    """The words that give the flag this value. Raises UsageError if none do."""
    if isinstance(value, bool) and flag.action in _SWITCHES:
        return _switch(flag, value)
    if flag.action == "count" and isinstance(value, int):
        return [flag.option] * _added_count(flag, value)
    items = value if isinstance(value, list) and flag.many else [value]
    if flag.action in _SEVERAL:
        items = _added_items(flag, items)
    if flag.action == "append":
        return [word for item in items for word in _option_words(flag, item if isinstance(item, list) else [item])]
    return _option_words(flag, items) if items or flag.action not in _SEVERAL else []


def _option_words(flag: Flag, items: list[Value]) -> list[str]:
    texts = [_text(item) for item in items]
    # argparse takes a word that starts with - for an option
    if len(texts) == 1 and texts[0].startswith("-"):
        return [f"{flag.option}={texts[0]}"]
    return [flag.option, *texts]


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list) else repr(value)


def _switch(flag: Flag, value: bool) -> list[str]:  # noqa: FBT001  it is the value of a flag
    if flag.action == "type_bool":
        return [flag.option, "True" if value else ""]
    if flag.action == "boolean_optional" and not value:
        return [f"--no-{flag.option.lstrip('-')}"]
    if value is (flag.action != "store_false"):
        return [flag.option]
    if same_value(value, flag.default):
        return []
    raise _not_given(flag, value)


def _added_count(flag: Flag, value: int) -> int:
    start = flag.default if isinstance(flag.default, int) else 0
    if not 0 <= value - start <= LONGEST_COUNT:
        raise _not_given(flag, value)
    return value - start


def _added_items(flag: Flag, items: list[Value]) -> list[Value]:
    """What is to be added to the default, for argparse adds to it."""
    start = flag.default if isinstance(flag.default, list) else []
    if not same_value(items[: len(start)], start):
        raise _not_given(flag, items)
    return items[len(start) :]


def _not_given(flag: Flag, value: Value) -> UsageError:
    hint = f"by default it is {_exact(flag.default)}, and its option can only add to that"
    return UsageError(f"flag {flag.name!r} cannot be {_exact(value)}: {flag.option} is {flag.action}", hint)
