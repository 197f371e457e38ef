"""Asks a program for its options: runs it up to where it would read its command line, and writes down what it reads there."""

# `python asker.py OUT SCRIPT ARG...`; OUT gets JSON: {"frontend", "flags", "commands"}, as gitrun.engine.declared reads it.
# The user's own interpreter runs it, any CPython from 3.8, without gitrun: newer annotations stand in quotes.
# ruff: noqa: ANN401 - what lies in the user's interpreter has the types of its version

import argparse
import enum
import importlib
import importlib.util
import json
import os
import runpy
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

ACTIONS = {
    "_StoreAction": "store", "_StoreTrueAction": "store_true", "_StoreFalseAction": "store_false", "_CountAction": "count",
    "_AppendAction": "append", "_ExtendAction": "extend", "BooleanOptionalAction": "boolean_optional",
    "_StoreConstAction": "const",
}  # fmt: skip
NO_FLAG = ("_HelpAction", "_VersionAction", "_AppendConstAction")
KINDS = {int: "int", float: "float", str: "str", None: "str"}
OUT = []  # type: list[str]


def plain(value: "Any") -> "Any":
    """The value, if JSON has it; else None."""
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return None if None in items else items
    return value if isinstance(value, (bool, int, float, str)) else None


def answer(frontend: str, flags: "list[Any]", commands: "list[Any]") -> "NoReturn":
    """Writes the answer and ends the program, whatever it would do at its end."""
    with open(OUT[0], "w", encoding="utf-8") as file:
        json.dump({"frontend": frontend, "flags": flags, "commands": commands}, file)
    os._exit(0)


def flag(name: str, **given: "Any") -> "dict[str, Any]":
    """A flag as JSON; what is not said is as usual."""
    usual: dict[str, Any] = {
        "name": name,
        "default": None,
        "kind": "any",
        "choices": [],
        "help": "",
        "option": "",
        "action": "store",
        "many": False,
    }
    return dict({**usual, "required": False, "words": []}, **given)


def of_parser(parser: "Any") -> "tuple[list[Any], list[Any]]":
    """The flags and the sub-commands of a parser of argparse."""
    flags, commands = [], []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way
        kind = type(action).__name__
        if kind == "_SubParsersAction":
            for name, child in action.choices.items():
                inner, more = of_parser(child)
                commands.append({"name": name, "flags": inner, "commands": more, "aliases": []})
        elif kind not in NO_FLAG:
            flags.append(of_action(action, ACTIONS.get(kind, "custom")))
    return flags, commands


def of_action(action: "Any", does: str) -> "dict[str, Any]":
    """The flag of an action of argparse."""
    options = action.option_strings
    option = next((text for text in options if text.startswith("--")), options[0] if options else "")
    many = (
        does in ("append", "extend")
        or action.nargs in ("+", "*", argparse.REMAINDER)
        or (isinstance(action.nargs, int) and action.nargs > 0)
    )
    switch = does in ("store_true", "store_false", "boolean_optional") or action.type is bool
    kind = "bool" if switch else "int" if does == "count" else "list" if many else KINDS.get(action.type, "any")
    if does == "const":
        return flag(action.dest, default=plain(action.default), choices=[plain(action.const)], words=[option], action=does)
    choices = [plain(choice) for choice in action.choices or ()]
    return flag(
        option.lstrip("-") or action.dest,
        default=None if action.default is argparse.SUPPRESS else plain(action.default),
        kind=kind,
        choices=[] if None in choices else choices,
        help=action.help if isinstance(action.help, str) and action.help is not argparse.SUPPRESS else "",
        option=option,
        action="positional" if not option else "type_bool" if action.type is bool else does,
        many=many,
        required=bool(action.required and (option or action.nargs not in ("?", "*", argparse.REMAINDER))),
        words=["..."] if not option and action.nargs == argparse.REMAINDER else [],
        aliases=[text for text in options if text != option and (does != "boolean_optional" or text[:5] != "--no-")],
    )


def of_command(command: "Any") -> "tuple[list[Any], list[Any]]":
    """The flags and the sub-commands of a command of click."""
    flags = joined(of_param(param) for param in command.params if not getattr(param, "is_eager", False))
    inner = getattr(command, "commands", {})
    commands = []
    for name, child in inner.items():
        own, more = of_command(child)
        commands.append({"name": name, "flags": own, "commands": more, "aliases": []})
    return flags, commands


def joined(flags: "Any") -> "list[Any]":
    """The flags, with one for all options that stand for values of one parameter."""
    found: dict[str, Any] = {}
    for one in flags:
        known = found.setdefault(one["name"], one)
        if known is not one and known["action"] == one["action"] == "const":
            for key in ("choices", "words"):
                known[key] += one[key]
            known["default"] = one["default"] if known["default"] is None else known["default"]
    return list(found.values())


def of_value(param: "Any", option: str, default: "Any") -> "dict[str, Any]":
    """The flag of an option of click that stands for a value, such as `--upper` with `flag_value="upper"`."""
    value = plain(param.flag_value)
    if isinstance(default, bool):
        default = value if default else None
    more = {"help": getattr(param, "help", "") or "", "option": option, "words": [option]}
    return flag(param.name, default=default, choices=[value], action="const", **more)


def kind_of(param: "Any") -> "tuple[str, list[Any]]":
    """Kind and choices of a parameter of click."""
    hint = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    if not hasattr(param, "type"):  # typer 0.29 has types of its own
        members = list(hint) if isinstance(hint, type) and issubclass(hint, enum.Enum) else []
        return "bool" if hint is bool else KINDS.get(hint, "any"), [plain(member.value) for member in members]
    kinds = {
        "integer": "int",
        "float": "float",
        "boolean": "bool",
        "text": "str",
        "integer range": "int",
        "float range": "float",
    }
    return kinds.get(param.type.name, "any"), [
        getattr(choice, "value", choice) for choice in getattr(param.type, "choices", ())
    ]


def of_param(param: "Any") -> "dict[str, Any]":
    """The flag of a parameter of click."""
    default = plain(param.default() if callable(param.default) else getattr(param.default, "value", param.default))
    many = bool(getattr(param, "multiple", False)) or param.nargs != 1
    kind, choices = kind_of(param)
    kind = "list" if many else kind
    spelled = [text for text in param.opts if text.startswith("-")]
    option = next((text for text in spelled if text.startswith("--")), spelled[0] if spelled else "")
    size = param.nargs if param.nargs > 1 and not getattr(param, "multiple", False) else 0
    more = {"choices": choices, "help": getattr(param, "help", "") or "", "option": option, "many": many, "size": size}
    more["aliases"] = [text for text in spelled if text != option]
    if not option:
        return flag(param.name, default=default, kind=kind, **dict(more, action="positional"))
    if getattr(param, "count", False):
        return flag(option.lstrip("-"), default=default or 0, kind="int", **dict(more, action="times"))
    if getattr(param, "is_flag", False) and kind != "bool" and not many and plain(param.flag_value) is not None:
        return of_value(param, option, default)
    if getattr(param, "is_flag", False) and kind == "bool":
        words = list(param.secondary_opts[:1])
        return flag(option.lstrip("-"), default=bool(default), kind="bool", **dict(more, action="switch", words=words))
    action = "repeat" if getattr(param, "multiple", False) else "titled" if kind == "bool" else "any_order"
    return flag(option.lstrip("-"), default=default, kind=kind, required=param.required, **dict(more, action=action))


def of_absl(flags: "Any") -> "list[Any]":
    """The flags that the program itself defines with absl."""
    kinds = {"int": "int", "float": "float", "bool": "bool", "string": "str", "string enum": "str"}
    found = []
    for item in flags.get_key_flags_for_module(sys.argv[0]):
        kind, many = item.flag_type(), isinstance(item.default, list)
        choices = list(getattr(item.parser, "enum_values", None) or [])
        action = "separated" if kind == "comma separated list of strings" else "equals"
        given = {"choices": choices, "help": item.help or "", "option": "--" + item.name, "action": action, "many": many}
        found.append(flag(item.name, default=plain(item.default), kind="list" if many else kinds.get(kind, "any"), **given))
    return found


def patch() -> None:
    """Has what reads the command line answer instead."""

    def parse(self: "Any", *_: "Any", **__: "Any") -> "NoReturn":
        answer("argparse", *of_parser(self))

    def main(self: "Any", *_: "Any", **__: "Any") -> "NoReturn":
        answer("click", *of_command(self))

    def run(*_: "Any", **__: "Any") -> "NoReturn":
        answer("absl", of_absl(sys.modules["absl.flags"].FLAGS), [])

    argparse.ArgumentParser.parse_known_args = parse  # type: ignore[method-assign]
    places = [
        ("click.core", "Command", "main", main),
        ("click.core", "Group", "main", main),
        ("typer.core", "TyperCommand", "main", main),
    ]
    for module, owner, name, way in [*places, ("typer.core", "TyperGroup", "main", main), ("absl.app", "", "run", run)]:
        if importlib.util.find_spec(module.partition(".")[0]):
            found: Any = importlib.import_module(module)
            setattr(getattr(found, owner) if owner else found, name, way)


if __name__ == "__main__":
    OUT.append(os.path.abspath(sys.argv[1]))
    sys.argv[:] = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
    patch()
    runpy.run_path(sys.argv[0], run_name="__main__")
