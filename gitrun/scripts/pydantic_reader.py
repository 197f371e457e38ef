"""The flags of pydantic-settings: the fields of a settings class that parses the command line."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.model.flags import Flag, format_value, is_flag_name
from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.constants import read_constants
from gitrun.scripts.module import dotted_name, last_name, named_arguments
from gitrun.scripts.script import ARGS, GLOBALS, Script
from gitrun.scripts.signatures import read_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module
    from gitrun.scripts.signatures import Parameter

BASES = ("pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings")
ENVIRONMENT = (
    "pydantic-settings reads its values from the environment. "
    "To set one: NAME=VALUE git run {}. To make them flags: cli_parse_args=True"
)
MAX_DEPTH = 6
SPECIAL = ("CliSubCommand", "CliPositionalArg", "CliUnknownArgs", "CliMutuallyExclusiveGroup")


@dataclass(frozen=True, slots=True)
class SettingsStyle:
    """The way a settings class spells its options."""

    dashes: bool = False
    switches: bool = False
    prefix: str = ""


def read_pydantic_flags(module: Module) -> Script | None:
    """Returns the fields of the settings class that parses the command line.

    If no class does, returns the constants with advice. Returns None if the module has no settings class.
    """
    if not module.names(b"pydantic_settings"):
        return None
    classes = [node for node in module.classes.values() if is_settings(node, module)]
    if not classes:
        return None
    for node in classes:
        config = read_model_config(node, module)
        if config.get("cli_parse_args") or node.name in find_parsed_classes(module):
            style = SettingsStyle(bool(config.get("cli_kebab_case")), bool(config.get("cli_implicit_flags")))
            fields = list(read_fields(node, module))
            partial = next((f"{field.name} is {special}" for field in fields if (special := special_marker(field))), "")
            flags = tuple(read_field_flags([field for field in fields if not special_marker(field)], module, style))
            return Script(flags, ARGS, "pydantic", partial=partial)
    return Script(tuple(read_constants(module)), GLOBALS, advice=ENVIRONMENT.format(module.path.rpartition("/")[2]))


def is_settings(node: ast.ClassDef, module: Module, depth: int = 0) -> bool:
    """Returns whether the class inherits from BaseSettings."""
    for base in node.bases:
        # the depth ends a circle of parents, which parses but does not run
        above = module.classes.get(dotted_name(base))
        if module.full_name(base) in BASES or (above and depth < MAX_DEPTH and is_settings(above, module, depth + 1)):
            return True
    return False


def read_model_config(node: ast.ClassDef, module: Module) -> dict[str, object]:
    """Returns the settings in `model_config` and in the arguments of the class, each as true or false."""
    nodes: dict[str, ast.expr] = {}
    for statement in node.body:
        match statement:
            # as in `model_config = SettingsConfigDict(cli_parse_args=True)`
            case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Call() as call):
                nodes |= named_arguments(call)
            case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Dict(keys=keys, values=values)):
                nodes |= {fold_to_text(key, module.scope): value for key, value in zip(keys, values, strict=True)}
    # class Settings(BaseSettings, cli_parse_args=True)
    nodes |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    # a computed value counts as true, such as cli_parse_args=sys.argv[1:]
    return {name: not (isinstance(value, ast.Constant) and not value.value) for name, value in nodes.items()}


def find_parsed_classes(module: Module) -> set[str]:
    """Returns the classes that a call lets parse the command line: `Settings(_cli_parse_args=True)`, `CliApp.run(Settings)`."""
    classes = set()
    for node in module.near(b"_cli_parse_args", b"CliApp"):
        if isinstance(node, ast.Call) and "_cli_parse_args" in named_arguments(node):
            classes.add(last_name(node.func))
        elif isinstance(node, ast.Call) and module.full_name(node.func).endswith("CliApp.run") and node.args:
            classes.add(last_name(node.args[0]))
    return classes


def special_marker(field: Parameter) -> str:
    """Returns the marker that makes the field something other than an option; "" if there is none."""
    names = {last_name(extra) for extra in field.hint.extras}
    return next((name for name in SPECIAL if name in names), "")


def read_field_flags(fields: list[Parameter], module: Module, style: SettingsStyle, depth: int = 0) -> Iterator[Flag]:
    """Yields the fields as flags. The fields of an inner model become dotted names."""
    for field in fields:
        name = style.prefix + field.name
        inner = module.classes.get(field.hint.config)
        if inner and depth < MAX_DEPTH:
            yield from read_field_flags(list(read_fields(inner, module)), module, replace(style, prefix=f"{name}."), depth + 1)
        elif is_flag_name(name):
            yield make_settings_flag(field, name, style)


def make_settings_flag(field: Parameter, name: str, style: SettingsStyle) -> Flag:
    """Returns the flag of a field. It has no default: the environment may give the field another value than the source."""
    # a field with a name of one letter is a short option
    option = f"{'--' if len(name) > 1 else '-'}{name.replace('_', '-') if style.dashes else name}"
    is_switch = field.kind == "bool" and style.switches
    words = (f"--no-{option.lstrip('-')}",) if is_switch else ()
    text = "" if field.default is None else f"default: {format_value(field.default)}, or from the environment"
    return Flag(
        name, None, field.kind, field.hint.choices, text, option, "switch" if is_switch else "one_word", words=words,
        as_typed="all" if field.hint.texts else "",
    )  # fmt: skip
