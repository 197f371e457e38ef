"""The choice of a script's front end: the first reader that finds its library in the source; else constants are flags."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.scripts import (
    absl_reader,
    argparse_reader,
    click_reader,
    dataclass_configs,
    docopt_reader,
    fire_reader,
    hydra_reader,
    jsonargparse_reader,
    omegaconf_reader,
    pydantic_reader,
    sacred_reader,
    typer_reader,
)
from gitrun.scripts.module import last_name, named_arguments, parse_module
from gitrun.scripts.namespace_changes import read_constant_script
from gitrun.scripts.parameter_files import find_parameter_files
from gitrun.scripts.script import ARGS, GLOBALS, Script

if TYPE_CHECKING:
    from gitrun.model.tree import Tree
    from gitrun.scripts.module import Module

# the order decides for a script that uses several of these libraries
READERS = (
    hydra_reader.read_hydra_flags,
    sacred_reader.read_sacred_flags,
    absl_reader.read_absl_flags,
    typer_reader.read_typer_flags,
    click_reader.read_click_flags,
    fire_reader.read_fire_flags,
    jsonargparse_reader.read_jsonargparse_flags,
    docopt_reader.read_docopt_flags,
    dataclass_configs.read_config_class_flags,
    argparse_reader.read_argparse_flags,
    omegaconf_reader.read_omegaconf_flags,
    pydantic_reader.read_pydantic_flags,
)

CONFIGURED = ("hydra", "omegaconf")
"""The front ends that read the values of files as flags themselves."""


PARSING = {
    "parse_args": 0, "parse_known_args": 0, "parse_intermixed_args": 0, "parse_known_intermixed_args": 0,
    "parse_args_into_dataclasses": 0, "docopt": 1, "Fire": 1, "cli": None, "CLI": None, "auto_cli": None, "parse": None,
}  # fmt: skip
"""Functions that read the command line, with the position of an argument that stands for it."""
INSTEAD = ("args", "argv", "command")
"""Names of that argument."""
PARSERS = ("argparse", "argparse-typed", "dataclasses", "docopt", "fire", "jsonargparse", "tyro")
"""The front ends of these functions."""


def detect_flags(source: bytes, path: str, tree: Tree) -> Script:
    """Returns the flags of the script at `path`. Never raises: a file that does not parse has no flags."""
    module = parse_module(source, path, tree)
    if module is None:
        return Script((), GLOBALS)
    try:
        # a generator, so that no reader runs after the first that finds something
        read_by = (script_found for reader in READERS if (script_found := reader(module)))
        script = next(read_by, None)
        if script is None or (script.frontend in PARSERS and script.style == ARGS and reads_fixed_words(module)):
            script = read_constant_script(module)
        # Hydra and OmegaConf read these files themselves, with their own rules
        return script if script.frontend in CONFIGURED else replace(script, files=find_parameter_files(module))
    # a deeply nested source can exhaust the stack
    except RecursionError:
        return Script((), GLOBALS)


def reads_fixed_words(module: Module) -> bool:
    """Returns whether the module parses words of its own source, as in `parse_args([])`, and never its command line."""
    calls = [
        node
        for node in module.near(*map(str.encode, PARSING))
        if isinstance(node, ast.Call) and last_name(node.func) in PARSING and not is_own_function(node.func, module)
    ]
    replaced = line_of_fixed_command_line(module)
    return bool(calls) and all(has_fixed_words(call) or 0 < replaced < call.lineno for call in calls)


def line_of_fixed_command_line(module: Module) -> int:
    """Returns the line of `sys.argv = ["x"]` at the top level of the module; 0 if there is none."""
    for node in module.tree.body if module.names(b"sys.argv") else ():
        if isinstance(node, ast.Assign) and any(module.full_name(target) == "sys.argv" for target in node.targets):
            return 0 if any(isinstance(part, ast.Name) for part in ast.walk(node.value)) else node.lineno
    return 0


def is_own_function(node: ast.expr, module: Module) -> bool:
    """Returns whether the node is the name of a function of the module, such as a `parse_args` of its own."""
    return isinstance(node, ast.Name) and node.id in module.functions


def has_fixed_words(call: ast.Call) -> bool:
    """Returns whether a call is given words that depend on nothing."""
    position = PARSING[last_name(call.func)]
    given = [value for name, value in named_arguments(call).items() if name in INSTEAD]
    given += call.args[position : position + 1] if position is not None else []
    # None stands for the command line
    return bool(given) and not any(isinstance(part, ast.Name | ast.Starred) or is_none(part) for part in ast.walk(given[0]))


def is_none(node: ast.AST) -> bool:
    """Returns whether the node is None."""
    return isinstance(node, ast.Constant) and node.value is None
