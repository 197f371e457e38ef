"""Declares the options of verbs, and reads usual calls without click, whose import takes longer than most verbs.

A declaration says what click's decorators of the same names say. Whatever is unusual in a call is left to click: an error,
options that are joined or given twice, values that may be missing.
"""

from __future__ import annotations

import sys

from gitrun.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    import click

    F = TypeVar("F", bound=Callable[..., Any])

DECLARED = "__gitrun_declared__"
"""Attribute of a function with its options and arguments, the last one first."""
PASSES_REST = "__gitrun_passes_rest__"
"""Attribute of a function whose first argument is the words of the call."""
READ_BY_CLICK = frozenset(
    {"flag_value", "callback", "expose_value", "is_eager", "count", "envvar", "nargs", "required", "prompt"}
)
"""Settings of an option with which a call is left to click once the option is given."""


class Kind:
    """A type of click with its arguments, such as a range of numbers. It is made when click is needed."""

    __slots__ = ("name", "settings", "values")

    def __init__(self, name: str, values: tuple[Any, ...], settings: dict[str, Any]) -> None:
        self.name, self.values, self.settings = name, values, settings

    def read(self, text: str) -> object:
        """Returns the value that a text stands for; None if click must look at it."""
        if self.name == "Choice":
            return text if text in self.values[0] else None
        number = read_number(text) if self.name == "IntRange" else None
        limits = dict(zip(("min", "max"), self.values, strict=False)) | self.settings
        if number is None or limits.keys() - {"min", "max"}:
            return None
        least, most = limits.get("min"), limits.get("max")
        return number if (least is None or number >= least) and (most is None or number <= most) else None


def choice(*values: Any, **settings: Any) -> Kind:  # noqa: ANN401 - as click.Choice takes them
    """Declares a choice of texts."""
    return Kind("Choice", values, settings)


def int_range(*values: Any, **settings: Any) -> Kind:  # noqa: ANN401 - as click.IntRange takes them
    """Declares a whole number between limits."""
    return Kind("IntRange", values, settings)


def float_range(*values: Any, **settings: Any) -> Kind:  # noqa: ANN401 - as click.FloatRange takes them
    """Declares a number between limits."""
    return Kind("FloatRange", values, settings)


def path(*values: Any, **settings: Any) -> Kind:  # noqa: ANN401 - as click.Path takes them
    """Declares the path of a file or directory."""
    return Kind("Path", values, settings)


def read_number(text: str) -> int | None:
    """Returns the whole number that plain digits stand for; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class Parameter:
    """An option or argument of a verb: its words and settings, as click's decorators take them. Use it as a decorator."""

    __slots__ = ("name", "settings", "what", "words")

    def __init__(self, what: str, words: tuple[str, ...], settings: dict[str, Any]) -> None:
        self.what, self.words, self.settings = what, words, settings
        named = [word for word in words if not word.startswith("-")]
        # click takes the first of the words with the most dashes, if none is a name
        longest = max(words, key=lambda word: len(word) - len(word.lstrip("-")))
        self.name = named[0] if named else longest.lstrip("-").replace("-", "_").lower()

    def __call__(self, function: F) -> F:
        """Adds the parameter to a function, before those that it has: decorators apply from the bottom up."""
        setattr(function, DECLARED, [*getattr(function, DECLARED, ()), self])
        return function

    def click_decorator(self) -> Callable[[Any], Any]:
        """Returns click's decorator with the same words and settings."""
        library = click_library()
        settings = dict(self.settings)
        if isinstance(kind := settings.get("type"), Kind):
            settings["type"] = getattr(library, kind.name)(*kind.values, **kind.settings)
        decorator: Callable[[Any], Any] = getattr(library, self.what)(*self.words, **settings)
        return decorator

    @property
    def is_flag(self) -> bool:
        """Returns whether the option takes no value."""
        return bool(self.settings.get("is_flag"))

    @property
    def is_repeatable(self) -> bool:
        """Returns whether the option may be given several times."""
        return bool(self.settings.get("multiple"))

    def absent(self) -> object:
        """Returns the value of a parameter that is not given."""
        if self.is_repeatable or self.settings.get("nargs") == -1:
            return ()
        return self.settings.get("default", False if self.is_flag else None)

    def read(self, text: str) -> object:
        """Returns the value that a text stands for; None if click must look at it."""
        kind = self.settings.get("type")
        if isinstance(kind, Kind):
            return kind.read(text)
        if kind is int:
            return read_number(text)
        # the default says the type if nothing else does
        return text if kind is None and isinstance(self.settings.get("default", ""), str | None) else None


def option(*words: str, **settings: Any) -> Parameter:  # noqa: ANN401 - as click.option takes them
    """Declares an option, as `click.option` does."""
    return Parameter("option", words, settings)


def argument(*words: str, **settings: Any) -> Parameter:  # noqa: ANN401 - as click.argument takes them
    """Declares an argument, as `click.argument` does."""
    return Parameter("argument", words, settings)


@dataclass(frozen=True, slots=True)
class TypedWords:
    """The words of a call as typed: those before `--`, and the `rest` after it."""

    words: tuple[str, ...]
    rest: tuple[str, ...] = ()


def pass_rest(function: F) -> F:
    """Declares that the first argument of a verb's function is the words of the call (`TypedWords`)."""
    setattr(function, PASSES_REST, True)
    return function


class Verb:
    """A verb: the function that does it, its parameters, and its settings for click."""

    def __init__(self, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        self.function, self.settings = function, settings
        self.parameters: list[Parameter] = getattr(function, DECLARED, [])[::-1]
        self._click: click.Command | None = None

    def click_command(self, further: Sequence[Parameter] = ()) -> click.Command:
        """Returns the verb as a command of click, with further options behind its own."""
        if self._click is None:
            library = click_library()
            function = library.pass_obj(self.function) if hasattr(self.function, PASSES_REST) else self.function
            for parameter in reversed([*self.parameters, *further]):
                function = parameter.click_decorator()(function)
            self._click = library.command(**self.settings)(function)
        return self._click

    def call(self, typed: TypedWords, values: dict[str, Any]) -> object:
        """Does the verb with these values."""
        return self.function(typed, **values) if hasattr(self.function, PASSES_REST) else self.function(**values)

    def read(self, words: Sequence[str]) -> dict[str, Any] | None:
        """Returns the values of all parameters by name, as click would; None if click must look at the words."""
        arguments = [parameter for parameter in self.parameters if parameter.what == "argument"]
        if len(arguments) != 1 or arguments[0].settings.keys() - {"nargs", "metavar"} or arguments[0].absent() != ():
            return None
        options = {word: one for one in self.parameters if one.what == "option" for word in one.words}
        given: dict[str, Any] = {}
        plain: list[str] = []
        rest = iter(words)
        for word in rest:
            if not word.startswith("-"):
                plain.append(word)
                continue
            name, equals, text = word.partition("=")
            one = options.get(name)
            if one is None or one.settings.keys() & READ_BY_CLICK or (one.name in given and not one.is_repeatable):
                return None
            if one.is_flag:
                value: object = None if equals else True
            else:
                # of `-n=5`, click reads `=5`
                text = text if equals else next(rest, "-")
                value = None if text.startswith("-") or (equals and not name.startswith("--")) else one.read(text)
            if value is None:
                return None
            given[one.name] = (*given.get(one.name, ()), value) if one.is_repeatable else value
        given[arguments[0].name] = tuple(plain)
        return {one.name: one.absent() for one in self.parameters if one.settings.get("expose_value", True)} | given


def command(**settings: Any) -> Callable[[Callable[..., Any]], Verb]:  # noqa: ANN401 - as click.command takes them
    """Declares a verb, as `click.command` does."""
    return lambda function: Verb(function, settings)


def click_library() -> Any:  # noqa: ANN401 - a module
    """Imports click."""
    import click  # takes two starts of Python, and usual calls do without it

    return click


def click_error(name: str) -> tuple[type[Any], ...]:
    """Returns click's exception of this name for an `except`; nothing if click, which would raise it, was not imported."""
    return (getattr(sys.modules["click"].exceptions, name),) if "click" in sys.modules else ()
