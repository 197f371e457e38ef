"""Doors of packages that import a module only when it is first used.

`git run` starts in a tenth of a second because a verb imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


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
