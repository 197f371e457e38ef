"""Parameters of functions and fields of classes, which several front ends turn into options."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.scripts.constant_folding import Unfoldable, fold_to_value, list_members
from gitrun.scripts.module import dotted_name, is_enumeration, last_name, named_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.flags import Value
    from gitrun.scripts.constant_folding import Scope
    from gitrun.scripts.module import Function, Module

FIELDLESS = frozenset(
    {"object", "ABC", "Protocol", "Generic", "NamedTuple", "TypedDict", "BaseModel", "Enum", "str", "int", "Serializable",
     "FrozenSerializable", "SimpleSerializable", "JsonSerializable", "YamlSerializable", "Mixin"}
)  # fmt: skip
"""Parent classes without fields of their own: of Python, pydantic and simple_parsing."""


# PositiveInt and the like are pydantic's types, Path_fr is jsonargparse's
KINDS = {
    "int": "int", "float": "float", "str": "str", "bool": "bool", "Path": "str", "PurePath": "str", "PositiveInt": "int",
    "PositiveFloat": "float", "NonNegativeInt": "int", "NonNegativeFloat": "float", "Path_fr": "str", "Text": "str",
}  # fmt: skip
LISTS = ("list", "List", "Sequence", "Iterable", "tuple", "Tuple", "set", "Set", "frozenset", "FrozenSet")
ANYTHING = ("Any", "object")
TUPLES = ("tuple", "Tuple")
MAX_DEPTH = 12


FIELDS = ("field", "Field", "mutable_field", "list_field", "choice", "flag")
"""The functions that define a field, in dataclasses, pydantic and simple_parsing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or a field: its type hint, its default value, and the expression of the default.

    `call` is the `field(...)` that defines it, if any.
    """

    name: str
    hint: Hint
    default: Value | None = None
    node: ast.expr | None = None
    call: ast.Call | None = None

    @property
    def required(self) -> bool:
        """Returns whether it has no default."""
        return self.node is None

    @property
    def may_be_none(self) -> bool:
        """Returns whether None is a valid value, as far as the annotation is known."""
        hint = self.hint
        is_told = hint.kind != "any" or hint.is_open or hint.choices or hint.names
        return hint.optional or not is_told

    @property
    def kind(self) -> str:
        """Returns the kind of flag by the annotation, else by the default."""
        if self.hint.kind != "any" or self.hint.choices or self.hint.is_open:
            return self.hint.kind
        return infer_kind(self.default)


def read_parameters(function: Function, scope: Scope) -> Iterator[Parameter]:
    """Yields the parameters of a function that can be given by name, without `self` and `cls`."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    # args.defaults belong to the last parameters, kw_defaults has an entry for each
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(arguments, [*[None] * (len(arguments) - len(function.args.defaults)), *function.args.defaults], strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    if pairs and pairs[0][0].arg in {"self", "cls"}:
        pairs = pairs[1:]
    for argument, node in pairs:
        hint = read_hint(argument.annotation, scope)
        yield Parameter(argument.arg, hint, fold_default(node, scope), node)


def open_ended_reason(function: Function) -> str:
    """Returns the reason why a function takes more flags than its parameters (`**kwargs`); "" if it does not."""
    return f"{function.name}() takes any name" if function.args.kwarg is not None else ""


def read_fields(node: ast.ClassDef, module: Module, depth: int = 0) -> Iterator[Parameter]:
    """Yields the annotated fields of a class and of its parents in the same module, in dataclass order."""
    fields: dict[str, Parameter] = {}
    for parent in node.bases:
        inner = module.classes.get(dotted_name(parent))
        # the depth ends a circle of parents, which does not run but parses
        if inner and inner is not node and depth < 8:
            fields |= {field.name: field for field in read_fields(inner, module, depth + 1)}
    for statement in node.body:
        match statement:
            # dataclasses make no field of a ClassVar
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if "ClassVar" not in ast.unparse(
                annotation
            ):
                known_value = field_value(value, module)
                hint = read_hint(annotation, module.scope)
                # as in dataclasses, an inherited field keeps its place when the class redefines it
                call = value if isinstance(value, ast.Call) and known_value is not value else None
                fields[name] = Parameter(name, hint, fold_default(known_value, module.scope), known_value, call)
    yield from fields.values()


def find_unread_parent(node: ast.ClassDef, module: Module, depth: int = 0) -> str:
    """Returns the name of a parent class that may have fields and is not in the module; "" if there is none."""
    for parent in node.bases:
        # Generic[T] has no fields
        name = dotted_name(parent.value if isinstance(parent, ast.Subscript) else parent)
        inner = module.classes.get(name)
        if inner is None and name.rpartition(".")[2] not in FIELDLESS:
            return name or ast.unparse(parent)
        if inner and inner is not node and depth < 8 and (unread := find_unread_parent(inner, module, depth + 1)):
            return unread
    return ""


def override_defaults(parameters: Iterable[Parameter], node: ast.expr | None, module: Module) -> Iterator[Parameter]:
    """Yields the fields with the defaults of an instance such as `Config(lr=1)` in place of their own.

    The defaults are None if the expression of the instance is not a call of a class in the module.
    """
    # the instance may be assigned to a name first
    node = module.statements.get(node.id, node) if isinstance(node, ast.Name) else node
    parameters_left = list(parameters)
    call = node if isinstance(node, ast.Call) and dotted_name(node.func) in module.classes else None
    overrides = (
        {**dict(zip((field.name for field in parameters_left), call.args, strict=False)), **named_arguments(call)}
        if call
        else {}
    )
    for parameter in parameters_left:
        if value := overrides.get(parameter.name):
            yield replace(parameter, node=value, default=fold_default(value, module.scope))
        else:
            yield parameter if call or node is None else replace(parameter, node=parameter.node or node, default=None)


def field_value(node: ast.expr | None, module: Module) -> ast.expr | None:
    """Returns the expression of a default: `1` for `field(default=1)`, `[1]` for `field(default_factory=lambda: [1])`."""
    name = module.full_name(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    if not isinstance(node, ast.Call) or name not in FIELDS:
        return node
    keywords = named_arguments(node)
    # simple_parsing's list_field(1, 2) has the default [1, 2]
    if name == "list_field":
        return ast.List(node.args)
    # simple_parsing's mutable_field(Optim, lr=1) calls Optim(lr=1)
    if name == "mutable_field" and node.args:
        return ast.Call(node.args[0], node.args[1:], node.keywords)
    if "default" in keywords:
        return keywords["default"]
    factory = keywords.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return factory.body
    if isinstance(factory, ast.Name) and factory.id in {"list", "tuple", "set"}:
        return ast.List([])
    if factory is not None:
        return ast.Call(factory, [], [])
    # the arguments of simple_parsing's choice() are the choices
    return node.args[0] if node.args and name != "choice" else None


def fold_default(node: ast.expr | None, scope: Scope) -> Value | None:
    """Returns the value of a default; None if the source does not show it."""
    return fold_to_value(node, scope)[1]


def choice_name(parameter: Parameter, node: ast.expr | None) -> Value | None:
    """Returns the name of the enumeration member that the default is, a list of names for a list of members.

    Returns the default itself if the field is no enumeration.
    """
    if parameter.hint.names and isinstance(node, ast.List | ast.Tuple):
        member_names = [choice_name(parameter, item) for item in node.elts if isinstance(item, ast.Attribute)]
        names = [name for name in member_names if name is not None]
        return list(names) if len(names) == len(node.elts) else None
    if parameter.hint.names and isinstance(node, ast.Attribute) and node.attr in parameter.hint.names:
        return node.attr
    return parameter.default


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
    # an alias may name itself, which parses and never ends
    if depth > MAX_DEPTH:
        return Hint()
    match node:
        case ast.Constant(value=str(text)) if len(text) < 1000:
            return read_hint(parse_annotation(text), scope, depth + 1)
        case ast.Name() | ast.Attribute():
            return read_name(node, scope, depth)
        # int | None
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return read_union([left, right], scope, depth)
        # tyro.conf.Positional[int] marks a type and does not change it
        case ast.Subscript(value=outer, slice=index) if scope.module.full_name(outer).startswith("tyro.conf."):
            hint = read_hint(index, scope, depth + 1)
            return replace(hint, extras=(*hint.extras, outer))
        case ast.Subscript(value=outer, slice=index):
            return read_generic(last_name(outer), index.elts if isinstance(index, ast.Tuple) else [index], scope, depth)
    return Hint()


def parse_annotation(text: str) -> ast.expr | None:
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
    class_found = scope.module.classes.get(name)
    if class_found and is_enumeration(class_found):
        try:
            names = tuple(scope.module.enumeration(name, scope))
            values = list_members(ast.Name(name), scope)
        except Unfoldable:
            return Hint()
        plain = [value for value in values if isinstance(value, bool | int | float | str)] if isinstance(values, list) else []
        return Hint("any", tuple(plain) if len(plain) == len(names) else (), names)
    if class_found:
        return Hint(config=name)
    # an alias such as `Mode = Literal["a", "b"]`
    alias = scope.module.statements.get(name) if isinstance(node, ast.Name) else None
    return read_hint(alias, scope, depth + 1) if isinstance(alias, ast.Subscript | ast.BinOp) else Hint()


def read_generic(name: str, items: list[ast.expr], scope: Scope, depth: int) -> Hint:
    """Returns the meaning of `Optional[int]`, `list[int]`, `Literal["a"]` and the like."""
    if name == "Literal":
        values = [item.value for item in items if isinstance(item, ast.Constant)]
        choices = tuple(value for value in values if isinstance(value, bool | int | float | str))
        # not isinstance: True is also an int
        kinds = {type(choice) for choice in choices}
        kind = {str: "str", int: "int"}.get(next(iter(kinds)), "any") if len(kinds) == 1 else "any"
        return Hint(kind, choices if len(values) == len(items) else (), optional=None in values)
    if name == "Annotated":
        return replace(read_hint(items[0], scope, depth + 1), extras=tuple(items[1:]))
    if name == "Optional":
        return replace(read_hint(items[0], scope, depth + 1), optional=True)
    if name == "Union":
        return read_union(items, scope, depth)
    if name in LISTS:
        inner = [read_hint(item, scope, depth + 1) for item in items if not is_dots(item)]
        # tuple[int, ...] has any length
        is_fixed = name in TUPLES and len(inner) == len(items)
        alike = inner[0] if inner and all(hint == inner[0] for hint in inner) else Hint()
        size = len(inner) if is_fixed else 0
        return Hint("list", alike.choices, alike.names, many=True, size=size, texts=alike.kind == "str")
    return read_hint(items[0], scope, depth + 1) if name in {"Final", "Required", "ClassVar"} else Hint()


def read_union(items: list[ast.expr], scope: Scope, depth: int) -> Hint:
    """Returns the meaning of a union: a single kind, a number, or any value."""
    hints = [read_hint(item, scope, depth + 1) for item in items if not is_none_annotation(item)]
    optional = len(hints) < len(items) or any(hint.optional for hint in hints)
    if len(hints) == 1:
        return replace(hints[0], optional=optional)
    if {hint.kind for hint in hints} == {"int", "float"}:
        return Hint("number", optional=optional)
    kind = hints[0].kind if hints else "any"
    if kind != "any" and all(hint.kind == kind for hint in hints):
        return Hint(kind, many=hints[0].many, optional=optional)
    return Hint(optional=optional, is_open=True, config=" | ".join(hint.config for hint in hints if hint.config))


def is_none_annotation(node: ast.expr) -> bool:
    """Returns whether the annotation is None."""
    return isinstance(node, ast.Constant) and node.value is None


def is_dots(node: ast.expr | None) -> bool:
    """Returns whether the expression is `...`, as in `tuple[int, ...]`."""
    return isinstance(node, ast.Constant) and node.value is ...


def infer_kind(value: Value | None) -> str:
    """Returns the kind of flag that a default implies in the absence of an annotation."""
    # a default of 1 does not rule out 0.5
    return {bool: "bool", int: "number", float: "number", str: "str", list: "list"}.get(type(value), "any")
