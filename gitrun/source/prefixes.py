"""Finds the prefixes of Python installations that a command may use: environments of the project and on PATH."""

from __future__ import annotations

import os
import re

from gitrun.lazy import lazy_pattern
from gitrun.process.child import find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECTS = (".venv", "venv", "env")
"""The names of virtual environments in a project."""
# #!/home/ann/.venv/bin/python, or for a long path: '''exec' /home/ann/.venv/bin/python "$0" "$@"
INSIDE = lazy_pattern(rb"(?:^#!|exec'? +\"?)(/[^\s\"']+)/bin/[^/\s\"']+")
"""The first lines of a script installed by pip, uv or poetry; the group is the prefix of its Python."""


def find_prefixes(words: list[str], environ: Mapping[str, str], directories: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the prefixes that a command may use if it starts in the first of the `directories`.

    The directories lead up to the top of the project.
    """
    prefixes = dict.fromkeys(prefixes_from_variables(environ))
    for directory in directories:
        prefixes |= dict.fromkeys(find_environments(directory))
    programs = [find_program(name, environ) for name in ("python", "python3", *words[:1])]
    for program in dict.fromkeys(filter(None, programs)):
        prefixes |= dict.fromkeys(prefixes_of_program(os.path.join(directories[0], program), environ, directories))
    if words and os.path.basename(words[0]) in {"conda", "mamba", "micromamba"}:
        prefixes |= dict.fromkeys(list_conda_environments(environ))
    return tuple(prefixes)


def prefixes_from_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yields the prefixes that environment variables name, and the user's own site."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.path.isabs(environ.get(name, "")):
            yield environ[name]
    home = environ.get("PYTHONUSERBASE") or os.path.join(environ.get("HOME", ""), ".local")
    if os.path.isabs(home):
        yield home


def find_environments(directory: str) -> Iterator[str]:
    """Yields the environments in a directory of a project."""
    for name in PROJECTS:
        if is_environment(path := os.path.join(directory, name)):
            yield path
    for name in list_names(os.path.join(directory, ".pixi", "envs")):
        yield os.path.join(directory, ".pixi", "envs", name)
    # __pypackages__/3.11/lib (PEP 582, which pdm follows)
    packages = os.path.join(directory, "__pypackages__")
    yield from (os.path.join(packages, name) for name in list_names(packages))


def is_environment(path: str) -> bool:
    """Returns whether the directory is a virtual or conda environment."""
    return os.path.isfile(os.path.join(path, "pyvenv.cfg")) or os.path.isdir(os.path.join(path, "conda-meta"))


def prefixes_of_program(program: str, environ: Mapping[str, str], directories: tuple[str, ...]) -> Iterator[str]:
    """Yields the prefixes of a Python, or of the Python in a script's first line; for a shim, of each version it may select."""
    directory = os.path.dirname(program)
    yield os.path.dirname(directory)
    if is_environment(os.path.dirname(directory)):
        return
    if os.path.islink(program):
        # the link may lead to another installation
        yield os.path.dirname(os.path.dirname(os.path.realpath(program)))
    if os.path.basename(directory) == "shims":  # pyenv, asdf, mise
        for top in ("versions", "installs/python"):
            home = os.path.join(os.path.dirname(directory), top)
            yield from (os.path.join(home, name) for name in find_pyenv_versions(home, environ, directories))
    else:
        yield from map(os.fsdecode, INSIDE.findall(read_first_bytes(program)))


def find_pyenv_versions(home: str, environ: Mapping[str, str], directories: tuple[str, ...]) -> list[str]:
    """Returns the installed versions that pyenv may select in the first of the directories; all if no file names one."""
    files = (
        *(os.path.join(directory, ".python-version") for directory in directories),
        os.path.join(os.path.dirname(home), "version"),
    )
    # pyenv's order: PYENV_VERSION, .python-version here and above, the global version
    setting = environ.get("PYENV_VERSION") or next(
        filter(None, (read_first_bytes(file).decode(errors="replace") for file in files)), ""
    )
    there = list_names(home)
    # PYENV_VERSION=3.12.1:3.11.7, and a file with one version a line; 3.12 stands for any 3.12.x
    versions = setting.replace(":", " ").split()
    return [name for name in there if any(name == one or name.startswith(f"{one}.") for one in versions)] or there


def list_conda_environments(environ: Mapping[str, str]) -> Iterator[str]:
    """Yields the environments in conda's own list of them."""
    # one prefix a line: /home/ann/miniconda3/envs/x
    lines = read_first_bytes(os.path.join(environ.get("HOME", ""), ".conda", "environments.txt"), 1 << 16).splitlines()
    yield from (os.fsdecode(line) for line in lines if line.startswith(b"/"))


def site_directories(prefix: str) -> Iterator[str]:
    """Yields the package directories of an environment, and of the Python whose packages it includes."""
    for lib in ("lib", "lib64", "local/lib"):
        above = os.path.join(prefix, lib)
        # often a link to lib, whose packages would appear twice
        if lib == "lib64" and os.path.islink(above):
            continue
        # PEP 582 puts packages directly into lib
        if os.path.basename(os.path.dirname(prefix)) == "__pypackages__":
            yield above
        for name in list_names(above):
            if name.startswith(("python", "pypy", "graalpy")):
                yield os.path.join(above, name, "site-packages")
                if prefix.startswith("/usr"):  # Debian's own name for it
                    yield os.path.join(above, name, "dist-packages")
    config = read_first_bytes(os.path.join(prefix, "pyvenv.cfg"), 4096).decode(errors="replace")
    lines = [line.lower().partition("=") for line in config.split("\n")]
    if any(name.strip() == "include-system-site-packages" and value.strip() == "true" for name, _, value in lines):
        # home = /usr/bin
        home = re.search(r"(?m)^home\s*=\s*(/.*?)/bin\s*$", config)
        yield from site_directories(home[1]) if home and home[1] != prefix else ()


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory; an empty list if it cannot be read."""
    try:
        return os.listdir(directory)
    except OSError:
        return []


def read_first_bytes(file: str, most: int = 512) -> bytes:
    """Returns the first bytes of a file; empty if it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return stream.read(most)
    except OSError:
        return b""
