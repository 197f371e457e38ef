"""Asks a program for its options: runs it until it reads its command line, and writes down the options defined there."""

# `python introspect_child.py OUT SCRIPT ARG...` writes JSON to OUT: {"frontend", "flags", "commands"}. Flags of argparse have
# their dest too.
# gitrun.source.flag_cache reads it.
# The user's interpreter runs this file: CPython 3.8 or newer, without gitrun. Annotations that 3.8 cannot read are quoted.
# ruff: noqa: ANN401 - argparse, click and absl in the user's interpreter have the types of their version

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
    "_StoreConstAction": "const", "_AppendConstAction": "append_const",
}  # fmt: skip
NO_FLAG = ("_HelpAction", "_VersionAction")
KINDS = {int: "int", float: "float", str: "str", None: "str"}
OUT = []  # type: list[str]


def jsonable(value: "Any") -> "Any":
    """Returns the value if JSON can hold it, else None. Tuples become lists."""
    if isinstance(value, (list, tuple)):
        items = [jsonable(item) for item in value]
        # half a list would be a wrong default
        return None if None in items else items
    return value if isinstance(value, (bool, int, float, str)) else None


def write_answer(frontend: str, flags: "list[Any]", commands: "list[Any]") -> "NoReturn":
    """Writes the answer to OUT and ends the process at once, without exit handlers of the program."""
    with open(OUT[0], "w", encoding="utf-8") as file:
        json.dump({"frontend": frontend, "flags": flags, "commands": commands}, file)
    # sys.exit() would run the program's own handlers, which may write files or wait
    os._exit(0)


def make_flag(name: str, **settings: "Any") -> "dict[str, Any]":
    """Returns a flag as JSON. Fields that are not given get their defaults."""
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
    return dict({**usual, "required": False, "words": []}, **settings)


def read_parser(parser: "Any") -> "tuple[list[Any], list[Any]]":
    """Returns the flags and the sub-commands of an argparse parser."""
    flags, commands = [], []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way
        kind = type(action).__name__
        if kind == "_SubParsersAction":
            for name, child in action.choices.items():
                inner, more = read_parser(child)
                commands.append({"name": name, "flags": inner, "commands": more, "aliases": []})
        elif kind not in NO_FLAG:
            # gitrun joins the options of one dest
            flags.append(dict(read_action(action, ACTIONS.get(kind, "custom")), dest=action.dest))
    return flags, commands


def read_action(action: "Any", does: str) -> "dict[str, Any]":
    """Returns the flag of an argparse action; `does` becomes its `action`."""
    options = action.option_strings
    # ['-l', '--lr']: the long option names the flag
    option = next((text for text in options if text.startswith("--")), options[0] if options else "")
    # nargs is None, an int, '?', '*', '+' or '...' (REMAINDER)
    many = (
        does in ("append", "extend")
        or action.nargs in ("+", "*", argparse.REMAINDER)
        or (isinstance(action.nargs, int) and action.nargs > 0)
    )
    switch = does in ("store_true", "store_false", "boolean_optional") or action.type is bool
    kind = "bool" if switch else "int" if does == "count" else "list" if many else KINDS.get(action.type, "any")
    default = None if action.default is argparse.SUPPRESS else jsonable(action.default)
    if does in ("const", "append_const"):
        value = jsonable(action.const) if does == "const" else None
        settings = {"default": default, "option": option, "aliases": options}
        if value is None:
            return make_flag(action.dest, action="append_const", **settings)
        settings["aliases"] = [text for text in options if text != option]
        return make_flag(action.dest, choices=[value], words=[option], action=does, **settings)
    help_text = action.help if isinstance(action.help, str) and action.help is not argparse.SUPPRESS else ""
    # --no-amp of dest="amp" makes amp False
    if does == "store_false" and action.dest != option.lstrip("-").replace("-", "_"):
        settings = {"default": default, "kind": kind, "help": help_text, "aliases": []}
        return make_flag(
            action.dest, action="switch", words=[option, *(text for text in options if text != option)], **settings
        )
    # choices may be values that JSON cannot hold, such as members of an enum
    choices = [jsonable(choice) for choice in action.choices or ()]
    return make_flag(
        option.lstrip("-") or action.dest,
        default=default,
        kind=kind,
        choices=[] if None in choices else choices,
        help=help_text,
        option=option,
        action="positional" if not option else "type_bool" if action.type is bool else does,
        many=many,
        required=bool(action.required and (option or action.nargs not in ("?", "*", argparse.REMAINDER))),
        bare=jsonable(action.const) if option and does == "store" and action.nargs == "?" else None,
        # what only the program reads stays as typed
        as_typed="all" if kind == "any" or (kind == "list" and action.type in (None, str)) else "",
        words=["..."] if not option and action.nargs == argparse.REMAINDER else [],
        aliases=[text for text in options if text != option and (does != "boolean_optional" or text[:5] != "--no-")],
    )


def read_command(command: "Any") -> "tuple[list[Any], list[Any]]":
    """Returns the flags and the sub-commands of a click command."""
    # eager options such as --help and --version end the program and are no flags
    flags = merge_options(read_param(param) for param in command.params if not getattr(param, "is_eager", False))
    inner = getattr(command, "commands", {})
    commands = []
    for name, child in inner.items():
        own, more = read_command(child)
        commands.append({"name": name, "flags": own, "commands": more, "aliases": []})
    return flags, commands


def merge_options(flags: "Any") -> "list[Any]":
    """Merges options that set one parameter to different values into a single flag."""
    merged: dict[str, Any] = {}
    for one in flags:
        option = merged.setdefault(one["name"], one)
        if option is not one and option["action"] == one["action"] == "const":
            for key in ("choices", "words"):
                option[key] += one[key]
            option["default"] = one["default"] if option["default"] is None else option["default"]
    return list(merged.values())


def make_value_flag(param: "Any", option: str, default: "Any") -> "dict[str, Any]":
    """Returns the flag of a click option with a fixed value, such as `--upper` with `flag_value="upper"`."""
    value = jsonable(param.flag_value)
    # click marks the default among options of one parameter with `default=True`
    if isinstance(default, bool):
        default = value if default else None
    more = {"help": getattr(param, "help", "") or "", "option": option, "words": [option]}
    return make_flag(param.name, default=default, choices=[value], action="const", **more)


def get_click_kind(param: "Any") -> "tuple[str, list[Any]]":
    """Returns the kind and the choices of a click parameter."""
    hint = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    if not hasattr(param, "type"):  # typer 0.29 no longer uses click's types
        members = list(hint) if isinstance(hint, type) and issubclass(hint, enum.Enum) else []
        return "bool" if hint is bool else KINDS.get(hint, "any"), [jsonable(member.value) for member in members]
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


def read_param(param: "Any") -> "dict[str, Any]":
    """Returns the flag of a click parameter."""
    default = jsonable(param.default() if callable(param.default) else getattr(param.default, "value", param.default))
    many = bool(getattr(param, "multiple", False)) or param.nargs != 1
    kind, choices = get_click_kind(param)
    kind = "list" if many else kind
    spelled = [text for text in param.opts if text.startswith("-")]
    option = next((text for text in spelled if text.startswith("--")), spelled[0] if spelled else "")
    size = param.nargs if param.nargs > 1 and not getattr(param, "multiple", False) else 0
    more = {"choices": choices, "help": getattr(param, "help", "") or "", "option": option, "many": many, "size": size}
    more["aliases"] = [text for text in spelled if text != option]
    if not option:
        return make_flag(param.name, default=default, kind=kind, **dict(more, action="positional"))
    # click with count=True: -vvv is 3
    if getattr(param, "count", False):
        return make_flag(option.lstrip("-"), default=default or 0, kind="int", **dict(more, action="times"))
    if getattr(param, "is_flag", False) and kind != "bool" and not many and jsonable(param.flag_value) is not None:
        return make_value_flag(param, option, default)
    if getattr(param, "is_flag", False) and kind == "bool":
        # "--shout/--no-shout": what follows the slash is the secondary option
        words = list(param.secondary_opts[:1])
        return make_flag(option.lstrip("-"), default=bool(default), kind="bool", **dict(more, action="switch", words=words))
    action = "repeat" if getattr(param, "multiple", False) else "titled" if kind == "bool" else "any_order"
    return make_flag(option.lstrip("-"), default=default, kind=kind, required=param.required, **dict(more, action=action))


def read_absl_flags(flags: "Any") -> "list[Any]":
    """Returns the absl flags that the program itself defines, without those of the modules it imports."""
    kinds = {"int": "int", "float": "float", "bool": "bool", "string": "str", "string enum": "str"}
    read_flags = []
    for item in flags.get_key_flags_for_module(sys.argv[0]):
        kind, many = item.flag_type(), isinstance(item.default, list)
        choices = list(getattr(item.parser, "enum_values", None) or [])
        # a list of flags.DEFINE_list is one word: --names=a,b
        action = "separated" if kind == "comma separated list of strings" else "equals"
        settings = {"choices": choices, "help": item.help or "", "option": "--" + item.name, "action": action, "many": many}
        read_flags.append(
            make_flag(item.name, default=jsonable(item.default), kind="list" if many else kinds.get(kind, "any"), **settings)
        )
    return read_flags


def patch_parsers() -> None:
    """Replaces the functions that parse the command line by functions that write the answer."""

    def parse(self: "Any", *_: "Any", **__: "Any") -> "NoReturn":
        write_answer("argparse", *read_parser(self))

    def main(self: "Any", *_: "Any", **__: "Any") -> "NoReturn":
        write_answer("click", *read_command(self))

    def run(*_: "Any", **__: "Any") -> "NoReturn":
        write_answer("absl", read_absl_flags(sys.modules["absl.flags"].FLAGS), [])

    # parse_args calls it too
    argparse.ArgumentParser.parse_known_args = parse  # type: ignore[method-assign]
    # click's groups and typer's classes can have a `main` of their own, so each class is patched
    patches = [
        ("click.core", "Command", "main", main),
        ("click.core", "Group", "main", main),
        ("typer.core", "TyperCommand", "main", main),
    ]
    for module, owner, name, way in [*patches, ("typer.core", "TyperGroup", "main", main), ("absl.app", "", "run", run)]:
        # only installed packages are patched; the import order of the program does not matter
        if importlib.util.find_spec(module.partition(".")[0]):
            target: Any = importlib.import_module(module)
            setattr(getattr(target, owner) if owner else target, name, way)


if __name__ == "__main__":
    OUT.append(os.path.abspath(sys.argv[1]))
    sys.argv[:] = sys.argv[2:]
    # as python itself sets it when it runs a script
    sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
    patch_parsers()
    runpy.run_path(sys.argv[0], run_name="__main__")
