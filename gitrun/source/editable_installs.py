"""Editable installs: code that site-packages directories import from elsewhere.

Five forms are known. A path in a .pth file (uv, poetry, hatchling, flit, setuptools with a `src` layout). An egg-link of old
setuptools. A link in site-packages (flit). A finder that maps packages to directories (setuptools). A redirector (`editables`:
hatchling, pdm). None of their code is executed.
"""

from __future__ import annotations

import os
import re

from gitrun.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST = 1 << 20
"""Bytes of a file that are read."""
# in a .pth file: import __editable___x_1_0_finder; __editable___x_1_0_finder.install()
LOADED = r"\bimport\s+([A-Za-z_][\w.]*)"
# in a module of `editables`: F.map_module('x', '/home/ann/x/src/x/__init__.py')
REDIRECTED = r"\bmap_module\(\s*(['\"])([\w.]+)\1\s*,\s*(['\"])(.+?)\3\s*\)"
# in a finder of setuptools: MAPPING: dict[str, str] = {'x': '/home/ann/x/src/x'}
MAPPED = r"(?m)^(MAPPING|NAMESPACES)(?::[^=\n]*)?\s*=\s*(\{.*\})\s*$"
FILES = (".pth", ".egg-link")
ENDINGS = ("/__init__.py", ".py")


@dataclass(frozen=True, slots=True)
class Installs:
    """Code that is imported from below a directory: whole directories, modules by path, and files not understood.

    All paths are absolute, spelled as in the files.
    """

    roots: tuple[str, ...] = ()
    modules: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()


def find_installs(sites: Iterable[str], directories: tuple[str, ...]) -> Installs:
    """Returns the editable installs in these site-packages directories that point to or below one of `directories`."""
    roots: list[str] = []
    modules: list[tuple[str, str]] = []
    unread: list[str] = []
    for site in sites:
        for kind, name, path in read_installs(site, directories):
            if kind == "unread":
                unread.append(path)
            elif not name:
                roots.append(path)
            elif root := find_import_root(name, path):
                roots.append(root)
            else:
                modules.append((name, path))
    return Installs(tuple(dict.fromkeys(roots)), tuple(dict.fromkeys(modules)), tuple(dict.fromkeys(unread)))


def read_installs(site: str, directories: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yields (kind, module, path) of each editable install in a directory.

    `kind` is "" or "unread". An empty `module` stands for everything in the directory `path`.
    """
    try:
        with os.scandir(site) as entries:
            install_files = [entry for entry in entries if entry.name.endswith(FILES) or entry.is_symlink()]
    except OSError:
        return
    # site.py reads .pth files in the order of their names
    for entry in sorted(install_files, key=lambda entry: entry.name):
        if entry.name.endswith(".pth"):
            yield from read_path_file(site, entry.path, directories)
        # the first line is the directory to import from, the second leads from there to setup.py
        elif entry.name.endswith(".egg-link"):
            yield from (
                ("", "", path) for path in read_source(entry.path).splitlines()[:1] if is_at_or_below(path, directories)
            )
        elif entry.is_symlink() and is_at_or_below(target := os.readlink(entry.path), directories):
            name, ending = os.path.splitext(entry.name)
            yield "", name if ending in {"", ".py"} else entry.name, target


def read_path_file(site: str, file: str, directories: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yields the entries of a .pth file: its paths, and the mappings of modules that it imports."""
    for line in read_source(file).splitlines():
        if line.startswith(("import ", "import\t")):
            for module in re.findall(LOADED, line):
                # `import __editable___x_finder; ...`: site.py executes such lines, here they are only read
                loader = os.path.join(site, *module.split(".")) + ".py"
                yield from read_loader(loader, read_source(loader), directories)
        elif line.strip() and not line.startswith("#"):
            path = os.path.normpath(os.path.join(site, line.rstrip()))
            if is_at_or_below(path, directories):
                # a tree of links to the files of the project (setuptools, editable_mode=strict)
                yield "unread" if "/__editable__." in path else "", "", path


def read_loader(file: str, text: str, directories: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yields the mappings in a module that a .pth file imports. If it has none of a known form, yields it as unread."""
    # a loader that does not mention the project maps other code
    if not any(directory in text for directory in directories):
        return
    redirected = [(name, path) for _, name, _, path in re.findall(REDIRECTED, text)]
    for _, table in re.findall(MAPPED, text):
        redirected += read_mapping(table)
    if not redirected:
        yield "unread", "", file
    yield from (("", name, path) for name, path in redirected if is_at_or_below(path, directories))


def read_mapping(table: str) -> list[tuple[str, str]]:
    """Returns (module, path) pairs of a dict literal as setuptools writes it; empty if it is no such literal."""
    from ast import literal_eval  # takes 2 ms, and few installations have such a table

    try:
        # parsed, never executed
        value = literal_eval(table)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    pairs = ((name, path if isinstance(path, list) else [path]) for name, path in value.items())
    return [(name, path) for name, paths in pairs for path in paths if isinstance(name, str) and isinstance(path, str)]


def find_import_root(module: str, path: str) -> str:
    """Returns the directory from which the module at `path` is imported under its own name; empty if there is none."""
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    inner = "/" + module.replace(".", "/")
    # a.b at /src/a/b.py is imported from /src
    return path.removesuffix(inner) if path.endswith(inner) else ""


def is_at_or_below(path: str, directories: tuple[str, ...]) -> bool:
    """Returns whether a path is, as text, one of the places or below one."""
    return any(path == directory or path.startswith(directory + "/") for directory in directories)


def read_source(file: str) -> str:
    """Returns the text of a file; empty if it cannot be read."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read(LARGEST)
    except OSError:
        return ""
