"""Finds the operation that a name means in a source: a project file entry, a script, another program, or a command."""

from __future__ import annotations

import os

from gitrun import scripts, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun, BadValue, CannotRun, UsageError
from gitrun.model.plan import GITRUN, PYPROJECT
from gitrun.model.run import COMMAND, INTERPRETERS, NOTEBOOK, PROGRAM, SCRIPT, STEPS, short_id, words_start
from gitrun.model.text import is_text, safe_text
from gitrun.model.tree import EXECUTABLE, REGULAR, is_regular_file
from gitrun.source.typed_paths import below_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.model.entry import Definition
    from gitrun.model.plan import Request, Source
    from gitrun.model.provenance import Basis
    from gitrun.model.run import Attempt
    from gitrun.scripts.notebooks import Notebook
    from gitrun.source.source_tree import SourceTree

PYTHON = "{python}"
AS_MODULE = "-m "
"""The prefix of an operation that is a Python module."""
STARTERS = {".java": "java", ".go": "go run", ".ts": "npx tsx", ".php": "php", ".scala": "scala", ".swift": "swift",
            ".kts": "kotlin", ".exs": "elixir", ".clj": "clojure -M", ".do": "stata -b do", ".sas": "sas", ".ps1": "pwsh",
            ".awk": "awk -f", ".tcl": "tclsh", ".sql": "psql -f", ".mk": "make -f", ".nf": "nextflow run"}  # fmt: skip
"""The programs that start files which are never executable themselves. Hints name them."""
LEAST = {SCRIPT: 2, NOTEBOOK: 2, COMMAND: 1}
"""Words that a command of each kind must have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: name, kind, argv template, directory below the top, and its entry in the project file if it has one.

    `path` is the source file of a module, below the top. For a script it follows from the command.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    cwd: str
    definition: Definition | None = None
    path: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Returns the arguments after `--`."""
        return self.command[words_start(self.kind, self.command) :]

    @property
    def script(self) -> str:
        """Returns the path of the Python script, module or notebook, below the top; empty if there is none."""
        if self.path:
            return self.path
        path = self.command[1:2] if self.kind in {SCRIPT, NOTEBOOK} else ()
        return os.path.normpath(os.path.join(self.cwd, *path)) if path else ""


def step_operation(tree: SourceTree, name: str) -> Operation:
    """Returns the operation that a step names: an entry, a module, or the path of a script or program below the top.

    Raises UsageError.
    """
    definition = definition_of(tree, name)
    if definition:
        return entry_operation(tree, definition, ())
    if name.startswith(AS_MODULE):
        return module_operation(tree, name.removeprefix(AS_MODULE), "")
    path = os.path.normpath(name)
    mode = tree.mode(path)
    if mode not in REGULAR:
        if definition := source.guild_file.guild_definition(tree, name):
            return entry_operation(tree, definition, ())
        raise UsageError(f"no operation '{name}' for this step", f"To see the operations: {GITRUN}")
    if path.endswith(".ipynb"):
        return notebook_operation(tree, path, path)
    words = (PYTHON, path) if path.endswith(".py") else program_words(path, mode)
    if words is None:
        raise UsageError(f"step '{path}' is not executable", f"chmod +x {path}")
    return Operation(path, SCRIPT if path.endswith(".py") else PROGRAM, words, "")


def find_operation(git: Git, tree: SourceTree, request: Request, snapshot: Source) -> Operation:
    """Returns the operation that the request names in the tree of the snapshot. Raises UsageError."""
    cwd = git.prefix.rstrip("/")
    if not request.operation:
        return Operation(" ".join(request.command), COMMAND, request.command, cwd)
    # an entry wins over a file of the same name
    definition = definition_of(tree, request.operation)
    if definition:
        return entry_operation(tree, definition, request.command)
    if request.operation.startswith(AS_MODULE):
        return module_operation(tree, request.operation.removeprefix(AS_MODULE), cwd, request.command)
    path = below_top(git, request.operation)
    if not is_text(path):
        raise BadValue(f"'{safe_text(path)}' is not UTF-8, so it cannot be recorded", "Rename it")
    mode = tree.mode(path)
    if mode not in REGULAR:
        # last of all, so that no other start looks for a guild.yml
        if definition := source.guild_file.guild_definition(tree, request.operation):
            return entry_operation(tree, definition, request.command)
        raise source.suggestions.explain_missing(git, request, path, snapshot)
    mode = mode if request.at is not None else mode_here(git, path, mode)
    typed = os.path.relpath(path, cwd or ".")
    typed = f"./{typed}" if typed.startswith("-") else typed  # so that no program takes it for an option
    if path.endswith(".py"):
        return Operation(path, SCRIPT, (PYTHON, typed, *request.command), cwd)
    if path.endswith(".ipynb"):
        return notebook_operation(tree, path, path, request.command)
    words = program_words(typed, mode)
    if words is None:
        started = STARTERS.get(os.path.splitext(path)[1], "")
        hint = f"To name its program: git run -- {started or 'PROGRAM'} {request.operation}"
        hint = hint if started else f"To make it executable: chmod +x {request.operation}. {hint}"
        raise UsageError(f"'{request.operation}' is neither a Python script nor executable", hint)
    return Operation(path, PROGRAM, (*words, *request.command), cwd)


def mode_here(git: Git, path: str, mode: str | None) -> str | None:
    """Returns the mode of a recorded file, or that of an executable if git ignores modes here and the working tree has one."""
    # core.fileMode is off where the file system has no permissions: the working tree decides
    if git.worktree and not git.is_enabled("core.filemode"):
        return EXECUTABLE if os.access(git.worktree / path, os.X_OK) else mode
    return mode


def module_operation(tree: SourceTree, name: str, cwd: str, words: tuple[str, ...] = ()) -> Operation:
    """Returns the operation `-m name`: a module of the tree, or a package with a `__main__` module. Raises UsageError."""
    operation = with_module_path(tree, Operation(f"{AS_MODULE}{name}", SCRIPT, (PYTHON, "-m", name, *words), cwd))
    if not operation.path:
        raise UsageError(f"no module '{name}' here", f"To run any module: git run -- python3 -m {name}")
    return operation


def with_module_path(tree: SourceTree, operation: Operation) -> Operation:
    """Returns the operation with the path of its module in the tree; with an empty path if the tree has none.

    Other operations stay as they are.
    """
    if operation.kind != SCRIPT or operation.command[1:2] != ("-m",):
        return operation
    paths = source.hosted_script.module_paths(operation.command[2], operation.cwd)
    return replace(operation, path=next((path for path in paths if source.hosted_script.is_tree_file(tree, path)), ""))


def program_words(typed: str, mode: str | None) -> tuple[str, ...] | None:
    """Returns the words that start a program which is not a Python script.

    None if it is not executable and has no known interpreter.
    """
    if mode == EXECUTABLE:
        # without a slash the system would search for it on PATH
        return (typed if "/" in typed else f"./{typed}",)
    interpreter = INTERPRETERS.get(os.path.splitext(typed)[1])
    return (interpreter, typed) if interpreter else None


def definition_of(tree: SourceTree, name: str) -> Definition | None:
    """Returns the entry of that name in the tree's project files, or None. Raises UsageError.

    gitrun.toml is searched before pyproject.toml.
    """
    for file in (GITRUN, PYPROJECT):
        if is_regular_file(tree, file):
            definition = source.project_file.read_definitions(tree.read(file) or b"", file, name).get(name)
            if definition:
                return definition
    return None


def entry_operation(tree: SourceTree, definition: Definition, words: tuple[str, ...]) -> Operation:
    """Returns the operation that an entry defines. Raises UsageError.

    It runs at the top of the repository, except a notebook, which runs in its own directory.
    """
    name, kind, command = definition.name, definition.kind, definition.command
    if kind == COMMAND:
        return Operation(name, kind, (*command, *words), "", definition)
    if kind == STEPS:
        if words:
            raise UsageError(f"{name} has steps, which take no arguments: '{words[0]}'", "To set a flag: NAME=VALUE")
        return Operation(name, kind, (), "", definition)
    path = command[0]
    mode = tree.mode(path)
    if mode not in REGULAR:
        raise UsageError(
            f"no '{path}', which operation {name} runs",
            f"Its entry is in {GITRUN}. Check that git does not ignore the file",
        )
    if kind == SCRIPT:
        return Operation(name, kind, (PYTHON, path, *words), "", definition)
    if kind == PROGRAM:
        start = program_words(path, mode)
        if start is None:
            raise UsageError(f"'{path}', which operation {name} runs, is not executable", f"chmod +x {path}")
        return Operation(name, kind, (*start, *words), "", definition)
    return replace(notebook_operation(tree, name, path, words), definition=definition)


def notebook_operation(tree: SourceTree, name: str, path: str, words: tuple[str, ...] = ()) -> Operation:
    """Returns the operation that executes a notebook in its own directory, as Jupyter does. Raises UsageError."""
    if words:
        raise UsageError(f"notebook {name} takes no arguments: '{words[0]}'", "To set a flag: NAME=VALUE")
    # so `data.csv` in a cell means the file beside the notebook
    directory, _, file = path.rpartition("/")
    notebook = read_notebook_at(tree, path)
    return Operation(name, NOTEBOOK, (PYTHON if notebook.language == "python" else notebook.kernel, file), directory)


def read_notebook_at(tree: SourceTree, path: str) -> Notebook:
    """Reads the notebook at a path of the tree. Raises UsageError, CannotRun."""
    if not is_regular_file(tree, path):
        raise CannotRun(f"no '{path}' in the source of the run")
    data = tree.read(path)
    if data is None:
        raise CannotRun(f"'{path}' is too large for a notebook", "To make it smaller: clear its outputs")
    return scripts.notebooks.read_notebook(data, path)


def restarted_operation(
    tree: SourceTree, attempt: Attempt, basis: Basis | None, own_tree: SourceTree | None = None
) -> Operation:
    """Returns the operation of an attempt as a tree defines it. Raises UsageError, BadRun.

    `own_tree` is the attempt's own source if `tree` is another one. The command then comes from the entry in `tree`, with the
    arguments of the attempt.
    """
    # the record may come from another repository
    if len(attempt.command) < LEAST.get(attempt.kind, 0):
        raise BadRun(f"attempt {short_id(attempt.id)} records nothing that can be executed")
    # this tree can have the module at another path than the recorded source
    recorded = with_module_path(tree, Operation(attempt.operation, attempt.kind, attempt.command, attempt.cwd))
    if not basis or not basis.is_entry:
        return recorded
    definition = definition_of(tree, attempt.operation) or source.guild_file.guild_definition(tree, attempt.operation)
    if definition is None:
        raise UsageError(
            f"the project file no longer has operation '{attempt.operation}'",
            "To use the run's own project file: leave out --force-sourcecode",
        )
    if own_tree is None:
        return replace(recorded, definition=definition)
    own_definition = definition_of(own_tree, attempt.operation)
    own_definition = own_definition or source.guild_file.guild_definition(own_tree, attempt.operation)
    if own_definition is None:
        return replace(recorded, definition=definition)
    # the words that the user had added to those of the entry
    words = attempt.command[len(entry_operation(own_tree, own_definition, ()).command) :]
    return entry_operation(tree, definition, words)
