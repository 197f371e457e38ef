"""The flag that one `add_argument` call makes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from gitrun.model.flags import Flag, is_name, parse_value
from gitrun.scripts.argv import REST
from gitrun.scripts.constant_folding import items_of, text_of, value_of
from gitrun.scripts.module import last_name
from gitrun.scripts.type_hints import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.scripts.constant_folding import Scope

# FileType opens the path that it is given, so the flag is text
TYPES = {"int": "int", "float": "float"} | dict.fromkeys(("str", "Path", "PurePath", "PosixPath", "FileType"), "str")
# these options have no value that a flag could hold
NO_FLAG = ("help", "version", "append_const", "parsers")
SEVERAL = ("append", "extend")
Keywords: TypeAlias = "Mapping[str, ast.expr]"


def option_flag(names: Sequence[str], keywords: Keywords, scope: Scope) -> Flag | None:
    """Returns the flag of an option (`-n`, `--name`) or of an argument; None if a flag cannot stand for it."""
    # like argparse, named after the first long option
    option = next((name for name in names if name.startswith("--")), names[0] if names else "")
    # prefix_chars may name other prefixes than "-"; a positional begins with none of them
    positional = option[:1].isalnum() or option[:1] == "_"
    name = option if positional else option.lstrip(option[:1])
    action = action_of(keywords, scope)
    if action in NO_FLAG or not is_name(name):
        return None
    if action == "store_const":
        return const_flag(name, option, keywords, scope)
    several = is_several(keywords.get("nargs"), scope)
    kind, default = kind_and_default(keywords, action, scope, several=several)
    return Flag(
        name=name,
        default=default,
        kind=kind,
        choices=choices_of(keywords.get("choices"), scope),
        help=text_of(keywords.get("help"), scope),
        option="" if positional else option,
        action="positional" if positional else action,
        many=several or action in SEVERAL,
        as_typed=typed_as(kind, keywords),
        words=REST if positional and takes_rest(keywords.get("nargs"), scope) else (),
        required=needs_words(keywords.get("nargs"), scope) if positional else is_true(keywords.get("required"), scope),
        aliases=() if positional else tuple(name for name in names if name != option),
    )


def const_flag(name: str, option: str, keywords: Keywords, scope: Scope) -> Flag | None:
    """Returns the flag of a `store_const` option, which stands for one value of its `dest`; None if that value is not known."""
    known, value = value_of(keywords.get("const"), scope)
    dest = text_of(keywords.get("dest"), scope) or name
    if not known or value is None or not is_name(dest):
        return None
    _, default = value_of(keywords.get("default"), scope)
    text = text_of(keywords.get("help"), scope)
    return Flag(dest, default, "any", (value,), text, option, "const", words=(option,))


def action_of(keywords: Keywords, scope: Scope) -> str:
    """Returns the action of an option by argparse's name for it, or type_bool, boolean_optional or custom."""
    node = keywords.get("action")
    if name := text_of(node, scope):
        return name
    if node is None:
        # type=bool makes True of any text that is not empty
        return "type_bool" if last_name(keywords.get("type")) == "bool" else "store"
    return "boolean_optional" if last_name(node) == "BooleanOptionalAction" else "custom"


def is_several(nargs: ast.expr | None, scope: Scope) -> bool:
    """Tells whether the option takes a list."""
    _, number = value_of(nargs, scope)
    return takes_rest(nargs, scope) or number in ("+", "*") or (isinstance(number, int) and number > 0)


def is_true(node: ast.expr | None, scope: Scope) -> bool:
    """Tells whether the expression is known to be True."""
    return value_of(node, scope) == (True, True)


def needs_words(nargs: ast.expr | None, scope: Scope) -> bool:
    """Tells whether an argument takes at least one word."""
    known, number = value_of(nargs, scope)
    return nargs is None or (known and number not in {"?", "*", "...", "A...", 0, None})


def type_name(node: ast.expr | None) -> str:
    """Returns `FileType` for `argparse.FileType("w")`, `Path` for `pathlib.Path`."""
    return last_name(node.func if isinstance(node, ast.Call) else node)


def typed_as(kind: str, keywords: Keywords) -> str:
    """Returns `all` if the option gets its text exactly as typed: its type is unknown, or its items are text. Else ""."""
    is_text = TYPES.get(type_name(keywords.get("type")), "") == "str" or "type" not in keywords
    return "all" if kind == "any" or (kind == "list" and is_text) else ""


def takes_rest(nargs: ast.expr | None, scope: Scope) -> bool:
    """Tells whether it takes all words that follow, including options."""
    return last_name(nargs) in {"REMAINDER", "PARSER"} or text_of(nargs, scope) in {"...", "A..."}


def kind_and_default(keywords: Keywords, action: str, scope: Scope, *, several: bool) -> tuple[str, Value | None]:
    """Returns the kind of flag and its default."""
    _, default = value_of(keywords.get("default"), scope)
    if action in ("store_true", "store_false"):
        return "bool", default if "default" in keywords else action == "store_false"
    if action in ("boolean_optional", "type_bool"):
        return "bool", default
    if action == "count":
        return "int", default
    if several or action in SEVERAL:
        return "list", default
    if "type" in keywords:
        kind = TYPES.get(type_name(keywords["type"]), "any")
        # argparse passes a text default through type=
        is_text = isinstance(default, str) and kind in ("int", "float")
        return kind, parse_value(str(default)) if is_text else default
    if action == "custom" or isinstance(default, bool | list):
        return "any", default
    return "str" if default is None else kind_of(default), default


def choices_of(node: ast.expr | None, scope: Scope) -> tuple[Value, ...]:
    """Returns the choices if all of them are known, else none: the program itself checks them."""
    if isinstance(node, ast.Name) and node.id in scope.module.classes:
        # choices=Color loops over the members of an enumeration
        node = ast.Call(ast.Name("list"), [node], [])
    found = items_of(node, scope)
    choices = [choice for choice in found or () if isinstance(choice, bool | int | float | str)]
    return tuple(choices) if found is not None and len(choices) == len(found) else ()
