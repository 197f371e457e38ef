"""Lists what can be run in the working tree: operations and scripts with their flags. Executes nothing."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from gitrun import model, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, GitrunError, UnknownOperation, UsageError
from gitrun.git.objects import Objects
from gitrun.git.trees import WorkTree
from gitrun.model.entry import Definition
from gitrun.model.plan import GITRUN
from gitrun.model.run import NOTEBOOK, SCRIPT
from gitrun.model.tree import is_regular_file
from gitrun.source.commits import find_commit
from gitrun.source.declared_flags import read_declaration
from gitrun.source.flag_cache import DIRECTORY
from gitrun.source.operations import (
    AS_MODULE,
    PYTHON,
    Operation,
    definition_of,
    entry_operation,
    module_operation,
    step_operation,
)
from gitrun.source.project_file import read_entries_at
from gitrun.source.source_tree import SourceTree, open_source
from gitrun.source.typed_paths import below_top

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git
    from gitrun.model.flags import Flag
    from gitrun.model.tree import Tree
    from gitrun.scripts.discover import Command
    from gitrun.source.declared_flags import Declaration

MOST = 200
"""The most scripts that are listed."""
MOST_LOSSES = 20
"""The most settings of a guild.yml that are named because they have no equal."""
LONGEST = 1 << 20
"""The most bytes of a script that are searched."""
# if __name__ == '__main__':
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


def list_offers(git: Git, names: Sequence[str] = ()) -> list[Offer]:
    """Returns the operations of these names. Without names: all entries of the project file, or else scripts and notebooks.

    Raises UsageError if a name is unknown or the project file cannot be read.
    """
    top = git.require_top()
    tree = SourceTree(WorkTree(top), git.state / DIRECTORY)
    # entries are read as they are now, even if the project file is not committed
    entries = read_entries_at(top) or read_guild_entries(tree)
    if names:
        return [
            make_entry_offer(tree, name, entries[name]) if name in entries else make_typed_offer(git, tree, name)
            for name in names
        ]
    # a project file says what is meant to be run, so scripts are not guessed
    if entries:
        return [make_entry_offer(tree, name, entry) for name, entry in entries.items()]
    offers = [make_path_offer(tree, path, path) for path in find_script_paths(git, tree)]
    return [offer for offer in offers if offer.flags or offer.commands or does_something(tree, offer)]


def read_guild_entries(tree: Tree) -> dict[str, Definition | UsageError]:
    """Returns the operations of a guild.yml; none without PyYAML, or if the file cannot be read, of which a note tells."""
    try:
        return source.guild_file.guild_entries(tree)
    except (UsageError, CannotRun):
        return {}


def list_offers_at(git: Git, names: Sequence[str], commit: str) -> list[Offer]:
    """Returns the operations of these names in a commit. Raises UsageError if a name or the commit is unknown."""
    with Objects(git) as objects:
        tree = open_source(objects, find_commit(git, commit))
        entries = {name: definition_of(tree, name) or source.guild_file.guild_definition(tree, name) for name in names}
        return [
            make_entry_offer(tree, name, entry) if entry else make_typed_offer(git, tree, name)
            for name, entry in entries.items()
        ]


def make_entry_offer(tree: SourceTree, name: str, entry: Definition | UsageError) -> Offer:
    """Returns the operation of an entry, with the error if it cannot run."""
    if not isinstance(entry, Definition):
        return Offer(name, error=entry)
    offer = Offer(name, entry.kind, entry.command, entry, entry.flags or None, asks=entry.asks)
    try:
        operation = entry_operation(tree, entry, ())
        return offer if entry.asks else add_declared_flags(offer, read_declaration(tree, operation))
    except GitrunError as error:
        return replace(offer, error=error)


def make_typed_offer(git: Git, tree: SourceTree, typed: str) -> Offer:
    """Returns the offer of a script, module or program as typed in the current directory. Raises UsageError."""
    if not typed.startswith(AS_MODULE):
        return make_path_offer(tree, below_top(git, typed), typed)
    operation = module_operation(tree, typed.removeprefix(AS_MODULE), git.prefix.rstrip("/"))
    return add_declared_flags(Offer(typed, operation.kind, operation.command), read_declaration(tree, operation))


def make_path_offer(tree: SourceTree, path: str, typed: str) -> Offer:
    """Returns the offer of a script or program. Raises UnknownOperation, which names it as typed."""
    if not is_regular_file(tree, path):
        raise UnknownOperation(f"no operation or script '{typed}' here", "To list operations: git run ops", typed)
    offer = Offer(path, SCRIPT, (PYTHON, path))
    try:
        operation = Operation(path, SCRIPT, offer.command, "") if path.endswith(".py") else step_operation(tree, path)
        offer = Offer(path, operation.kind, operation.command)
        return add_declared_flags(offer, read_declaration(tree, operation))
    except GitrunError as error:
        return replace(offer, error=error)


def add_declared_flags(offer: Offer, declaration: Declaration) -> Offer:
    """Returns the offer with the flags and sub-commands that its operation declares."""
    declared = declaration.with_values()
    script = declared.script
    if script is None:
        return replace(offer, flags=declared.flags)
    needs = f"needs words after --: {' '.join(script.arguments)}" if script.arguments else ""
    note = script.advice or script.partial or needs
    return replace(offer, flags=declared.flags, commands=script.commands, note=note, frontend=script.frontend)


def find_script_paths(git: Git, tree: SourceTree) -> list[str]:
    """Returns the Python scripts and notebooks that look like programs, nearest to the top first. Leaves out ignored files.

    A script in a subdirectory counts only if it has an `if __name__ == "__main__"` part.
    """
    # an unmerged file has up to three entries in the index
    output = git.run("ls-files", "-zco", "--exclude-standard", "--deduplicate").split(b"\0")[:-1]
    paths = [os.fsdecode(path) for path in output if path.endswith((b".py", b".ipynb"))]
    # nearest to the top first: those are the programs that people mean
    paths = sorted(filter(has_program_name, paths), key=lambda path: (path.count("/"), path))
    # `ls-files -c` also lists files that were deleted without `git rm`
    there = (path for path in paths if is_regular_file(tree, path))
    # only files below the top are read here, and at most 200 files are listed
    return list(islice((path for path in there if "/" not in path or is_main_program(tree, path)), MOST))


def is_main_program(tree: SourceTree, path: str) -> bool:
    """Returns whether a file is a notebook or has an `if __name__ == "__main__"` part."""
    return path.endswith(".ipynb") or MAIN.search(read_beginning(tree, path)) is not None


def does_something(tree: SourceTree, offer: Offer) -> bool:
    """Returns whether a file without flags has a statement that acts, is a notebook, or has an error or a note."""
    if offer.error or offer.note or offer.kind == NOTEBOOK:
        return True
    return ACTION.search(read_beginning(tree, offer.name)) is not None


def read_beginning(tree: SourceTree, path: str) -> bytes:
    """Returns the first MiB of a file; empty if it cannot be read."""
    return (tree.read(path) or b"")[:LONGEST]


def has_program_name(path: str) -> bool:
    """Returns whether the path of a Python file or notebook may be a program: no test, no hidden folder, no private name."""
    *folders, name = path.split("/")
    if any(folder in NO_FOLDERS or folder.startswith(".") for folder in folders):
        return False
    # test_*.py and *_test.py are the names that pytest collects
    return name not in NO_PROGRAMS and not name.startswith(("test_", "_")) and not name.endswith("_test.py")


def complete_operation(git: Git, name: str | None) -> Iterator[str]:
    """Yields shell completions: names of operations; for an operation `flag=`, and `flag=value` if its choices are known."""
    if name is None:
        entries = read_entries_at(git.worktree) or read_guild_entries(WorkTree(git.worktree)) if git.worktree else {}
        # a shell has no place for errors
        yield from (name for name, entry in entries.items() if isinstance(entry, Definition))
        return
    for flag in next(iter(list_offers(git, [name]))).flags or ():
        yield f"{flag.name}="
        yield from (f"{flag.name}={choice}" for choice in list_choices(flag))


def list_choices(flag: Flag) -> list[str]:
    """Returns the known values of a flag, as typed."""
    choices = flag.choices or ((True, False) if flag.kind == "bool" or isinstance(flag.default, bool) else ())
    return [model.flags.format_value(choice) for choice in choices]


def note_other_tools(git: Git) -> list[str]:
    """Returns a note for each file at the top with which another tool runs things."""
    there = set(os.listdir(git.worktree or "."))
    uses = ((next((name for name in names if name in there), ""), says) for names, says in OTHER_TOOLS)
    notes = [f"note: {name} {says}" for name, says in uses if name]
    notes += note_guild_losses(git, there)
    if GITRUN not in there and (files := [name for name in source.draft.FILES if name in there]):
        notes.append(f"note: {files[0]} can become gitrun.toml. To write it: git run ops --init")
    return notes


def note_guild_losses(git: Git, names: AbstractSet[str]) -> list[str]:
    """Returns a note for each thing in a guild.yml that has no equal here, or about the file if it is not read."""
    path = next((path for path in source.guild_file.NAMES if path in names), "")
    if not path or git.worktree is None:
        return []
    if read_entries_at(git.worktree):
        return [f"note: {path} has operations too, which are not listed here. To run one: git run NAME"]
    try:
        losses = source.guild_file.read_operations(git, WorkTree(git.worktree), path).losses
    except (UsageError, CannotRun) as error:
        return [f"note: {path} is not read: {error}"]
    more = [f"note: {path} has {len(losses) - MOST_LOSSES} more such settings"] if len(losses) > MOST_LOSSES else []
    return [f"note: not carried over from {loss}" for loss in losses[:MOST_LOSSES]] + more


OTHER_TOOLS = (
    (
        ("dvc.yaml",),
        "has stages. To run the command of one: git run -- COMMAND; params.yaml gives flags to a script that loads it",
    ),
    (("Makefile", "makefile", "GNUmakefile"), "has targets. To run one: git run -- make TARGET"),
    (("justfile", "Justfile"), "has recipes. To run one: git run -- just RECIPE"),
    (("Snakefile",), "has rules. To run one: git run -- snakemake --cores 1 RULE"),
)
"""File names of another tool, and the note about the first one present."""
