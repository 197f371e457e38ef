"""The flags of Python Fire: the parameters of the function, or of the methods, that it is given."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_name
from gitrun.model.frontends.module import FUNCTIONS, Module, dotted, keywords_of
from gitrun.model.frontends.parameters import parameters_of, takes_any_name
from gitrun.model.frontends.script import ARGS, Command, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.frontends.module import Function


def read(module: Module) -> Script | None:
    """The parameters of what Fire is given; None if the module does not call it."""
    if not module.names(b"fire"):
        return None
    calls = [node for node in module.near(b"Fire") if isinstance(node, ast.Call)]
    call = next((node for node in calls if module.full_name(node.func) in {"fire.Fire", "fire.core.Fire"}), None)
    if call is None:
        return None
    component = call.args[0] if call.args else keywords_of(call).get("component")
    if component is None:
        return group("", list(module.functions.items()), module)
    if isinstance(component, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else "" for key in component.keys]
        pairs = [(str(key), module.functions.get(dotted(value))) for key, value in zip(keys, component.values, strict=True)]
        return group("", [(name, function) for name, function in pairs if function], module)
    name = dotted(component.func if isinstance(component, ast.Call) else component)
    function, node = module.functions.get(name), module.classes.get(name)
    if function:
        return Script(flags_of(function, module), ARGS, "fire", partial=openness(function))
    if node:
        return of_class(node, module)
    return Script((), ARGS, "fire", partial=f"Fire is given {name or 'something'} that is not in the source")


def of_class(node: ast.ClassDef, module: Module) -> Script:
    """A class: the parameters of its `__init__`, and its methods as commands."""
    methods = [method for method in node.body if isinstance(method, FUNCTIONS)]
    start = next((flags_of(method, module) for method in methods if method.name == "__init__"), ())
    public = [(method.name, method) for method in methods if not method.name.startswith("_")]
    found = group(node.name, public, module)
    # Fire takes the parameters of `__init__` anywhere, also behind the command
    commands = tuple(Command(command.name, (*start, *command.flags), (), command.aliases) for command in found.commands)
    return Script(start, ARGS, "fire", commands, partial=found.partial)


def group(name: str, functions: Iterable[tuple[str, Function]], module: Module) -> Script:  # noqa: ARG001
    """Functions of which the first word names one."""
    found = list(functions)
    commands = tuple(
        Command(text, flags_of(function, module), (), (text.replace("_", "-"),) if "_" in text else ())
        for text, function in found
    )
    return Script((), ARGS, "fire", commands, partial=next(filter(None, (openness(function) for _, function in found)), ""))


def openness(function: Function) -> str:
    """Why a function has more flags than its parameters; "" if it has not."""
    return f"{function.name}() takes any name" if takes_any_name(function) else ""


def flags_of(function: Function, module: Module) -> tuple[Flag, ...]:
    """The parameters as flags: Fire takes each by its name, and does not look at annotations."""
    return tuple(
        Flag(
            parameter.name, parameter.default, parameter.kind if parameter.kind != "list" else "any", parameter.hint.choices,
            option=f"--{parameter.name}", action="literal", required=parameter.required,
        )
        for parameter in parameters_of(function, module.scope)
        if is_name(parameter.name)
    )  # fmt: skip
