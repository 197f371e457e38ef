"""Frozen values that cost little to define: `dataclass` as in the standard library, without its imports at a start.

The standard library writes six functions as text for each class and compiles them, and imports `inspect`. That was a sixth of
a start. Type checkers see the standard library's own `dataclass`.
"""

from __future__ import annotations

from _operator import attrgetter  # the C part alone

TYPE_CHECKING = False  # importing typing for its constant takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import asdict, dataclass, field, replace
    from typing import Any

    Initializer = Callable[..., None]

__all__ = ["asdict", "dataclass", "field", "replace"]
MISSING = object()
"""Stands for a default that is not there."""
FEW = 8
"""Values of a class that are made without a compiled `__init__`: compiling takes as long as fifty of them."""


class Field:
    """A field of a class: its name, its annotation, its default or a function that makes one, and whether `==` looks at it."""

    __slots__ = ("annotation", "compare", "default", "factory", "name")

    def __init__(self, default: object, factory: Any, *, compare: bool) -> None:  # noqa: ANN401 - any callable
        self.name, self.annotation = "", ""
        self.default, self.factory, self.compare = default, factory, compare


def plain_field(*, default: object = MISSING, default_factory: Any = MISSING, compare: bool = True) -> Field:  # noqa: ANN401
    """Describes a field, as `dataclasses.field` does."""
    return Field(default, default_factory, compare=compare)


class StandardFields:
    """Gives `__dataclass_fields__` to `dataclasses.fields`, `replace` and `asdict`, which users of our values may call."""

    def __get__(self, value: object, owner: Any) -> dict[str, Any]:  # noqa: ANN401 - any class
        dataclasses = standard_library()
        standard: dict[str, Any] = {}
        for field in owner.__gitrun_fields__:
            defaults = {"default": field.default, "default_factory": field.factory}
            given = {name: default for name, default in defaults.items() if default is not MISSING}
            one: Any = dataclasses.field(compare=field.compare, **given)
            one.name, one.type = field.name, field.annotation
            one._field_type = dataclasses._FIELD  # noqa: SLF001 - what dataclasses.fields looks for
            standard[field.name] = one
        owner.__dataclass_fields__ = standard
        return standard


def plain_dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> Any:  # noqa: ANN401
    """Makes a class of values, as `dataclasses.dataclass` does with these options."""
    if cls is None:
        return lambda cls: plain_dataclass(cls, frozen=frozen, slots=slots, eq=eq)
    inherited = {field.name: field for base in reversed(cls.__mro__[1:]) for field in getattr(base, "__gitrun_fields__", ())}
    own = own_fields(cls)
    fields = tuple({**inherited, **own}.values())
    if slots:
        cls = with_slots(cls, tuple(own))
    else:
        set_defaults(cls, own)
    names = tuple(field.name for field in fields)
    methods: dict[str, Any] = {"__repr__": make_repr(names)}
    if eq:
        compared = tuple(field.name for field in fields if field.compare)
        methods["__eq__"], values_hash = make_comparison(compared)
        methods["__hash__"] = values_hash if frozen else None
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = make_refusals(cls, frozenset(names))
        if slots:
            methods |= make_pickling(names)
    for name, method in methods.items():
        # Python sets __hash__ to None in a class that defines __eq__
        if name not in cls.__dict__ or (name == "__hash__" and cls.__dict__[name] is None):
            setattr(cls, name, method)
    cls.__gitrun_fields__ = fields
    cls.__dataclass_fields__ = StandardFields()
    setattr(cls, "__match_args__", names)  # noqa: B010 - mypy takes a plain assignment for a mistake
    if "__init__" not in cls.__dict__:
        cls.__init__ = make_first_init(cls, fields)
    return cls


def own_fields(cls: Any) -> dict[str, Field]:  # noqa: ANN401 - any class
    """Returns the fields that the class itself declares, by name."""
    fields: dict[str, Field] = {}
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = cls.__dict__.get(name, MISSING)
        fields[name] = field = default if isinstance(default, Field) else Field(default, MISSING, compare=True)
        field.name, field.annotation = name, annotation
    return fields


def with_slots(cls: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - any class
    """Returns the class with slots for its fields, which a class can only get when it is made."""
    content = {name: value for name, value in cls.__dict__.items() if name not in {*names, "__dict__", "__weakref__"}}
    content["__slots__"] = names
    made = type(cls)(cls.__name__, cls.__bases__, content)
    made.__qualname__ = cls.__qualname__
    return made


def set_defaults(cls: Any, own: dict[str, Field]) -> None:  # noqa: ANN401 - any class
    """Gives the class the defaults of its fields as attributes, in place of what describes them."""
    for field in own.values():
        if field.default is not MISSING:
            setattr(cls, field.name, field.default)
        elif field.name in cls.__dict__:
            delattr(cls, field.name)


def values_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Returns a function that reads these attributes of a value."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def make_repr(names: tuple[str, ...]) -> Callable[[Any], str]:
    """Returns the `__repr__` of a class: `Entry(mode='100644', id='…')`."""

    def __repr__(self: Any) -> str:  # noqa: ANN401, N807
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def make_comparison(names: tuple[str, ...]) -> tuple[Callable[[Any, Any], Any], Callable[[Any], int]]:
    """Returns the `__eq__` and `__hash__` of a class. Only values of the same class can be equal."""
    read = values_of(names)

    def __eq__(self: Any, other: Any) -> Any:  # noqa: ANN401, N807
        return read(self) == read(other) if type(self) is type(other) else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: ANN401, N807
        return hash(read(self))

    return __eq__, __hash__


def make_refusals(cls: Any, names: frozenset[str]) -> tuple[Any, Any]:  # noqa: ANN401 - any class
    """Returns the `__setattr__` and `__delattr__` of a frozen class, which raise FrozenInstanceError."""

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: ANN401, N807
        if type(self) is cls or name in names:
            raise frozen_error(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: ANN401, N807
        if type(self) is cls or name in names:
            raise frozen_error(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def frozen_error(words: str) -> AttributeError:
    """Makes the standard library's error for a change of a frozen value."""
    error: AttributeError = standard_library().FrozenInstanceError(words)
    return error


def standard_library() -> Any:  # noqa: ANN401 - a module
    """Imports the standard library's module, which a start does without."""
    import dataclasses  # takes 10 ms

    return dataclasses


def make_pickling(names: tuple[str, ...]) -> dict[str, Any]:
    """Returns what lets frozen values with slots be pickled and copied."""

    def __getstate__(self: Any) -> list[Any]:  # noqa: ANN401, N807
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: ANN401, N807
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": __getstate__, "__setstate__": __setstate__}


def make_first_init(cls: Any, fields: tuple[Field, ...]) -> Initializer:  # noqa: ANN401 - any class
    """Returns an `__init__` that sets the fields one by one, and replaces itself by a compiled one after FEW calls."""
    names = tuple(field.name for field in fields)
    after = getattr(cls, "__post_init__", None)
    calls = 0

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401, N807
        nonlocal calls
        calls += 1
        if calls > FEW:
            cls.__init__ = compile_init(cls, fields)
        given = len(values)
        if given > len(names):
            raise TypeError(f"{cls.__name__}.__init__() takes {len(names)} values but {given} were given")
        setter = object.__setattr__
        for name, value in zip(names, values):  # noqa: B905 - the rest is named or has a default
            setter(self, name, value)
        for field in fields[given:]:
            setter(self, field.name, named.pop(field.name) if field.name in named else make_default(cls, field))
        if named:
            raise TypeError(f"{cls.__name__}.__init__() got an unexpected argument: {next(iter(named))!r}")
        if after:
            after(self)

    return __init__


def make_default(cls: Any, field: Field) -> object:  # noqa: ANN401 - any class
    """Returns the default of a field. Raises TypeError if it has none."""
    if field.factory is not MISSING:
        return field.factory()
    if field.default is MISSING:
        raise TypeError(f"{cls.__name__}.__init__() missing a required argument: {field.name!r}")
    return field.default


def compile_init(cls: Any, fields: tuple[Field, ...]) -> Initializer:  # noqa: ANN401 - any class
    """Returns an `__init__` with a parameter for each field, as the standard library would write it."""
    scope: dict[str, Any] = {"MISSING": MISSING, "setter": object.__setattr__}
    parameters, lines = ["self"], []
    for field in fields:
        scope[f"default_{field.name}"], scope[f"factory_{field.name}"] = field.default, field.factory
        value = field.name
        if field.factory is not MISSING:
            parameters.append(f"{field.name}=MISSING")
            value = f"factory_{field.name}() if {field.name} is MISSING else {field.name}"
        else:
            parameters.append(field.name if field.default is MISSING else f"{field.name}=default_{field.name}")
        lines.append(f"  setter(self, {field.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("  self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or "  pass"), scope)  # noqa: S102 - names of our own fields
    init: Initializer = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def plain_replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - any value
    """Returns the value with some fields changed, as `dataclasses.replace` does."""
    for field in value.__gitrun_fields__:
        if field.name not in changes:
            changes[field.name] = getattr(value, field.name)
    return type(value)(**changes)


def plain_asdict(value: Any) -> Any:  # noqa: ANN401 - any value
    """Returns the value as dicts and lists, as `dataclasses.asdict` does."""
    if hasattr(type(value), "__gitrun_fields__"):
        return {field.name: plain_asdict(getattr(value, field.name)) for field in value.__gitrun_fields__}
    if isinstance(value, list | tuple):
        items = [plain_asdict(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return type(value)((plain_asdict(key), plain_asdict(item)) for key, item in value.items())
    return value


if not TYPE_CHECKING:
    dataclass, field, replace, asdict = plain_dataclass, plain_field, plain_replace, plain_asdict
