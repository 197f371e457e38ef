"""Answers questions about the nodes of a source that uses argparse, and holds what a reading of it finds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from gitrun.dataclass import dataclass, field, replace
from gitrun.lazy import lazy_pattern
from gitrun.model.flags import Flag, is_flag_name, parse_value, same_value
from gitrun.scripts.argv import REST
from gitrun.scripts.constant_folding import Scope, fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.module import FUNCTIONS, dotted_name, last_name
from gitrun.scripts.script import CONFIG, Command
from gitrun.scripts.signatures import infer_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.scripts.module import Function, Module


# FileType opens the path that it is given, so the flag is text
TYPES = {"int": "int", "float": "float"} | dict.fromkeys(("str", "Path", "PurePath", "PosixPath", "FileType"), "str")
# (default: %(default)s)
DEFAULT_IN_HELP = lazy_pattern(r"[\s,;]*[(\[]\s*[Dd]efaults?\b[^()\[\]]{0,9}%\(default\)[a-z][^()\[\]]{0,9}[)\]]")
# these options have no value that a flag could hold
NO_FLAG = ("help", "version", "parsers")
SEVERAL = ("append", "extend")
# the actions of options that turn one value on or off; switch is an option with one that turns it off
ON_OFF = ("store_true", "store_false", "switch")
# the actions of options with a value of their own
FIXED = ("const", "append_const")
Keywords: TypeAlias = "Mapping[str, ast.expr]"


NAMES = (ast.Name, ast.Attribute)
Known: TypeAlias = "Parser | Commands | Adder | Declaration | None"


# fold() accepts no Ellipsis
UNKNOWN = ast.Constant(...)
"""An expression that cannot be folded, as a value for a name that is not known."""


def is_option(call: ast.Call) -> bool:
    """Returns whether the call is an `add_argument`."""
    return last_name(call.func) == "add_argument"


def find_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yields all calls inside the node."""
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def find_options(node: ast.AST) -> list[ast.Call]:
    """Returns the calls inside the node that add an option."""
    return [call for call in find_calls(node) if is_option(call)]


def adds_own_options(node: ast.ClassDef) -> bool:
    """Returns whether objects of the class add options of their own, perhaps in addition to those of its parents."""
    methods = [part for part in node.body if isinstance(part, FUNCTIONS) and find_options(part)]
    # a static method has no self that could be a parser
    return any("staticmethod" not in map(last_name, method.decorator_list) for method in methods)


def base_names(node: ast.ClassDef) -> set[str]:
    """Returns the names of the class's parents, with and without their attributes: `a.b` and `a`."""
    return {part for base in node.bases for part in (dotted_name(base), dotted_name(base).partition(".")[0])}


def strip_attributes(node: ast.expr | None) -> ast.expr | None:
    """Strips the attributes: returns `f()` for `f().a.b`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_guard(node: ast.stmt) -> bool:
    """Returns whether the statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def bind_arguments(function: Function, call: ast.Call, scope: Scope) -> dict[str, ast.expr]:
    """Returns the expression that the call passes for each parameter, or its default.

    A value that is known at the call becomes a constant, so that it can be read in the function.
    """
    arguments = function.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    defaults = arguments.defaults
    values: dict[str, ast.expr] = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    # kw_defaults has None for a parameter without a default
    values |= {argument.arg: node for argument, node in keyword_only if node is not None}
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    names = [*positional, *(argument.arg for argument in arguments.kwonlyargs)]
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        # `*args` shifts all parameters by an unknown number
        return dict.fromkeys(names, UNKNOWN)
    values |= {name: close_over(node, scope) for name, node in zip(positional, call.args, strict=False)}
    keywords = {keyword.arg: close_over(keyword.value, scope) for keyword in call.keywords if keyword.arg}
    values |= {name: node for name, node in keywords.items() if name in names}
    if arguments.kwarg:
        more = {name: node for name, node in keywords.items() if name not in names}
        # the keyword of `**more` has no name
        is_all = all(keyword.arg for keyword in call.keywords)
        values[arguments.kwarg.arg] = ast.Dict(list(map(ast.Constant, more)), list(more.values())) if is_all else UNKNOWN
    return values


def close_over(node: ast.expr, scope: Scope) -> ast.expr:
    """Returns the expression for use in another scope: its value as a constant if that is known and plain, else itself."""
    is_known, value = fold_to_value(node, scope)
    # fold() accepts no list in a Constant
    return ast.Constant(value) if is_known and not isinstance(value, list) else node


@dataclass(slots=True)
class Frame:
    """The names of one function while it is read: parsers, values and expressions."""

    scope: Scope
    values: dict[str, Known] = field(default_factory=dict)
    returned: Known = None

    def with_values(self, values: Mapping[str, object]) -> None:
        """Adds names whose values are known."""
        self.scope = Scope(self.scope.module, {**self.scope.values, **values}, self.scope.nodes)

    def with_node(self, name: str, node: ast.expr) -> None:
        """Adds a name with the expression that it is assigned."""
        # the new expression hides an older value
        values = {key: value for key, value in self.scope.values.items() if key != name}
        self.scope = Scope(self.scope.module, values, {**self.scope.nodes, name: node})

    def forget(self, names: Iterable[str]) -> None:
        """Marks the names as unknown, whatever they were before."""
        for name in names:
            self.with_node(name, UNKNOWN)


@dataclass(eq=False, slots=True)
class Parser:
    """A parser while it is being read. `parents` are the parsers whose options it includes.

    Each flag has its position in the source and its `dest` beside it.
    """

    flags: list[tuple[tuple[int, int], str, Flag]] = field(default_factory=list)
    commands: dict[str, tuple[Parser, tuple[str, ...]]] = field(default_factory=dict)
    parents: list[Parser] = field(default_factory=list)
    defaults: dict[str, Value | None] = field(default_factory=dict)
    is_parent: bool = False
    resolves: bool = False
    """True if a later option of a name replaces an earlier one (`conflict_handler="resolve"`)."""
    usual: ast.expr | None = None
    """The default of options that have none of their own (`argument_default`); None if that is None."""


@dataclass(eq=False, slots=True)
class Commands:
    """The object that `add_subparsers` returns."""

    parser: Parser


@dataclass(eq=False, slots=True)
class Adder:
    """A `parser.add_argument` that is bound to another name."""

    owner: Known


@dataclass(eq=False, slots=True)
class Declaration:
    """An option that `add_argument` returned: its index among the flags of its parser, and what it was called with."""

    parser: Parser
    index: int
    names: tuple[str, ...]
    keywords: Keywords
    scope: Scope
    depth: int
    """The number of `if` statements around the call."""

    def change(self, name: str, node: ast.expr) -> None:
        """Changes what the option was called with, as `option.default = 3` does."""
        self.keywords = {**self.keywords, name: node}
        flag = make_option_flag(self.names, self.keywords, self.scope)
        if flag:
            place_of, dest, _ = self.parser.flags[self.index]
            self.parser.flags[self.index] = place_of, fold_to_text(self.keywords.get("dest"), self.scope) or dest, flag


@dataclass(eq=False, slots=True)
class Findings:
    """The findings of one reading in all the modules that it visits, and the amount of work so far.

    `unmet` is the reason to expect options if something unknown is used as a parser. `visited` holds the ids of the calls that
    were read, `entered` those of the functions. `untyped` is true if an option with a computed name has no type: it may be
    a switch.
    """

    loose: Parser = field(default_factory=Parser)
    parsers: list[Parser] = field(default_factory=list)
    partial: str = ""
    unmet: str = ""
    untyped: bool = False
    visited: set[int] = field(default_factory=set)
    entered: set[int] = field(default_factory=set)
    modules: dict[str, Module] = field(default_factory=dict)
    tests: list[frozenset[str]] = field(default_factory=list)
    """The names in the tests of the `if` statements around the statement that is read."""
    file_defaults: list[frozenset[str]] = field(default_factory=list)
    """The names in `tests`, for each call of `set_defaults` whose values are not known."""
    changed: set[str] = field(default_factory=set)
    """The fields of flags that a loop over the options of a parser changes, such as `required`."""
    file_prefixes: str = ""
    """The characters with which words begin that name a file of arguments."""
    calls: int = 0
    depth: int = 0

    def tops(self) -> list[Parser]:
        """Returns the parsers that are neither a parent nor a sub-parser of another."""
        return [parser for parser in (self.loose, *self.parsers) if not parser.is_parent]

    def unread(self, reason: str) -> None:
        """Records that there may be more flags. Only the first reason is kept."""
        self.partial = self.partial or reason


def merge_parsers(parsers: Sequence[Parser]) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """Returns the flags and sub-commands of parsers that act as one. The first flag of a name counts."""
    flags: dict[str, Flag] = {}
    for flag in (flag for parser in parsers for flag in join_options(list_options(parser))):
        flags[flag.name] = join_flags(flags[flag.name], flag) if flag.name in flags else flag
    return tuple(flags.values()), tuple(list_commands(parsers).values())


def join_options(pairs: Iterable[tuple[str, Flag]]) -> list[Flag]:
    """Joins the options of a parser, each with its `dest`: those of one `dest` as far as one flag can stand for them.

    Where none can, their defaults are None: each of them is the value only if no other is given.
    """
    options: dict[str, list[Flag]] = {}
    for dest, flag in pairs:
        known = options.setdefault(dest, [])
        at = next((at for at, other in enumerate(known) if is_joined(other, flag)), len(known))
        known[at : at + 1] = [join_flags(known[at], flag) if at < len(known) else flag]
    flags = [replace(flag, default=None) if len(known) > 1 else flag for known in options.values() for flag in known]
    return [flag for flag in flags if flag.action != "append_const"]


def list_options(parser: Parser) -> Iterator[tuple[str, Flag]]:
    """Yields the options of a parser, each with its `dest`. Those of its parents come first, as argparse copies them first."""
    inner = [pair for parent in parser.parents for pair in list_options(parent)]
    own = [(dest, flag) for _, dest, flag in sorted(parser.flags, key=lambda match: match[0])]
    if parser.resolves:
        last = {flag.name: flag for _, flag in own}
        own = [(dest, flag) for dest, flag in own if last[flag.name] is flag]
    for dest, flag in (*inner, *own):
        yield dest, replace(flag, default=parser.defaults[dest]) if dest in parser.defaults else flag


def is_joined(first: Flag, second: Flag) -> bool:
    """Tells whether one flag stands for two options of one `dest`."""
    if first.name == second.name or (first.action in ON_OFF and second.action in ON_OFF):
        return True
    if first.action in FIXED or second.action in FIXED:
        return not {first.action, second.action} & {"switch", "positional"}
    # two spellings of one option; argparse wants each of those that are required
    bare = [replace(flag, name="", default=None, help="", option="", aliases=()) for flag in (first, second)]
    return first.action not in {"custom", "positional"} and not first.required and bare[0] == bare[1]


def with_file_defaults(
    flags: Sequence[Flag], commands: Sequence[Command], names: frozenset[str]
) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """Returns the flags and sub-commands of a parser that takes defaults which are not in its source.

    If it takes them only where an option is given, as in `if args.config: parser.set_defaults(**load(args.config))`, that
    option names a file of values. Else the default of each flag is None.
    """
    files = {flag.name for flag in flags if flag.name.replace("-", "_") in names and flag.action in {"store", CONFIG}}
    if files:
        return tuple(replace(flag, action=CONFIG) if flag.name in files else flag for flag in flags), tuple(commands)
    return without_values(flags, commands, {"default"})


def without_values(
    flags: Sequence[Flag], commands: Sequence[Command], fields: set[str]
) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """Returns the flags and sub-commands without these fields, which the program sets in a way that is not known."""
    blank = Flag("")
    more = {name: getattr(blank, name) for name in fields}
    return tuple(replace(flag, **more) for flag in flags), tuple(
        Command(command.name, *without_values(command.flags, command.commands, fields), command.aliases, command.partial)
        for command in commands
    )


def name_parts(node: ast.expr) -> frozenset[str]:
    """Returns the names and attributes in an expression: `args` and `config` of `args.config`."""
    parts = ast.walk(node)
    return frozenset(part.id if isinstance(part, ast.Name) else part.attr for part in parts if isinstance(part, NAMES))


def list_commands(parsers: Sequence[Parser]) -> dict[str, Command]:
    """Returns the sub-commands of parsers that act as one, by name."""
    commands: dict[str, Command] = {}
    for parser in parsers:
        commands |= list_commands(parser.parents)
        for name, (child, aliases) in parser.commands.items():
            commands[name] = Command(name, *merge_parsers([child]), aliases)
    return commands


def join_flags(first: Flag, second: Flag) -> Flag:
    """Joins two options that stand for values of one flag, with the default of the first, as in argparse.

    In all other cases, only one of them exists at a time: the default is None if they differ.
    """
    if first.action in ON_OFF and second.action in ON_OFF:
        return join_switches(first, second)
    if first.action in FIXED or second.action in FIXED:
        return join_fixed(first, second)
    if first.option and second.option and first.name != second.name:
        aliases = tuple(dict.fromkeys((*first.aliases, second.option, *second.aliases)))
        return replace(first, aliases=aliases, help=first.help or second.help)
    return first if same_value(first.default, second.default) else replace(first, default=None)


def join_fixed(first: Flag, second: Flag) -> Flag:
    """Joins two options of one `dest`, at least one of which has a value of its own."""
    if first.action in FIXED and second.action in FIXED:
        if any(word in first.words for word in second.words):
            return first if same_value(first.default, second.default) else replace(first, default=None)
        action = "const" if "const" in {first.action, second.action} else first.action
        return replace(
            first, action=action, choices=first.choices + second.choices, words=first.words + second.words,
            aliases=first.aliases + second.aliases,
        )  # fmt: skip
    main, fixed = (second, first) if first.action in FIXED else (first, second)
    # words have another meaning there
    if main.action in {"switch", "positional"}:
        return replace(main, default=None)
    return replace(main, default=first.default, words=(*main.words, *fixed.words, *fixed.aliases))


def join_switches(first: Flag, second: Flag) -> Flag:
    """Joins two options that turn one `dest` on or off. Its default is that of the first, as in argparse."""
    on = [
        option for flag in (first, second) if flag.action != "store_false" for option in (flag.option, *flag.aliases) if option
    ]
    off = [option for flag in (first, second) if flag.action == "store_false" for option in (flag.option, *flag.aliases)]
    off += [*first.words, *second.words]
    named = second if second.action == "store_true" and not first.option else first
    help_text = first.help or second.help
    aliases = tuple(dict.fromkeys(on))[1:]
    return replace(
        named, default=first.default, help=help_text, option="".join(on[:1]), action="switch",
        words=tuple(dict.fromkeys(off)), aliases=aliases,
    )  # fmt: skip


def has_parser(arguments: Sequence[Known], keywords: Mapping[str, Known]) -> bool:
    """Returns whether one of the arguments is a parser."""
    return any(isinstance(argument, Parser) for argument in (*arguments, *keywords.values()))


def make_option_flag(names: Sequence[str], keywords: Keywords, scope: Scope) -> Flag | None:
    """Returns the flag of an option (`-n`, `--name`) or of an argument; None if a flag cannot stand for it."""
    # like argparse, named after the first long option
    option = next((name for name in names if name.startswith("--")), names[0] if names else "")
    # prefix_chars may name other prefixes than "-"; a positional begins with none of them
    positional = option[:1].isalnum() or option[:1] == "_"
    name = option if positional else option.lstrip(option[:1])
    action = read_action(keywords, scope)
    if action in NO_FLAG or not is_flag_name(name):
        return None
    if action in {"store_const", "append_const"}:
        return make_const_flag(tuple(dict.fromkeys((option, *names))), keywords, scope)
    several = is_several(keywords.get("nargs"), scope)
    kind, default = kind_and_default(keywords, action, scope, several=several)
    dest = fold_to_text(keywords.get("dest"), scope)
    # `--no-amp` of dest="amp" makes amp False, so a flag `no-amp` would say the opposite
    if action == "store_false" and is_flag_name(dest) and dest != name.replace("-", "_"):
        words = tuple(dict.fromkeys((option, *names)))
        return Flag(dest, default, kind, (), read_help(keywords, scope), "", "switch", words=words)
    return Flag(
        name=name,
        default=default,
        kind=kind,
        choices=read_choices(keywords.get("choices"), scope),
        help=read_help(keywords, scope),
        option="" if positional else option,
        action="positional" if positional else action,
        many=several or action in SEVERAL,
        as_typed=typed_text_rule(kind, keywords),
        words=REST if positional and takes_rest(keywords.get("nargs"), scope) else (),
        required=needs_words(keywords.get("nargs"), scope) if positional else is_true(keywords.get("required"), scope),
        aliases=() if positional else tuple(name for name in names if name != option),
        bare=read_bare_value(keywords, scope) if action == "store" and not positional else None,
    )


def read_help(keywords: Keywords, scope: Scope) -> str:
    """Returns the help of an option as argparse prints it, without its default, which is shown anyway."""
    return DEFAULT_IN_HELP.sub("", fold_to_text(keywords.get("help"), scope)).replace("%%", "%").strip()


def read_bare_value(keywords: Keywords, scope: Scope) -> Value | None:
    """Returns the value of an option that stands alone; None if it cannot, or if that is not known."""
    is_optional = fold_to_text(keywords.get("nargs"), scope) == "?"
    return fold_to_value(keywords.get("const"), scope)[1] if is_optional else None


def make_const_flag(names: Sequence[str], keywords: Keywords, scope: Scope) -> Flag | None:
    """Returns the flag of an option that stands for one value of its `dest`, by the option's names. The first is used.

    If that value is not known, or only added to others, it is no flag, but may change another of that `dest`.
    """
    is_known, value = fold_to_value(keywords.get("const"), scope)
    is_known = is_known and value is not None and read_action(keywords, scope) == "store_const"
    # for example `add_argument("--fast", dest="mode", action="store_const", const="fast")`
    dest = fold_to_text(keywords.get("dest"), scope) or names[0].lstrip(names[0][:1])
    if not is_flag_name(dest):
        return None
    flag = Flag(dest, fold_to_value(keywords.get("default"), scope)[1], "any", (), read_help(keywords, scope), names[0])
    if is_known and value is not None:
        return replace(flag, action="const", choices=(value,), words=(names[0],), aliases=tuple(names[1:]))
    return replace(flag, action="append_const", aliases=tuple(names))


def read_action(keywords: Keywords, scope: Scope) -> str:
    """Returns the action of an option by argparse's name for it, or type_bool, boolean_optional or custom."""
    node = keywords.get("action")
    if name := fold_to_text(node, scope):
        return name
    if node is None:
        # type=bool makes True of any text that is not empty
        return "type_bool" if last_name(keywords.get("type")) == "bool" else "store"
    return "boolean_optional" if last_name(node) == "BooleanOptionalAction" else "custom"


def is_several(nargs: ast.expr | None, scope: Scope) -> bool:
    """Returns whether the option takes a list."""
    _, number = fold_to_value(nargs, scope)
    # nargs=1 makes a list of one item
    return takes_rest(nargs, scope) or number in ("+", "*") or (isinstance(number, int) and number > 0)


def is_true(node: ast.expr | None, scope: Scope) -> bool:
    """Returns whether the expression is known to be True."""
    return fold_to_value(node, scope) == (True, True)


def needs_words(nargs: ast.expr | None, scope: Scope) -> bool:
    """Returns whether an argument takes at least one word."""
    is_known, number = fold_to_value(nargs, scope)
    # an argument with a computed nargs may need none, and a wrong demand would keep the program from starting
    return nargs is None or (is_known and number not in {"?", "*", "...", "A...", 0, None})


def type_name(node: ast.expr | None) -> str:
    """Returns `FileType` for `argparse.FileType("w")`, `Path` for `pathlib.Path`."""
    return last_name(node.func if isinstance(node, ast.Call) else node)


def typed_text_rule(kind: str, keywords: Keywords) -> str:
    """Returns `all` if the option gets its text exactly as typed: its type is unknown, or its items are text. Else ""."""
    is_text = TYPES.get(type_name(keywords.get("type")), "") == "str" or "type" not in keywords
    return "all" if kind == "any" or (kind == "list" and is_text) else ""


def takes_rest(nargs: ast.expr | None, scope: Scope) -> bool:
    """Returns whether it takes all words that follow, including options."""
    # the values of argparse.REMAINDER and argparse.PARSER are "..." and "A..."
    return last_name(nargs) in {"REMAINDER", "PARSER"} or fold_to_text(nargs, scope) in {"...", "A..."}


def kind_and_default(keywords: Keywords, action: str, scope: Scope, *, several: bool) -> tuple[str, Value | None]:
    """Returns the kind of flag and its default."""
    _, default = fold_to_value(keywords.get("default"), scope)
    if action in ("store_true", "store_false"):
        return "bool", default if "default" in keywords else action == "store_false"
    if action == "type_bool":
        # argparse passes a text default through type=, and any text is true
        return "bool", bool(default) if isinstance(default, str) else default
    if action == "boolean_optional":
        return "bool", default
    # without a default the program sees None, and argparse counts from 0
    if action == "count":
        return "int", default
    if several or action in SEVERAL:
        return "list", default
    if "type" in keywords:
        kind = TYPES.get(type_name(keywords["type"]), "any")
        # argparse passes a text default through type=
        is_text = isinstance(default, str) and kind in ("int", "float")
        return kind, parse_value(str(default)) if is_text else default
    # an action class of the program can make any value of the text
    if action == "custom" or isinstance(default, bool | list):
        return "any", default
    return "str" if default is None else infer_kind(default), default


def read_choices(node: ast.expr | None, scope: Scope) -> tuple[Value, ...]:
    """Returns the choices if all of them are known, else none: the program itself checks them."""
    if isinstance(node, ast.Name) and node.id in scope.module.classes:
        # choices=Color loops over the members of an enumeration
        node = ast.Call(ast.Name("list"), [node], [])
    items = fold_to_items(node, scope)
    choices = [choice for choice in items or () if isinstance(choice, bool | int | float | str)]
    return tuple(choices) if items is not None and len(choices) == len(items) else ()
