"""The flags of Sacred: the configuration of an experiment, given as `with name=value`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.constant_folding import fold_to_text, fold_to_value
from gitrun.scripts.constants import read_constants_in
from gitrun.scripts.module import FUNCTIONS, last_name, named_arguments
from gitrun.scripts.script import ARGS, Script
from gitrun.scripts.signatures import infer_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

MAIN = ("automain", "run_commandline")
MAX_DEPTH = 8


def read_sacred_flags(module: Module) -> Script | None:
    """Returns the values in the experiment's configuration; None if the module does not read its command line."""
    if not module.names(b"sacred") or not any(name.partition(".")[0] == "sacred" for name in module.imports.values()):
        return None
    nodes = list(module.near(b"config", *map(str.encode, MAIN)))
    # without one of these calls, Sacred leaves the command line alone
    if not any(isinstance(node, ast.Attribute) and node.attr in MAIN for node in nodes):
        return None
    flags: dict[str, Flag] = {}
    partial = ""
    for node in nodes:
        if isinstance(node, FUNCTIONS) and any(last_name(one) == "config" for one in node.decorator_list):
            flags |= {flag.name: flag for flag in read_config_function(node, module)}
        elif isinstance(node, ast.Call) and last_name(node.func) == "add_config":
            node_given = node.args[0] if node.args else None
            more = {flag.name: flag for flag in read_add_config(node_given, named_arguments(node), module)}
            partial = partial or ("" if more else "its configuration is not in its source")
            flags |= more
    # every experiment of Sacred has a seed
    flags.setdefault("seed", Flag("seed", None, "int"))
    own = (replace(flag, action="sacred") for flag in flags.values())
    return Script(tuple(own), ARGS, "sacred", partial=partial)


def read_config_function(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module) -> Iterator[Flag]:
    """Yields the assignments of a configuration function as flags. The values of a dict become dotted names."""
    # the local names of the function are the configuration
    yield from read_constants_in(node.body)
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=(ast.Dict() | ast.Call(func=ast.Name(id="dict"))) as value):
                yield from read_dict_values(name, value, module)


def read_dict_values(name: str, node: ast.expr, module: Module, depth: int = 0) -> Iterator[Flag]:
    """Yields the values of a dict as `name.key`, including those of dicts inside it."""
    if isinstance(node, ast.Dict):
        pairs = [(fold_to_text(key, module.scope), value) for key, value in zip(node.keys, node.values, strict=True)]
    elif isinstance(node, ast.Call) and last_name(node.func) == "dict":
        pairs = list(named_arguments(node).items())
    else:
        is_known, default = fold_to_value(node, module.scope)
        if is_flag_name(name) and not name.startswith("_"):
            yield Flag(name, default, infer_kind(default) if is_known else "any")
        return
    for key, value in pairs:
        if key and depth < MAX_DEPTH:
            yield from read_dict_values(f"{name}.{key}" if name else key, value, module, depth + 1)


def read_add_config(node: ast.expr | None, keywords: dict[str, ast.expr], module: Module) -> Iterator[Flag]:
    """Yields the values passed to `add_config`, in a dict or by name."""
    if isinstance(node, ast.Dict | ast.Call):
        yield from read_dict_values("", node, module)
    for name, value in keywords.items():
        yield from read_dict_values(name, value, module)
