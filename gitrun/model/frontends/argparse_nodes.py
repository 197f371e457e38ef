"""What the nodes of a source have to do with argparse."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.frontends.module import FUNCTIONS, dotted, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_option(call: ast.Call) -> bool:
    """Whether it adds an option."""
    return last_name(call.func) == "add_argument"


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """All calls in it."""
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def options_of(node: ast.AST) -> list[ast.Call]:
    """The options that it adds."""
    return [call for call in calls_in(node) if is_option(call)]


def adds_its_own(node: ast.ClassDef) -> bool:
    """Whether an object of the class adds options, perhaps beside those of its parents."""
    methods = [part for part in node.body if isinstance(part, FUNCTIONS) and options_of(part)]
    return any("staticmethod" not in map(last_name, method.decorator_list) for method in methods)


def bases_of(node: ast.ClassDef) -> set[str]:
    """The names of the classes that it rests on, as they are imported."""
    return {part for base in node.bases for part in (dotted(base), dotted(base).partition(".")[0])}


def root_of(node: ast.expr | None) -> ast.expr | None:
    """`f()` of `f().a.b`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_guard(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )
