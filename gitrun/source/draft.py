"""A draft of gitrun.toml: operations that another tool's file describes, and what of them has no equal here."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, field
from gitrun.errors import UsageError
from gitrun.source.config_files import load_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.tree import Tree

LARGEST = 1 << 20
"""The most bytes of a file that is read."""
FILES = ("dvc.yaml", "guild.yml", "guild.yaml", "MLproject", "GNUmakefile", "makefile", "Makefile")
"""Files at the top of which operations can be made; the first one present counts. `new_project_file.readers` reads them."""
PYTHONS = ("python", "python3")
# what only a shell understands; `FOO=1 train.py` too
OF_A_SHELL = re.compile(r"[|&;<>()$`\\*?#~\n!]|^\s*[A-Za-z_]\w*=")


@dataclass(frozen=True, slots=True)
class Draft:
    """Operations as tables of gitrun.toml, by name, and what of `file` has no equal there, a sentence each."""

    file: str
    operations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    losses: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    """Files of other tools that were not read because `file` was."""


def draft_command(text: str, directory: str = "") -> dict[str, Any]:
    """Returns the key of gitrun.toml that runs a command line: `script`, or `command` with the words, by `sh` if need be.

    `directory` is where it runs, below the top; empty for the top.
    """
    if directory:
        text = f"cd {shlex.quote(directory)} && {text}"
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or OF_A_SHELL.search(text):
        return {"command": ["sh", "-c", text.strip()]}
    if len(words) == 2 and words[0] in PYTHONS and words[1].endswith(".py"):
        return {"script": words[1]}
    return {"command": words}


def as_list(value: object) -> list[Any]:
    """Returns a list as it is, nothing as an empty one, and anything else as a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def load_yaml(tree: Tree, path: str) -> dict[str, Any]:
    """Returns a YAML file of at most 1 MiB, whatever its name ends with. Raises UsageError."""
    data = tree.read(path, LARGEST)
    if data is None:
        raise UsageError(f"cannot read {path}", "gitrun reads files up to 1 MiB")
    # MLproject has no ending
    name = path if path.endswith((".yaml", ".yml")) else f"{path}.yaml"
    return load_tables(data, name) if data.strip() else {}


def read_ignored(git: Git, tree: Tree, paths: Sequence[str]) -> set[str]:
    """Returns those of the paths that exist and that git would not record."""
    there = [path for path in dict.fromkeys(paths) if tree.mode(path) is not None]
    if not there:
        return set()
    listed = git.run("ls-files", "-zco", "--exclude-standard", "--", *there)
    recorded = [os.fsdecode(path) for path in listed.split(b"\0")[:-1]]
    return {path for path in there if not any(f"{one}/".startswith(f"{path}/") for one in recorded)}
