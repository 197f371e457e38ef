"""The modules of the repository that a script imports, and which of them make its parsers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.model.frontends.module import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.frontends.module import Module
    from gitrun.model.frontends.script import Files

MOST_HOPS = 4


def makers_of(module: Module) -> tuple[str, ...]:
    """The names that the module imports from modules of the repository that have options; `pkg.opts` of `import pkg.opts`."""
    whole = {
        alias.name: alias.name
        for node in module.near(b"import")
        if isinstance(node, ast.Import)
        for alias in node.names
        if "." in alias.name and not alias.asname
    }
    return tuple(name for name, full in {**module.imports, **whole}.items() if makes_parsers(module, full))


def makes_parsers(module: Module, name: str, hops: int = MOST_HOPS) -> bool:
    """Whether what has that full name lies in a module of the repository that has options."""
    for start, rest in splits(name):
        for path in paths_of(module.path, start):
            source = read_near(module.files, path)
            if source is None:
                continue
            if b"add_argument" in source or not hops or not rest or not path.endswith("__init__.py"):
                return b"add_argument" in source
            # a package hands on what its modules have
            package = parse(source, path, module.files)
            again = package.imports.get(rest.partition(".")[0]) if package else None
            return bool(package and again and makes_parsers(package, again, hops - 1))
    return False


def module_of(module: Module, name: str, known: dict[str, Module]) -> tuple[Module, str] | None:
    """The module of the repository that a full name begins with, the longest there is, and the rest of the name.

    `known` are those that are parsed already, by their paths; it is added to them.
    """
    for start, rest in splits(name):
        for path in paths_of(module.path, start):
            source = read_near(module.files, path) if path not in known else None
            found = known.get(path) or (parse(source, path, module.files) if source else None)
            if found:
                known[path] = found
                return found, rest
    return None


def splits(name: str) -> Iterator[tuple[str, str]]:
    """Where a full name can be parted into a module and what is in it, the longest module first."""
    inner = name.lstrip(".")
    dots, parts = name[: len(name) - len(inner)], inner.split(".")
    for at in range(len(parts), -1 if dots else 0, -1):
        yield dots + ".".join(parts[:at]), ".".join(parts[at:])


def read_near(files: Files, path: str) -> bytes | None:
    """The file, if its directory has one of its name."""
    folder, _, name = path.rpartition("/")
    return files.read(path) if name in files.names(folder) else None


def paths_of(path: str, name: str) -> list[str]:
    """Where a module of that name can lie, as seen from the module at `path`."""
    folder = path.rpartition("/")[0]
    inner = name.lstrip(".").replace(".", "/")
    dots = len(name) - len(name.lstrip("."))
    for _ in range(dots - 1):
        folder = folder.rpartition("/")[0]
    if not inner:
        return [f"{folder}/__init__.py".lstrip("/")] if dots else []
    folders = [folder] if dots else dict.fromkeys([*above(folder), "src"])
    return [f"{place}/{inner}{end}".lstrip("/") for place in folders for end in (".py", "/__init__.py")]


def above(folder: str) -> Iterator[str]:
    """The folder and all above it: a module that is imported sees what lies beside the script."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""
