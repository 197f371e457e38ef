"""A reader for argparse that follows parsers, groups, parents and sub-parsers from statement to statement."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.scripts import configargparse_reader
from gitrun.scripts.argparse_model import (
    UNKNOWN,
    Adder,
    Commands,
    Declaration,
    Findings,
    Frame,
    Parser,
    adds_own_options,
    base_names,
    bind_arguments,
    close_over,
    find_calls,
    find_options,
    has_parser,
    is_guard,
    is_option,
    make_option_flag,
    merge_parsers,
    name_parts,
    strip_attributes,
    with_file_defaults,
    without_values,
)
from gitrun.scripts.constant_folding import Unfoldable, bind_target, fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.imports import MAX_HOPS, find_makers, find_module
from gitrun.scripts.module import FUNCTIONS, Module, dotted_name, last_name, named_arguments, unpack_arguments
from gitrun.scripts.namespace_changes import read_constant_script
from gitrun.scripts.script import ARGS, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.flags import Flag
    from gitrun.scripts.argparse_model import Known
    from gitrun.scripts.constant_folding import Scope
    from gitrun.scripts.module import Function

PARSER_CLASSES = ("ArgumentParser", "ArgParser")
PARSE = ("parse_args", "parse_known_args")
MORE_ADDERS = ("add", "add_arg")
"""ConfigArgParse's other names for `add_argument`."""
WORDS = (
    b"add_argument",
    b"parse_args",
    b"parse_known_args",
    b"add_parser",
    b"add_subparsers",
    b"set_defaults",
    b"_group(",
    b"_actions",
)
# functions that take a parser and add no options
HARMLESS = ("argcomplete.autocomplete", "print", "len", "isinstance", "str", "repr")
# limits on the work: functions can call each other without end
MOST_CALLS = 300
MOST_MODULES = 20
# the variables that hold parsers, and the ways to pass them to a function
PARSERS = re.compile(rb"(\w+) *= *[\w.]*(?:ArgumentParser|add_parser|_group)\(")
ADDERS = re.compile(rb"(\w+) *= *[\w.]+\.add_argument\b(?! *\()")
# `option = parser.add_argument(` leads to `option.default = 3`
DECLARED = re.compile(rb"(\w+) *= *[\w.]+\.add_argument\(")
CHANGEABLE = frozenset({"default", "type", "choices", "required", "nargs", "const", "dest"})
"""The arguments of an option that a program can change after it has added it."""
FIELDS = frozenset({"default", "choices", "required"})
"""The arguments among these that are fields of a flag too."""
OPTIONS = frozenset({"_actions", "_option_string_actions", "_group_actions"})
"""The attributes of a parser or a group that hold its options."""
PLACES = ((b"(", b")"), (b"(", b","), (b", ", b")"), (b"=", b")"), (b"return ", b""))


def read_argparse_flags(module: Module) -> Script | None:
    """Returns the options of the module's parsers; None if there are none."""
    makers = find_makers(module)
    # a script without these words has a parser only if a module that it imports makes it
    if not makers and not module.names(*WORDS, b"ArgumentParser"):
        return None
    findings = Findings()
    reading = ArgparseReading(module, makers, findings, {})
    reading.statements(module.tree.body, Frame(module.scope))
    reading.rest()
    flags, commands = merge_parsers(findings.tops())
    for names in findings.file_defaults:
        flags, commands = with_file_defaults(flags, commands, names)
    if findings.changed:
        flags, commands = without_values(flags, commands, findings.changed)
    options = any(flag.action != "positional" for flag in flags) or commands
    # a parser of unknown origin may be one that was read already, so it counts only without any flag
    partial = findings.partial or (findings.unmet if not flags and not commands else "")
    if not options and not partial:
        # None lets the next reader try
        return read_positionals(module, flags) if findings.parsers else None
    # an option with a computed name but with a type takes a value: it is no switch
    frontend = "argparse" if findings.untyped or not findings.partial else "argparse-typed"
    script = Script(flags, ARGS, frontend, commands=commands, partial=partial, file_prefixes=findings.file_prefixes)
    if configargparse_reader.uses_configargparse(module):
        return configargparse_reader.with_config_defaults(script, module)
    return script


def read_positionals(module: Module, flags: tuple[Flag, ...]) -> Script | None:
    """Returns the arguments of a parser without options as flags. If the module has constants, these are the flags instead.

    Returns None if there are neither.
    """
    script = read_constant_script(module)
    if not script.flags:
        return Script(flags, ARGS) if flags else None
    return replace(script, arguments=tuple(flag.name for flag in flags if flag.required))


def usual_default(keywords: Mapping[str, ast.expr], scope: Scope) -> ast.expr | None:
    """Returns the `argument_default` of a parser or group; None if there is none, or if it is None."""
    node = keywords.get("argument_default")
    return None if node is None or fold_to_value(node, scope) == (True, None) else close_over(node, scope)


class ArgparseReading:
    """The reading of one module. All readings of a script share `findings` and `readings`, which holds them by path."""

    def __init__(self, module: Module, makers: Sequence[str], findings: Findings, readings: dict[str, ArgparseReading]) -> None:
        self.module, self.makers, self.findings, self.readings = module, makers, findings, readings
        self.top_frame: Frame | None = None
        self.variables: dict[str, Known] = {}
        # `parser = ArgumentParser(` leads to `(parser)`, `(parser,`, `, parser)`, `=parser)` and `return parser`
        calls = [b"%s%s%s" % (start, name, end) for name in PARSERS.findall(module.source) for start, end in PLACES]
        # `add = parser.add_argument` is called as `add("--lr")`
        calls += [name + b"(" for name in ADDERS.findall(module.source)]
        calls += [name + b"." for name in DECLARED.findall(module.source)]
        calls += [b".add(", b".add_arg("] if configargparse_reader.uses_configargparse(module) else []
        self.nodes = list(module.near(*WORDS, b"arser", *map(str.encode, makers), *calls))
        # ids of nodes stay unique, because the module keeps its tree alive
        self.near = {id(node) for node in self.nodes if isinstance(node, ast.stmt)}
        self.functions = {node.name: node for node in self.nodes if isinstance(node, FUNCTIONS)}
        self.option_calls = [node for node in self.nodes if isinstance(node, ast.Call) and is_option(node)]

    def rest(self) -> None:
        """Reads the parts that no called function led to: their options belong to the program too."""
        for node in self.nodes if self.makers else ():
            if isinstance(node, ast.Name | ast.Attribute) and self.is_maker(dotted_name(node)):
                self.elsewhere(node)
        self.enter_all(self.functions.values())
        for node in self.module.classes.values():
            if id(node) in self.near and (base_names(node) & set(self.makers) or find_options(node)):
                self.construct(node)
        for call in self.option_calls:
            if id(call) not in self.findings.visited:
                self.option(call, self.findings.loose, Frame(self.module.scope))

    def enter_all(self, functions: Iterable[Function]) -> None:
        """Reads the functions that parse, before those whose options have not been read yet."""
        functions = list(functions)
        for function in functions:
            # a function that parses often calls the others with its parser
            if id(function) not in self.findings.entered and any(self.parses(call) for call in find_calls(function)):
                self.enter(function, (), {}, self.module.scope)
        for function in functions:
            if any(id(call) not in self.findings.visited for call in find_options(function)):
                self.enter(function, (), {}, self.module.scope)

    def parses(self, call: ast.Call) -> bool:
        """Returns whether the call parses words, or may make a parser in another module."""
        return (isinstance(call.func, ast.Attribute) and call.func.attr in PARSE) or self.is_maker(dotted_name(call.func))

    def is_maker(self, name: str) -> bool:
        """Returns whether the name comes from a module of the repository that adds options."""
        return any(name == maker or name.startswith(f"{maker}.") for maker in self.makers)

    def statements(self, body: Sequence[ast.stmt], frame: Frame) -> None:
        """Reads the statements in order. Skips those that concern neither parsers nor variables."""
        for node in body:
            # any assignment can hold a value that an option uses
            if id(node) in self.near or isinstance(node, ast.Assign | ast.AnnAssign):
                self.statement(node, frame)

    def statement(self, node: ast.stmt, frame: Frame) -> None:
        """Reads one statement."""
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                value_given = self.expression(value, frame) if id(node) in self.near else None
                if isinstance(target, ast.Name):
                    frame.with_node(target.id, value)
                frame.values[dotted_name(target)] = value_given
                if isinstance(target, ast.Attribute) and target.attr in CHANGEABLE:
                    self.change(target, value, frame)
            case ast.For(target=target, iter=items, body=body, orelse=more):
                self.loop(target, items, body, frame)
                self.statements(more, frame)
            # a function is read when it is called
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case ast.ClassDef(body=body):
                # methods are read when they are called, or at the end
                self.statements(body, frame)
            case ast.Return(value=ast.expr() as value):
                frame.returned = self.expression(value, frame)
            # any case may run, so the options of all of them count
            case ast.Match(cases=cases):
                for case in cases:
                    self.statements(case.body, frame)
            case _:
                self.others(node, frame)

    def change(self, target: ast.Attribute, value: ast.expr, frame: Frame) -> None:
        """Reads `option.default = value` and the like, where `option` is what `add_argument` returned."""
        if OPTIONS & name_parts(target):
            self.findings.changed |= {target.attr} & FIELDS
            return
        owner = self.expression(target.value, frame)
        if isinstance(owner, Declaration):
            is_sure = len(self.findings.tests) == owner.depth
            owner.change(target.attr, close_over(value, frame.scope) if is_sure else UNKNOWN)

    def others(self, node: ast.stmt, frame: Frame) -> None:
        """Reads a statement of any other kind: its expressions and its bodies."""
        if isinstance(node, ast.If):
            self.findings.tests.append(name_parts(node.test))
        for name, part in ast.iter_fields(node):
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, ast.withitem):
                    value = self.expression(inner.context_expr, frame)
                    frame.values[dotted_name(inner.optional_vars)] = value
                elif isinstance(inner, ast.ExceptHandler):
                    self.statements(inner.body, frame)
                # the targets of `a = b = f()` add no options
                elif isinstance(inner, ast.expr) and name != "targets":
                    self.expression(inner, frame)
                elif isinstance(inner, ast.stmt):
                    self.statements([inner], frame)
        if isinstance(node, ast.If):
            self.findings.tests.pop()

    def loop(self, target: ast.expr, items: ast.expr, body: Sequence[ast.stmt], frame: Frame) -> None:
        """Reads the body of a loop once for each item; once with unknown names if the items are not known."""
        if OPTIONS & name_parts(items):
            inner = [part for node in body for part in ast.walk(node) if isinstance(part, ast.Attribute)]
            self.findings.changed |= {part.attr for part in inner if isinstance(part.ctx, ast.Store)} & FIELDS
        items_found = fold_to_items(items, frame.scope)
        try:
            rounds = None if items_found is None else [bind_target(target, item) for item in items_found]
        except Unfoldable:
            rounds = None
        if rounds is None:
            frame.forget(node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        for values in rounds if rounds is not None else [{}]:
            self.findings.calls += 1
            # nested loops over known items multiply
            if self.findings.calls > MOST_CALLS * 10:
                return
            frame.with_values(values)
            self.statements(body, frame)

    def expression(self, node: ast.expr | None, frame: Frame) -> Known:
        """Reads the calls in an expression. Returns the parser that it stands for, if any."""
        self.findings.depth += 1
        try:
            # chains of calls nest as deep as the source likes; Python allows 1,000 frames
            if self.findings.depth > 100:
                return None
            if isinstance(node, ast.Call):
                return self.call(node, frame)
            if isinstance(node, ast.Name | ast.Attribute):
                return self.name(node, frame)
            for child in ast.iter_child_nodes(node) if node else ():
                if isinstance(child, ast.expr):
                    self.expression(child, frame)
            return None
        finally:
            self.findings.depth -= 1

    def name(self, node: ast.Name | ast.Attribute, frame: Frame) -> Known:
        """Returns the parser that a name stands for, also one from another module."""
        name = dotted_name(node)
        if name in frame.values:
            return frame.values[name]
        if isinstance(node, ast.Attribute) and node.attr == "add_argument":
            return Adder(self.expression(node.value, frame))
        if isinstance(node, ast.Attribute) and not name:
            return self.expression(node.value, frame)
        return self.elsewhere(node) if self.is_maker(name) else None

    def call(self, call: ast.Call, frame: Frame) -> Known:
        """Reads a call and the options that it adds. Returns the parser that it returns, if any."""
        if isinstance(call.func, ast.Attribute):
            owner = self.expression(call.func.value, frame)
            name = call.func.attr
            # sets have a method `add` too, so only that of a known parser adds an option
            if name in MORE_ADDERS and isinstance(owner, Parser):
                name = "add_argument"
            if name in METHODS:
                return METHODS[name](self, call, owner, frame)
            if name in PARSE and owner is None:
                self.made_elsewhere(call.func.value, frame)
        if last_name(call.func).endswith(PARSER_CLASSES) or self.module.full_name(call.func).startswith("argparse."):
            return self.parser(call, frame) if last_name(call.func).endswith("Parser") else None
        return self.function(call, frame)

    def made_elsewhere(self, node: ast.expr, frame: Frame) -> None:
        """Records that a parser is used whose creation was not seen: a module that could not be read made it."""
        self.findings.unmet = self.findings.unmet or "its options are not in its source"
        # `parser = lib.make_parser()`, and later `parser.parse_args()`
        definition = frame.scope.nodes.get(node.id) if isinstance(node, ast.Name) else node
        name = self.module.full_name(definition.func) if isinstance(definition, ast.Call) else ""
        if name.partition(".")[0] in {value.partition(".")[0] for value in self.module.imports.values()} - {"argparse"}:
            self.findings.unread(f"its parser is made by {name}")

    def parser(self, call: ast.Call, frame: Frame) -> Parser:
        """Records a new parser and returns it."""
        keywords = named_arguments(call)
        resolves = fold_to_text(keywords.get("conflict_handler"), frame.scope) == "resolve"
        parser = Parser(parents=self.parents(call, frame), resolves=resolves, usual=usual_default(keywords, frame.scope))
        if "fromfile_prefix_chars" in keywords and fold_to_value(keywords["fromfile_prefix_chars"], frame.scope) != (
            True,
            None,
        ):
            # "@" is the one of the manual of argparse
            self.findings.file_prefixes += fold_to_text(keywords["fromfile_prefix_chars"], frame.scope) or "@"
        self.findings.parsers.append(parser)
        return parser

    def parents(self, call: ast.Call, frame: Frame) -> list[Parser]:
        """Returns the parsers in `parents=[…]`."""
        node = named_arguments(call).get("parents")
        if node is None:
            return []
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        parsers = [parser for parser in (self.expression(item, frame) for item in items) if isinstance(parser, Parser)]
        for parser in parsers:
            parser.is_parent = True
        # a name such as `parents=common` has no items that can be read
        if len(parsers) != len(items) or not items:
            self.findings.unread("a parser has parents that are not in its source")
        return parsers

    def group(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """Returns the parser of a group, since the group's options belong to it, with the group's own default."""
        usual = usual_default(named_arguments(call), frame.scope)
        # the copy has the same list of flags
        return replace(owner, usual=usual) if isinstance(owner, Parser) and usual else owner

    def commands(self, call: ast.Call, owner: Known, frame: Frame) -> Known:  # noqa: ARG002
        """Returns the object to which sub-parsers are added."""
        return Commands(owner if isinstance(owner, Parser) else self.findings.loose)

    def command(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """Adds a sub-parser to its parser and returns it."""
        keywords = named_arguments(call)
        name = fold_to_text(call.args[0] if call.args else keywords.get("name"), frame.scope)
        parser = Parser(parents=self.parents(call, frame), usual=usual_default(keywords, frame.scope))
        # returned even so: else its options would count as the program's own
        if not name:
            self.findings.unread("a sub-command has a name that is computed")
            return parser
        aliases = fold_to_items(keywords.get("aliases"), frame.scope) or []
        above = owner.parser if isinstance(owner, Commands) else self.findings.loose
        above.commands[name] = parser, tuple(alias for alias in aliases if isinstance(alias, str))
        return parser

    def set_defaults(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """Records the defaults that override those of the options."""
        keywords, is_all = unpack_arguments(call, frame.scope)
        for name, node in keywords.items():
            # None stands for a value that is not known
            value = fold_to_value(node, frame.scope)[1]
            parser = owner if isinstance(owner, Parser) else self.findings.loose
            parser.defaults[name] = value if self.is_certain() else None
        if not is_all:
            self.findings.file_defaults.append(frozenset(name for names in self.findings.tests for name in names))
        return None

    def is_certain(self) -> bool:
        """Tells whether the statement that is read is inside no `if` but that of the main part."""
        return all("__name__" in names for names in self.findings.tests)

    def option(self, call: ast.Call, owner: Known, frame: Frame) -> Known:
        """Records an option or an argument."""
        self.findings.visited.add(id(call))
        names = [fold_to_text(argument, frame.scope) for argument in call.args]
        keywords, is_all = unpack_arguments(call, frame.scope)
        dest = fold_to_text(keywords.get("dest"), frame.scope)
        if not all(names) or (not names and not dest):
            self.findings.unread("an option has a name that is computed")
            self.findings.untyped = self.findings.untyped or "type" not in keywords
        if not is_all:
            self.findings.unread("what an option takes is computed")
        parser = owner if isinstance(owner, Parser) else self.findings.loose
        usual = None if "default" in keywords else parser.usual
        keywords |= {"default": usual} if usual else {}
        # one of several names may be known: add_argument(short, "--lr")
        known = tuple(name for name in names if name) or (dest,)
        flag = make_option_flag(known, keywords, frame.scope)
        if flag and not is_all and flag.option and not keywords.keys() & {"action", "type"}:  # a switch has no type
            flag = replace(flag, kind="any", action="guessed", as_typed="numbers")
        if not flag:
            return None
        spelled = dest or flag.name.replace("-", "_")
        # set_defaults gives later options their default only if they have none of their own
        if "default" in keywords and not usual:
            parser.defaults.pop(spelled, None)
        # with its place, because calls are not read in the order of the source
        parser.flags.append(((call.lineno, call.col_offset), spelled, flag))
        return Declaration(parser, len(parser.flags) - 1, known, keywords, frame.scope, len(self.findings.tests))

    def function(self, call: ast.Call, frame: Frame) -> Known:
        """Reads the function that is called, of this module or an imported one. Returns the parser that it returns, if any."""
        arguments = [self.expression(argument, frame) for argument in call.args if last_name(argument) != "self"]
        keywords = {name: self.expression(node, frame) for name, node in named_arguments(call).items()}
        name = dotted_name(call.func)
        value = frame.values.get(name)
        if isinstance(value, Adder):
            return self.option(call, value.owner, frame)
        # the class of `self` is not known here: a method is found by its name alone
        function = self.functions.get(name.rpartition(".")[2]) if name in self.functions or name.startswith("self.") else None
        if function:
            return self.enter(
                function, arguments, keywords, self.module.scope, arguments=bind_arguments(function, call, frame.scope)
            )
        if name.partition(".")[0] in self.module.imports:
            return self.imported(self.module.full_name(call.func), arguments, keywords)
        if has_parser(arguments, keywords) and self.is_strange(call.func):
            self.findings.unread(f"{name or last_name(call.func)} may add options")
        return None

    def is_strange(self, func: ast.expr) -> bool:
        """Returns whether a function from elsewhere may add options to a parser that it is passed."""
        # builtins such as print add no options, and functions of this module are read themselves
        if isinstance(func, ast.Name):
            return not hasattr(builtins, func.id) and func.id not in {*self.module.functions, *self.module.classes}
        # x.add_common_args(parser) may add options, x.run(parser) hardly does
        return isinstance(func, ast.Attribute) and bool(re.search("arg|opt|flag|param", func.attr))

    def enter(
        self,
        function: Function,
        values: Sequence[Known],
        keywords: Mapping[str, Known],
        scope: Scope,
        *,
        arguments: Mapping[str, ast.expr] | None = None,
    ) -> Known:
        """Reads the body of a function with the parsers and other arguments that it is passed."""
        self.findings.calls += 1
        # a function can call itself; `entered` does not stop that, because the arguments can differ
        if self.findings.calls > MOST_CALLS or self.findings.depth > 60:
            return None
        self.findings.entered.add(id(function))
        parameters = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        if parameters[:1] in (["self"], ["cls"]):
            parameters = parameters[1:]
        frame = Frame(scope, {**dict(zip(parameters, values, strict=False)), **keywords})
        for name, node in (arguments or {}).items():
            frame.with_node(name, node)
        self.statements(function.body, frame)
        return frame.returned

    def imported(self, name: str, arguments: Sequence[Known], keywords: Mapping[str, Known]) -> Known:
        """Reads a function or a class of another module of the repository.

        Records that there may be more flags if a parser goes to a class, or to a function that could not be read.
        """
        module_beside = self.beside(name)
        if module_beside:
            other, rest = module_beside
            outer, _, last = rest.rpartition(".")
            node = other.module.classes.get(outer) if outer else other.module.tree
            inner = next((part for part in node.body if getattr(part, "name", "") == last), None) if node else None
            # a function inside `try` or `if` is not in the body of the module
            inner = inner or (other.module.functions.get(last) if not outer else None)
            if isinstance(inner, FUNCTIONS):
                return other.enter(inner, arguments, keywords, other.module.scope)
            if isinstance(inner, ast.ClassDef):
                other.construct(inner)
        if has_parser(arguments, keywords) and name not in HARMLESS:
            self.findings.unread(f"{name} may add options")
        return None

    def beside(self, name: str, hops: int = MAX_HOPS) -> tuple[ArgparseReading, str] | None:
        """Returns the reading of the repository's module that has the full name, and the name inside that module."""
        module_found = find_module(self.module, name, self.findings.modules)
        if module_found is None or len(self.readings) > MOST_MODULES:
            return None
        module, rest = module_found
        other = self.readings.get(module.path) or ArgparseReading(module, find_makers(module), self.findings, self.readings)
        self.readings[module.path] = other
        first, dot, inner = rest.partition(".")
        # that module may itself import the name
        if first in module.imports and hops and first not in (*module.functions, *module.classes, *module.statements):
            return other.beside(module.imports[first] + dot + inner, hops - 1)
        return other, rest

    def construct(self, node: ast.ClassDef) -> None:
        """Reads the methods of a class, and of its parents, that add options."""
        if id(node) in self.findings.entered:
            return
        self.findings.entered.add(id(node))
        for base in node.bases:
            name = dotted_name(base)
            module_beside = (
                self.beside(self.module.full_name(base)) if name.partition(".")[0] in self.module.imports else (self, name)
            )
            if module_beside and module_beside[1] in module_beside[0].module.classes:
                module_beside[0].construct(module_beside[0].module.classes[module_beside[1]])
            # a class of the standard library adds no options
            elif adds_own_options(node) and self.module.full_name(base).partition(".")[0] not in (
                *sys.stdlib_module_names,
                "object",
            ):
                self.findings.unread(f"{name or 'a parent class'} may add options")
        self.enter_all(part for part in node.body if isinstance(part, FUNCTIONS))

    def elsewhere(self, node: ast.Name | ast.Attribute) -> Known:
        """Returns the parser that a name of another module stands for, after reading that module as far as needed."""
        name = self.module.full_name(node)
        if name not in self.variables:
            # set before the search, which would not end for modules that import each other
            self.variables[name] = None
            module_beside = self.beside(name)
            self.variables[name] = module_beside[0].variable(module_beside[1].partition(".")[0]) if module_beside else None
        return self.variables[name]

    def variable(self, name: str) -> Known:
        """Returns the parser that a name at the top of the module stands for. Reads the statements that make it."""
        node = strip_attributes(self.module.statements.get(name))
        # the parser can have two names: `parser = _parser`
        if isinstance(node, ast.Name):
            node = strip_attributes(self.module.statements.get(node.id))
        definition = isinstance(node, ast.Call) and (
            self.parses(node) or dotted_name(node.func) in self.functions or last_name(node.func).endswith(PARSER_CLASSES)
        )
        if not definition:
            return None
        # read once for all names: a second reading would add every option again
        if self.top_frame is None:
            self.top_frame = Frame(self.module.scope)
            # an imported module does not run its main part
            self.statements([part for part in self.module.tree.body if not is_guard(part)], self.top_frame)
        return self.top_frame.values.get(name) or self.expression(node, self.top_frame)


METHODS = {
    "add_argument": ArgparseReading.option,
    "add_argument_group": ArgparseReading.group,
    "add_mutually_exclusive_group": ArgparseReading.group,
    "add_subparsers": ArgparseReading.commands,
    "add_parser": ArgparseReading.command,
    "set_defaults": ArgparseReading.set_defaults,
}
