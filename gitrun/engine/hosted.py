"""The Python script that the words of a command start, such as `python t.py` or `torchrun --nproc-per-node 2 t.py`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.git.objects import EXECUTABLE, FILE, entry_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.objects import Objects

PYTHON_NAME = re.compile(r"(python|pypy|ipython)[0-9.]*t?")
STARTERS = frozenset({"torchrun", "deepspeed", "horovodrun", "kernprof", "ipython"})
"""Programs whose first word that names a Python file is the script that they run."""
SECOND = {"accelerate": "launch", "coverage": "run", "uv": "run"}
"""Programs that do so behind a word of their own."""
WRAPPERS = frozenset({
    "accelerate", "conda", "coverage", "env", "hatch", "mamba", "micromamba", "mpiexec", "mpirun", "nice", "nohup", "numactl",
    "pdm", "pipenv", "pixi", "poetry", "rye", "srun", "stdbuf", "taskset", "time", "timeout", "uv", "xvfb-run",
})  # fmt: skip
"""Programs that run the command that stands among their words."""
HOSTS = frozenset({
    "torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch", "coverage", "cProfile", "profile",
    "pdb", "trace", "tracemalloc", "debugpy", "kernprof", "line_profiler", "memory_profiler", "scalene", "IPython",
})  # fmt: skip
"""Modules that run the script that is named behind them."""
VALUED = frozenset({"-W", "-X"})
"""Options of Python that take the next word."""
READ_BY = {"make": ("GNUmakefile", "makefile", "Makefile"), "gmake": ("GNUmakefile", "makefile", "Makefile"),
           "just": ("justfile", "Justfile"), "ninja": ("build.ninja",)}  # fmt: skip
"""Files that programs read without being told."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A Python script among the words: the place of the word that names it, its path below the top, and whether as a module."""

    place: int
    path: str
    is_module: bool = False
    host: str = ""


def hosted_by(objects: Objects, tree: str, words: Sequence[str], cwd: str) -> Hosted | None:
    """The Python script of the tree that the words start; None if they start none, or it is not known which."""
    place = start_of(words)
    if place is None or place >= len(words):
        return None
    if place and words[place - 1] == "-m":
        paths = module_paths(words[place], cwd)
        found = next((path for path in paths if is_there(objects, tree, path)), None)
        return Hosted(place, found, is_module=True, host=words[0]) if found else None
    path = os.path.normpath(os.path.join(cwd, words[place]))
    is_script = words[place].endswith(".py") and not os.path.isabs(words[place]) and is_there(objects, tree, path)
    return Hosted(place, path, host=words[0]) if is_script else None


def start_of(words: Sequence[str]) -> int | None:
    """Where the word stands that names a script or, behind `-m`, a module; None if the words run no Python."""
    if words and words[0].endswith(".py"):
        return 0
    name = os.path.basename(words[0]) if words else ""
    python = next((at for at, word in enumerate(words) if PYTHON_NAME.fullmatch(os.path.basename(word))), None)
    if python is not None and (python == 0 or name in WRAPPERS):
        return behind_python(words, python + 1)
    if name in STARTERS or (name in SECOND and SECOND[name] in words[1:]):
        first = words.index(SECOND[name], 1) + 1 if name in SECOND else 1
        return first_script(words, first)
    return None


def behind_python(words: Sequence[str], at: int) -> int | None:
    """The place of the script or module that a Python interpreter is given from `at` on."""
    while at < len(words):
        word = words[at]
        if word == "-m":
            is_host = at + 1 < len(words) and words[at + 1] in HOSTS
            return first_script(words, at + 2) if is_host else at + 1
        if word in {"-c", "-"}:
            return None
        if not word.startswith("-"):
            return at
        at += 2 if word in VALUED else 1
    return None


def first_script(words: Sequence[str], first: int) -> int | None:
    """The place of the first word that names a Python file, with only options and their values before it."""
    before_is_option = False
    for at in range(first, len(words)):
        if words[at].endswith(".py"):
            return at
        is_option = words[at].startswith("-")
        if not is_option and not before_is_option:
            return None
        before_is_option = is_option
    return None


def module_paths(name: str, cwd: str) -> list[str]:
    """Where the source of a module may lie."""
    inner = name.replace(".", "/")
    tops = dict.fromkeys((cwd, "", os.path.join(cwd, "src"), "src"))
    ends = (f"{inner}.py", f"{inner}/__main__.py")
    return [os.path.normpath(os.path.join(top, end)) for top in tops for end in ends]


def is_there(objects: Objects, tree: str, path: str) -> bool:
    """Whether the tree has a file at the path."""
    return bool(blob_at(objects, tree, path))


def blob_at(objects: Objects, tree: str, path: str) -> str:
    """The id of the file at the path of the tree; empty if there is none."""
    if os.path.isabs(path) or path.startswith("../"):
        return ""
    entry = entry_at(objects, tree, os.fsencode(path))
    return entry.id if entry is not None and entry.mode in {FILE, EXECUTABLE} else ""


def files_named(objects: Objects, tree: str, words: Sequence[str], cwd: str) -> list[bytes]:
    """The contents of the files of the tree that the words name, or that their program reads without being told."""
    names = [*words, *(READ_BY.get(os.path.basename(words[0]), ()) if words else ())]
    paths = (os.path.normpath(os.path.join(cwd, word)) for word in names if word and not word.startswith("-"))
    blobs = filter(None, (blob_at(objects, tree, path) for path in dict.fromkeys(paths)))
    return [one.data for one in objects.read_many(list(blobs)) if one is not None and one.data is not None]
