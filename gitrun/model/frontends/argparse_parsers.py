"""The parsers of argparse: their groups, parents and sub-parsers, followed from statement to statement."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.model.frontends.argparse_options import option_flag
from gitrun.model.frontends.folding import Scope, Unfoldable, bind, items_of, text_of, value_of
from gitrun.model.frontends.module import FUNCTIONS, Module, dotted, keywords_of, last_name, parse
from gitrun.model.frontends.script import ARGS, Command, NoFiles, Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flag, Value
    from gitrun.model.frontends.module import Function
    from gitrun.model.frontends.script import Files

WORDS = (b"add_argument", b"parse_args", b"parse_known_args", b"add_parser", b"add_subparsers", b"set_defaults")
HARMLESS = ("argcomplete.autocomplete", "print", "len", "isinstance", "str", "repr")
MOST_CALLS = 100
# the variables of parsers, and how they are handed to a function
PARSERS = re.compile(rb"(\w+) *= *[\w.]*(?:ArgumentParser|add_parser|_group)\(")
PLACES = ((b"(", b")"), (b"(", b","), (b", ", b")"), (b"=", b")"))


@dataclass(eq=False, slots=True)
class Parser:
    """A parser while it is being read; `parents` are those whose options it takes over."""

    flags: list[tuple[tuple[int, int], Flag]] = field(default_factory=list)
    commands: dict[str, tuple[Parser, tuple[str, ...]]] = field(default_factory=dict)
    parents: list[Parser] = field(default_factory=list)
    defaults: dict[str, Value | None] = field(default_factory=dict)
    is_parent: bool = False


@dataclass(eq=False, slots=True)
class Commands:
    """What `add_subparsers` returns."""

    parser: Parser


Known: TypeAlias = "Parser | Commands | None"


def read(module: Module) -> Script | None:
    """The options of the parsers of the module; None if there are none."""
    makers = makers_of(module)
    if not makers and not module.names(*WORDS, b"ArgumentParser"):
        return None
    reading = Reading(module, makers)
    reading.statements(module.tree.body, Frame(module.scope))
    reading.rest()
    flags, commands = gathered(reading.tops())
    options = any(flag.action != "positional" for flag in flags) or commands
    if not options and not reading.partial:
        return None
    return Script(flags, ARGS, commands=commands, partial=reading.partial)


def gathered(parsers: Sequence[Parser]) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """The flags and sub-commands of parsers that are one; the first flag of a name counts."""
    flags: dict[str, Flag] = {}
    commands: dict[str, Command] = {}
    for parser in parsers:
        inner, more = gathered(parser.parents)
        own = [flag for _, flag in sorted(parser.flags, key=lambda found: found[0])]
        for flag in (*inner, *own):
            dest = flag.name.replace("-", "_")
            mine = replace(flag, default=parser.defaults[dest]) if dest in parser.defaults else flag
            flags[flag.name] = joined(flags[flag.name], mine) if flag.name in flags else mine
        commands |= {command.name: command for command in more}
        for name, (child, aliases) in parser.commands.items():
            commands[name] = Command(name, *gathered([child]), aliases)
    return tuple(flags.values()), tuple(commands.values())


def joined(first: Flag, second: Flag) -> Flag:
    """One flag of several options that stand for its values; else the first, for argparse refuses to have it twice."""
    if (first.action, second.action) != ("const", "const") or any(word in first.words for word in second.words):
        return first
    default = first.default if first.default is not None else second.default
    return replace(first, choices=first.choices + second.choices, words=first.words + second.words, default=default)


@dataclass(slots=True)
class Frame:
    """The names of one function while it is read: parsers, values and expressions."""

    scope: Scope
    known: dict[str, Known] = field(default_factory=dict)
    returned: Known = None

    def with_values(self, values: Mapping[str, object]) -> None:
        """More names whose values are known."""
        self.scope = Scope(self.scope.module, {**self.scope.values, **values}, self.scope.nodes)

    def with_node(self, name: str, node: ast.expr) -> None:
        """One more name that is assigned."""
        values = {key: value for key, value in self.scope.values.items() if key != name}
        self.scope = Scope(self.scope.module, values, {**self.scope.nodes, name: node})


class Reading:
    """One reading of a module: the parsers that were met, and what could not be read."""

    def __init__(self, module: Module, makers: Sequence[str] = ()) -> None:
        self.module = module
        self.loose = Parser()
        self.parsers = [self.loose]
        self.partial = ""
        self.seen: set[int] = set()
        self.calls = 0
        self.depth = 0
        given = [b"%s%s%s" % (start, name, end) for name in PARSERS.findall(module.source) for start, end in PLACES]
        near = list(module.near(*WORDS, b"arser", *map(str.encode, makers), *given))
        self.near = {id(node) for node in near if isinstance(node, ast.stmt)}
        self.functions = {node.name: node for node in near if isinstance(node, FUNCTIONS)}
        self.option_calls = [node for node in near if isinstance(node, ast.Call) and last_name(node.func) == "add_argument"]

    def tops(self) -> list[Parser]:
        """The parsers that are nobody's parent and nobody's sub-parser."""
        return [parser for parser in self.parsers if not parser.is_parent]

    def unread(self, reason: str) -> None:
        """There may be more flags; the first reason is enough."""
        self.partial = self.partial or reason

    def rest(self) -> None:
        """What was met in no function that was called: its options are the program's all the same."""
        for function in self.functions.values():
            if any(id(call) not in self.seen for call in ast.walk(function) if isinstance(call, ast.Call) and is_option(call)):
                self.statements(function.body, Frame(self.module.scope))
        for call in self.option_calls:
            if id(call) not in self.seen:
                self.option(call, self.loose, Frame(self.module.scope))

    def statements(self, body: Sequence[ast.stmt], frame: Frame) -> None:
        """Reads the statements in order."""
        for node in body:
            if id(node) in self.near or isinstance(node, ast.Assign | ast.AnnAssign):
                self.statement(node, frame)

    def statement(self, node: ast.stmt, frame: Frame) -> None:
        """Reads one statement."""
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                found = self.expression(value, frame) if id(node) in self.near else None
                if isinstance(target, ast.Name):
                    frame.with_node(target.id, value)
                frame.known[dotted(target)] = found
            case ast.For(target=target, iter=items, body=body, orelse=more):
                self.loop(target, items, body, frame)
                self.statements(more, frame)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case ast.ClassDef(body=body):
                # its methods are read when nobody calls them
                self.statements(body, frame)
            case ast.Return(value=ast.expr() as value):
                frame.returned = self.expression(value, frame)
            case ast.Match(cases=cases):
                for case in cases:
                    self.statements(case.body, frame)
            case _:
                self.others(node, frame)

    def others(self, node: ast.stmt, frame: Frame) -> None:
        """Reads a statement of any other kind: the expressions in it, and all its bodies."""
        for name, part in ast.iter_fields(node):
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, ast.withitem):
                    known = self.expression(inner.context_expr, frame)
                    frame.known[dotted(inner.optional_vars)] = known
                elif isinstance(inner, ast.ExceptHandler):
                    self.statements(inner.body, frame)
                elif isinstance(inner, ast.expr) and name != "targets":
                    self.expression(inner, frame)
                elif isinstance(inner, ast.stmt):
                    self.statements([inner], frame)

    def loop(self, target: ast.expr, items: ast.expr, body: Sequence[ast.stmt], frame: Frame) -> None:
        """Reads the body of a loop once for each of its items, if they are known."""
        found = items_of(items, frame.scope)
        try:
            rounds = None if found is None else [bind(target, item) for item in found]
        except Unfoldable:
            rounds = None
        for values in rounds if rounds is not None else [{}]:
            self.calls += 1
            if self.calls > MOST_CALLS * 10:
                return
            frame.with_values(values)
            self.statements(body, frame)

    def expression(self, node: ast.expr | None, frame: Frame) -> Known:
        """The parser that an expression is; reads the calls in it."""
        self.depth += 1
        try:
            if self.depth > 100:
                return None
            if isinstance(node, ast.Call):
                return self.call(node, frame)
            if isinstance(node, ast.Name | ast.Attribute):
                name = dotted(node)
                if name in frame.known:
                    return frame.known[name]
                return self.expression(node.value, frame) if isinstance(node, ast.Attribute) and not name else None
            for child in ast.iter_child_nodes(node) if node else ():
                if isinstance(child, ast.expr):
                    self.expression(child, frame)
            return None
        finally:
            self.depth -= 1

    def call(self, call: ast.Call, frame: Frame) -> Known:
        """What a call returns, if that is a parser; and what it adds to one."""
        if isinstance(call.func, ast.Attribute):
            owner = self.expression(call.func.value, frame)
            name = call.func.attr
            if name in METHODS:
                return METHODS[name](self, call, owner, frame)
            if name in {"parse_args", "parse_known_args"} and owner is None:
                self.made_elsewhere(call.func.value, frame)
        if last_name(call.func).endswith(("ArgumentParser", "ArgParser")) or self.module.full_name(call.func).startswith(
            "argparse."
        ):
            return self.parser(call, frame) if last_name(call.func).endswith("Parser") else None
        return self.function(call, frame)

    def made_elsewhere(self, node: ast.expr, frame: Frame) -> None:
        """A parser that is used but was not met: it comes from a module that could not be read."""
        made = frame.scope.nodes.get(node.id) if isinstance(node, ast.Name) else node
        name = self.module.full_name(made.func) if isinstance(made, ast.Call) else ""
        if name.partition(".")[0] in {value.partition(".")[0] for value in self.module.imports.values()} - {"argparse"}:
            self.unread(f"its parser is made by {name}")

    def parser(self, call: ast.Call, frame: Frame) -> Parser:
        """A new parser."""
        made = Parser(parents=self.parents(call, frame))
        self.parsers.append(made)
        return made

    def parents(self, call: ast.Call, frame: Frame) -> list[Parser]:
        """The parsers that are named as parents."""
        node = keywords_of(call).get("parents")
        if node is None:
            return []
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        found = [parser for parser in (self.expression(item, frame) for item in items) if isinstance(parser, Parser)]
        for parser in found:
            parser.is_parent = True
        if len(found) != len(items) or not items:
            self.unread("a parser has parents that are not in its source")
        return found

    def group(self, call: ast.Call, owner: Known, frame: Frame) -> Known:  # noqa: ARG002
        """A group has the options of its parser."""
        return owner

    def commands(self, call: ast.Call, owner: Known, frame: Frame) -> Known:  # noqa: ARG002
        """What sub-parsers are added to."""
        return Commands(owner if isinstance(owner, Parser) else self.loose)

    def command(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """A sub-parser."""
        keywords = keywords_of(call)
        name = text_of(call.args[0] if call.args else keywords.get("name"), frame.scope)
        made = Parser(parents=self.parents(call, frame))
        if not name:
            self.unread("a sub-command has a name that is computed")
            return made
        aliases = items_of(keywords.get("aliases"), frame.scope) or []
        above = owner.parser if isinstance(owner, Commands) else self.loose
        above.commands[name] = made, tuple(alias for alias in aliases if isinstance(alias, str))
        return made

    def set_defaults(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """Other defaults than those of the options."""
        for name, node in keywords_of(call).items():
            known, value = value_of(node, frame.scope)
            if known:
                (owner if isinstance(owner, Parser) else self.loose).defaults[name] = value
        return None

    def option(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """An option, or an argument without one."""
        self.seen.add(id(call))
        names = [text_of(argument, frame.scope) for argument in call.args]
        dest = text_of(keywords_of(call).get("dest"), frame.scope)
        if not all(names) or (not names and not dest):
            self.unread("an option has a name that is computed")
        flag = option_flag([name for name in names if name] or [dest], keywords_of(call), frame.scope)
        if flag:
            parser = owner if isinstance(owner, Parser) else self.loose
            parser.flags.append(((call.lineno, call.col_offset), flag))
        return None

    def function(self, call: ast.Call, frame: Frame) -> Known:
        """What a function of the module, or of one that it imports, does with the parsers that it is given."""
        given = [self.expression(argument, frame) for argument in call.args]
        named = {name: self.expression(node, frame) for name, node in keywords_of(call).items()}
        name = dotted(call.func)
        function = self.functions.get(name.rpartition(".")[2]) if name in self.functions or name.startswith("self.") else None
        if function:
            return self.enter(function, given, named, self.module.scope)
        if name.partition(".")[0] in self.module.imports:
            return self.imported(self.module.full_name(call.func), given, named)
        return None

    def enter(self, function: Function, given: Sequence[Known], named: Mapping[str, Known], scope: Scope) -> Known:
        """Reads the body of a function with the parsers that it is given."""
        self.calls += 1
        if self.calls > MOST_CALLS or self.depth > 60:
            return None
        parameters = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        if parameters[:1] == ["self"]:
            parameters = parameters[1:]
        frame = Frame(scope, {**dict(zip(parameters, given, strict=False)), **named})
        self.statements(function.body, frame)
        return frame.returned

    def imported(self, name: str, given: Sequence[Known], named: Mapping[str, Known]) -> Known:
        """Reads a function of another module of the repository; what is further away is not read."""
        found = imported_function(self.module, name)
        if found:
            module, function = found
            other = Reading(module)
            other.loose, other.parsers, other.seen, other.calls = self.loose, self.parsers, self.seen, self.calls
            made = other.enter(function, given, named, module.scope)
            self.partial = self.partial or other.partial
            return made
        if any(isinstance(parser, Parser) for parser in (*given, *named.values())) and name not in HARMLESS:
            self.unread(f"{name} may add options")
        return None


METHODS = {
    "add_argument": Reading.option, "add_argument_group": Reading.group, "add_mutually_exclusive_group": Reading.group,
    "add_subparsers": Reading.commands, "add_parser": Reading.command, "set_defaults": Reading.set_defaults,
}  # fmt: skip


def makers_of(module: Module) -> tuple[str, ...]:
    """The names that the module imports from modules of the repository that have options."""
    found = []
    for name, full in module.imports.items():
        paths = (path for start in (full, full.rpartition(".")[0]) for path in paths_of(module.path, start))
        if any(b"add_argument" in (read_near(module.files, path) or b"") for path in paths):
            found.append(name)
    return tuple(found)


def read_near(files: Files, path: str) -> bytes | None:
    """The file, if its directory has one of its name."""
    folder, _, name = path.rpartition("/")
    return files.read(path) if name in files.names(folder) else None


def imported_function(module: Module, name: str) -> tuple[Module, Function] | None:
    """The function of that full name, if its module lies in the repository."""
    start, _, function = name.rpartition(".")
    for path in paths_of(module.path, start):
        source = read_near(module.files, path)
        # that module's own imports are not followed
        found = parse(source, path, NoFiles()) if source else None
        if found and function in found.functions:
            return found, found.functions[function]
    return None


def paths_of(path: str, name: str) -> list[str]:
    """Where a module of that name can lie, as seen from the script at `path`."""
    folder = path.rpartition("/")[0]
    dots = len(name) - len(name.lstrip("."))
    inner = name.lstrip(".").replace(".", "/")
    if not inner:
        return []
    for _ in range(dots - 1):
        folder = folder.rpartition("/")[0]
    folders = [folder] if dots else dict.fromkeys([folder, "", "src"])
    return [f"{place}/{inner}{end}".lstrip("/") for place in folders for end in (".py", "/__init__.py")]


def is_option(call: ast.Call) -> bool:
    """Whether it adds an option."""
    return last_name(call.func) == "add_argument"
