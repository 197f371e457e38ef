"""A module that is parsed once: its constants, functions, classes and imports, and the statements near given words."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from gitrun.dataclass import dataclass
from gitrun.scripts.constant_folding import Scope, Unfoldable, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.tree import Tree

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MAX_SOURCE = 1 << 24


# no slots: cached_property needs __dict__
@dataclass(frozen=True)
class Module:
    """A parsed source. `path` is its place in the repository, `files` the files around it."""

    tree: ast.Module
    source: bytes
    path: str
    files: Tree

    def names(self, *words: bytes) -> bool:
        """Returns whether any of the words occurs in the source."""
        return any(word in self.source for word in words)

    def near(self, *words: bytes) -> Iterator[ast.AST]:
        """Yields the nodes of all statements that have one of the words on their lines, outer nodes first."""
        # a search in the text is far cheaper than a walk over all nodes
        pattern = re.compile(b"|".join(map(re.escape, words)))
        # Python itself ends a line at these three only, not at form feeds
        lines = [number for number, line in enumerate(LINE_END.split(self.source), 1) if pattern.search(line)]
        if not lines:
            return
        queue: list[ast.AST] = [self.tree]
        while queue:
            node = queue.pop()
            if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case) and not is_near(node, lines):
                continue
            yield node
            queue.extend(ast.iter_child_nodes(node))

    @cached_property
    def statements(self) -> dict[str, ast.expr]:
        """Returns the last value that each name is assigned at the top level, also inside `if`, `try` and `with`."""
        statements: dict[str, ast.expr] = {}
        for node in top_level(self.tree.body):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    statements[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    statements[name] = value
        return statements

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Returns the functions at the top level of the module, by name."""
        return {node.name: node for node in top_level(self.tree.body) if isinstance(node, FUNCTIONS)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Returns the classes at the top level of the module, by name."""
        return {node.name: node for node in top_level(self.tree.body) if isinstance(node, ast.ClassDef)}

    @cached_property
    def imports(self) -> dict[str, str]:
        """Returns the full name of each imported name, such as `typer.Option` for `Option`. Includes imports inside functions.

        Relative imports keep their dots: `.options.parser`.
        """
        imports: dict[str, str] = {}
        for node in self.near(b"import"):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    # `import a.b` binds a, `import a.b as c` binds a.b
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    imports.setdefault(alias.asname or name, name)
            elif isinstance(node, ast.ImportFrom):
                # node.module is None for `from . import x`
                start = "." * node.level + (node.module or "")
                for alias in node.names:
                    imports.setdefault(
                        alias.asname or alias.name, f"{start}.{alias.name}" if node.module else start + alias.name
                    )
        return imports

    @cached_property
    def spent(self) -> Counter[str]:
        """Counts the work done so far. Constants that use each other can take exponential time, so `fold` sets a limit."""
        return Counter()

    @cached_property
    def scope(self) -> Scope:
        """Returns the scope of names at the top level of the module."""
        return Scope(self)

    def full_name(self, node: ast.AST | None) -> str:
        """Returns `typer.Option` for `Option` and for `t.Option`, by the imports; "" if the node is not a name."""
        name = dotted_name(node)
        first, dot, rest = name.partition(".")
        return self.imports.get(first, first) + dot + rest

    def constant(self, name: str, scope: Scope) -> object:
        """Returns the value of a name of the module. Raises Unfoldable."""
        node = self.statements.get(name)
        if node is None:
            raise Unfoldable(f"{name} is not a constant")
        # a constant of the module does not see the names of the function that uses it
        return fold(node, Scope(self, {}, {}, scope.depth))

    def member(self, name: str, attr: str, scope: Scope) -> object:
        """Returns the value of `Color.red`, where `Color` is an enumeration or a class with constants. Raises Unfoldable."""
        node = self.classes.get(name)
        if node is None:
            raise Unfoldable(f"{name} is not a class")
        if not is_enumeration(node):
            return fold_class_attribute(self, node, attr, scope)
        members = self.enumeration(name, scope)
        if attr not in members:
            raise Unfoldable(f"{name} has no {attr}")
        return members[attr]

    def enumeration(self, name: str, scope: Scope) -> dict[str, object]:
        """Returns the values of an enumeration's members, by name. Raises Unfoldable."""
        node = self.classes.get(name)
        if node is None or not is_enumeration(node):
            raise Unfoldable(f"{name} is not an enumeration")
        members: dict[str, object] = {}
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=member)], value=value) if not member.startswith("_"):
                    # auto() counts from 1; that of StrEnum (Python 3.11) is the name in lower case
                    automatic = isinstance(value, ast.Call) and dotted_name(value.func).endswith("auto")
                    text = any(dotted_name(parent).endswith("StrEnum") for parent in node.bases)
                    members[member] = (
                        (member.lower() if text else len(members) + 1)
                        if automatic
                        else fold(value, Scope(self, {}, {}, scope.depth + 1))
                    )
        return members


LINE_END = re.compile(rb"\r\n|\r|\n")


def parse_module(source: bytes, path: str, files: Tree) -> Module | None:
    """Parses a source. Returns None if it does not parse; the program itself reports that when it runs."""
    if len(source) > MAX_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            # a SyntaxWarning about the user's source is for the program to show
            warnings.simplefilter("ignore")
            return Module(ast.parse(source, path), source, path, files)
    # a NUL is a ValueError in some versions of Python; deep nesting is a RecursionError or MemoryError
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_near(node: ast.AST, lines: list[int]) -> bool:
    """Returns whether the statement, including its decorators, covers one of the lines (sorted line numbers)."""
    decorators = getattr(node, "decorator_list", ())
    # the lineno of a function is that of `def`, below its decorators
    start = min([getattr(node, "lineno", 0), *(decorator.lineno for decorator in decorators)])
    end = getattr(node, "end_lineno", None)
    # a match_case has no line numbers
    if end is None:
        return True
    at = bisect_left(lines, start)
    return at < len(lines) and lines[at] <= end


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements of the module, also those inside `if`, `try` and `with`."""
    for node in body:
        yield node
        # not loops: a name that a loop assigns has no single value
        if isinstance(node, ast.If | ast.Try | ast.With):
            inner = [*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())]
            handlers = [statement for handler in getattr(node, "handlers", ()) for statement in handler.body]
            yield from top_level([*inner, *handlers])


def dotted_name(node: ast.AST | None) -> str:
    """Returns `a.b.c` for a chain of names; "" for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST | None) -> str:
    """Returns `c` for `a.b.c`; "" for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def named_arguments(call: ast.Call) -> dict[str, ast.expr]:
    """Returns the arguments that are given by name."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def unpack_arguments(call: ast.Call, scope: Scope) -> tuple[dict[str, ast.expr], bool]:
    """Returns the arguments given by name, including those of a readable `**`. Also tells whether these are all of them."""
    arguments: dict[str, ast.expr] = {}
    is_all = True
    for keyword in call.keywords:
        try:
            arguments |= {keyword.arg: keyword.value} if keyword.arg else unpack_dict(keyword.value, scope)
        except Unfoldable:
            is_all = False
    return arguments, is_all


def unpack_dict(node: ast.expr | None, scope: Scope) -> dict[str, ast.expr]:
    """Returns the items of a dict by key: `{"a": 1}`, `dict(a=1)`, or a name that holds one. Raises Unfoldable."""
    scope = scope.deeper()
    match node:
        case ast.Name(id=name) if name in scope.values:
            mapping = scope.values[name]
            if isinstance(mapping, dict) and not any(isinstance(value, dict | list) for value in mapping.values()):
                return {str(key): ast.Constant(value) for key, value in mapping.items()}
        case ast.Name(id=name):
            return unpack_dict(scope.nodes.get(name) or scope.module.statements.get(name), scope.deeper(name))
        # {"a": 1, **more} has None as the key of **more
        case ast.Dict(keys=keys, values=values):
            pairs = [
                {key.value: value}
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
                else unpack_dict(value, scope)
                for key, value in zip(keys, values, strict=True)
                if key is None or isinstance(key, ast.Constant)
            ]
            if len(pairs) == len(keys):
                return {name: value for pair in pairs for name, value in pair.items()}
        case ast.Call(func=ast.Name(id="dict"), args=args):
            items, is_all = unpack_arguments(node, scope)
            if is_all:
                return {name: value for inner in args for name, value in unpack_dict(inner, scope).items()} | items
    raise Unfoldable("not a dict that the source tells")


def is_enumeration(node: ast.ClassDef) -> bool:
    """Returns whether the class is an Enum, by the names of its parents."""
    # also IntEnum, StrEnum, IntFlag, and classes of the user that are named so
    return any(last_name(parent).endswith(("Enum", "Flag")) for parent in node.bases)


def fold_class_attribute(module: Module, node: ast.ClassDef, attr: str, scope: Scope) -> object:
    """Returns the value that the class body assigns to a name. Raises Unfoldable."""
    for statement in reversed(node.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == attr:
                return fold(value, Scope(module, {}, {}, scope.depth + 1))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name == attr:
                return fold(value, Scope(module, {}, {}, scope.depth + 1))
    raise Unfoldable(f"{node.name} has no {attr}")
