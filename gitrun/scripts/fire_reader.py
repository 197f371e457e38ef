"""The flags of Python Fire: the parameters of the function, or of the methods, that are passed to it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.module import FUNCTIONS, Module, dotted_name, last_name, named_arguments
from gitrun.scripts.script import ARGS, Command, Script
from gitrun.scripts.signatures import open_ended_reason, read_fields, read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.scripts.module import Function
    from gitrun.scripts.signatures import Parameter


def read_fire_flags(module: Module) -> Script | None:
    """Returns the parameters of the component passed to Fire; None if the module does not call it."""
    if not module.names(b"fire"):
        return None
    calls = [node for node in module.near(b"Fire") if isinstance(node, ast.Call)]
    call = next((node for node in calls if module.full_name(node.func) in {"fire.Fire", "fire.core.Fire"}), None)
    if call is None:
        return None
    component = call.args[0] if call.args else named_arguments(call).get("component")
    if component is None:
        return Script((), ARGS, "fire", tuple(list_module_commands(module)))
    if isinstance(component, ast.Dict):
        components = [
            (fold_to_text(key, module.scope), value) for key, value in zip(component.keys, component.values, strict=True)
        ]
        partial = "" if all(name for name, _ in components) else "Fire is given a dict with keys that are computed"
        return Script(
            (), ARGS, "fire", tuple(read_component(name, value, module) for name, value in components if name), partial=partial
        )
    script = read_component("", component, module)
    return Script(script.flags, ARGS, "fire", script.commands, partial=script.partial)


def list_module_commands(module: Module) -> Iterator[Command]:
    """Yields the objects at the top of the module as commands, for a `Fire()` without arguments."""
    objects = [name for name, value in module.statements.items() if isinstance(value, ast.Call)]
    # Fire() offers all names of the module, also those of objects and imports
    imported = [name for name, full in module.imports.items() if "." in full]
    for name in dict.fromkeys([*module.functions, *module.classes, *objects, *imported]):
        yield read_component(name, ast.Name(name), module)


def read_component(name: str, node: ast.expr, module: Module) -> Command:
    """Returns a function, a class or an instance as a command. For anything else the command is marked as partial."""
    full = dotted_name(node)
    if full in module.functions:
        return read_function(name, module.functions[full], module)
    node = module.statements.get(full, node)
    if full in module.classes:
        return read_class(name, module.classes[full], module)
    if isinstance(node, ast.Call) and dotted_name(node.func) in module.classes:
        return read_class(name, module.classes[dotted_name(node.func)], module, is_instance=True)
    return Command(name, (), (), dashed_aliases(name), f"Fire is given {full or name or 'something'} that is not in the source")


def read_function(name: str, function: Function, module: Module, start: tuple[Flag, ...] = ()) -> Command:
    """Returns a function as a command. `start` are the flags of its class."""
    return Command(
        name, (*start, *read_parameter_flags(function, module)), (), dashed_aliases(name), open_ended_reason(function)
    )


def read_class(name: str, node: ast.ClassDef, module: Module, *, is_instance: bool = False) -> Command:
    """Returns a class as a command: the parameters of its `__init__`, and its methods as sub-commands.

    For an instance, only the methods.
    """
    bodies, partial = class_bodies(node, module)
    # a method of a class replaces those of its parents, so parents come first
    methods = {method.name: method for body in reversed(bodies) for method in body if isinstance(method, FUNCTIONS)}
    begin = methods.get("__init__")
    start = () if is_instance or begin is None else read_parameter_flags(begin, module)
    if begin is None and not is_instance and is_dataclass(node):
        start = tuple(map(make_fire_flag, read_fields(node, module)))
    # Fire takes the parameters of `__init__` anywhere, also after the command
    commands = [
        # Fire goes on to the members of a property's value, which are not known
        Command(text, start, (), dashed_aliases(text), f"{text} is a property of {node.name}")
        if any(last_name(decorator).endswith("property") for decorator in method.decorator_list)
        else read_function(text, method, module, start)
        for text, method in methods.items()
        if not text.startswith("_")
    ]
    commands += [
        Command(text, start, (), dashed_aliases(text), f"{text} is an object in {node.name}") for text in list_objects(bodies)
    ]
    partial = partial or (open_ended_reason(begin) if begin and not is_instance else "")
    return Command(name, start, tuple(commands), dashed_aliases(name), partial)


def class_bodies(node: ast.ClassDef, module: Module) -> tuple[list[list[ast.stmt]], str]:
    """Returns the bodies of a class and of its parents. The second value is the reason why there may be more; "" if none."""
    classes, partial = [node], ""
    for inner in classes:
        for parent in inner.bases:
            parent_class = module.classes.get(dotted_name(parent))
            if parent_class and parent_class not in classes:
                classes.append(parent_class)
            # these parents add no commands
            elif last_name(parent) not in {"object", "ABC", "Protocol", "Generic", inner.name}:
                partial = partial or f"{dotted_name(parent) or 'a parent'} of {inner.name} is not in the source"
    return [inner.body for inner in classes], partial


def list_objects(bodies: Iterable[list[ast.stmt]]) -> list[str]:
    """Returns the attributes to which the class body or `__init__` assigns the result of a call.

    Such an object has methods of its own, which Fire offers as commands.
    """
    statements = [statement for body in bodies for statement in body]
    begins = [statement for statement in statements if isinstance(statement, FUNCTIONS) and statement.name == "__init__"]
    statements += [inner for begin in begins for inner in begin.body]
    targets = [
        target
        for statement in statements
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        for target in statement.targets
    ]
    names = [last_name(target) for target in targets if isinstance(target, ast.Attribute | ast.Name)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def is_dataclass(node: ast.ClassDef) -> bool:
    """Returns whether the class is a dataclass, so that its fields are the parameters of its `__init__`."""
    decorators = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list)
    return any(last_name(decorator) == "dataclass" for decorator in decorators)


def dashed_aliases(name: str) -> tuple[str, ...]:
    """Returns the other spelling of a command, with dashes, if it has one."""
    # Fire takes train-model for train_model
    return (name.replace("_", "-"),) if "_" in name else ()


def read_parameter_flags(function: Function, module: Module) -> tuple[Flag, ...]:
    """Returns the parameters as flags."""
    return tuple(
        make_fire_flag(parameter) for parameter in read_parameters(function, module.scope) if is_flag_name(parameter.name)
    )


def make_fire_flag(parameter: Parameter) -> Flag:
    """Returns the flag of a parameter. Fire takes every parameter by name and ignores annotations."""
    return Flag(
        parameter.name, parameter.default, parameter.kind if parameter.kind != "list" else "any", parameter.hint.choices,
        option=f"--{parameter.name}", action="literal", required=parameter.required,
    )  # fmt: skip
