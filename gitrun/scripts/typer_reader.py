"""The options of typer, from the parameters of its commands."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.click_reader import with_known_default, with_spellings
from gitrun.scripts.constant_folding import fold_to_text, fold_to_value
from gitrun.scripts.module import FUNCTIONS, Module, dotted_name, last_name, named_arguments
from gitrun.scripts.script import ARGS, Command, Script
from gitrun.scripts.signatures import Parameter, infer_kind, is_dots, read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.flags import Value
    from gitrun.scripts.module import Function

WORDS = (b"typer", b".command", b".callback", b".add_typer", b".run")


def read_typer_flags(module: Module) -> Script | None:
    """Returns the parameters of the module's commands; None if it has no typer commands."""
    if not module.names(b"typer") or not any(name.partition(".")[0] == "typer" for name in module.imports.values()):
        return None
    near = list(module.near(*WORDS))
    for call in near:
        # typer.run(main) starts a function without an app
        if isinstance(call, ast.Call) and module.full_name(call.func) == "typer.run" and call.args:
            function = module.functions.get(dotted_name(call.args[0]))
            return Script(read_command_flags(function, module), ARGS, "click") if function else None
    functions = sorted((node for node in near if isinstance(node, FUNCTIONS)), key=lambda node: node.lineno)
    apps = App.all_of(module, functions)
    if not apps:
        return None
    inner = find_added_apps(module)
    tops = [name for name in apps if name not in {child for _, child, _ in inner}]
    return make_app_script(tops[0] if tops else next(iter(apps)), apps, inner, module)


class App:
    """The commands and the callback that are registered with one `typer.Typer()`."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Function]] = []
        self.callback: Function | None = None

    @classmethod
    def all_of(cls, module: Module, functions: Iterable[Function]) -> dict[str, App]:
        """Returns the apps of a module, by the name of their variable."""
        apps: dict[str, App] = {}
        for function in functions:
            for decorator in function.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                if not isinstance(func, ast.Attribute) or func.attr not in {"command", "callback"}:
                    continue
                app = apps.setdefault(dotted_name(func.value), cls())
                if func.attr == "callback":
                    app.callback = function
                else:
                    app.commands.append((typer_command_name(decorator, function, module), function))
        return apps


def typer_command_name(decorator: ast.expr, function: Function, module: Module) -> str:
    """Returns the name of the command that a function defines."""
    argument = None
    if isinstance(decorator, ast.Call):
        argument = decorator.args[0] if decorator.args else named_arguments(decorator).get("name")
    return fold_to_text(argument, module.scope) or function.name.lower().replace("_", "-")


def find_added_apps(module: Module) -> list[tuple[str, str, str]]:
    """Returns app, inner app and name of each `app.add_typer(inner, name="x")`."""
    return [
        (dotted_name(call.func.value), dotted_name(call.args[0]), fold_to_text(named_arguments(call).get("name"), module.scope))
        for call in module.near(b"add_typer")
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_typer" and call.args
    ]


def make_app_script(top: str, apps: dict[str, App], inner: list[tuple[str, str, str]], module: Module) -> Script:
    """Returns the flags of an app's program. A single command is the program itself."""
    app = apps[top]
    # typer makes a single command the program itself
    if len(app.commands) == 1 and app.callback is None and not any(owner == top for owner, _, _ in inner):
        return Script(read_command_flags(app.commands[0][1], module), ARGS, "click")
    script = read_app("", top, apps, inner, module)
    return Script(script.flags, ARGS, "click", script.commands)


def read_app(name: str, key: str, apps: dict[str, App], inner: list[tuple[str, str, str]], module: Module) -> Command:
    """Returns an app as a command with sub-commands."""
    app = apps.get(key, App())
    # an app that is added to itself would never end
    rest = [entry for entry in inner if entry[0] != key]
    commands = [Command(text, read_command_flags(function, module)) for text, function in app.commands]
    commands += [read_app(text or child, child, apps, rest, module) for owner, child, text in inner if owner == key]
    return Command(name, read_command_flags(app.callback, module) if app.callback else (), tuple(commands))


def read_command_flags(function: Function, module: Module) -> tuple[Flag, ...]:
    """Returns the flags of a command."""
    flags = [make_typer_flag(parameter, module) for parameter in read_parameters(function, module.scope)]
    return tuple({flag.name: flag for flag in flags if flag}.values())


def make_typer_flag(parameter: Parameter, module: Module) -> Flag | None:
    """Returns the flag of a parameter; None if it is not an option (`ctx: typer.Context`, `*args`)."""
    info, default, has_default = read_info(parameter, module)
    keywords = named_arguments(info) if info else {}
    names = [fold_to_text(argument, module.scope) for argument in info.args] if info else []
    spelled = [name for name in names if name.startswith("-")]
    # typer makes an argument of a parameter without a default
    is_argument = last_name(info.func) == "Argument" if info else not has_default
    name = parameter.name.replace("_", "-")
    if spelled:
        name = next((name for name in spelled if name.startswith("--")), spelled[0]).partition("/")[0].lstrip("-")
    if not is_flag_name(name) or parameter.hint.config or is_callback(keywords):
        return None
    help_text = fold_to_text(keywords.get("help"), module.scope)
    least, most = (read_limit(keywords.get(key), module) for key in ("min", "max"))
    kind = parameter.kind if parameter.kind != "any" or parameter.hint.choices else infer_kind(default)
    # typer passes text for a parameter without an annotation
    if kind == "any" and not parameter.hint.choices:
        kind = "str"
    many, size = parameter.hint.many, parameter.hint.size
    choices, kind = parameter.hint.choices, "list" if many else kind
    typed = "all" if parameter.hint.texts else ""
    # typer can also ask for the value, or take it from the environment
    required = not has_default and not {"prompt", "envvar"} & keywords.keys()
    if is_argument:
        flag = Flag(
            name, default, kind, choices, help_text, "", "positional", many, required and not parameter.hint.optional,
            least=least, most=most, size=size, as_typed=typed,
        )  # fmt: skip
        return with_known_default(flag, keywords, module)
    option, off = option_and_off(name, spelled, kind)
    if keywords.get("count") and fold_to_value(keywords["count"], module.scope) == (True, True):
        flag = Flag(name, default or 0, "int", (), help_text, option, "times")
        return with_spellings(with_known_default(flag, keywords, module), spelled)
    action = "switch" if kind == "bool" else "repeat" if many and not size else "any_order"
    words = (off,) if action == "switch" and off else ()
    flag = Flag(name, default, kind, choices, help_text, option, action, many, required, least, most, words, size, typed)
    return with_spellings(with_known_default(flag, keywords, module), spelled)


def read_info(parameter: Parameter, module: Module) -> tuple[ast.Call | None, Value | None, bool]:
    """Returns the `typer.Option(...)` of a parameter, its default, and whether it has one."""
    # as in `lr: Annotated[float, typer.Option()] = 0.1`
    extra = next((item for item in parameter.hint.extras if is_info(item)), None)
    if isinstance(extra, ast.Call):
        return extra, parameter.default, not parameter.required and not is_dots(parameter.node)
    node = parameter.node
    if not isinstance(node, ast.Call) or not is_info(node):
        return None, parameter.default, node is not None
    # `lr: float = typer.Option(0.1)`: the default is the first argument
    first = node.args[0] if node.args else named_arguments(node).get("default")
    rest = ast.Call(node.func, node.args[1:], node.keywords)
    # typer.Option(...), with literal dots, has no default
    if first is None or is_dots(first):
        return rest, None, first is None and last_name(node.func) == "Option"
    return rest, fold_to_value(first, module.scope)[1], True


def is_info(node: ast.expr) -> bool:
    """Returns whether the expression is `typer.Option(...)` or `typer.Argument(...)`."""
    return isinstance(node, ast.Call) and last_name(node.func) in {"Option", "Argument"}


def is_callback(keywords: dict[str, ast.expr]) -> bool:
    """Returns whether the option acts at once, such as one that shows a version."""
    return isinstance(keywords.get("is_eager"), ast.Constant)


def read_limit(node: ast.expr | None, module: Module) -> float | None:
    """Returns a limit of a number; None if it is not known."""
    _, value = fold_to_value(node, module.scope)
    return value if isinstance(value, int | float) else None


def option_and_off(name: str, spelled: list[str], kind: str) -> tuple[str, str]:
    """Returns the option, and for a switch the option that turns it off."""
    # a switch has both words in one text: `typer.Option("--shout/--no-shout")`
    pairs = [text for text in spelled if "/" in text]
    if pair := next((text for text in pairs if text.startswith("--")), "".join(pairs[:1])):
        option, _, off = pair.partition("/")
        return option.strip(), off.strip()
    if spelled:
        return next((text for text in spelled if text.startswith("--")), spelled[0]), ""
    return f"--{name}", f"--no-{name}" if kind == "bool" else ""
