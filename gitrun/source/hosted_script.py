"""The Python script that a command starts, such as `python t.py` or `torchrun --nproc-per-node 2 t.py`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.lazy import lazy_pattern
from gitrun.model.tree import is_regular_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.tree import Tree
    from gitrun.scripts.discover import Script

# python, python3.12, python3.13t (free-threaded), pypy3, ipython
PYTHON_NAME = lazy_pattern(r"(python|pypy|ipython)[0-9.]*t?")
STARTERS = frozenset({"torchrun", "deepspeed", "horovodrun", "kernprof", "ipython"})
"""Programs that run the first Python file among their arguments."""
SECOND = {"accelerate": "launch", "coverage": "run", "uv": "run"}
"""Programs that do so after a subcommand."""
WRAPPERS = frozenset({
    "accelerate", "conda", "coverage", "env", "hatch", "mamba", "micromamba", "mpiexec", "mpirun", "nice", "nohup", "numactl",
    "pdm", "pipenv", "pixi", "poetry", "rye", "srun", "stdbuf", "taskset", "time", "timeout", "uv", "xvfb-run",
})  # fmt: skip
"""Programs that run the command in their arguments."""
HOSTS = frozenset({
    "torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch", "coverage", "cProfile", "profile",
    "pdb", "trace", "tracemalloc", "debugpy", "kernprof", "line_profiler", "memory_profiler", "scalene", "IPython",
})  # fmt: skip
"""Modules that run the script named after them."""
VALUED = frozenset({"-W", "-X"})
"""Options of Python that take the next argument as their value."""
READ_BY = {"make": ("GNUmakefile", "makefile", "Makefile"), "gmake": ("GNUmakefile", "makefile", "Makefile"),
           "just": ("justfile", "Justfile"), "ninja": ("build.ninja",)}  # fmt: skip
"""Files that programs read by default."""
LONGEST_NAMED = 1 << 21
"""Bytes of a file among the words of a command above which it is not searched."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A Python script among the words of a command.

    `position` is the index of the word that names it, `path` is relative to the top, `host` is the first word of the
    command.
    """

    position: int
    path: str
    is_module: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """The Python script among the words of a command, with its source and its flags.

    `read_elsewhere` are undeclared flags whose environment variable is read in the script or another file of the tree.
    """

    at: Hosted
    script: Script
    source: bytes
    read_elsewhere: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        """Returns whether the script declares the flag."""
        return any(flag.name.replace("-", "_") == name.replace("-", "_") for flag in self.script.flags)

    def has_in_file(self, name: str) -> bool:
        """Returns whether the flag is a value of a file that the script loads."""
        return any(flag.file and flag.name == name for flag in self.script.flags)


def find_hosted(tree: Tree, words: Sequence[str], cwd: str) -> Hosted | None:
    """Returns the Python script of the tree that the words start; None if there is none or it is not certain."""
    start = find_start(words)
    if start is None or start >= len(words):
        return None
    if start and words[start - 1] == "-m":
        paths = module_paths(words[start], cwd)
        module_path = next((path for path in paths if is_tree_file(tree, path)), None)
        return Hosted(start, module_path, is_module=True, host=words[0]) if module_path else None
    path = os.path.normpath(os.path.join(cwd, words[start]))
    is_script = words[start].endswith(".py") and not os.path.isabs(words[start]) and is_tree_file(tree, path)
    return Hosted(start, path, host=words[0]) if is_script else None


def find_start(words: Sequence[str]) -> int | None:
    """Returns the index of the word that names a script or, after `-m`, a module; None if the words run no Python."""
    if words and words[0].endswith(".py"):
        return 0
    name = os.path.basename(words[0]) if words else ""
    # the first Python counts: what follows it are its own arguments
    python = next((at for at, word in enumerate(words) if PYTHON_NAME.fullmatch(os.path.basename(word))), None)
    if python is not None and (python == 0 or name in WRAPPERS):
        return skip_python_options(words, python + 1)
    if name in STARTERS or (name in SECOND and SECOND[name] in words[1:]):
        # accelerate launch --num_processes 2 t.py
        first = words.index(SECOND[name], 1) + 1 if name in SECOND else 1
        return find_first_script(words, first)
    return None


def skip_python_options(words: Sequence[str], at: int) -> int | None:
    """Returns the index of the script or module among the arguments of Python, which start at `at`."""
    while at < len(words):
        word = words[at]
        if word == "-m":
            # python -m torch.distributed.run --nproc-per-node 2 t.py
            is_host = at + 1 < len(words) and words[at + 1] in HOSTS
            return find_first_script(words, at + 2) if is_host else at + 1
        # code from the command line or stdin is not a script of the tree
        if word in {"-c", "-"}:
            return None
        if not word.startswith("-"):
            return at
        # `-W error` takes the next word, `-Werror` does not
        at += 2 if word in VALUED else 1
    return None


def find_first_script(words: Sequence[str], first: int) -> int | None:
    """Returns the index of the first Python file. Only options and their values may precede it; else None."""
    before_is_option = False
    for at in range(first, len(words)):
        if words[at].endswith(".py"):
            return at
        is_option = words[at].startswith("-")
        # a word after an option may be its value; any other word is a program
        if not is_option and not before_is_option:
            return None
        before_is_option = is_option
    return None


def module_paths(name: str, cwd: str) -> list[str]:
    """Returns the paths at which the source of a module may be: `cwd`, the top, and `src` below each."""
    inner = name.replace(".", "/")
    # src layout: the package is imported from src once it is installed
    tops = dict.fromkeys((cwd, "", os.path.join(cwd, "src"), "src"))
    # `python -m` runs a package through its __main__.py
    ends = (f"{inner}.py", f"{inner}/__main__.py")
    return [os.path.normpath(os.path.join(top, end)) for top in tops for end in ends]


def is_tree_file(tree: Tree, path: str) -> bool:
    """Returns whether the tree has a file at the path, which may lead out of the repository."""
    return not os.path.isabs(path) and not path.startswith("../") and is_regular_file(tree, path)


def read_named_files(tree: Tree, words: Sequence[str], cwd: str) -> list[bytes]:
    """Returns the contents of the tree's files that the words name or that their program reads by default."""
    names = [*words, *(READ_BY.get(os.path.basename(words[0]), ()) if words else ())]
    paths = (os.path.normpath(os.path.join(cwd, word)) for word in names if word and not word.startswith("-"))
    contents = (tree.read(path, LONGEST_NAMED) for path in dict.fromkeys(paths) if is_tree_file(tree, path))
    return [content for content in contents if content is not None]
