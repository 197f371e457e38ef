"""The parsers of argparse: their groups, parents and sub-parsers, followed from statement to statement."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.model.frontends.argparse_options import option_flag
from gitrun.model.frontends.argparse_tree import Commands, Parser, gathered
from gitrun.model.frontends.folding import Scope, Unfoldable, bind, items_of, text_of, value_of
from gitrun.model.frontends.module import FUNCTIONS, Module, dotted, keywords_of, last_name
from gitrun.model.frontends.neighbours import imported_function, makers_of
from gitrun.model.frontends.script import ARGS, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.frontends.argparse_tree import Known
    from gitrun.model.frontends.module import Function

WORDS = (b"add_argument", b"parse_args", b"parse_known_args", b"add_parser", b"add_subparsers", b"set_defaults", b"_group(")
HARMLESS = ("argcomplete.autocomplete", "print", "len", "isinstance", "str", "repr")
MOST_CALLS = 100
UNKNOWN = ast.Constant(...)
"""What nobody can fold."""
# the variables of parsers, and how they are handed to a function
PARSERS = re.compile(rb"(\w+) *= *[\w.]*(?:ArgumentParser|add_parser|_group)\(")
PLACES = ((b"(", b")"), (b"(", b","), (b", ", b")"), (b"=", b")"))


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

    def forget(self, names: Iterable[str]) -> None:
        """Names whose values are not known any more, whatever they were before."""
        for name in names:
            self.with_node(name, UNKNOWN)


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
        if rounds is None:
            frame.forget(node.id for node in ast.walk(target) if isinstance(node, ast.Name))
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


def is_option(call: ast.Call) -> bool:
    """Whether it adds an option."""
    return last_name(call.func) == "add_argument"
