"""Which front end a script has: the first that finds its own in the source; else its constants are its flags."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag
from gitrun.model.frontends import (
    absl_flags,
    argparse_parsers,
    click_commands,
    fire_component,
    hydra_config,
    jsonargparse_cli,
    omegaconf_config,
    typed_config,
    typer_functions,
)
from gitrun.model.frontends.folding import literal
from gitrun.model.frontends.hints import kind_of
from gitrun.model.frontends.module import last_name, parse
from gitrun.model.frontends.script import GLOBALS, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.frontends.module import Module
    from gitrun.model.frontends.script import Files

READERS = (
    hydra_config.read, absl_flags.read, typer_functions.read, click_commands.read, fire_component.read,
    jsonargparse_cli.read, typed_config.read, argparse_parsers.read, omegaconf_config.read,
)  # fmt: skip
ANNOTATIONS = {"int": "int", "float": "float", "str": "str", "bool": "bool"} | dict.fromkeys(
    ("list", "List", "tuple", "Tuple"), "list"
)


def read(source: bytes, path: str, files: Files) -> Script:
    """The flags of the script at the path. Never raises: a file that does not parse has none."""
    module = parse(source, path, files)
    if module is None:
        return Script((), GLOBALS)
    try:
        for reader in READERS:
            if found := reader(module):
                return found
        return Script(tuple(constants_of(module)), GLOBALS)
    except RecursionError:
        return Script((), GLOBALS)


def constants_of(module: Module) -> Iterable[Flag]:
    """The names that the module gives a literal at its top level, which the launcher can replace."""
    flags: dict[str, Flag] = {}
    for node in module.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                annotation = ""
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=hint):
                annotation = annotation_of(hint)
            case _:
                continue
        is_literal, default = literal(value)
        if is_literal and not name.startswith("_"):
            flags[name] = Flag(name, default, ANNOTATIONS.get(annotation) or kind_of(default))
    return flags.values()


def annotation_of(hint: ast.expr) -> str:
    """`list` of `list`, `list[int]`, `typing.List` and `"list[int]"`."""
    match hint:
        case ast.Constant(value=str(text)):
            return text.partition("[")[0].strip()
        case ast.Subscript(value=outer):
            return annotation_of(outer)
    return last_name(hint)
