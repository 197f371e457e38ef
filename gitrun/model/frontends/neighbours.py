"""The modules of the repository that a script imports, and what of them makes its parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.frontends.module import parse
from gitrun.model.frontends.script import NoFiles

if TYPE_CHECKING:
    from gitrun.model.frontends.module import Function, Module
    from gitrun.model.frontends.script import Files


def makers_of(module: Module) -> tuple[str, ...]:
    """The names that the module imports from modules of the repository that have options."""
    found = []
    for name, full in module.imports.items():
        paths = (path for start in (full, full.rpartition(".")[0]) for path in paths_of(module.path, start))
        if any(b"add_argument" in (read_near(module.files, path) or b"") for path in paths):
            found.append(name)
    return tuple(found)


def read_near(files: Files, path: str) -> bytes | None:
    """The file, if its directory has one of its name."""
    folder, _, name = path.rpartition("/")
    return files.read(path) if name in files.names(folder) else None


def imported_function(module: Module, name: str) -> tuple[Module, Function] | None:
    """The function of that full name, if its module lies in the repository."""
    start, _, function = name.rpartition(".")
    for path in paths_of(module.path, start):
        source = read_near(module.files, path)
        # that module's own imports are not followed
        found = parse(source, path, NoFiles()) if source else None
        if found and function in found.functions:
            return found, found.functions[function]
    return None


def paths_of(path: str, name: str) -> list[str]:
    """Where a module of that name can lie, as seen from the script at `path`."""
    folder = path.rpartition("/")[0]
    dots = len(name) - len(name.lstrip("."))
    inner = name.lstrip(".").replace(".", "/")
    if not inner:
        return []
    for _ in range(dots - 1):
        folder = folder.rpartition("/")[0]
    folders = [folder] if dots else dict.fromkeys([folder, "", "src"])
    return [f"{place}/{inner}{end}".lstrip("/") for place in folders for end in (".py", "/__init__.py")]
