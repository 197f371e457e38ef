"""Lists what can be run in the working tree: operations and scripts with their flags. Executes nothing."""

from __future__ import annotations

import os
import re
import stat
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from gitrun import model
from gitrun.errors import CannotRun, GitrunError, UnknownOperation, UsageError
from gitrun.git.objects import EXECUTABLE, FILE, LINK, TREE, Entry, Object
from gitrun.model.entry import Definition
from gitrun.model.plan import GITRUN, PYPROJECT
from gitrun.model.run import INTERPRETERS, NOTEBOOK, SCRIPT
from gitrun.model.text import is_text
from gitrun.source.operations import (
    AS_MODULE,
    PYTHON,
    Operation,
    below_top,
    declared_by,
    entry_operation,
    mode_of,
    module_operation,
    step_operation,
)
from gitrun.source.project_file import read_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.flags import Flag
    from gitrun.scripts.discover import Command
    from gitrun.source.operations import Declared


FEW = 3
NEAR = 0.75
"""Similarity of two names, from 0 to 1, above which one is taken for a typo of the other."""
SCRIPTS = frozenset({".py", ".ipynb", *INTERPRETERS})

MOST = 200
"""The most scripts that are listed."""
LONGEST = 1 << 20
"""The most bytes of a script that are searched."""
MAIN = re.compile(rb"^if __name__ *== *[\"']__main__[\"']", re.MULTILINE)
ACTION = re.compile(rb"^(?:[A-Za-z_][\w.]*\(|(?:if|for|while|with) |try:)", re.MULTILINE)
"""A line at the top level of a module that does something."""
NO_FOLDERS = ("tests", "test", "site-packages", "node_modules")
NO_PROGRAMS = ("setup.py", "conftest.py", "__init__.py", "noxfile.py")


@dataclass(frozen=True, slots=True)
class Offer:
    """An operation that can be run. `flags` are None if it takes any flag, or if the program must be asked for them (`asks`).

    `commands` are sub-commands with flags of their own. `error` says why it cannot run, `note` is a remark on its flags,
    `frontend` names the parser of its arguments.
    """

    name: str
    kind: str = ""
    command: tuple[str, ...] = ()
    definition: Definition | None = None
    flags: tuple[Flag, ...] | None = None
    error: GitrunError | None = None
    asks: bool = False
    commands: tuple[Command, ...] = ()
    note: str = ""
    frontend: str = ""


class WorkingTree:
    """The working tree, read like `Objects` as far as operations need it. Its ids are made of paths and file stamps."""

    def __init__(self, git: Git) -> None:
        if git.worktree is None:
            raise CannotRun("this repository has no working tree", "git worktree add makes one")
        self._top, self.git = os.fsencode(git.worktree), git
        self._paths: dict[str, bytes] = {}

    def tree(self, name: str) -> dict[bytes, Entry]:
        """Returns the entries of a directory."""
        place = self._paths.get(name, b"")
        with os.scandir(self._top + b"/" + place) as found:
            return {entry.name: self._entry(place, entry) for entry in found if entry.name != b".git"}

    def _entry(self, place: bytes, entry: os.DirEntry[bytes]) -> Entry:
        status = entry.stat(follow_symlinks=False)
        path = place + b"/" + entry.name if place else entry.name
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}".encode()
        # as long as an object id; changes with the file's stamp, so that caches by id notice edits
        name = f"{zlib.crc32(path):08x}{zlib.crc32(stamp):08x}{status.st_mtime_ns:024x}"
        self._paths[name] = path
        if stat.S_ISREG(status.st_mode):
            return Entry(EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE, name)
        return Entry(TREE if stat.S_ISDIR(status.st_mode) else LINK, name)

    def read(self, name: str, limit: int = 1 << 26) -> Object | None:
        """Returns a file by its id or as `:path`; without content if it is larger than the limit.

        Returns None if it cannot be read.
        """
        path = os.fsencode(name[1:]) if name.startswith(":") else self._paths.get(name, b"")
        try:
            with open(self._top + b"/" + path, "rb") as file:
                data = file.read(limit + 1)
        except OSError:
            return None
        return Object(name, "blob", len(data), data if len(data) <= limit else None)


def entries_here(top: Path) -> dict[str, Definition | UsageError]:
    """Returns the entries of the project files at the top, each with its definition or its error. Raises UsageError."""
    found: dict[str, Definition | UsageError] = {}
    for name in (PYPROJECT, GITRUN):  # gitrun.toml wins
        try:
            data = (top / name).read_bytes()
        except OSError:
            continue
        # a broken entry must not hide the others
        found |= read_each(data, name)
    return found


def offers(git: Git, names: Sequence[str] = ()) -> list[Offer]:
    """Returns the operations of these names. Without names: all entries of the project file, or else scripts and notebooks.

    Raises UsageError if a name is unknown or the project file cannot be read.
    """
    # it has the methods of Objects that reading operations needs
    objects = cast("Objects", WorkingTree(git))
    entries = entries_here(git.worktree) if git.worktree else {}
    if names:
        return [offer_of(objects, name, entries[name]) if name in entries else script(git, objects, name) for name in names]
    if entries:
        return [offer_of(objects, name, entry) for name, entry in entries.items()]
    found = [script(git, objects, name, top=True) for name in scripts(git)]
    return [offer for offer in found if offer.flags or offer.commands or is_doing(git, offer)]


def offer_of(objects: Objects, name: str, entry: Definition | UsageError) -> Offer:
    """Returns the operation of an entry, with the error if it cannot run."""
    if not isinstance(entry, Definition):
        return Offer(name, error=entry)
    bare = Offer(name, entry.kind, entry.command, entry, entry.flags or None, asks=entry.asks)
    try:
        operation = entry_operation(objects, entry, "", ())
        return bare if entry.asks else declaring(bare, declared_by(objects, operation, ""))
    except GitrunError as error:
        return replace(bare, error=error)


def script(git: Git, objects: Objects, typed: str, *, top: bool = False) -> Offer:
    """Returns the offer of a script, module or program as typed in the current directory, or at the top.

    Raises UsageError.
    """
    if typed.startswith(AS_MODULE):
        operation = module_operation(objects, typed.removeprefix(AS_MODULE), "", git.prefix.rstrip("/"))
        return declaring(Offer(typed, operation.kind, operation.command), declared_by(objects, operation, ""))
    path = os.path.normpath(typed) if top else below_top(git, typed)
    if mode_of(objects, "", path) is None:
        raise UnknownOperation(f"there is no operation or script '{typed}' here", "git run ops lists what there is", typed)
    bare = Offer(path, SCRIPT, (PYTHON, path))
    try:
        operation = Operation(path, SCRIPT, bare.command, "") if path.endswith(".py") else step_operation(objects, path, "")
        bare = Offer(path, operation.kind, operation.command)
        return declaring(bare, declared_by(objects, operation, ""))
    except GitrunError as error:
        return replace(bare, error=error)


def declaring(bare: Offer, declared: Declared) -> Offer:
    """Returns the offer with the flags and sub-commands that its script declares."""
    found = declared.script
    if found is None:
        return replace(bare, flags=declared.flags)
    needs = f"needs words behind --: {' '.join(found.arguments)}" if found.arguments else ""
    note = found.advice or found.partial or needs
    return replace(bare, flags=declared.flags, commands=found.commands, note=note, frontend=found.frontend)


def scripts(git: Git) -> list[str]:
    """Returns the Python scripts and notebooks that look like programs, nearest to the top first. Leaves out ignored files.

    A script in a subdirectory counts only if it has an `if __name__ == "__main__"` part.
    """
    listed = git.run("ls-files", "-zco", "--exclude-standard", "--deduplicate").split(b"\0")[:-1]
    paths = [os.fsdecode(path) for path in listed if path.endswith((b".py", b".ipynb"))]
    paths = sorted(filter(is_program, paths), key=lambda path: (path.count("/"), path))
    top = git.worktree or ""
    there = (path for path in paths if os.path.isfile(os.path.join(top, path)))
    # only files below the top are read here, and at most 200 files are listed
    return list(islice((path for path in there if "/" not in path or is_started(git, path)), MOST))


def is_started(git: Git, path: str) -> bool:
    """Returns whether a file is a notebook or has an `if __name__ == "__main__"` part."""
    return path.endswith(".ipynb") or MAIN.search(beginning(git, path)) is not None


def is_doing(git: Git, offer: Offer) -> bool:
    """Returns whether a file without flags has a statement that acts, is a notebook, or has an error or a note."""
    return bool(offer.error or offer.note) or offer.kind == NOTEBOOK or ACTION.search(beginning(git, offer.name)) is not None


def beginning(git: Git, path: str) -> bytes:
    """Returns the first MiB of a file of the working tree; empty if it cannot be read."""
    try:
        with open(os.path.join(git.worktree or "", path), "rb") as file:
            return file.read(LONGEST)
    except OSError:
        return b""


def is_program(path: str) -> bool:
    """Returns whether the path of a Python file or notebook may be a program: no test, no hidden folder, no private name."""
    *folders, name = path.split("/")
    if any(folder in NO_FOLDERS or folder.startswith(".") for folder in folders):
        return False
    return name not in NO_PROGRAMS and not name.startswith(("test_", "_")) and not name.endswith("_test.py")


def completions(git: Git, name: str | None) -> Iterator[str]:
    """Yields shell completions: names of operations; for an operation `flag=`, and `flag=value` if its choices are known."""
    if name is None:
        entries = entries_here(git.worktree) if git.worktree else {}
        # a shell has no place for errors
        yield from (name for name, entry in entries.items() if isinstance(entry, Definition))
        return
    for flag in next(iter(offers(git, [name]))).flags or ():
        yield f"{flag.name}="
        yield from (f"{flag.name}={choice}" for choice in choices_of(flag))


def choices_of(flag: Flag) -> list[str]:
    """Returns the known values of a flag, as typed."""
    given = flag.choices or ((True, False) if flag.kind == "bool" or isinstance(flag.default, bool) else ())
    return [model.flags.format_value(choice) for choice in given]


def other_tools(git: Git) -> list[str]:
    """Returns a note for each file at the top with which another tool runs things."""
    there = set(os.listdir(git.worktree or "."))
    found = ((next((name for name in names if name in there), ""), says) for names, says in OTHER_TOOLS)
    return [f"note: {name} {says}" for name, says in found if name]


OTHER_TOOLS = (
    (
        ("dvc.yaml",),
        "has stages. To run the command of one: git run -- COMMAND; params.yaml gives flags to a script that loads it",
    ),
    (("guild.yml", "guild.yaml"), "has operations. To run the script of one: git run SCRIPT NAME=VALUE"),
    (("Makefile", "makefile", "GNUmakefile"), "has targets. To run one: git run -- make TARGET"),
    (("justfile", "Justfile"), "has recipes. To run one: git run -- just RECIPE"),
    (("Snakefile",), "has rules. To run one: git run -- snakemake --cores 1 RULE"),
)
"""File names of another tool, and the note about the first one present."""


def near_operations(git: Git, typed: str, tree: str) -> tuple[str, ...]:
    """Returns up to FEW names, relative to the current directory.

    Files of the same name elsewhere, or with an ending, come first. Only if there are none, names of similar spelling are
    returned.
    """
    meant = PurePosixPath(typed).name
    paths = sorted(runnable(git, tree), key=lambda path: (far(git, path), path))
    same = [path for path in paths if meant in {PurePosixPath(path).name, PurePosixPath(path).stem}]
    if same:
        return tuple(os.path.relpath(path, git.prefix or ".") for path in same[:FEW])
    entries: list[str] = []
    with suppress(UsageError):
        entries = list(entries_here(git.worktree)) if git.worktree else []
    # reversed, so that the nearest of several files with one name wins
    places = {PurePosixPath(path).name: os.path.relpath(path, git.prefix or ".") for path in reversed(paths)}
    near = get_close_matches(meant, [*entries, *places], FEW, NEAR)
    return tuple(name if name in entries else places[name] for name in near)


def runnable(git: Git, tree: str) -> Iterator[str]:
    """Yields the paths of the tree that look like scripts or programs."""
    for entry in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        head, _, name = entry.partition(b"\t")
        path = os.fsdecode(name)
        is_program = head.startswith(EXECUTABLE.encode()) or PurePosixPath(path).suffix in SCRIPTS
        if is_program and is_text(path):
            yield path


def far(git: Git, path: str) -> int:
    """Returns the number of directory steps from the current directory to a path."""
    return len(PurePosixPath(os.path.relpath(path, git.prefix or ".")).parts)
