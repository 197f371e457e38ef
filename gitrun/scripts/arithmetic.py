"""Evaluation of expressions of literals, with Python's own operators, so that a flag shows the value that the program has."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# limits on the work, for any source
MAX_INT = 10**40
MAX_LENGTH = 10_000
MAX_DEPTH = 60
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
BUILTINS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "abs": abs, "min": min, "max": max, "round": round, "len": len,
}  # fmt: skip
EVALUATED = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.JoinedStr, ast.Call, ast.Name)


class NotConstantError(ValueError):
    """Raised for a value that only the running program knows.

    `waits` are the parts that must be constant for the whole to be; empty if no part could make it constant.
    """

    def __init__(self, waits: Iterable[ast.expr] = ()) -> None:
        super().__init__("not a constant")
        self.waits = tuple(waits)


def evaluate(node: ast.expr, depth: int = 0) -> object:
    """Returns the value of an expression; a tuple stays a tuple. Raises NotConstantError."""
    if isinstance(node, ast.Constant):
        if node.value is None or isinstance(node.value, bool | int | float | str):
            return node.value
        # bytes and complex numbers, which no flag holds
        raise NotConstantError
    if not isinstance(node, EVALUATED) or depth > MAX_DEPTH:
        raise NotConstantError
    if isinstance(node, ast.Name):
        raise NotConstantError([node])
    if isinstance(node, ast.IfExp):
        return evaluate_conditional(node, depth)
    parts = operands_of(node)
    try:
        values = [evaluate(part, depth + 1) for part in parts]
    except NotConstantError as error:
        # LR * 2 is constant if LR turns out to be
        raise NotConstantError(parts) from error
    try:
        value = apply_operator(node, values)
    except (ArithmeticError, ValueError, TypeError, MemoryError) as error:
        raise NotConstantError from error
    # a power can be complex: `(-8) ** 0.5`
    if isinstance(value, complex) or (isinstance(value, int) and abs(value) > MAX_INT):
        raise NotConstantError
    return value


def operands_of(node: ast.expr) -> list[ast.expr]:
    """Returns the operands of an expression. Raises NotConstantError for an expression that is not evaluated."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BoolOp(values=values):
            return values
        # a chain such as a < b < c is left to the program
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return [left, right]
        case ast.List(elts=items) | ast.Tuple(elts=items) if not any(isinstance(item, ast.Starred) for item in items):
            return items
        case ast.JoinedStr(values=values):
            return [formatted_expression(value) for value in values]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in BUILTINS:
            return args
    raise NotConstantError


def formatted_expression(node: ast.expr) -> ast.expr:
    """Returns the expression in an f-string. Raises NotConstantError for a format, which can make the text very long."""
    match node:
        case ast.Constant():
            return node
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return value
    raise NotConstantError


def apply_operator(node: ast.expr, values: list[Any]) -> object:
    """Applies the expression's operator to the values of its operands. Raises NotConstantError for an unknown operator."""
    match node:
        case ast.List():
            return values
        case ast.Tuple():
            return tuple(values)
        case ast.JoinedStr():
            return "".join(map(str, values))
        case ast.BoolOp(op=op):
            # Python's `and` and `or` return an operand, not a bool
            is_and = isinstance(op, ast.And)
            return next((value for value in values[:-1] if bool(value) is not is_and), values[-1])
        case ast.Call(func=ast.Name(id=name)):
            return call_builtin(name, values)
        case ast.Compare(ops=[op]) | ast.UnaryOp(op=op) | ast.BinOp(op=op) if type(op) in OPERATORS:
            require_small(op, values)
            return OPERATORS[type(op)](*values)
    raise NotConstantError


def call_builtin(name: str, values: list[Any]) -> object:
    """Calls a builtin from `BUILTINS`. Raises NotConstantError if a text is longer than `MAX_LENGTH`."""
    # int() of a long text takes quadratic time
    if any(isinstance(value, str) and len(value) > MAX_LENGTH for value in values):
        raise NotConstantError
    return BUILTINS[name](*values)


def require_small(op: ast.AST, values: list[Any]) -> None:
    """Raises NotConstantError for large powers, shifts and sequences, and for `%` as a text format."""
    sizes = [len(value) if isinstance(value, str | list | tuple) else abs(value) for value in values if value is not None]
    # a float raises OverflowError instead of growing
    if isinstance(op, ast.Pow | ast.LShift) and max(sizes) > 128 and not any(isinstance(value, float) for value in values):
        raise NotConstantError
    # a text format can have a huge width
    if isinstance(op, ast.Mod) and isinstance(values[0], str):
        raise NotConstantError
    if any(isinstance(value, str | list | tuple) for value in values):
        # [0] * 3 and 3 * [0]: the length times the absolute number
        total = sizes[0] * sizes[-1] if isinstance(op, ast.Mult) else sum(sizes)
        if total > MAX_LENGTH:
            raise NotConstantError


def evaluate_conditional(node: ast.IfExp, depth: int) -> object:
    """Returns the value of `a if x else b`. If `x` is unknown, raises NotConstantError that waits for both values."""
    try:
        test = is_main_guard(node.test) or evaluate(node.test, depth + 1)
    except NotConstantError as error:
        raise NotConstantError([node.body, node.orelse]) from error
    return evaluate(node.body if test else node.orelse, depth + 1)


def is_main_guard(node: ast.expr) -> bool:
    """Returns whether the expression is `__name__ == "__main__"`, which is true in a program that is run."""
    match node:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def tuples_to_lists(value: object) -> object:
    """Returns the value with lists in place of tuples, as flags hold them."""
    return [tuples_to_lists(item) for item in value] if isinstance(value, list | tuple) else value
