"""Evaluation of expressions of a source without running it, with a limit on the work."""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Any, Protocol

from gitrun.dataclass import dataclass, field
from gitrun.errors import UsageError
from gitrun.model.flags import Value, copy_value

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

# limits on the work: a source can be written so that its constants explode
MAX_TEXT = 10_000
MAX_ITEMS = 1_000
MAX_STEPS = 50_000
MAX_DEPTH = 40
MAX_NUMBER = 10**40

NUMBERS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
TEXTS: dict[str, Callable[[str], str]] = {
    "lower": str.lower, "upper": str.upper, "strip": str.strip, "title": str.title, "capitalize": str.capitalize,
}  # fmt: skip


class Unfoldable(ValueError):
    """Raised for a value that is known only when the program runs."""


class ModuleNames(Protocol):
    """The names of a module that expressions refer to. `spent` counts the work that folding has done for it."""

    @property
    def spent(self) -> Counter[str]:
        """Returns the counter of the work done so far."""

    @property
    def statements(self) -> Mapping[str, ast.expr]:
        """Returns the last value that each name is assigned at the top level."""

    @property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """Returns the classes at the top level, by name."""

    def full_name(self, node: ast.AST | None) -> str:
        """Returns the full name of what a node names, by the imports of the module."""

    def constant(self, name: str, scope: Scope) -> object:
        """Returns the value of a name of the module. Raises Unfoldable."""

    def member(self, name: str, attr: str, scope: Scope) -> object:
        """Returns the value of an attribute of a class of the module. Raises Unfoldable."""

    def enumeration(self, name: str, scope: Scope) -> dict[str, object]:
        """Returns the values of an enumeration's members, by name. Raises Unfoldable."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that an expression sees: known values, expressions assigned in its function, and the names of its module."""

    module: ModuleNames
    values: Mapping[str, object] = field(default_factory=dict)
    nodes: Mapping[str, ast.expr] = field(default_factory=dict)
    depth: int = 0

    def deeper(self, name: str = "") -> Scope:
        """Returns the scope for an inner expression, without `name` if its own expression is folded. Raises Unfoldable."""
        if self.depth > MAX_DEPTH:
            raise Unfoldable("too deep")
        # `lr = lr * 2` uses the earlier value, and would never end if the name stood for itself
        nodes = {key: node for key, node in self.nodes.items() if key != name} if name else self.nodes
        return Scope(self.module, self.values, nodes, self.depth + 1)


def fold_to_value(node: ast.expr | None, scope: Scope) -> tuple[bool, Value | None]:
    """Returns (True, value) if the value is known and a flag can hold it, else (False, None)."""
    try:
        value = fold(node, scope)
        return True, None if value is None else copy_value("", value)
    # Unfoldable is a ValueError
    except (ValueError, RecursionError, UsageError):
        return False, None


def fold_to_text(node: ast.expr | None, scope: Scope) -> str:
    """Returns the text that the expression stands for; "" if it is not known or not text."""
    _, value = fold_to_value(node, scope)
    return value if isinstance(value, str) else ""


def fold_to_items(node: ast.expr | None, scope: Scope) -> list[object] | None:
    """Returns the items that a loop over the expression would visit; None if they are not known."""
    try:
        return list(require_items(fold(node, scope)))
    except (ValueError, RecursionError):
        return None


def require_items(value: object) -> Iterable[object]:
    """Returns the items of a folded list, dict or text. Raises Unfoldable."""
    if isinstance(value, list | dict | str) and len(value) <= MAX_ITEMS:
        return value
    raise Unfoldable("not a list")


def fold(node: ast.expr | None, scope: Scope) -> object:
    """Returns the value: a bool, a number, text, None, or a list or a dict of these. Raises Unfoldable."""
    scope.module.spent["steps"] += 1
    if scope.module.spent["steps"] > MAX_STEPS:
        raise Unfoldable("too much work")
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | int | float | str)):
        return node.value
    if isinstance(node, ast.Name):
        return fold_name(node.id, scope)
    if type(node) in FOLDS:
        return FOLDS[type(node)](node, scope.deeper())
    raise Unfoldable("not a value that the source tells")


def fold_list(node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> object:
    """Returns the value of a list, a tuple or a set, as a list."""
    return fold_items(node.elts, scope)


def fold_dict(node: ast.Dict, scope: Scope) -> object:
    """Returns the value of a dict."""
    # the key of a `**` is None, which raises Unfoldable
    return {require_plain(fold(key, scope)): fold(value, scope) for key, value in zip(node.keys, node.values, strict=True)}


def fold_binary(node: ast.BinOp, scope: Scope) -> object:
    """Returns the value of a binary operation."""
    return fold_operation(node.op, fold(node.left, scope), fold(node.right, scope))


def fold_subscript(node: ast.Subscript, scope: Scope) -> object:
    """Returns an item of a list or a dict."""
    return pick_item(fold(node.value, scope), fold(node.slice, scope))


def fold_attribute(node: ast.Attribute, scope: Scope) -> object:
    """Returns the value of `Color.red`, `Color.red.value` or `Color.red.name`."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attr):
            return scope.module.member(name, attr, scope)
        case ast.Attribute(value=ast.Attribute() as inner, attr="value"):
            return fold(inner, scope)
        case ast.Attribute(value=ast.Attribute(attr=name), attr="name"):
            return name
    raise Unfoldable("an attribute")


def fold_items(items: list[ast.expr], scope: Scope) -> list[object]:
    """Returns the values of the items of a list, with starred items unpacked."""
    folded: list[object] = []
    for item in items:
        if isinstance(item, ast.Starred):
            folded += require_items(fold(item.value, scope))
        else:
            folded.append(fold(item, scope))
    return folded


def fold_name(name: str, scope: Scope) -> object:
    """Returns the value of a name at the place where it is used."""
    if name in scope.values:
        return scope.values[name]
    if name in scope.nodes:
        return fold(scope.nodes[name], scope.deeper(name))
    return scope.module.constant(name, scope.deeper())


def fold_unary(node: ast.UnaryOp, scope: Scope) -> object:
    """Returns the value of a unary operation: `-x`, `+x` or `not x`."""
    op, value = node.op, fold(node.operand, scope)
    if isinstance(op, ast.Not) and isinstance(value, bool):
        return not value
    if isinstance(value, int | float) and isinstance(op, ast.USub | ast.UAdd):
        return -value if isinstance(op, ast.USub) else +value
    raise Unfoldable("not a number")


def fold_operation(op: ast.operator, left: object, right: object) -> object:
    """Returns a sum of texts or lists, a text filled by `%`, or an operation on two numbers."""
    if isinstance(op, ast.Add) and isinstance(left, str) and isinstance(right, str):
        return require_short(left + right)
    if isinstance(op, ast.Add) and isinstance(left, list) and isinstance(right, list):
        return list(require_items(left + right))
    # a folded tuple is a list: "%s-%s" % (a, b)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        return fill_placeholders(left, "%s", right if isinstance(right, list) else [right])
    if not isinstance(left, int | float) or not isinstance(right, int | float) or type(op) not in NUMBERS:
        raise Unfoldable("not a sum")
    # a large power takes long to compute, before its size can be checked
    if isinstance(op, ast.Pow) and abs(right) > 100:
        raise Unfoldable("too large")
    try:
        value = NUMBERS[type(op)](left, right)
    except ArithmeticError as error:
        raise Unfoldable("no number") from error
    # (-1) ** 0.5 is complex, and no flag holds that
    if isinstance(value, complex) or abs(value) > MAX_NUMBER:
        raise Unfoldable("too large")
    return value


def fill_placeholders(text: str, mark: str, items: list[object]) -> str:
    """Returns the text with each mark replaced by the next item. Raises Unfoldable for any other placeholder."""
    parts = text.split(mark)
    if len(parts) != len(items) + 1 or not all(isinstance(item, str | int) for item in items):
        raise Unfoldable("not a text to fill")
    # another placeholder, or an escaped %% or {{, has its own rules
    if any(re.search(r"[%{}]", part) for part in parts):
        raise Unfoldable("another way to fill a text")
    return require_short("".join(part + str(item) for part, item in zip(parts, [*items, ""], strict=True)))


def fold_text(node: ast.JoinedStr, scope: Scope) -> str:
    """Returns the text of an f-string. Raises Unfoldable if it has a format."""
    texts = []
    for part in node.values:
        match part:
            case ast.Constant(value=str(text)):
                texts.append(text)
            # {x!r} has a conversion, {x:.2f} a format; -1 stands for no conversion
            case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                value = fold(inner, scope)
                if not isinstance(value, str | int | float):
                    raise Unfoldable("not a text")
                texts.append(str(value))
            case _:
                raise Unfoldable("a format")
    return require_short("".join(texts))


def fold_loop(node: ast.ListComp, scope: Scope) -> list[object]:
    """Returns the items of a list comprehension with one loop and no condition."""
    if len(node.generators) != 1 or node.generators[0].ifs or node.generators[0].is_async:
        raise Unfoldable("more than one loop")
    loop = node.generators[0]
    rounds = [{**scope.values, **bind_target(loop.target, item)} for item in require_items(fold(loop.iter, scope))]
    return [fold(node.elt, Scope(scope.module, values, scope.nodes, scope.depth)) for values in rounds]


def bind_target(target: ast.expr, value: object) -> dict[str, object]:
    """Returns the names that one round of a loop binds, with their values. Raises Unfoldable."""
    match target:
        case ast.Name(id=name):
            return {name: value}
        case ast.Tuple(elts=items) | ast.List(elts=items) if isinstance(value, list) and len(items) == len(value):
            return {
                name: inner for one, part in zip(items, value, strict=True) for name, inner in bind_target(one, part).items()
            }
    raise Unfoldable("not a loop over names")


def fold_call(call: ast.Call, scope: Scope) -> object:
    """Returns the value of a call to one of a few functions and methods without side effects."""
    arguments = call.args
    match call.func:
        case ast.Name(id="range") if not call.keywords:
            return fold_range([fold(argument, scope) for argument in arguments])
        case ast.Name(id="list" | "tuple" | "sorted" | "set" | "frozenset") if len(arguments) == 1:
            return list_members(arguments[0], scope)
        # a flag holds a path as text
        case ast.Name(id="Path" | "str" | "PurePath") | ast.Attribute(attr="Path") if len(arguments) == 1:
            return str(require_plain(fold(arguments[0], scope)))
        case ast.Name(id="int" | "float" as kind) if len(arguments) == 1:
            return fold_number(kind, fold(arguments[0], scope))
        case ast.Name(id="dict") if not arguments:
            return {keyword.arg: fold(keyword.value, scope) for keyword in call.keywords if keyword.arg}
        case ast.Attribute(value=inner, attr=name):
            return fold_method(fold(inner, scope), name, [fold(argument, scope) for argument in arguments])
    raise Unfoldable("a call")


def fold_range(bounds: list[object]) -> list[object]:
    """Returns the numbers of a range of at most `MAX_ITEMS`."""
    numbers = [bound for bound in bounds if isinstance(bound, int) and abs(bound) < MAX_NUMBER]
    if len(numbers) != len(bounds) or not 1 <= len(bounds) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
        raise Unfoldable("not a range")
    values = range(*numbers)
    # len() of a range beyond sys.maxsize raises OverflowError; a slice does not
    if values[MAX_ITEMS:]:
        raise Unfoldable("too long")
    return list(values)


def fold_number(kind: str, value: object) -> object:
    """Returns the value of `int(x)` or `float(x)`, such as `float("inf")`."""
    # int() of a very long text is slow
    if not isinstance(value, int | float | str) or len(str(value)) > 100:
        raise Unfoldable("not a number")
    try:
        return int(value) if kind == "int" else float(value)
    except (ValueError, OverflowError) as error:
        raise Unfoldable("not a number") from error


def list_members(node: ast.expr, scope: Scope) -> object:
    """Returns the values of an enumeration for `list(Color)`; else the items of a list."""
    if isinstance(node, ast.Name) and node.id in scope.module.classes:
        return list(scope.module.enumeration(node.id, scope).values())
    return list(require_items(fold(node, scope)))


def fold_method(value: object, name: str, arguments: list[object]) -> object:
    """Returns the value of one of a few methods of texts and dicts."""
    if isinstance(value, dict) and not arguments and name in {"keys", "values", "items"}:
        return {"keys": list(value), "values": list(value.values()), "items": [list(pair) for pair in value.items()]}[name]
    if isinstance(value, str) and name in TEXTS and not arguments:
        return TEXTS[name](value)
    if isinstance(value, str) and name == "format":
        return fill_placeholders(value, "{}", arguments)
    if isinstance(value, str) and name == "split" and len(value) <= MAX_TEXT and not arguments:
        return list(require_items(value.split()))
    match arguments:
        # a much longer replacement could make the text explode
        case [str(old), str(new)] if isinstance(value, str) and name == "replace" and old and len(new) <= len(old) + 1:
            return require_short(value.replace(old, new))
        # a long separator could make the text explode before its length is checked
        case [list(items)] if isinstance(value, str) and name == "join" and len(value) < 10:
            return require_short(value.join(item for item in items if isinstance(item, str)))
    raise Unfoldable("a call")


def pick_item(outer: object, index: object) -> object:
    """Returns the item of a list, a dict or a text at an index."""
    try:
        if isinstance(outer, dict):
            return outer[require_plain(index)]
        if isinstance(outer, list | str) and isinstance(index, int):
            return outer[index]
    except (KeyError, IndexError) as error:
        raise Unfoldable("nothing there") from error
    raise Unfoldable("not a list")


def require_plain(value: object) -> bool | float | str | None:
    """Returns the value if it can be a key of a dict. Raises Unfoldable."""
    # a list as the key of a dict would raise TypeError
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Unfoldable("not a plain value")


def require_short(text: str) -> str:
    """Returns the text unless it is longer than `MAX_TEXT`. Raises Unfoldable."""
    if len(text) > MAX_TEXT:
        raise Unfoldable("too long")
    return text


FOLDS: dict[type, Callable[[Any, Scope], object]] = {
    ast.List: fold_list, ast.Tuple: fold_list, ast.Set: fold_list, ast.Dict: fold_dict, ast.UnaryOp: fold_unary,
    ast.BinOp: fold_binary, ast.JoinedStr: fold_text, ast.Attribute: fold_attribute, ast.Subscript: fold_subscript,
    ast.ListComp: fold_loop, ast.Call: fold_call,
}  # fmt: skip
