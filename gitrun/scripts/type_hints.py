"""The meaning of type annotations: the values that a parameter or a field takes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun.scripts.constant_folding import Unfoldable, members
from gitrun.scripts.module import is_enumeration, last_name

if TYPE_CHECKING:
    from gitrun.model.flags import Value
    from gitrun.scripts.constant_folding import Scope

# PositiveInt and the like are pydantic's types, Path_fr is jsonargparse's
KINDS = {
    "int": "int", "float": "float", "str": "str", "bool": "bool", "Path": "str", "PurePath": "str", "PositiveInt": "int",
    "PositiveFloat": "float", "NonNegativeInt": "int", "NonNegativeFloat": "float", "Path_fr": "str", "Text": "str",
}  # fmt: skip
LISTS = ("list", "List", "Sequence", "Iterable", "tuple", "Tuple", "set", "Set", "frozenset", "FrozenSet")
ANYTHING = ("Any", "object")
TUPLES = ("tuple", "Tuple")
DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Hint:
    """The meaning of an annotation: the kind of value, the choices, and whether None is allowed.

    `names` are the members of an enumeration. `size` is the length of a fixed-size tuple. `is_open` is true if values may be of
    several kinds, `texts` if items are text. `extras` are the other arguments of an `Annotated`. `config` is the name of
    a class with fields, or several names joined by ` | `.
    """

    kind: str = "any"
    choices: tuple[Value, ...] = ()
    names: tuple[str, ...] = ()
    many: bool = False
    size: int = 0
    is_open: bool = False
    optional: bool = False
    extras: tuple[ast.expr, ...] = ()
    config: str = ""
    texts: bool = False


def read_hint(node: ast.expr | None, scope: Scope, depth: int = 0) -> Hint:
    """Returns the meaning of an annotation; an empty Hint if it is not understood."""
    if depth > DEEPEST:
        return Hint()
    match node:
        case ast.Constant(value=str(text)) if len(text) < 1000:
            return read_hint(expression(text), scope, depth + 1)
        case ast.Name() | ast.Attribute():
            return read_name(node, scope, depth)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return union([left, right], scope, depth)
        # tyro.conf.Positional[int] marks a type and does not change it
        case ast.Subscript(value=outer, slice=index) if scope.module.full_name(outer).startswith("tyro.conf."):
            hint = read_hint(index, scope, depth + 1)
            return replace(hint, extras=(*hint.extras, outer))
        case ast.Subscript(value=outer, slice=index):
            return read_generic(last_name(outer), index.elts if isinstance(index, ast.Tuple) else [index], scope, depth)
    return Hint()


def expression(text: str) -> ast.expr | None:
    """Parses an annotation in quotes. Returns None if it is not an expression."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_name(node: ast.expr, scope: Scope, depth: int) -> Hint:
    """Returns the meaning of a plain name: a type, an enumeration, a class with fields, or an alias of a type."""
    name = last_name(node)
    if name in KINDS:
        return Hint(KINDS[name])
    if name in LISTS:
        return Hint("list", many=True)
    if name in ANYTHING:
        return Hint(is_open=True, optional=True)
    found = scope.module.classes.get(name)
    if found and is_enumeration(found):
        try:
            names = tuple(scope.module.enumeration(name, scope))
            values = members(ast.Name(name), scope)
        except Unfoldable:
            return Hint()
        plain = [value for value in values if isinstance(value, bool | int | float | str)] if isinstance(values, list) else []
        return Hint("any", tuple(plain) if len(plain) == len(names) else (), names)
    if found:
        return Hint(config=name)
    alias = scope.module.statements.get(name) if isinstance(node, ast.Name) else None
    return read_hint(alias, scope, depth + 1) if isinstance(alias, ast.Subscript | ast.BinOp) else Hint()


def read_generic(name: str, items: list[ast.expr], scope: Scope, depth: int) -> Hint:
    """Returns the meaning of `Optional[int]`, `list[int]`, `Literal["a"]` and the like."""
    if name == "Literal":
        values = [item.value for item in items if isinstance(item, ast.Constant)]
        choices = tuple(value for value in values if isinstance(value, bool | int | float | str))
        kinds = {type(choice) for choice in choices}
        kind = {str: "str", int: "int"}.get(next(iter(kinds)), "any") if len(kinds) == 1 else "any"
        return Hint(kind, choices if len(values) == len(items) else (), optional=None in values)
    if name == "Annotated":
        return replace(read_hint(items[0], scope, depth + 1), extras=tuple(items[1:]))
    if name == "Optional":
        return replace(read_hint(items[0], scope, depth + 1), optional=True)
    if name == "Union":
        return union(items, scope, depth)
    if name in LISTS:
        inner = [read_hint(item, scope, depth + 1) for item in items if not is_dots(item)]
        # tuple[int, ...] has any length
        is_fixed = name in TUPLES and len(inner) == len(items)
        alike = inner[0] if inner and all(hint == inner[0] for hint in inner) else Hint()
        size = len(inner) if is_fixed else 0
        return Hint("list", alike.choices, alike.names, many=True, size=size, texts=alike.kind == "str")
    return read_hint(items[0], scope, depth + 1) if name in {"Final", "Required", "ClassVar"} else Hint()


def union(items: list[ast.expr], scope: Scope, depth: int) -> Hint:
    """Returns the meaning of a union: a single kind, a number, or any value."""
    found = [read_hint(item, scope, depth + 1) for item in items if not is_none(item)]
    optional = len(found) < len(items) or any(hint.optional for hint in found)
    if len(found) == 1:
        return replace(found[0], optional=optional)
    if {hint.kind for hint in found} == {"int", "float"}:
        return Hint("number", optional=optional)
    kind = found[0].kind if found else "any"
    if kind != "any" and all(hint.kind == kind for hint in found):
        return Hint(kind, many=found[0].many, optional=optional)
    return Hint(optional=optional, is_open=True, config=" | ".join(hint.config for hint in found if hint.config))


def is_none(node: ast.expr) -> bool:
    """Tells whether the annotation is None."""
    return isinstance(node, ast.Constant) and node.value is None


def is_dots(node: ast.expr | None) -> bool:
    """Tells whether the expression is `...`, as in `tuple[int, ...]`."""
    return isinstance(node, ast.Constant) and node.value is ...


def kind_of(value: Value | None) -> str:
    """Returns the kind of flag that a default implies in the absence of an annotation."""
    return {bool: "bool", int: "number", float: "number", str: "str", list: "list"}.get(type(value), "any")
