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
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.scripts.module import Module

MAIN = ("automain", "run_commandline")
MAX_DEPTH = 8
CLASSES = (b"Experiment", b"Ingredient")
OWN_SCOPES = (ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def read_sacred_flags(module: Module) -> Script | None:
    """Returns the values in the experiment's configuration; None if the module does not read its command line."""
    if not module.names(b"sacred") or not any(name.partition(".")[0] == "sacred" for name in module.imports.values()):
        return None
    near = module.near(b"config", b"sacred", *CLASSES, *map(str.encode, MAIN))
    nodes = sorted(
        (node for node in near if isinstance(node, ast.stmt | ast.expr)), key=lambda node: (node.lineno, node.col_offset)
    )
    # without one of these calls, Sacred leaves the command line alone
    if not any(isinstance(node, ast.Attribute) and node.attr in MAIN for node in nodes):
        return None
    prefixes = read_ingredients(nodes, module)
    flags: dict[str, Flag] = {}
    partial = "its ingredients have more flags" if uses_unread_ingredient(nodes, prefixes) else ""
    # of two configurations the later one counts
    for node in nodes:
        more: dict[str, Flag] = {}
        if isinstance(node, FUNCTIONS):
            owners = [owner_name(one) for one in node.decorator_list if last_name(one) == "config"]
            more = {flag.name: flag for flag in read_config_function(node, module)} if owners else {}
        elif isinstance(node, ast.Call) and last_name(node.func) == "add_config":
            owners, node_given = [owner_name(node.func)], node.args[0] if node.args else None
            more = {flag.name: flag for flag in read_add_config(node_given, named_arguments(node), module)}
            partial = partial or ("" if more else "its configuration is not in its source")
        for flag in more.values():
            name = prefixes.get(owners[0], "") + flag.name
            flags[name] = replace(flag, name=name)
    for prefix in prefixes.values():
        flags.setdefault(f"{prefix}seed", Flag(f"{prefix}seed", None, "int"))
    # every experiment of Sacred has a seed
    flags.setdefault("seed", Flag("seed", None, "int"))
    own = (replace(flag, action="sacred") for flag in flags.values())
    return Script(tuple(own), ARGS, "sacred", partial=partial)


def read_ingredients(nodes: Sequence[ast.AST], module: Module) -> dict[str, str]:
    """Returns the start of the flags of each ingredient, by its name in the module: `dataset.` of `Ingredient("dataset")`."""
    prefixes: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func) as call) if last_name(func) == "Ingredient":
                path = fold_to_text(call.args[0] if call.args else named_arguments(call).get("path"), module.scope)
                prefixes |= {name: f"{path}."} if path else {}
    return prefixes


def uses_unread_ingredient(nodes: Sequence[ast.AST], prefixes: Mapping[str, str]) -> bool:
    """Returns whether an experiment has ingredients that another file makes."""
    calls = (node for node in nodes if isinstance(node, ast.Call) and last_name(node.func) == "Experiment")
    lists = (named_arguments(call).get("ingredients") for call in calls)
    return any(
        not isinstance(one, ast.List | ast.Tuple) or any(last_name(item) not in prefixes for item in one.elts)
        for one in lists
        if one is not None
    )


def owner_name(node: ast.expr) -> str:
    """Returns `ex` for `ex.config`."""
    return last_name(node.value) if isinstance(node, ast.Attribute) else ""


def read_config_function(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module) -> Iterator[Flag]:
    """Yields the assignments of a configuration function as flags. The values of a dict become dotted names."""
    # the local names of the function are the configuration, those that it computes too
    dicts = {
        statement.targets[0].id: statement.value
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and is_dict(statement.value)
    }
    stored = [one.id for one in iterate_scope(node.body) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
    yield from (Flag(name) for name in stored if name not in dicts and not name.startswith("_"))
    yield from read_constants_in(node.body)
    for name, value in dicts.items():
        yield from read_dict_values(name, value, module)


def is_dict(node: ast.expr) -> bool:
    """Returns whether the expression is `{...}` or `dict(...)`."""
    return isinstance(node, ast.Dict) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict"
    )


def iterate_scope(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yields the nodes of statements, without those of functions, classes and comprehensions, which have names of their own."""
    queue: list[ast.AST] = [*body]
    while queue:
        node = queue.pop(0)
        if not isinstance(node, (*FUNCTIONS, *OWN_SCOPES)):
            yield node
            queue.extend(ast.iter_child_nodes(node))


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
