"""The user's Python: finds it and asks it about itself."""

from __future__ import annotations

import _thread
import json
import os
from contextlib import suppress

from gitrun.dataclass import asdict, dataclass
from gitrun.errors import NoInterpreter
from gitrun.lazy import lazy_pattern
from gitrun.process.child import find_program
from gitrun.process.run import capture_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

# sys.path has what .pth files add; MAPPING of setuptools' finders has editable packages (a.b -> /src/a/b).
QUESTION = """
import sys, json, platform
paths = [p for p in sys.path if p]
for name, module in list(sys.modules.items()):
    if name.startswith("__editable__"):
        paths += [p.rsplit("/", k.count(".") + 1)[0] for k, p in getattr(module, "MAPPING", {}).items()]
print("\\ngitrun", json.dumps([sys.executable, platform.python_version(), sys.implementation.name, paths]))
"""
SLOT = lazy_pattern(r"/gitrun/slots/\d+/tree(?P<inner>/.*)")
"""A path in a slot. `inner` begins with the name of the working tree or of a directory above it."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: the program to start, its executable, version, implementation, and its import directories."""

    program: str
    executable: str
    version: str
    implementation: str
    paths: tuple[str, ...]


def find_python(command: str, environ: Mapping[str, str], directory: Path) -> str:
    """Returns the path of the user's Python: the setting, `$VIRTUAL_ENV`, or PATH, in this order. Raises CannotRun."""
    if command:
        path = os.path.expanduser(command)
        program = str(directory / path) if "/" in path else find_program(path, environ)
        if program and os.access(program, os.X_OK):
            return program
        raise NoInterpreter(
            f"setting gitrun.python names no program: '{command}'", "To name one: git config gitrun.python /path/of/python"
        )
    home = environ.get("VIRTUAL_ENV")
    if home and os.access(f"{home}/bin/python", os.X_OK):
        return f"{home}/bin/python"
    # an active environment has `python`; Debian and macOS have only `python3`
    for name in ("python", "python3"):
        if program := find_program(name, environ):
            return program
    raise NoInterpreter("no python on PATH", "To name one: git config gitrun.python /path/of/python")


def describe_python(path: str, environ: Mapping[str, str], state: Path) -> Interpreter:
    """Returns how the Python at `path` describes itself.

    The answer is cached until the program or an import directory changes. Raises CannotRun.
    """
    cache = state / "interpreters.json"
    # PYTHONPATH is not installed code; `make_python_path` handles it separately
    environ = {key: value for key, value in environ.items() if key != "PYTHONPATH"}
    cached = read_cache(cache)
    entry = cached.get(path)
    with suppress(AttributeError, KeyError, TypeError):  # a damaged cache is as good as none
        if entry and entry.get("stamp") == fingerprint_python(path, entry.get("paths", ()), environ):
            return Interpreter(path, entry["executable"], entry["version"], entry["implementation"], tuple(entry["paths"]))
    description = parse_description(path, capture_output((path, "-c", QUESTION), environ, state))
    # a shim such as pyenv's can start another Python next time
    if not is_shim(path):
        write_cache(
            cache, cached | {path: asdict(description) | {"stamp": fingerprint_python(path, description.paths, environ)}}
        )
    return description


def parse_description(path: str, output: bytes) -> Interpreter:
    """Parses the answer to QUESTION, which is one line among other output of a Python. Raises CannotRun."""
    # sitecustomize and .pth files may print lines of their own
    line = next((line for line in output.splitlines() if line.startswith(b"gitrun ")), b"")
    try:
        executable, version, implementation, paths = json.loads(line.removeprefix(b"gitrun "))
        return Interpreter(path, executable, version, implementation, tuple(paths))
    except (ValueError, TypeError) as error:
        hint = "To name one: git config gitrun.python /path/of/python"
        raise NoInterpreter(f"'{path}' does not answer like Python", hint) from error


def read_cache(cache: Path) -> dict[str, Any]:
    """Returns the cached answers; empty if the cache is missing or damaged."""
    try:
        answers = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}


def write_cache(cache: Path, answers: dict[str, Any]) -> None:
    """Replaces the cache atomically, if the file system lets us: without it, the next start only takes longer."""
    # threads and processes may write at the same time
    fresh = cache.with_suffix(f".{os.getpid()}.{_thread.get_ident()}")
    try:
        fresh.write_text(json.dumps(answers))
        fresh.replace(cache)
    except OSError:
        with suppress(OSError):
            fresh.unlink()


def is_shim(path: str) -> bool:
    """Returns whether the file is a script that chooses a Python at each call, or cannot be read."""
    try:
        with open(path, "rb") as file:
            # pyenv's shims begin with #!/usr/bin/env bash
            return file.read(2) == b"#!"
    except OSError:
        return True


def fingerprint_python(path: str, paths: object, environ: Mapping[str, str]) -> list[object]:
    """Returns a fingerprint of an answer: modification times of the program and its import directories, PYTHON* variables."""
    # python of a virtual environment is a link, whose target can be upgraded
    watched = [path, os.path.realpath(path), *(paths if isinstance(paths, list | tuple) else ())]
    # PYTHONHOME, PYTHONUSERBASE and PYTHONNOUSERSITE change sys.path
    shaped = sorted(f"{key}={value}" for key, value in environ.items() if key.startswith("PYTHON"))
    return [[get_mtime(path) for path in watched], shaped]


def get_mtime(path: str) -> int:
    """Returns the modification time of a path in nanoseconds; 0 if it is missing."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def make_python_path(installed: Iterable[str], python_path: str, top: Path, slot: Path) -> str:
    """Returns PYTHONPATH for a program in `slot`, with paths into the working tree replaced by paths into the slot.

    `python_path` is the user's PYTHONPATH. It precedes the installed paths, as it does in the working tree.
    """
    moved = [
        slot_path for path in installed if (slot_path := map_to_slot(path, top, slot)) and not is_environment(slot_path, slot)
    ]
    given_paths = python_path.split(os.pathsep) if python_path else []
    return os.pathsep.join(dict.fromkeys([*(map_to_slot(path, top, slot) or path for path in given_paths), *moved]))


def map_to_slot(path: str, top: Path, slot: Path) -> str | None:
    """Returns the place in the slot for a path in the working tree, by any spelling, or in any slot; else None."""
    if not os.path.isabs(path):
        return None
    # an environment can name the worktree through a link
    real, whole = os.path.realpath(path), os.path.realpath(top)
    if "/gitrun/slots/" in real and (match := SLOT.search(real)):
        inner = (match["inner"] + "/").removeprefix(f"/{top.parent.name}/{top.name}/").removeprefix(f"/{top.name}/")
        return os.path.normpath(slot / inner.strip("/"))
    # as text, /home/ann/x-old begins with /home/ann/x too
    if os.path.commonpath([real, whole]) != whole:
        return None
    return os.path.normpath(slot / os.path.relpath(real, whole))


def is_environment(path: str, slot: Path) -> bool:
    """Returns whether a directory belongs to an environment inside the repository."""
    inner = path.removeprefix(str(slot))
    return "site-packages" in inner or "dist-packages" in inner or f"{os.sep}lib{os.sep}python" in inner
