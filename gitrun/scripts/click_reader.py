"""The options of click, from the decorators of commands, and the groups of these commands."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.model.flags import Flag, is_flag_name, parse_value
from gitrun.scripts.constant_folding import Unfoldable, fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.module import FUNCTIONS, Module, dotted_name, last_name, named_arguments, unpack_arguments, unpack_dict
from gitrun.scripts.passthrough import CLICK_BOOLS
from gitrun.scripts.script import ARGS, Command, Script
from gitrun.scripts.signatures import infer_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.scripts.constant_folding import Scope
    from gitrun.scripts.module import Function

TYPES = {
    "int": "int", "float": "float", "str": "str", "bool": "bool", "INT": "int", "FLOAT": "float", "STRING": "str",
    "BOOL": "bool", "IntRange": "int", "FloatRange": "float", "Path": "str", "File": "str", "UUID": "str", "DateTime": "str",
}  # fmt: skip
COMMANDS = ("command", "group")
OTHER_DEFAULTS = (b"default_map", b"auto_envvar_prefix")
"""The settings by which a command gets defaults from elsewhere."""
DECORATORS = (b"option", b"argument", b"command", b"group", b"click")


def read_click_flags(module: Module) -> Script | None:
    """Returns the options of the module's commands; None if there are none."""
    if not module.names(b"click"):
        return None
    functions = [node for node in module.near(*DECORATORS) if isinstance(node, FUNCTIONS)]
    # near() does not keep the order of the source
    functions = sorted((node for node in functions if find_command_decorator(module, node)), key=lambda node: node.lineno)
    if not functions:
        return None
    return ClickReading(module, functions).script()


class ClickReading:
    """The commands of one module, and the group of each."""

    def __init__(self, module: Module, functions: Sequence[Function]) -> None:
        self.module = module
        self.partial = ""
        self.functions = {node.name: node for node in functions}
        commands_added = list(find_added_commands(module))
        self.above = {node.name: owner for node in functions if (owner := self.owner(node))}
        # cli.add_command(train) does the same as @cli.command()
        self.above |= {name: owner for owner, name, _ in commands_added if name in self.functions}
        self.names = {name: text for _, name, text in commands_added if text}

    def script(self) -> Script:
        """Returns the flags and sub-commands of the command that the program starts.

        That is the top-level command that the module calls, else the first one.
        """
        # a command without a group is a program of its own
        tops = [node for name, node in self.functions.items() if self.above.get(name) not in self.functions]
        # nearly all statements have a parenthesis, so this walk is done only if there is a choice
        called = (
            {last_name(node.func) for node in self.module.near(b"(") if isinstance(node, ast.Call)} if len(tops) > 1 else set()
        )
        top = next((node for node in tops if node.name in called), tops[0] if tops else next(iter(self.functions.values())))
        script = self.command(top, ())
        return Script(script.flags, ARGS, "click", script.commands, partial=self.partial)

    def owner(self, node: Function) -> str:
        """Returns the name of the group in the decorator: `cli` for `@cli.command()`; "" without a group."""
        call = find_command_decorator(self.module, node)
        func = call.func if isinstance(call, ast.Call) else call
        owner = dotted_name(func.value) if isinstance(func, ast.Attribute) else ""
        return "" if self.module.full_name(func).startswith("click.") else owner

    def command(self, node: Function, above: tuple[str, ...]) -> Command:
        """Returns the command that a function defines. `above` are the functions of its groups."""
        call = find_command_decorator(self.module, node)
        name_node = call.args[0] if isinstance(call, ast.Call) and call.args else None
        if name_node is None and isinstance(call, ast.Call):
            name_node = named_arguments(call).get("name")
        name = self.names.get(node.name) or fold_to_text(name_node, self.module.scope) or default_command_name(node.name)
        # a group that is added to itself would never end
        inner = [
            self.functions[name] for name, owner in self.above.items() if owner == node.name and name not in (*above, node.name)
        ]
        commands = tuple(self.command(child, (*above, node.name)) for child in inner)
        return Command(name, tuple(self.flags(node)), commands)

    def flags(self, node: Function) -> Iterable[Flag]:
        """Returns the flags of a command, from its decorators."""
        flags: dict[str, Flag] = {}
        for decorator in node.decorator_list:
            kind = last_name(decorator.func) if isinstance(decorator, ast.Call) else last_name(decorator)
            if isinstance(decorator, ast.Call) and kind in {"option", "argument"}:
                flag = self.flag(decorator, positional=kind == "argument")
                if flag:
                    flags[flag.name] = join_flag_values(flags.get(flag.name), flag)
            # a decorator of the user's own can apply several click.option
            elif not self.is_plain(decorator):
                self.partial = self.partial or f"@{dotted_name(decorator) or kind} may add options"
        first = self.has_options_first(find_command_decorator(self.module, node))
        return [replace(flag, words=("--",)) if first and flag.action == "positional" else flag for flag in flags.values()]

    def has_options_first(self, call: ast.expr | None) -> bool:
        """Returns whether the command takes words that look like options for arguments, once the arguments have begun."""
        settings = named_arguments(call).get("context_settings") if isinstance(call, ast.Call) else None
        try:
            # for example `context_settings={"ignore_unknown_options": True}`
            settings_said = {
                name: fold_to_value(value, self.module.scope)[1]
                for name, value in unpack_dict(settings, self.module.scope).items()
            }
        except Unfoldable:
            return False
        return settings_said.get("allow_interspersed_args") is False or settings_said.get("ignore_unknown_options") is True

    def is_plain(self, decorator: ast.expr) -> bool:
        """Returns whether a decorator is known to add no options."""
        func = decorator.func if isinstance(decorator, ast.Call) else decorator
        full = self.module.full_name(func)
        return last_name(func) in (
            *COMMANDS,
            "callback",
            "result_callback",
            "version_option",
            "help_option",
        ) or full.startswith(("click.", "functools."))

    def flag(self, call: ast.Call, *, positional: bool) -> Flag | None:
        """Returns the flag of `@click.option(...)` or `@click.argument(...)`; None if a flag cannot stand for it."""
        scope = self.module.scope
        # spellings, and the name of the parameter: `click.option("-n", "--learning-rate", "lr")`
        names = [fold_to_text(argument, scope) for argument in call.args]
        if not names or not all(names):
            self.partial = self.partial or "an option has a name that is computed"
            return None
        keywords, is_all = unpack_arguments(call, scope)
        if not is_all:
            self.partial = self.partial or "what an option takes is computed"
        flag = make_argument_flag(names[0], keywords, scope) if positional else make_click_option_flag(names, keywords, scope)
        if flag and (flag.kind == "any" or (flag.kind == "list" and takes_text(keywords, flag.default, scope))):
            flag = replace(flag, as_typed="all")
        flag = with_known_default(flag, keywords, self.module) if flag else None
        if flag and flag.option:
            flag = with_spellings(flag, names)
        return replace(flag, kind="any") if flag and flag.kind == "str" and not is_all else flag


def with_known_default(flag: Flag, keywords: Mapping[str, ast.expr], module: Module) -> Flag:
    """Returns the flag with its default as click converts it; None if the environment or other code may replace it."""
    if "envvar" in keywords or module.names(*OTHER_DEFAULTS):
        return replace(flag, default=None)
    default = flag.default
    if isinstance(default, str) and flag.kind in {"int", "float"}:
        return replace(flag, default=parse_value(default))
    if isinstance(default, str) and flag.kind == "bool":
        return replace(flag, default=CLICK_BOOLS.get(default.strip().lower()))
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    return replace(flag, default=str(default)) if flag.kind == "str" and is_number else flag


def with_spellings(flag: Flag, names: Iterable[str]) -> Flag:
    """Returns the flag with the other spellings of its option, and of the option that turns it off.

    `-a/-A` beside `--amp/--no-amp` is one of each.
    """
    pairs = [name.partition("/") for name in names if name.startswith("-")]
    aliases = dict.fromkeys(word for on, _, _ in pairs if (word := on.strip()) and word != flag.option)
    off = dict.fromkeys((*flag.words, *(word for *_, one in pairs if (word := one.strip()))))
    return replace(flag, aliases=tuple(aliases), words=tuple(off))


def find_command_decorator(module: Module, node: Function) -> ast.expr | None:
    """Returns the decorator that turns the function into a command; None if there is none."""
    for decorator in node.decorator_list:
        func = decorator.func if isinstance(decorator, ast.Call) else decorator
        # @cli.command of any group, or @command after `from click import command`
        if last_name(func) in COMMANDS and (isinstance(func, ast.Attribute) or module.full_name(func).startswith("click.")):
            return decorator
    return None


def find_added_commands(module: Module) -> Iterable[tuple[str, str, str]]:
    """Yields group, function and name for each `cli.add_command(train, "name")`."""
    for node in module.near(b"add_command"):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "add_command"
            and node.args
        ):
            name_node = node.args[1] if len(node.args) > 1 else named_arguments(node).get("name")
            yield dotted_name(node.func.value), dotted_name(node.args[0]), fold_to_text(name_node, module.scope)


def default_command_name(function: str) -> str:
    """Returns the name that click gives the command of a function."""
    name = function.lower().replace("_", "-")
    # click 8.2 drops these endings
    for ending in ("-command", "-cmd", "-group", "-grp"):
        name = name.removesuffix(ending)
    return name


def join_flag_values(first: Flag | None, second: Flag) -> Flag:
    """Joins two `flag_value` options that stand for values of one flag. Returns the first flag in all other cases."""
    if first is None or (first.action, second.action) != ("const", "const"):
        return second if first is None else first
    default = first.default if first.default is not None else second.default
    return replace(first, choices=first.choices + second.choices, words=first.words + second.words, default=default)


def make_argument_flag(name: str, keywords: Mapping[str, ast.expr], scope: Scope) -> Flag | None:
    """Returns the flag of an argument; None if its name cannot be that of a flag."""
    _, number = fold_to_value(keywords.get("nargs"), scope)
    many = isinstance(number, int) and number != 1
    _, default = fold_to_value(keywords.get("default"), scope)
    name = name.replace("_", "-").lower() if not is_flag_name(name) else name
    kind, choices, limits = read_type(keywords.get("type"), scope)
    kind = "list" if many else kind or ("str" if default is None else infer_kind(default))
    if not is_flag_name(name):
        return None
    # click makes an argument with a default, or with nargs=-1, optional
    optional = {"default", "envvar", "required"} & keywords.keys() or number == -1
    required = fold_to_value(keywords.get("required"), scope) == (True, True) if optional else True
    return Flag(name, default, kind, choices, "", "", "positional", many, required, limits[0], limits[1])


def make_click_option_flag(names: Sequence[str], keywords: Mapping[str, ast.expr], scope: Scope) -> Flag | None:
    """Returns the flag of an option; None if it has no value that a flag can hold."""
    spelled = [name for name in names if name.startswith("-")]
    first = next((name for name in spelled if name.startswith("--")), spelled[0] if spelled else "")
    # a switch has both words in one text: `click.option("--shout/--no-shout")`
    pairs = [name for name in spelled if "/" in name.lstrip("/")]
    pair = next((name for name in pairs if name.startswith("--")), "".join(pairs[:1]))
    option, _, off = (pair or first).partition("/")
    option, off = option.strip(), off.strip()
    name = option.lstrip("-")
    if not is_flag_name(name):
        return None
    help_text = fold_to_text(keywords.get("help"), scope)
    is_known, default = fold_to_value(keywords.get("default"), scope)
    # click can also ask for the value, or take it from the environment
    is_asked = fold_to_value(keywords.get("prompt"), scope)[1] not in {None, False} or "envvar" in keywords
    required = fold_to_value(keywords.get("required"), scope) == (True, True) and not is_asked
    if "flag_value" in keywords and not pair and fold_to_value(keywords.get("is_flag"), scope) != (True, False):
        return make_value_flag(names, option, keywords, scope)
    # in click 8 a bool option is a switch only with `is_flag` or with an option for off
    if off or fold_to_value(keywords.get("is_flag"), scope) == (True, True):
        default = default if is_known and "default" in keywords else False
        return Flag(name, default, "bool", (), help_text, option, "switch", required=required, words=(off,) if off else ())
    if fold_to_value(keywords.get("count"), scope) == (True, True):
        return Flag(name, default if is_known and isinstance(default, int) else 0, "int", (), help_text, option, "times")
    kind, choices, limits = read_type(keywords.get("type"), scope)
    _, number = fold_to_value(keywords.get("nargs"), scope)
    multiple = fold_to_value(keywords.get("multiple"), scope) == (True, True)
    types = keywords.get("type")
    # type=(str, int) takes one word for each type
    size = number if isinstance(number, int) and number > 1 else len(types.elts) if isinstance(types, ast.Tuple) else 0
    kind = kind or (
        "str"
        if default is None or isinstance(default, list)
        else {"number": number_kind(default)}.get(infer_kind(default), infer_kind(default))
    )
    action = "repeat" if multiple else "titled" if kind == "bool" else "any_order"
    many = multiple or size > 0
    return Flag(
        name, default, "list" if many else kind, choices, help_text, option, action, many, required, limits[0], limits[1],
        size=0 if multiple else size,
    )  # fmt: skip


def number_kind(default: Value | None) -> str:
    """Returns the number type that click infers from a default."""
    return "int" if isinstance(default, int) else "float"


def make_value_flag(names: Sequence[str], option: str, keywords: Mapping[str, ast.expr], scope: Scope) -> Flag | None:
    """Returns the flag of an option that stands for a value. Several options can share the name that has no dashes."""
    # for example `click.option("--upper", "transformation", flag_value="upper")`
    dest = next((name for name in names if not name.startswith("-")), option.lstrip("-"))
    is_known, value = fold_to_value(keywords["flag_value"], scope)
    if not is_known or value is None or not is_flag_name(dest):
        return None
    _, default = fold_to_value(keywords.get("default"), scope)
    if isinstance(value, bool):
        default = default if isinstance(default, bool) else False
    # default=True makes this option's value the default
    elif isinstance(default, bool):
        default = value if default else None
    help_text = fold_to_text(keywords.get("help"), scope)
    if value is True:
        return Flag(dest, default, "bool", (), help_text, option, "switch")
    return Flag(dest, default, "any", (value,), help_text, option, "const", words=(option,))


def takes_text(keywords: Mapping[str, ast.expr], default: Value | None, scope: Scope) -> bool:
    """Returns whether the items of a list are text: by the type, else by the default."""
    items = default if isinstance(default, list) else []
    kind, _, _ = read_type(keywords.get("type"), scope)
    return kind == "str" or (not kind and all(isinstance(item, str) for item in items))


def read_type(node: ast.expr | None, scope: Scope) -> tuple[str, tuple[Value, ...], tuple[float | None, float | None]]:
    """Returns kind ("" without a type), choices and limits (least, most) of `type=`.

    There are no choices if case does not matter. There are no limits if values are clamped or an end is open.
    """
    if not isinstance(node, ast.Call):
        return TYPES.get(last_name(node), "any" if node is not None else ""), (), (None, None)
    name, keywords = last_name(node.func), named_arguments(node)
    if name == "Choice":
        choices_read = fold_to_items(node.args[0] if node.args else keywords.get("choices"), scope) or []
        choices = tuple(choice for choice in choices_read if isinstance(choice, str | int | float))
        free = fold_to_value(keywords.get("case_sensitive"), scope) == (True, False)
        return "str" if all(isinstance(choice, str) for choice in choices) else "any", () if free else choices, (None, None)
    if name in {"IntRange", "FloatRange"}:
        # by place or by name: `IntRange(0, 10)`, `IntRange(min=0, max=10)`
        bounds = [*node.args, None, None][:2]
        limits = [
            number if isinstance(number, int | float) else None
            for number in (
                fold_to_value(keywords.get(key, bound), scope)[1] for key, bound in zip(("min", "max"), bounds, strict=True)
            )
        ]
        open_ends = any(fold_to_value(keywords.get(key), scope) == (True, True) for key in ("clamp", "min_open", "max_open"))
        return TYPES[name], (), (None, None) if open_ends else (limits[0], limits[1])
    return TYPES.get(name, "any"), (), (None, None)
