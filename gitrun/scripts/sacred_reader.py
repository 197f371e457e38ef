"""The flags of Sacred: the configuration of an experiment, given as `with name=value`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.constant_folding import text_of, value_of
from gitrun.scripts.constants import constants_in
from gitrun.scripts.module import FUNCTIONS, keywords_of, last_name
from gitrun.scripts.script import ARGS, Script
from gitrun.scripts.signatures import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

MAIN = ("automain", "run_commandline")
DEEPEST = 8


def read(module: Module) -> Script | None:
    """Returns the values in the experiment's configuration; None if the module does not read its command line."""
    if not module.names(b"sacred") or not any(name.partition(".")[0] == "sacred" for name in module.imports.values()):
        return None
    nodes = list(module.near(b"config", *map(str.encode, MAIN)))
    if not any(isinstance(node, ast.Attribute) and node.attr in MAIN for node in nodes):
        return None
    flags: dict[str, Flag] = {}
    partial = ""
    for node in nodes:
        if isinstance(node, FUNCTIONS) and any(last_name(one) == "config" for one in node.decorator_list):
            flags |= {flag.name: flag for flag in in_function(node, module)}
        elif isinstance(node, ast.Call) and last_name(node.func) == "add_config":
            given = node.args[0] if node.args else None
            more = {flag.name: flag for flag in in_dict(given, keywords_of(node), module)}
            partial = partial or ("" if more else "its configuration is not in its source")
            flags |= more
    # every experiment of Sacred has a seed
    flags.setdefault("seed", Flag("seed", None, "int"))
    found = (replace(flag, action="sacred") for flag in flags.values())
    return Script(tuple(found), ARGS, "sacred", partial=partial)


def in_function(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module) -> Iterator[Flag]:
    """Yields the assignments of a configuration function as flags. The values of a dict become dotted names."""
    yield from constants_in(node.body)
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=(ast.Dict() | ast.Call(func=ast.Name(id="dict"))) as value):
                yield from in_table(name, value, module)


def in_table(name: str, node: ast.expr, module: Module, depth: int = 0) -> Iterator[Flag]:
    """Yields the values of a dict as `name.key`, including those of dicts inside it."""
    if isinstance(node, ast.Dict):
        pairs = [(text_of(key, module.scope), value) for key, value in zip(node.keys, node.values, strict=True)]
    elif isinstance(node, ast.Call) and last_name(node.func) == "dict":
        pairs = list(keywords_of(node).items())
    else:
        known, default = value_of(node, module.scope)
        if is_flag_name(name) and not name.startswith("_"):
            yield Flag(name, default, kind_of(default) if known else "any")
        return
    for key, value in pairs:
        if key and depth < DEEPEST:
            yield from in_table(f"{name}.{key}" if name else key, value, module, depth + 1)


def in_dict(node: ast.expr | None, keywords: dict[str, ast.expr], module: Module) -> Iterator[Flag]:
    """Yields the values passed to `add_config`, in a dict or by name."""
    if isinstance(node, ast.Dict | ast.Call):
        yield from in_table("", node, module)
    for name, value in keywords.items():
        yield from in_table(name, value, module)
