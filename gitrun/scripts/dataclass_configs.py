"""The flags of configuration classes, whose fields tyro, simple_parsing and HfArgumentParser turn into options."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts import argparse_reader
from gitrun.scripts.constant_folding import fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.module import Module, dotted_name, last_name, named_arguments
from gitrun.scripts.script import ARGS, CONFIG, Script
from gitrun.scripts.signatures import choice_name, find_unread_parent, override_defaults, read_fields, read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.flags import Value
    from gitrun.scripts.signatures import Parameter

MAX_DEPTH = 6
HUGGING_PARSERS = ("HfArgumentParser", "TrlParser")
NAMING = ("conflict_resolution", "argument_generation_mode", "nested_mode", "add_option_string_dash_variants", "prefix")
"""Arguments that make simple_parsing name its options in another way."""
FIXED = ("tyro.conf.Fixed", "tyro.conf.Suppress", "tyro.conf.SuppressFixed")
VALUED = ("tyro.conf.FlagConversionOff",)
UNDERSTOOD = ("tyro.conf.arg", *FIXED, *VALUED)
"""The markers of tyro.conf that are understood on a field."""
ARG = ("prefix_name", "constructor", "constructor_factory")
"""The arguments of `tyro.conf.arg` that change more than a name."""
PARSE = ("simple_parsing.parse", "simple_parsing.parse_known_args")


@dataclass(frozen=True, slots=True)
class OptionStyle:
    """The way a library spells an option: action and front end, and whether names have dashes and dots."""

    frontend: str
    action: str
    dashes: bool
    dotted: bool
    switches: str


@dataclass(frozen=True, slots=True)
class Part:
    """A source of options: a class or a function, an instance with other defaults, and the prefix of its names."""

    node: ast.expr
    argument: ast.expr | None = None
    prefix: str = ""


# --optim.batch-size in tyro, --batch_size in HfArgumentParser
TYRO = OptionStyle("tyro", "tyro", dashes=True, dotted=True, switches="switch")
SIMPLE = OptionStyle("dataclasses", "any_order", dashes=False, dotted=True, switches="titled")
HUGGING = OptionStyle("dataclasses", "any_order", dashes=False, dotted=False, switches="titled")


def read_config_class_flags(module: Module) -> Script | None:
    """Returns the fields of the module's configuration classes; None if it has none."""
    if not module.names(b"tyro", b"simple_parsing", *(name.encode() for name in HUGGING_PARSERS)):
        return None
    # the first call in the source counts, and near() does not keep that order
    calls = sorted(
        (node for node in module.near(b"cli", b"parse", b"Parser", b"add_arguments") if isinstance(node, ast.Call)),
        key=lambda call: (call.lineno, call.col_offset),
    )
    for call in calls:
        name = module.full_name(call.func)
        if name in {"tyro.cli", "tyro._cli.cli"} and call.args and "config" not in named_arguments(call):
            return make_config_script([Part(call.args[0], named_arguments(call).get("default"))], module, TYRO)
        if name in PARSE and call.args:
            return shorten_names(make_config_script([read_part(call, module, "config")], module, SIMPLE), module)
        if last_name(call.func) in HUGGING_PARSERS and (call.args or call.keywords):
            return read_hugging_parser(call, module)
    if other := find_other_call(module):
        return Script((), ARGS, "tyro", partial=f"its options are made by {other}")
    parts = [read_part(call, module, "") for call in calls if last_name(call.func) == "add_arguments" and call.args]
    if not parts or "simple_parsing" not in {name.partition(".")[0] for name in module.imports.values()}:
        return None
    script = shorten_names(make_config_script(parts, module, SIMPLE), module)
    # a parser of simple_parsing is an ArgumentParser, which can have other options too
    own = argparse_reader.read_argparse_flags(module)
    return replace(script, flags=(*own.flags, *script.flags), partial=own.partial or script.partial) if own else script


def read_hugging_parser(call: ast.Call, module: Module) -> Script | None:
    """Returns the options of an HfArgumentParser, or of its subclass in trl; None if it parses no words."""
    # values that come from a file or a dict alone are no options
    if not module.names(b".parse_args", b".parse_known_args"):
        return None
    argument = call.args[0] if call.args else call.keywords[0].value
    # one class or several: `HfArgumentParser((ModelArguments, TrainingArguments))`
    arguments = argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]
    script = make_config_script([Part(node) for node in arguments], module, HUGGING)
    keywords = {
        name: node
        for one in module.near(b"args_file")
        if isinstance(one, ast.Call)
        for name, node in named_arguments(one).items()
    }
    looks = fold_to_value(keywords.get("look_for_args_file"), module.scope) != (True, False)
    # transformers 4 and 5 put the words of train.args before those of the command line of train.py
    if "args_filename" in keywords or (looks and module.files.mode(f"{module.path.removesuffix('.py')}.args")):
        script = replace(script, flags=tuple(replace(flag, default=None, required=False) for flag in script.flags))
    # trl takes defaults from the file that --config names
    option = (
        "--config" if last_name(call.func) != "HfArgumentParser" else fold_to_text(keywords.get("args_file_flag"), module.scope)
    )
    if not option:
        return script
    file = Flag(option.lstrip("-"), kind="str", option=option, action=CONFIG)
    return replace(script, flags=(file, *(flag for flag in script.flags if flag.name != file.name)))


def read_part(call: ast.Call, module: Module, prefix: str) -> Part:
    """Returns the part that `parser.add_arguments(Config, dest="config", default=Config(lr=1))` or `parse(Config)` adds."""
    keywords = named_arguments(call)
    dest = keywords.get("dest", call.args[1] if len(call.args) > 1 and not prefix else None)
    prefix = fold_to_text(dest, module.scope) or prefix
    return Part(call.args[0], keywords.get("default"), f"{prefix}." if prefix else "")


def find_other_call(module: Module) -> str:
    """Returns the name of a tyro function that the module calls, other than `tyro.conf`; "" if it calls none.

    An example is `tyro.extras.subcommand_cli_from_dict`.
    """
    names = [name.encode() for name, full in module.imports.items() if full.partition(".")[0] == "tyro"]
    calls = (node for node in (module.near(*names) if names else ()) if isinstance(node, ast.Call))
    calls_found = sorted(name for call in calls if (name := module.full_name(call.func)).startswith("tyro."))
    return next((name for name in calls_found if not name.startswith("tyro.conf.")), "")


def make_config_script(parts: Iterable[Part], module: Module, style: OptionStyle) -> Script:
    """Returns the fields of these classes, or the parameters of these functions, as flags."""
    flags: dict[str, Flag] = {}
    fields = Fields(module, style)
    for part in parts:
        name = dotted_name(part.node)
        if name in module.classes:
            parent = find_unread_parent(module.classes[name], module)
            fields.partial = fields.partial or (f"{parent} is not in the source" if parent else "")
            parameters: Iterable[Parameter] = override_defaults(
                read_fields(module.classes[name], module), part.argument, module
            )
        elif name in module.functions:
            parameters = read_parameters(module.functions[name], module.scope)
        else:
            fields.partial = f"{name or 'a class'} is not in the source"
            continue
        for flag in fields.flags(parameters, part.prefix):
            flags.setdefault(flag.name, flag)
    return Script(tuple(flags.values()), ARGS, style.frontend, partial=fields.partial)


def shorten_names(script: Script, module: Module) -> Script:
    """Returns the script with the names that simple_parsing gives its options: the shortest ones that differ.

    This is its `_fix_conflict_auto` (0.1.9). If several fields share a name, the least nested one keeps it, if there is only
    one such. The others get one more word of their path.
    """
    if any(isinstance(node, ast.Call) and sets_option_names(node) for node in module.near(*map(str.encode, NAMING))):
        return replace(script, flags=(), partial="its parser chooses how to name options")
    paths = [flag.name.split(".") for flag in script.flags]
    used = [1] * len(paths)
    while True:
        alike: dict[str, list[int]] = {}
        for number, path in enumerate(paths):
            alike.setdefault(".".join(path[-used[number] :]), []).append(number)
        clash = next((numbers for numbers in alike.values() if len(numbers) > 1), None)
        if clash is None:
            break
        clash.sort(key=lambda number: len(paths[number]))
        # the least nested one keeps its name if there is only one such
        for number in clash[len(paths[clash[0]]) < len(paths[clash[1]]) :]:
            used[number] += 1
    names = [".".join(path[-many:]) for path, many in zip(paths, used, strict=True)]
    renamed = (replace(flag, name=name, option=f"--{name}") for flag, name in zip(script.flags, names, strict=True))
    return replace(script, flags=tuple(renamed))


def sets_option_names(call: ast.Call) -> bool:
    """Returns whether the call tells simple_parsing how to name options."""
    return last_name(call.func) in {"ArgumentParser", "add_arguments", "parse", "parse_known_args"} and any(
        name in NAMING for name in named_arguments(call)
    )


class Fields:
    """The flags that a library makes of fields. `partial` is the reason why there may be more."""

    def __init__(self, module: Module, style: OptionStyle) -> None:
        self.module, self.style = module, style
        self.partial = ""

    def flags(self, parameters: Iterable[Parameter], prefix: str, depth: int = 0) -> Iterator[Flag]:
        """Yields the fields as flags. Fields of an inner class have dotted names if the library uses dots, else plain ones."""
        for parameter in parameters:
            node = self.module.classes.get(parameter.hint.config)
            if self.style is TYRO and (reason := self.unread(parameter)):
                self.partial = self.partial or reason
            elif node and depth < MAX_DEPTH:
                inner = override_defaults(read_fields(node, self.module), parameter.node, self.module)
                yield from self.flags(inner, f"{prefix}{parameter.name}." if self.style.dotted else "", depth + 1)
            elif is_flag_name(name := prefix + field_name(parameter, self.module)) and not is_fixed(parameter, self.module):
                yield make_field_flag(parameter, name, self.style, self.module)

    def unread(self, parameter: Parameter) -> str:
        """Returns the reason why tyro does not make an option of the field; "" if it does."""
        config = parameter.hint.config
        # tyro makes sub-commands of a union of classes, also of Optional[Optim]
        if config and (parameter.hint.optional or config not in self.module.classes):
            return f"{parameter.name} is a sub-command"
        for marker, call in find_markers(parameter, self.module):
            if marker not in UNDERSTOOD or any(key in ARG for key in (named_arguments(call) if call else ())):
                return f"{parameter.name} is marked with {marker}"
        return ""


def find_markers(parameter: Parameter, module: Module) -> Iterator[tuple[str, ast.Call | None]]:
    """Yields the tyro.conf markers in a field's annotation: `tyro.conf.arg` with its call, `tyro.conf.Positional`."""
    for extra in parameter.hint.extras:
        call = extra if isinstance(extra, ast.Call) else None
        name = module.full_name(call.func if call else extra)
        if name.startswith("tyro.conf."):
            yield name, call


def field_name(parameter: Parameter, module: Module) -> str:
    """Returns the name of the field, or the one in its `tyro.conf.arg(name="alpha")`."""
    nodes = [named_arguments(call).get("name") for _, call in find_markers(parameter, module) if call]
    return next((fold_to_text(node, module.scope) for node in nodes if node), parameter.name)


def field_aliases(parameter: Parameter, module: Module) -> tuple[str, ...]:
    """Returns the other options of a field, such as `-l` of `tyro.conf.arg(aliases=["-l"])` or `field(alias="-l")`."""
    calls = [parameter.call, *(call for _, call in find_markers(parameter, module))]
    nodes = [named_arguments(call).get(key) for call in calls if call for key in ("alias", "aliases")]
    # HfArgumentParser takes them from the metadata of a field
    metadata = named_arguments(parameter.call).get("metadata") if parameter.call else None
    pairs = zip(metadata.keys, metadata.values, strict=True) if isinstance(metadata, ast.Dict) else ()
    nodes += [node for key, node in pairs if isinstance(key, ast.Constant) and key.value == "aliases"]
    texts = [fold_to_text(node, module.scope) for node in nodes if node]
    lists = [fold_to_items(node, module.scope) or [] for node in nodes if isinstance(node, ast.List | ast.Tuple)]
    names = [*texts, *(name for names in lists for name in names)]
    return tuple(name for name in names if isinstance(name, str) and name.startswith("-"))


def is_fixed(parameter: Parameter, module: Module) -> bool:
    """Returns whether tyro makes no option for the field, so that nothing can change it."""
    return any(marker in FIXED for marker, _ in find_markers(parameter, module))


def make_field_flag(parameter: Parameter, name: str, style: OptionStyle, module: Module) -> Flag:
    """Returns the flag of a field."""
    # tyro keeps an underscore at the start of a name
    option_name = re.sub(r"(?<=[^.])_", "-", name) if style.dashes else name
    option = f"--{option_name}"
    choices: tuple[Value, ...] = parameter.hint.choices
    default = parameter.default
    # HfArgumentParser takes the values of an enumeration, the others take the names of its members
    if parameter.hint.names and style is not HUGGING:
        choices, default = parameter.hint.names, choice_name(parameter, parameter.node)
    kind = parameter.kind
    many = parameter.hint.many or kind == "list"
    action = style.action
    words: tuple[str, ...] = ()
    # tyro makes a switch only of a bool with a default: any other takes True or False
    takes_value = (
        parameter.required or parameter.hint.optional or any(marker in VALUED for marker, _ in find_markers(parameter, module))
    )
    if kind == "bool" and not (style is TYRO and takes_value):
        action, words = style.switches, off_words(option, style, default)
    elif style is TYRO and parameter.may_be_none:
        words = ("None",)
    elif kind == "any" and choices and all(isinstance(choice, str) for choice in choices):
        kind = "str"
    required = parameter.required
    does = fold_to_text(named_arguments(parameter.call).get("action"), module.scope) if parameter.call else ""
    if style is SIMPLE and does in {"store_true", "store_false"}:
        kind, action, required = "bool", does, False
        default = does == "store_false" if default is None else default
    text = field_help(parameter, module)
    typed, size = "all" if parameter.hint.texts else "", parameter.hint.size
    return Flag(
        name, default, kind, choices, text, option, action, many, required, words=words, size=size, as_typed=typed,
        aliases=field_aliases(parameter, module),
    )  # fmt: skip


def off_words(option: str, style: OptionStyle, default: Value | None) -> tuple[str, ...]:
    """Returns the word that turns the switch off: `--optim.no-on` in tyro, `--no_on` in HfArgumentParser if it is on."""
    if style is HUGGING and default is True:
        return (f"--no_{option.removeprefix('--')}",)
    if style is not TYRO:
        return ()
    start, dot, last = option.removeprefix("--").rpartition(".")
    return (f"--{start}{dot}no-{last}",)


def field_help(parameter: Parameter, module: Module) -> str:
    """Returns the help text in an annotation; "" if there is none."""
    for extra in parameter.hint.extras:
        if isinstance(extra, ast.Call):
            help_text = fold_to_text(named_arguments(extra).get("help"), module.scope)
            if help_text:
                return help_text
    return ""
