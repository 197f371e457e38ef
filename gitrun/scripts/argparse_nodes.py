"""Questions about the nodes of a source that uses argparse."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.scripts.argparse_frame import UNKNOWN
from gitrun.scripts.constant_folding import value_of
from gitrun.scripts.module import FUNCTIONS, dotted, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.constant_folding import Scope
    from gitrun.scripts.module import Function


def is_option(call: ast.Call) -> bool:
    """Tells whether the call is an `add_argument`."""
    return last_name(call.func) == "add_argument"


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Yields all calls inside the node."""
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def options_of(node: ast.AST) -> list[ast.Call]:
    """Returns the calls inside the node that add an option."""
    return [call for call in calls_in(node) if is_option(call)]


def adds_its_own(node: ast.ClassDef) -> bool:
    """Tells whether objects of the class add options of their own, perhaps in addition to those of its parents."""
    methods = [part for part in node.body if isinstance(part, FUNCTIONS) and options_of(part)]
    return any("staticmethod" not in map(last_name, method.decorator_list) for method in methods)


def bases_of(node: ast.ClassDef) -> set[str]:
    """Returns the names of the class's parents, with and without their attributes: `a.b` and `a`."""
    return {part for base in node.bases for part in (dotted(base), dotted(base).partition(".")[0])}


def root_of(node: ast.expr | None) -> ast.expr | None:
    """Strips the attributes: returns `f()` for `f().a.b`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_guard(node: ast.stmt) -> bool:
    """Tells whether the statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def arguments_of(function: Function, call: ast.Call, scope: Scope) -> dict[str, ast.expr]:
    """Returns the expression that the call passes for each parameter, or its default.

    A value that is known at the call becomes a constant, so that it can be read in the function.
    """
    taken = function.args
    listed = [argument.arg for argument in (*taken.posonlyargs, *taken.args)]
    defaults = taken.defaults
    found: dict[str, ast.expr] = dict(zip(listed[len(listed) - len(defaults) :], defaults, strict=True))
    keyword_only = zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
    found |= {argument.arg: node for argument, node in keyword_only if node is not None}
    if listed[:1] in (["self"], ["cls"]):
        listed = listed[1:]
    names = [*listed, *(argument.arg for argument in taken.kwonlyargs)]
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        # `*args` shifts all parameters by an unknown number
        return dict.fromkeys(names, UNKNOWN)
    found |= {name: seen_from(node, scope) for name, node in zip(listed, call.args, strict=False)}
    named = {keyword.arg: seen_from(keyword.value, scope) for keyword in call.keywords if keyword.arg}
    found |= {name: node for name, node in named.items() if name in names}
    if taken.kwarg:
        more = {name: node for name, node in named.items() if name not in names}
        is_all = all(keyword.arg for keyword in call.keywords)
        found[taken.kwarg.arg] = ast.Dict(list(map(ast.Constant, more)), list(more.values())) if is_all else UNKNOWN
    return found


def seen_from(node: ast.expr, scope: Scope) -> ast.expr:
    """Returns the expression for use in another scope: its value as a constant if that is known and plain, else itself."""
    known, value = value_of(node, scope)
    return ast.Constant(value) if known and not isinstance(value, list) else node
