"""The constants of a module: names that are assigned once, so that a flag can replace their value.

A name that is assigned again is a variable. Only one of two branches assigns; `launcher.py` replaces the value in both.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, field
from gitrun.errors import UsageError
from gitrun.model.flags import Flag, copy_value
from gitrun.scripts.arithmetic import BUILTINS, NotConstantError, evaluate, is_main_guard, tuples_to_lists
from gitrun.scripts.module import last_name
from gitrun.scripts.rebinding import list_bound_names, list_changed_names
from gitrun.scripts.signatures import infer_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.flags import Value
    from gitrun.scripts.module import Module

ANNOTATIONS = {"int": "int", "float": "float", "str": "str", "bool": "bool"} | dict.fromkeys(
    ("list", "List", "tuple", "Tuple"), "list"
)
MAX_HELP = 60
UNKNOWN = object()
"""The value of a name that only the running program knows."""


@dataclass(slots=True)
class Branch:
    """The state at one point of the module: the known values of names, and the names that this branch has assigned."""

    values: dict[str, object] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)

    def branch(self) -> Branch:
        """Returns the state at the start of a branch, which may assign every name once more."""
        return Branch(dict(self.values))

    def join(self, branches: Sequence[Branch]) -> None:
        """Merges the states at the ends of alternative branches. A value stays known only if all branches agree on it."""
        for name in {name for branch in branches for name in branch.values}:
            ends = [branch.values.get(name, UNKNOWN) for branch in branches]
            # 1, 1.0 and True are equal in Python, but not the same value of a flag
            is_same = all(type(end) is type(ends[0]) and end == ends[0] for end in ends)
            self.values[name] = ends[0] if is_same else UNKNOWN
        self.assigned |= {name for branch in branches for name in branch.assigned}


class ConstantReading:
    """The assignments at the top level of a module: the expressions of each name, and the names that are variables."""

    def __init__(self) -> None:
        self.nodes: dict[str, list[ast.expr]] = {}
        self.hints: dict[str, str] = {}
        self.variables: set[str] = set()

    def statements(self, body: Sequence[ast.stmt], path: Branch) -> None:
        """Reads statements in order."""
        for node in body:
            self.statement(node, path)

    def statement(self, node: ast.stmt, path: Branch) -> None:
        """Reads a statement. Any binding other than by `=` makes a name a variable."""
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.target(target, value, path)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=hint):
                self.hints[name] = annotation_name(hint)
                self.assign(name, value, path)
            # `x: int` assigns nothing
            case ast.AnnAssign(value=None):
                pass
            case ast.If(test=test, body=body, orelse=orelse):
                self.choice(test, body, orelse, path)
            case ast.Try():
                self.attempt(node, path)
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                self.variables |= path.assigned  # a star import may rebind any of them
            # a `with` has no namespace of its own: its body assigns names of the module
            case ast.With(items=items, body=body):
                for item in items:
                    self.variables |= list_bound_names([item])
                self.statements(body, path)
            case _:
                self.variables |= list_bound_names([node])

    def target(self, target: ast.expr, value: ast.expr, path: Branch) -> None:
        """Reads the assignment of a value to a name or to a tuple of names."""
        pairs = pair_targets(target, value)
        if isinstance(target, ast.Name):
            self.assign(target.id, value, path)
        elif pairs is None:
            self.variables |= list_bound_names([target])
        for inner, part in pairs or ():
            self.target(inner, part, path)

    def assign(self, name: str, value: ast.expr, path: Branch) -> None:
        """Reads the assignment of a value to a name."""
        if name in path.assigned:
            self.variables.add(name)
        path.assigned.add(name)
        self.nodes.setdefault(name, []).append(value)
        try:
            path.values[name] = evaluate(value)
        except NotConstantError:
            path.values[name] = UNKNOWN

    def choice(self, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], path: Branch) -> None:
        """Reads an `if`: only the branch that is taken counts if the test is known, else both."""
        try:
            is_taken = bool(is_main_guard(test) or evaluate(test))
        except NotConstantError:
            branches = path.branch(), path.branch()
            self.statements(body, branches[0])
            self.statements(orelse, branches[1])
            path.join(branches)
            return
        self.statements(body if is_taken else orelse, path)
        # the branch that is not taken counts too: launcher.py replaces the values in both
        self.statements(orelse if is_taken else body, path.branch())

    def attempt(self, node: ast.Try, path: Branch) -> None:
        """Reads a `try`. A handler may assign a name in place of the body."""
        body = path.branch()
        # the `else` of a `try` runs only after its whole body
        self.statements([*node.body, *node.orelse], body)
        handlers = []
        for handler in node.handlers:
            branch = path.branch()
            self.statements(handler.body, branch)
            # Python deletes this name at the end of the handler
            self.variables |= {handler.name} if handler.name else set()
            branch.values = body.values | {name: branch.values[name] for name in branch.assigned}
            # the body may have failed before or after it assigned these
            again = body.assigned & path.values.keys() - branch.assigned
            handlers.append(Branch({**branch.values, **dict.fromkeys(again, UNKNOWN)}, branch.assigned))
        path.join([body, *handlers])
        self.statements(node.finalbody, path)


def read_constants(module: Module, later: Sequence[ast.stmt] = ()) -> Iterable[Flag]:
    """Yields the constants of the module as flags, in the order of its source. `later` follows in the same namespace."""
    return read_constants_in(module.tree.body, later)


def read_constants_in(body: Sequence[ast.stmt], later: Sequence[ast.stmt] = ()) -> Iterable[Flag]:
    """Yields a flag for each name that these statements assign once.

    The default is None if only the running program knows it: if it uses other constants, or if an unknown test chooses it.
    """
    reading, path = ConstantReading(), Branch()
    reading.statements(body, path)
    variables = reading.variables | list_bound_names(later) | list_changed_names([*body, *later])
    # a name with a leading underscore is private to the module
    nodes = {name: values for name, values in reading.nodes.items() if name not in variables and not name.startswith("_")}
    # a constant may use other constants: repeat until no name drops out
    while dropped := [name for name, values in nodes.items() if not all(is_constant(node, nodes) for node in values)]:
        for name in dropped:
            del nodes[name]
    for name, values in nodes.items():
        default = as_flag_value(path.values.get(name, UNKNOWN))
        is_computed = default is None and not assigns_only_none(values)
        yield Flag(
            name, default, flag_kind(reading.hints.get(name, ""), values), help=computed_help(values) if is_computed else ""
        )


def is_constant(node: ast.expr, names: Iterable[str]) -> bool:
    """Returns whether a flag can hold the expression, and whether it uses only literals and these names."""
    if isinstance(node, ast.Name):
        return is_one_of(node, names)
    try:
        value = evaluate(node)
    except NotConstantError as error:
        return bool(error.waits) and all(is_constant(part, names) for part in error.waits)
    return value is None or as_flag_value(value) is not None


def is_one_of(node: ast.expr, names: Iterable[str]) -> bool:
    """Returns whether the expression is one of the names."""
    return isinstance(node, ast.Name) and node.id in names and node.id not in BUILTINS


def as_flag_value(value: object) -> Value | None:
    """Returns the value as a flag holds it; None if no flag can."""
    if value is UNKNOWN or value is None:
        return None
    try:
        return copy_value("", tuples_to_lists(value))
    except (UsageError, RecursionError):
        return None


def assigns_only_none(nodes: Sequence[ast.expr]) -> bool:
    """Returns whether None is the only value that is assigned."""
    return all(isinstance(node, ast.Constant) and node.value is None for node in nodes)


def flag_kind(annotation: str, nodes: Sequence[ast.expr]) -> str:
    """Returns the kind of flag: that of the annotation, else the kind that all its possible values share."""
    if annotation in ANNOTATIONS:
        return ANNOTATIONS[annotation]
    kinds = {kind for node in nodes for kind in possible_kinds(node)}
    return kinds.pop() if len(kinds) == 1 else "any"


def possible_kinds(node: ast.expr) -> set[str]:
    """Returns the kinds of the values that the expression may have."""
    try:
        return {infer_kind(as_flag_value(evaluate(node)))}
    except NotConstantError:
        return possible_kinds(node.body) | possible_kinds(node.orelse) if isinstance(node, ast.IfExp) else {"any"}


def computed_help(nodes: Sequence[ast.expr]) -> str:
    """Returns the help text for a default that the program computes or chooses; empty if it is too long to show."""
    text = " or ".join(dict.fromkeys(map(ast.unparse, nodes)))
    return f"default: {text}" if len(text) <= MAX_HELP else ""


def pair_targets(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]] | None:
    """Returns the (target, value) pairs of `a, b = 1, 2`; None if the two sides cannot be paired."""
    sides = (target, value)
    if not all(isinstance(side, ast.Tuple | ast.List) for side in sides):
        return None
    left, right = (getattr(side, "elts", []) for side in sides)
    # `a, *b = 1, 2, 3` has no fixed pairs
    if len(left) != len(right) or any(isinstance(item, ast.Starred) for item in (*left, *right)):
        return None
    return list(zip(left, right, strict=True))


def annotation_name(hint: ast.expr) -> str:
    """Returns the outer name of an annotation: `list` for `list`, `list[int]`, `typing.List` and `"list[int]"`."""
    match hint:
        case ast.Constant(value=str(text)):
            return text.partition("[")[0].strip()
        case ast.Subscript(value=outer):
            return annotation_name(outer)
    return last_name(hint)
