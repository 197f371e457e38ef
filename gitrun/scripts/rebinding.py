"""Names that a source binds or changes in ways other than one assignment at its top level."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})
"""The methods that change a list."""


def list_bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Returns the names that the nodes bind in their own namespace.

    These are targets, imports, functions, classes, `except … as` and captures of `match`.
    """
    bound: set[str] = set()
    for node in walk_namespace(nodes):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                # `import a.b` binds a
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            # these hold their names as text, not as ast.Name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
    return bound


def walk_namespace(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yields the nodes and all nodes inside them that belong to the same namespace."""
    queue = list(nodes)
    while queue:
        node = queue.pop()
        yield node
        if isinstance(node, ast.comprehension):
            queue += [node.iter, *node.ifs]  # its targets are local to it
        elif not isinstance(node, (*SCOPES, ast.ClassDef)):
            queue.extend(ast.iter_child_nodes(node))


def list_changed_names(body: Sequence[ast.stmt]) -> set[str]:
    """Returns the names of a module that an expression, a function or a method call changes.

    Examples: `x := 1` outside of functions, `global x` in a function, `x.append(1)` or `x[0] = 1` for a list.
    """
    # `:=` in a comprehension binds the name outside of it (PEP 572)
    changed = {node.target.id for node in walk_namespace(body) if isinstance(node, ast.NamedExpr)} | list_mutated_names(
        walk_namespace(body)
    )
    queue: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset()) for node in body]
    while queue:
        node, local = queue.pop()
        if isinstance(node, SCOPES):
            inner = node.body if isinstance(node.body, list) else [node.body]
            parts = list(walk_namespace(inner))
            shared = {name for part in parts if isinstance(part, ast.Global) for name in part.names}
            names = list_bound_names(inner)
            changed |= shared & names
            # a name that a function binds is its own, unless it declares it global
            local = (local | names | parameter_names(node.args)) - shared
            changed |= list_mutated_names(parts) - local
        queue.extend((part, local) for part in ast.iter_child_nodes(node))
    return changed


def list_mutated_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Returns the names of lists that are changed in place."""
    mutated: set[str] = set()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in CHANGING:
                mutated.add(name)
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                mutated.add(name)
    return mutated


def parameter_names(args: ast.arguments) -> set[str]:
    """Returns the names of the parameters."""
    arguments = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return {argument.arg for argument in arguments}
