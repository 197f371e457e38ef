"""The flags of Python Fire: the parameters of the function, or of the methods, that are passed to it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.constant_folding import text_of
from gitrun.scripts.module import FUNCTIONS, Module, dotted, keywords_of, last_name
from gitrun.scripts.script import ARGS, Command, Script
from gitrun.scripts.signatures import fields_of, parameters_of, takes_any_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.scripts.module import Function
    from gitrun.scripts.signatures import Parameter


def read(module: Module) -> Script | None:
    """Returns the parameters of the component passed to Fire; None if the module does not call it."""
    if not module.names(b"fire"):
        return None
    calls = [node for node in module.near(b"Fire") if isinstance(node, ast.Call)]
    call = next((node for node in calls if module.full_name(node.func) in {"fire.Fire", "fire.core.Fire"}), None)
    if call is None:
        return None
    component = call.args[0] if call.args else keywords_of(call).get("component")
    if component is None:
        return Script((), ARGS, "fire", tuple(members(module)))
    if isinstance(component, ast.Dict):
        named = [(text_of(key, module.scope), value) for key, value in zip(component.keys, component.values, strict=True)]
        partial = "" if all(name for name, _ in named) else "Fire is given a dict with keys that are computed"
        return Script(
            (), ARGS, "fire", tuple(command_of(name, value, module) for name, value in named if name), partial=partial
        )
    found = command_of("", component, module)
    return Script(found.flags, ARGS, "fire", found.commands, partial=found.partial)


def members(module: Module) -> Iterator[Command]:
    """Yields the objects at the top of the module as commands, for a `Fire()` without arguments."""
    objects = [name for name, value in module.statements.items() if isinstance(value, ast.Call)]
    imported = [name for name, full in module.imports.items() if "." in full]
    for name in dict.fromkeys([*module.functions, *module.classes, *objects, *imported]):
        yield command_of(name, ast.Name(name), module)


def command_of(name: str, node: ast.expr, module: Module) -> Command:
    """Returns a function, a class or an instance as a command. For anything else the command is marked as partial."""
    full = dotted(node)
    if full in module.functions:
        return of_function(name, module.functions[full], module)
    node = module.statements.get(full, node)
    if full in module.classes:
        return of_class(name, module.classes[full], module)
    if isinstance(node, ast.Call) and dotted(node.func) in module.classes:
        return of_class(name, module.classes[dotted(node.func)], module, is_instance=True)
    return Command(name, (), (), spellings(name), f"Fire is given {full or name or 'something'} that is not in the source")


def of_function(name: str, function: Function, module: Module, start: tuple[Flag, ...] = ()) -> Command:
    """Returns a function as a command. `start` are the flags of its class."""
    return Command(name, (*start, *flags_of(function, module)), (), spellings(name), openness(function))


def of_class(name: str, node: ast.ClassDef, module: Module, *, is_instance: bool = False) -> Command:
    """Returns a class as a command: the parameters of its `__init__`, and its methods as sub-commands.

    For an instance, only the methods.
    """
    bodies, partial = lineage(node, module)
    methods = {method.name: method for body in reversed(bodies) for method in body if isinstance(method, FUNCTIONS)}
    begin = methods.get("__init__")
    start = () if is_instance or begin is None else flags_of(begin, module)
    if begin is None and not is_instance and is_dataclass(node):
        start = tuple(map(flag_of, fields_of(node, module)))
    # Fire takes the parameters of `__init__` anywhere, also after the command
    commands = [
        # Fire goes on to the members of a property's value, which are not known
        Command(text, start, (), spellings(text), f"{text} is a property of {node.name}")
        if any(last_name(decorator).endswith("property") for decorator in method.decorator_list)
        else of_function(text, method, module, start)
        for text, method in methods.items()
        if not text.startswith("_")
    ]
    commands += [
        Command(text, start, (), spellings(text), f"{text} is an object in {node.name}") for text in objects_of(bodies)
    ]
    partial = partial or (openness(begin) if begin and not is_instance else "")
    return Command(name, start, tuple(commands), spellings(name), partial)


def lineage(node: ast.ClassDef, module: Module) -> tuple[list[list[ast.stmt]], str]:
    """Returns the bodies of a class and of its parents. The second value is the reason why there may be more; "" if none."""
    classes, partial = [node], ""
    for inner in classes:
        for parent in inner.bases:
            found = module.classes.get(dotted(parent))
            if found and found not in classes:
                classes.append(found)
            elif last_name(parent) not in {"object", "ABC", "Protocol", "Generic", inner.name}:
                partial = partial or f"{dotted(parent) or 'a parent'} of {inner.name} is not in the source"
    return [inner.body for inner in classes], partial


def objects_of(bodies: Iterable[list[ast.stmt]]) -> list[str]:
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
    """Tells whether the class is a dataclass, so that its fields are the parameters of its `__init__`."""
    decorators = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list)
    return any(last_name(decorator) == "dataclass" for decorator in decorators)


def spellings(name: str) -> tuple[str, ...]:
    """Returns the other spelling of a command, with dashes, if it has one."""
    return (name.replace("_", "-"),) if "_" in name else ()


def openness(function: Function) -> str:
    """Returns the reason why a function takes more flags than its parameters; "" if it does not."""
    return f"{function.name}() takes any name" if takes_any_name(function) else ""


def flags_of(function: Function, module: Module) -> tuple[Flag, ...]:
    """Returns the parameters as flags."""
    return tuple(flag_of(parameter) for parameter in parameters_of(function, module.scope) if is_flag_name(parameter.name))


def flag_of(parameter: Parameter) -> Flag:
    """Returns the flag of a parameter. Fire takes every parameter by name and ignores annotations."""
    return Flag(
        parameter.name, parameter.default, parameter.kind if parameter.kind != "list" else "any", parameter.hint.choices,
        option=f"--{parameter.name}", action="literal", required=parameter.required,
    )  # fmt: skip
