"""Doors of packages that import a module only when it is first used, and modules and patterns that are made so late.

`git run` starts in a tenth of a second because a verb imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing for its constant takes longer than a prompt may wait
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, AnyStr
    from typing import Protocol as Protocol
else:
    Protocol = object
    """What values have in common is for checkers of types. A plain class costs no import of typing."""


def lazy_modules(package: str) -> Callable[[str], ModuleType]:
    """Returns the `__getattr__` of a package: `store.trash` imports `gitrun.store.trash`. Raises AttributeError."""

    def load(name: str) -> ModuleType:
        try:
            return import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from error

    return load


class LateModule:
    """A module of the standard library that is imported when something of it is first used, which a start may not do."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        value: object = getattr(import_module(self._name), name)
        setattr(self, name, value)  # the next look finds it without this function
        return value


if TYPE_CHECKING:
    # ruff: noqa: PLC0414 - these names are for others
    import array as array
    import difflib as difflib
    import glob as glob
    import hashlib as hashlib
    import heapq as heapq
    import importlib.util
    import numbers as numbers
    import re as re
    import shlex as shlex
    import shutil as shutil
    import termios as termios
    import threading as threading
    import unicodedata as unicodedata

    importlib_util = importlib.util
else:
    difflib, glob, importlib_util, shutil, threading = map(
        LateModule, ("difflib", "glob", "importlib.util", "shutil", "threading")
    )
    # loads OpenSSL, 3 to 5 ms that most verbs do not need
    hashlib = LateModule("hashlib")
    array, heapq, numbers, re, shlex = map(LateModule, ("array", "heapq", "numbers", "re", "shlex"))
    termios, unicodedata = map(LateModule, ("termios", "unicodedata"))


class LazyPattern:
    """A regular expression that is compiled when it is first used: a start compiles those that it needs, not all."""

    def __init__(self, text: Any, flags: int) -> None:  # noqa: ANN401 - str or bytes
        self._source = text, flags

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        value: object = getattr(re.compile(*self._source), name)
        # the next use of the same method finds it without this function
        setattr(self, name, value)
        return value


def lazy_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Returns what `re.compile` returns, but compiles it at its first use."""
    lazy: Any = LazyPattern(text, flags)
    return lazy  # type: ignore[no-any-return] # it has the methods of a pattern
