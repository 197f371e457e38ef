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


__all__ = ["asdict", "dataclass", "field", "replace"]
MISSING = object()
"""Stands for a default that is not there."""
FIELDS, READ = "__gitrun_fields__", "__gitrun_read__"
"""Attributes of a class: its fields, and the function that reads those which `==` compares."""
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


STANDARD = StandardFields()
Slot = type(Field.__dict__["name"])
"""The type of what stands for a slot in a class."""
calls: dict[type, int] = {}
"""The number of values of a class that were made without a compiled `__init__`."""


def plain_dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> Any:  # noqa: ANN401
    """Makes a class of values, as `dataclasses.dataclass` does with these options."""
    if cls is None:
        return lambda cls: plain_dataclass(cls, frozen=frozen, slots=slots, eq=eq)
    inherited = {field.name: field for base in reversed(cls.__mro__[1:]) for field in getattr(base, FIELDS, ())}
    own = own_fields(cls)
    fields = tuple({**inherited, **own}.values())
    names = tuple(field.name for field in fields)
    added: dict[str, Any] = {"__repr__": show_value, "__init__": init_few}
    if eq:
        added["__eq__"], added["__hash__"] = compare_values, hash_value if frozen else None
    if frozen:
        added["__setattr__"], added["__delattr__"] = refuse_change, refuse_deletion
    if frozen and slots:
        added["__getstate__"], added["__setstate__"] = read_state, restore_state
    content = cls.__dict__
    # Python sets __hash__ to None in a class that defines __eq__
    added = {name: method for name, method in added.items() if name not in content or content[name] is None}
    compared = tuple(field.name for field in fields if field.compare)
    added |= {FIELDS: fields, READ: values_of(compared), "__dataclass_fields__": STANDARD, "__match_args__": names}
    if slots:
        return with_slots(cls, tuple(own), added)
    set_defaults(cls, own)
    for name, method in added.items():
        setattr(cls, name, method)
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


def with_slots(cls: Any, names: tuple[str, ...], added: dict[str, Any]) -> Any:  # noqa: ANN401 - any class
    """Returns the class with slots for its fields, which a class can only get when it is made, and with what is added."""
    content = {name: value for name, value in cls.__dict__.items() if name not in {*names, "__dict__", "__weakref__"}}
    new_class = type(cls)(cls.__name__, cls.__bases__, {**content, **added, "__slots__": names})
    new_class.__qualname__ = cls.__qualname__
    return new_class


def set_defaults(cls: Any, own: dict[str, Field]) -> None:  # noqa: ANN401 - any class
    """Gives the class the defaults of its fields as attributes, in place of what describes them."""
    for field in own.values():
        if field.default is not MISSING:
            setattr(cls, field.name, field.default)
        elif field.name in cls.__dict__:
            delattr(cls, field.name)


def values_of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Returns a function that reads these attributes of a value. It is no method: Python would pass the value twice."""
    if len(names) > 1:
        return attrgetter(*names)
    return staticmethod(lambda value: tuple(getattr(value, name) for name in names))


def show_value(self: Any) -> str:  # noqa: ANN401 - any value, as below
    """Returns a value as text, such as `Entry(mode='100644', id='…')`: the `__repr__` of values."""
    return (
        f"{type(self).__qualname__}({', '.join(f'{one.name}={getattr(self, one.name)!r}' for one in self.__gitrun_fields__)})"
    )


def compare_values(self: Any, other: Any) -> Any:  # noqa: ANN401
    """Returns whether two values are equal; only those of one class can be: the `__eq__` of values."""
    if type(self) is not type(other):
        return NotImplemented
    read = self.__gitrun_read__
    return read(self) == read(other)


def hash_value(self: Any) -> int:  # noqa: ANN401
    """Returns the hash of a value: the `__hash__` of frozen values."""
    return hash(self.__gitrun_read__(self))


def refuse_change(self: Any, name: str, value: object) -> None:  # noqa: ANN401
    """Raises FrozenInstanceError for a field: the `__setattr__` of frozen values."""
    if FIELDS in type(self).__dict__ or name in type(self).__match_args__:
        raise frozen_error(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def refuse_deletion(self: Any, name: str) -> None:  # noqa: ANN401
    """Raises FrozenInstanceError for a field: the `__delattr__` of frozen values."""
    if FIELDS in type(self).__dict__ or name in type(self).__match_args__:
        raise frozen_error(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def frozen_error(words: str) -> AttributeError:
    """Makes the standard library's error for a change of a frozen value."""
    error: AttributeError = standard_library().FrozenInstanceError(words)
    return error


def standard_library() -> Any:  # noqa: ANN401 - a module
    """Imports the standard library's module, which a start does without."""
    import dataclasses  # takes 10 ms

    return dataclasses


def read_state(self: Any) -> list[Any]:  # noqa: ANN401
    """Returns the fields, as pickle and copy need them: the `__getstate__` of frozen values with slots."""
    return [getattr(self, field.name) for field in self.__gitrun_fields__]


def restore_state(self: Any, state: list[Any]) -> None:  # noqa: ANN401
    """Sets the fields to what `read_state` returned: the `__setstate__` of frozen values with slots."""
    for field, value in zip(self.__gitrun_fields__, state, strict=True):
        object.__setattr__(self, field.name, value)


def init_few(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401
    """Sets the fields one by one: the first `__init__` of a class. After FEW calls, a compiled one replaces it."""
    cls, fields = type(self), self.__gitrun_fields__
    count = calls.get(cls, 0) + 1
    calls[cls] = count
    if count > FEW:
        owner = next(one for one in cls.__mro__ if FIELDS in one.__dict__)
        setattr(owner, "__init__", compile_init(owner, fields))  # noqa: B010 - mypy takes it for a mistake
    given = len(values)
    if given > len(fields):
        raise TypeError(f"{cls.__name__}.__init__() takes {len(fields)} values but {given} were given")
    setter = object.__setattr__
    for field, value in zip(fields, values):  # noqa: B905 - the rest is named or has a default
        setter(self, field.name, value)
    for field in fields[given:]:
        setter(self, field.name, named.pop(field.name) if field.name in named else make_default(cls, field))
    if named:
        raise TypeError(f"{cls.__name__}.__init__() got an unexpected argument: {next(iter(named))!r}")
    if hasattr(cls, "__post_init__"):
        self.__post_init__()


def make_default(cls: Any, field: Field) -> object:  # noqa: ANN401 - any class
    """Returns the default of a field. Raises TypeError if it has none."""
    if field.factory is not MISSING:
        return field.factory()
    if field.default is MISSING:
        raise TypeError(f"{cls.__name__}.__init__() missing a required argument: {field.name!r}")
    return field.default


def compile_init(cls: Any, fields: tuple[Field, ...]) -> Callable[..., None]:  # noqa: ANN401 - any class
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
        # a slot's own setter takes a third of the time
        slot = getattr(cls, field.name, None)
        if isinstance(slot, Slot):
            scope[f"set_{field.name}"] = slot.__set__
            lines.append(f"  set_{field.name}(self, {value})")
        else:
            lines.append(f"  setter(self, {field.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("  self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or "  pass"), scope)  # noqa: S102 - names of our own fields
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def plain_replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - any value
    """Returns the value with some fields changed, as `dataclasses.replace` does."""
    for name in value.__match_args__:
        if name not in changes:
            changes[name] = getattr(value, name)
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
