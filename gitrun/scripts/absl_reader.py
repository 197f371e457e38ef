"""The flags of absl, from calls to `flags.DEFINE_...`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.model.flags import Flag, Value, is_flag_name, parse_value
from gitrun.scripts.constant_folding import Unfoldable, fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.module import last_name, named_arguments
from gitrun.scripts.script import ARGS, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

KINDS = {
    "string": "str", "integer": "int", "float": "float", "bool": "bool", "boolean": "bool", "enum": "str",
    "enum_class": "str", "list": "list", "spaceseplist": "list", "multi_string": "list", "multi_integer": "list",
    "multi_float": "list", "multi_enum": "list", "multi_enum_class": "list", "config_file": "str", "config_dict": "str",
}  # fmt: skip
"""The kinds of flags after `DEFINE_`. The last two are of ml_collections."""
LIBRARIES = {"absl", "ml_collections"}


def read_absl_flags(module: Module) -> Script | None:
    """Returns the flags that the module defines; None if it defines none."""
    if not module.names(b"DEFINE_"):
        return None
    calls = [node for node in module.near(b"DEFINE_") if isinstance(node, ast.Call) and define_kind(node)]
    if not calls or not uses_absl(module):
        return None
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    kinds = set(map(define_kind, calls))
    # --config.lr=0.1 is an option, --config is none
    flags = [read_define(call, module) for call in calls if define_kind(call) != "config_dict"]
    marked = set(required_names(module))
    flags = [replace(flag, required=flag.required or flag.name in marked) if flag else None for flag in flags]
    aliases = read_aliases(module)
    flags = [replace(flag, aliases=(*flag.aliases, *aliases.get(flag.name, ()))) if flag else None for flag in flags]
    partial = "its configuration has more flags" if kinds & {"config_file", "config_dict"} else ""
    partial = partial if all(flags) else "a flag has a name that is computed"
    return Script(tuple({flag.name: flag for flag in flags if flag}.values()), ARGS, "absl", partial=partial)


def uses_absl(module: Module) -> bool:
    """Returns whether the flags are absl's. Other libraries, such as gflags, have functions of the same names."""
    imports = module.imports.values()
    if any(name.partition(".")[0] in LIBRARIES for name in imports):
        return True
    # TensorFlow's tf.app.flags, tf.flags and tf.compat.v1.flags are those of absl
    used = (module.full_name(node) for node in module.near(b"flags") if isinstance(node, ast.Attribute))
    return any(name.startswith("tensorflow.") and name.endswith(".flags") for name in (*imports, *used))


def required_names(module: Module) -> Iterator[str]:
    """Yields the names in calls to `flags.mark_flag_as_required` and `mark_flags_as_required`."""
    for node in module.near(b"_as_required"):
        if isinstance(node, ast.Call) and last_name(node.func).endswith("_as_required"):
            # one name or a list: `flags.mark_flags_as_required(["lr", "epochs"])`
            for argument in node.args[:1]:
                text = fold_to_text(argument, module.scope)
                names = [] if text else fold_to_items(argument, module.scope) or []
                yield from (text, *(item for item in names if isinstance(item, str)))


def read_aliases(module: Module) -> dict[str, list[str]]:
    """Returns the options of each `flags.DEFINE_alias("rate", "lr")`, by the name of the flag that they set."""
    aliases: dict[str, list[str]] = {}
    for node in module.near(b"DEFINE_alias"):
        if isinstance(node, ast.Call) and last_name(node.func) == "DEFINE_alias":
            nodes = dict(zip(("name", "original_name"), node.args, strict=False)) | named_arguments(node)
            alias, name = (fold_to_text(nodes.get(key), module.scope) for key in ("name", "original_name"))
            aliases.setdefault(name, []).append(f"--{alias}")
    return aliases


def define_kind(call: ast.Call) -> str:
    """Returns the part after `DEFINE_`; "" if it is not a kind in `KINDS`."""
    name = last_name(call.func)
    kind = name.removeprefix("DEFINE_").lower()
    return kind if name.startswith("DEFINE_") and kind in KINDS else ""


def read_define(call: ast.Call, module: Module) -> Flag | None:
    """Returns the flag of a call such as `DEFINE_float("lr", 0.1, lower_bound=0)`; None if its name is not known."""
    kind, keywords, scope = define_kind(call), named_arguments(call), module.scope
    # for example `DEFINE_enum("mode", "a", ["a", "b"], "help")` and `DEFINE_enum_class("mode", Mode.A, Mode, "help")`
    order = ["name", "default", "choices" if kind in {"enum", "multi_enum"} else "class", "help"]
    if not kind.endswith(("enum", "enum_class")):
        order = ["name", "default", "help"]
    nodes = dict(zip(order, call.args, strict=False)) | keywords
    enum = nodes.get("class", nodes.get("enum_class"))
    name = fold_to_text(nodes.get("name"), scope)
    if not is_flag_name(name):
        return None
    choices: list[object] = list(fold_to_items(nodes.get("choices", nodes.get("enum_values")), scope) or [])
    if kind.endswith("enum_class"):
        choices, default = read_enum_class(enum, nodes.get("default"), module)
    else:
        default = fold_to_value(nodes.get("default"), scope)[1]
    many = KINDS[kind] == "list"
    # absl splits a default that is text: `DEFINE_list("names", "a,b", "help")`
    if many and isinstance(default, str):
        default = split_default(default, kind)
    if kind in {"integer", "float"} and isinstance(default, str):
        default = parse_value(default)
    # DEFINE_multi_* takes a single value as a list of one
    if many and default is not None and not isinstance(default, list):
        default = [default]
    # absl takes -l and --l for a short name
    short = fold_to_text(nodes.get("short_name"), scope)
    least, most = (fold_to_value(nodes.get(key), scope)[1] for key in ("lower_bound", "upper_bound"))
    return Flag(
        name,
        default,
        KINDS[kind],
        choices=tuple(choice for choice in choices if isinstance(choice, str)),
        help=fold_to_text(nodes.get("help"), scope),
        option=f"--{name}",
        action={"list": "separated", "spaceseplist": "spaced"}.get(kind, "equals"),
        many=many,
        required=fold_to_value(nodes.get("required"), scope) == (True, True),
        least=least if isinstance(least, int | float) else None,
        most=most if isinstance(most, int | float) else None,
        aliases=(f"--{short}",) if short else (),
        as_typed="all" if many and kind not in {"multi_integer", "multi_float"} else "",
    )


def split_default(text: str, kind: str) -> Value:
    """Returns the list that absl reads from a text default."""
    parts: list[Value] = [part.strip() for part in (text.split() if kind == "spaceseplist" else text.split(","))]
    # the empty text has no items, although `"".split(",")` gives one
    return parts if text else []


def read_enum_class(node: ast.expr | None, default: ast.expr | None, module: Module) -> tuple[list[object], Value | None]:
    """Returns the names of an enumeration's members, and the name of the default."""
    try:
        names: list[object] = list(module.enumeration(last_name(node), module.scope))
    except Unfoldable:
        names = []
    if isinstance(default, ast.Attribute):
        return names, default.attr
    return names, fold_to_value(default, module.scope)[1]
