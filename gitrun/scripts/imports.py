"""The modules of the repository that a script imports, and those of them that make its parsers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from gitrun.scripts.module import parse_module
from gitrun.scripts.script import LONGEST_FILE, NEAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.tree import Tree
    from gitrun.scripts.module import Module

# the number of re-exports to follow
MAX_HOPS = 4


def find_makers(module: Module) -> tuple[str, ...]:
    """Returns the names that the module imports from modules of the repository that add options.

    `import pkg.opts` counts as the name `pkg.opts`.
    """
    whole = {
        alias.name: alias.name
        for node in module.near(b"import")
        if isinstance(node, ast.Import)
        for alias in node.names
        if "." in alias.name and not alias.asname
    }
    return tuple(name for name, full in {**module.imports, **whole}.items() if makes_parsers(module, full))


def makes_parsers(module: Module, name: str, hops: int = MAX_HOPS) -> bool:
    """Returns whether the full name belongs to a module of the repository that adds options."""
    for start, rest in split_name(name):
        for path in module_paths(module.path, start):
            source = read_if_listed(module.files, path)
            if source is None:
                continue
            if b"add_argument" in source or not hops or not rest or not path.endswith("__init__.py"):
                return b"add_argument" in source
            # a package can re-export names of its modules
            package = parse_module(source, path, module.files)
            again = package.imports.get(rest.partition(".")[0]) if package else None
            return bool(package and again and makes_parsers(package, again, hops - 1))
    return False


def find_module(module: Module, name: str, modules: dict[str, Module]) -> tuple[Module, str] | None:
    """Returns the repository's module that a full name begins with, and the rest of the name. The longest match counts.

    `modules` holds modules that are parsed already, by path; new ones are added to it. Returns None if there is no such module.
    """
    for start, rest in split_name(name):
        for path in module_paths(module.path, start):
            source = read_if_listed(module.files, path) if path not in modules else None
            module_found = modules.get(path) or (parse_module(source, path, module.files) if source else None)
            if module_found:
                modules[path] = module_found
                return module_found, rest
    return None


def split_name(name: str) -> Iterator[tuple[str, str]]:
    """Yields each way to split a full name into a module and a name inside it, the longest module first."""
    inner = name.lstrip(".")
    dots, parts = name[: len(name) - len(inner)], inner.split(".")
    for at in range(len(parts), -1 if dots else 0, -1):
        # a.b.c leads to (a.b.c, ""), (a.b, c) and (a, b.c)
        yield dots + ".".join(parts[:at]), ".".join(parts[at:])


def read_if_listed(files: Tree, path: str) -> bytes | None:
    """Returns the content of the file; None if its directory has no file of that name."""
    folder, _, name = path.rpartition("/")
    return files.read(path, LONGEST_FILE) if name in files.names(folder, NEAR) else None


def module_paths(path: str, name: str) -> list[str]:
    """Returns the paths where a module of that name can be, as seen from the module at `path`."""
    folder = path.rpartition("/")[0]
    inner = name.lstrip(".").replace(".", "/")
    dots = len(name) - len(name.lstrip("."))
    # one dot stands for the module's own package, each further dot for the one above
    for _ in range(dots - 1):
        folder = folder.rpartition("/")[0]
    if not inner:
        return [f"{folder}/__init__.py".lstrip("/")] if dots else []
    # in the src layout the packages are below src/
    folders = [folder] if dots else dict.fromkeys([*list_folders(folder), "src"])
    return [f"{folder}/{inner}{end}".lstrip("/") for folder in folders for end in (".py", "/__init__.py")]


def list_folders(folder: str) -> Iterator[str]:
    """Yields the folder and all folders above it, since imports also look beside the script."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""
