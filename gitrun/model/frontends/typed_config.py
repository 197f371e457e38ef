"""The flags of a configuration class: tyro, simple_parsing and HfArgumentParser make options of its fields."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_name
from gitrun.model.frontends import argparse_parsers
from gitrun.model.frontends.folding import text_of, value_of
from gitrun.model.frontends.module import Module, dotted, keywords_of, last_name
from gitrun.model.frontends.parameters import choice_name, fields_of, parameters_of
from gitrun.model.frontends.script import ARGS, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.flags import Value
    from gitrun.model.frontends.parameters import Parameter

DEEPEST = 6
PARSE = ("simple_parsing.parse", "simple_parsing.parse_known_args")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a library spells an option: its name for our words, whether names have dashes and dots."""

    frontend: str
    action: str
    dashes: bool
    dotted: bool
    switches: str


TYRO = Manner("tyro", "tyro", dashes=True, dotted=True, switches="switch")
SIMPLE = Manner("dataclasses", "any_order", dashes=False, dotted=False, switches="titled")
HUGGING = Manner("dataclasses", "any_order", dashes=False, dotted=False, switches="titled")


def read(module: Module) -> Script | None:
    """The fields of the configuration classes of the module; None if it has none."""
    if not module.names(b"tyro", b"simple_parsing", b"HfArgumentParser"):
        return None
    calls = sorted(
        (node for node in module.near(b"cli", b"parse", b"HfArg", b"add_arguments") if isinstance(node, ast.Call)),
        key=lambda call: (call.lineno, call.col_offset),
    )
    for call in calls:
        name = module.full_name(call.func)
        if name in {"tyro.cli", "tyro._cli.cli"} and call.args:
            return script_of([call.args[0]], module, TYRO, keywords_of(call).get("default"))
        if name in PARSE and call.args:
            return script_of([call.args[0]], module, SIMPLE)
        if last_name(call.func) == "HfArgumentParser" and (call.args or call.keywords):
            given = call.args[0] if call.args else call.keywords[0].value
            return script_of(given.elts if isinstance(given, ast.List | ast.Tuple) else [given], module, HUGGING)
    added = [call.args[0] for call in calls if last_name(call.func) == "add_arguments" and call.args]
    if not added or "simple_parsing" not in {name.partition(".")[0] for name in module.imports.values()}:
        return None
    found = script_of(added, module, SIMPLE)
    own = argparse_parsers.read(module)
    return replace(found, flags=(*own.flags, *found.flags), partial=own.partial or found.partial) if own else found


def script_of(nodes: Iterable[ast.expr], module: Module, manner: Manner, given: ast.expr | None = None) -> Script:
    """The fields of these classes, or the parameters of these functions, as flags."""
    flags: dict[str, Flag] = {}
    partial = ""
    for node in nodes:
        name = dotted(node)
        if name in module.classes:
            parameters: Iterable[Parameter] = over(fields_of(module.classes[name], module), given, module)
        elif name in module.functions:
            parameters = parameters_of(module.functions[name], module.scope)
        else:
            partial = f"{name or 'a class'} is not in the source"
            continue
        for flag in flags_of(parameters, module, manner, ""):
            flags.setdefault(flag.name, flag)
    return Script(tuple(flags.values()), ARGS, manner.frontend, partial=partial)


def over(parameters: Iterable[Parameter], node: ast.expr | None, module: Module) -> Iterator[Parameter]:
    """The fields with the defaults of an instance, `Config(lr=1)`, over their own."""
    keywords = keywords_of(node) if isinstance(node, ast.Call) else {}
    for parameter in parameters:
        given = keywords.get(parameter.name)
        yield replace(parameter, node=given, default=value_of(given, module.scope)[1]) if given is not None else parameter


def flags_of(parameters: Iterable[Parameter], module: Module, manner: Manner, prefix: str, depth: int = 0) -> Iterator[Flag]:
    """The fields as flags; those of a field that is itself such a class are dotted, or stand beside the others."""
    for parameter in parameters:
        node = module.classes.get(parameter.hint.config)
        if node and depth < DEEPEST:
            inner = over(fields_of(node, module), parameter.node, module)
            yield from flags_of(inner, module, manner, f"{prefix}{parameter.name}." if manner.dotted else "", depth + 1)
        elif is_name(prefix + parameter.name):
            yield flag_of(parameter, prefix + parameter.name, manner, module)


def flag_of(parameter: Parameter, name: str, manner: Manner, module: Module) -> Flag:
    """The flag of a field."""
    shown = name.replace("_", "-") if manner.dashes else name
    option = f"--{shown}"
    choices: tuple[Value, ...] = parameter.hint.choices
    default = parameter.default
    if parameter.hint.names and manner is TYRO:
        choices, default = parameter.hint.names, choice_name(parameter, parameter.node)
    kind = parameter.kind
    many = parameter.hint.many or kind == "list"
    action = manner.action
    words: tuple[str, ...] = ()
    if kind == "bool" and not (manner is TYRO and (parameter.required or parameter.hint.optional)):
        action, words = manner.switches, switch_words(option, manner)
    elif kind == "any" and choices and all(isinstance(choice, str) for choice in choices):
        kind = "str"
    text = field_help(parameter, module)
    return Flag(name, default, kind, choices, text, option, action, many, parameter.required, words=words)


def switch_words(option: str, manner: Manner) -> tuple[str, ...]:
    """What puts the switch off: `--optim.no-on` in tyro."""
    if manner is not TYRO:
        return ()
    start, dot, last = option.removeprefix("--").rpartition(".")
    return (f"--{start}{dot}no-{last}",)


def field_help(parameter: Parameter, module: Module) -> str:
    """The help that stands in an annotation."""
    for extra in parameter.hint.extras:
        if isinstance(extra, ast.Call):
            found = text_of(keywords_of(extra).get("help"), module.scope)
            if found:
                return found
    return ""
