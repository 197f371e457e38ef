"""The flags of jsonargparse: the parameters of the functions and classes that are passed to its `CLI`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.imports import find_module
from gitrun.scripts.module import FUNCTIONS, Module, dotted_name, last_name, named_arguments
from gitrun.scripts.script import ARGS, Command, Script
from gitrun.scripts.signatures import open_ended_reason, override_defaults, read_fields, read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.scripts.signatures import Parameter

TRAINER = "LightningCLI adds the options of Lightning's Trainer. To set them: trainer.max_epochs=3, config=FILE"
CALLS = frozenset({
    "jsonargparse.CLI", "jsonargparse.cli.CLI", "jsonargparse.auto_cli", "jsonargparse.auto_parser",
    "jsonargparse.capture_parser",
})  # fmt: skip
"""Names of the functions that read the command line; older releases have a module `cli`."""


def read_jsonargparse_flags(module: Module) -> Script | None:
    """Returns the parameters of the components passed to `CLI`; None if the module does not call it."""
    if module.names(b"LightningCLI") and (script := read_lightning_flags(module)):
        return script
    if not module.names(b"jsonargparse"):
        return None
    calls = (node for node in module.near(b"CLI", b"auto_") if isinstance(node, ast.Call))
    call = next((node for node in calls if module.full_name(node.func) in CALLS), None)
    if call is None:
        return None
    components = call.args[0] if call.args else named_arguments(call).get("components")
    if isinstance(components, ast.List | ast.Tuple):
        names = [dotted_name(item) for item in components.elts]
    elif components is None:
        # CLI() without components takes all functions and classes of the module
        names = [name for name in (*module.functions, *module.classes) if not name.startswith("_")]
    else:
        names = [dotted_name(components)]
    # the CLI makes required parameters positional unless as_positional is False
    positional = not is_false(named_arguments(call).get("as_positional"))
    return make_cli_script(names, module, positional=positional)


def read_lightning_flags(module: Module) -> Script | None:
    """Returns the parameters of the model and data classes passed to LightningCLI; None without such a call.

    They are flags of each sub-command, or of the program itself for `run=False`.
    """
    # class TrainCLI(LightningCLI) is called in its place
    own = {name for name, node in module.classes.items() if any(last_name(base) == "LightningCLI" for base in node.bases)}
    calls = (node for node in module.near(b"LightningCLI", *map(str.encode, own)) if isinstance(node, ast.Call))
    call = next((node for node in calls if last_name(node.func) in {"LightningCLI", *own}), None)
    if call is None:
        return None
    nodes = dict(zip(("model_class", "datamodule_class"), call.args, strict=False)) | named_arguments(call)
    flags: list[Flag] = []
    # --model.lr, --data.batch_size
    for part, key in (("model", "model_class"), ("data", "datamodule_class")):
        if script := find_class(nodes.get(key), module):
            start = next((one for one in script[0].body if isinstance(one, FUNCTIONS) and one.name == "__init__"), None)
            parameters = read_parameters(start, script[1].scope) if start else ()
            flags += read_parameter_flags(parameters, script[1], positional=False, prefix=f"{part}.")
    if is_false(nodes.get("run")):
        return Script(tuple(flags), ARGS, "jsonargparse", partial=TRAINER)
    # these are the sub-commands of LightningCLI
    commands = tuple(Command(name, tuple(flags), partial=TRAINER) for name in ("fit", "validate", "test", "predict"))
    return Script((), ARGS, "jsonargparse", commands)


def find_class(node: ast.expr | None, module: Module) -> tuple[ast.ClassDef, Module] | None:
    """Returns the class that a name stands for and its module, which may be another one of the repository; None if unknown."""
    if dotted_name(node) in module.classes:
        return module.classes[dotted_name(node)], module
    module_found = find_module(module, module.full_name(node), {}) if node else None
    return (
        (module_found[0].classes[module_found[1]], module_found[0])
        if module_found and module_found[1] in module_found[0].classes
        else None
    )


def is_false(node: ast.expr | None) -> bool:
    """Returns whether the expression is the literal `False`."""
    return isinstance(node, ast.Constant) and node.value is False


def make_cli_script(names: Sequence[str], module: Module, *, positional: bool) -> Script:
    """Returns the flags of the program. A single component is the program itself; several are sub-commands."""
    commands = [command for name in names if (command := read_component(name, module, positional=positional))]
    partial = "" if len(commands) == len(names) else "its CLI is given something that is not in the source"
    if len(names) == 1:
        command_shown = commands[0] if commands else Command("")
        return Script(
            command_shown.flags, ARGS, "jsonargparse", command_shown.commands, partial=partial or command_shown.partial
        )
    return Script((), ARGS, "jsonargparse", tuple(commands), partial=partial)


def read_component(name: str, module: Module, *, positional: bool) -> Command | None:
    """Returns a function or a class of the module as a command; None if the name is neither."""
    if name in module.functions:
        parameters = read_parameters(module.functions[name], module.scope)
        flags = tuple(read_parameter_flags(parameters, module, positional=positional))
        return Command(name, flags, partial=open_ended_reason(module.functions[name]))
    node = module.classes.get(name)
    if node is None:
        return None
    methods = [method for method in node.body if isinstance(method, FUNCTIONS)]
    start = next((method for method in methods if method.name == "__init__"), None)
    parameters = read_parameters(start, module.scope) if start else read_fields(node, module)
    commands = tuple(
        Command(method.name, tuple(read_parameter_flags(read_parameters(method, module.scope), module, positional=positional)))
        for method in methods
        if not method.name.startswith("_")
    )
    return Command(name, tuple(read_parameter_flags(parameters, module, positional=positional)), commands)


def read_parameter_flags(
    parameters: Iterable[Parameter], module: Module, *, positional: bool, prefix: str = "", depth: int = 0
) -> Iterator[Flag]:
    """Yields the parameters as flags. The fields of a class become dotted names."""
    for parameter in parameters:
        name = prefix + parameter.name
        node = module.classes.get(parameter.hint.config)
        if node and depth < 6:
            methods = [method for method in node.body if isinstance(method, FUNCTIONS) and method.name == "__init__"]
            fields = read_parameters(methods[0], module.scope) if methods else read_fields(node, module)
            inner = override_defaults(fields, parameter.node, module)
            yield from read_parameter_flags(inner, module, positional=False, prefix=f"{name}.", depth=depth + 1)
        elif is_flag_name(name):
            yield make_json_flag(parameter, name, positional=positional and parameter.required)


def make_json_flag(parameter: Parameter, name: str, *, positional: bool) -> Flag:
    """Returns the flag of a parameter."""
    # jsonargparse reads members of an enumeration by name
    choices = parameter.hint.names or parameter.hint.choices
    default = parameter.default
    if parameter.hint.names and isinstance(parameter.node, ast.Attribute):
        default = last_name(parameter.node)
    kind = "str" if parameter.hint.names else parameter.kind
    # jsonargparse would read the text null as None
    words = ("null",) if parameter.may_be_none and kind in {"str", "any"} else ()
    if positional:
        return Flag(name, None, kind, choices, "", "", "positional", required=True)
    return Flag(
        name,
        default,
        kind,
        choices,
        "",
        f"--{name}",
        "json",
        required=parameter.required,
        words=words,
        size=parameter.hint.size,
    )
