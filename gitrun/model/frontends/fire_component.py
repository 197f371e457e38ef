"""The flags of Python Fire: the parameters of the function, or of the methods, that it is given."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_name
from gitrun.model.frontends.folding import text_of
from gitrun.model.frontends.module import FUNCTIONS, Module, dotted, keywords_of, last_name
from gitrun.model.frontends.parameters import fields_of, parameters_of, takes_any_name
from gitrun.model.frontends.script import ARGS, Command, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.frontends.module import Function
    from gitrun.model.frontends.parameters import Parameter


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
    """What the module has at its top, of which the first word names one."""
    objects = [name for name, value in module.statements.items() if isinstance(value, ast.Call)]
    imported = [name for name, full in module.imports.items() if "." in full]
    for name in dict.fromkeys([*module.functions, *module.classes, *objects, *imported]):
        yield command_of(name, ast.Name(name), module)


def command_of(name: str, node: ast.expr, module: Module) -> Command:
    """A function, a class or an instance as a command; of anything else it is said that more may be taken."""
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
    """A function as a command; `start` are the flags of its class."""
    return Command(name, (*start, *flags_of(function, module)), (), spellings(name), openness(function))


def of_class(name: str, node: ast.ClassDef, module: Module, *, is_instance: bool = False) -> Command:
    """A class: the parameters of its `__init__`, and its methods as commands. Of an instance, the methods alone."""
    bodies, partial = lineage(node, module)
    methods = {method.name: method for body in reversed(bodies) for method in body if isinstance(method, FUNCTIONS)}
    begin = methods.get("__init__")
    start = () if is_instance or begin is None else flags_of(begin, module)
    if begin is None and not is_instance and is_dataclass(node):
        start = tuple(map(flag_of, fields_of(node, module)))
    # Fire takes the parameters of `__init__` anywhere, also behind the command
    commands = [
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
    """The bodies of a class and of its parents, and why there may be more of them."""
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
    """The attributes that a class, or its `__init__`, gives what a call makes: they have methods of their own."""
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
    """Whether its fields are the parameters of its `__init__`."""
    decorators = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list)
    return any(last_name(decorator) == "dataclass" for decorator in decorators)


def spellings(name: str) -> tuple[str, ...]:
    """The other way to write the name of a command."""
    return (name.replace("_", "-"),) if "_" in name else ()


def openness(function: Function) -> str:
    """Why a function has more flags than its parameters; "" if it has not."""
    return f"{function.name}() takes any name" if takes_any_name(function) else ""


def flags_of(function: Function, module: Module) -> tuple[Flag, ...]:
    """The parameters as flags."""
    return tuple(flag_of(parameter) for parameter in parameters_of(function, module.scope) if is_name(parameter.name))


def flag_of(parameter: Parameter) -> Flag:
    """The flag of a parameter: Fire takes each by its name, and does not look at annotations."""
    return Flag(
        parameter.name, parameter.default, parameter.kind if parameter.kind != "list" else "any", parameter.hint.choices,
        option=f"--{parameter.name}", action="literal", required=parameter.required,
    )  # fmt: skip
