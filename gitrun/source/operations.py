"""Finds the operation that a name means in a source: a project file entry, a script, another program, or a command."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun import model, scripts, source
from gitrun.errors import CannotRun, ObjectsGone, UnknownOperation, UsageError
from gitrun.git.objects import EXECUTABLE, FILE, Object, entry_at
from gitrun.model.flags import same_value
from gitrun.model.plan import GITRUN, PYPROJECT
from gitrun.model.run import COMMAND, INTERPRETERS, NOTEBOOK, PROGRAM, SCRIPT, STEPS, words_start
from gitrun.model.text import either_text, is_text, safe_text
from gitrun.scripts.discover import ARGS, GLOBALS, Script
from gitrun.source.flag_cache import script_of
from gitrun.source.hosted_script import is_there, module_paths
from gitrun.source.parameters import with_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.entry import Definition
    from gitrun.model.flags import Flag
    from gitrun.model.plan import Request, Source
    from gitrun.scripts.notebooks import Notebook
    from gitrun.source.reach import Host

PYTHON = "{python}"
AS_MODULE = "-m "
"""The prefix of an operation that is a Python module."""
STARTERS = {".java": "java", ".go": "go run", ".ts": "npx tsx", ".php": "php", ".scala": "scala", ".swift": "swift",
            ".kts": "kotlin", ".exs": "elixir", ".clj": "clojure -M", ".do": "stata -b do", ".sas": "sas", ".ps1": "pwsh",
            ".awk": "awk -f", ".tcl": "tclsh", ".sql": "psql -f", ".mk": "make -f", ".nf": "nextflow run"}  # fmt: skip
"""The programs that start files which are never executable themselves. Hints name them."""


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


@dataclass(frozen=True, slots=True)
class Declared:
    """The flags that an operation takes (None: any), and how its script receives those that it declares."""

    flags: tuple[Flag, ...] | None = None
    script: Script | None = None
    style: str = ""
    file: tuple[Flag, ...] = ()
    """The flags that are values of the file named by the entry."""
    host: Host | None = None
    """The Python script among the words of a command."""


def step_operation(objects: Objects, name: str, tree: str) -> Operation:
    """Returns the operation that a step names: an entry, a module, or the path of a script or program below the top.

    Raises UsageError.
    """
    definition = definition_of(objects, tree, name)
    if definition:
        return entry_operation(objects, definition, tree, ())
    if name.startswith(AS_MODULE):
        return module_operation(objects, name.removeprefix(AS_MODULE), tree, "")
    path = os.path.normpath(name)
    mode = mode_of(objects, tree, path)
    if mode is None:
        raise UsageError(f"there is no operation '{name}', which is named as a step", f"{GITRUN} says which there are")
    if path.endswith(".ipynb"):
        return notebook_operation(objects, path, path, tree)
    words = (PYTHON, path) if path.endswith(".py") else program_words(path, mode)
    if words is None:
        raise UsageError(f"'{path}', which is named as a step, is not executable", f"chmod +x {path}")
    return Operation(path, SCRIPT if path.endswith(".py") else PROGRAM, words, "")


def find_operation(git: Git, objects: Objects, request: Request, source: Source) -> Operation:
    """Returns the operation that the request names, read from the snapshot. Raises UsageError."""
    cwd = git.prefix.rstrip("/")
    if not request.operation:
        return Operation(" ".join(request.command), COMMAND, request.command, cwd)
    definition = definition_of(objects, source.whole, request.operation)
    if definition:
        return entry_operation(objects, definition, source.whole, request.command)
    if request.operation.startswith(AS_MODULE):
        return module_operation(objects, request.operation.removeprefix(AS_MODULE), source.whole, cwd, request.command)
    path = below_top(git, request.operation)
    if not is_text(path):
        raise UsageError(f"'{safe_text(path)}' is not UTF-8, and a run records nothing else", "give it another name")
    mode = mode_of(objects, source.whole, path)
    # core.fileMode is off where the file system has no permissions: the working tree decides
    if git.worktree and git.config.get("core.filemode", ("true",))[-1].lower() in {"false", "no", "off", "0"}:
        mode = EXECUTABLE if mode and os.access(git.worktree / path, os.X_OK) else mode  # git ignores modes here
    if mode is None:
        raise not_there(git, request.operation, path, source)
    typed = os.path.relpath(path, cwd or ".")
    typed = f"./{typed}" if typed.startswith("-") else typed  # so that no program takes it for an option
    if path.endswith(".py"):
        return Operation(path, SCRIPT, (PYTHON, typed, *request.command), cwd)
    if path.endswith(".ipynb"):
        return notebook_operation(objects, path, path, source.whole, request.command)
    words = program_words(typed, mode)
    if words is None:
        started = STARTERS.get(os.path.splitext(path)[1], "")
        hint = f"name the program that runs it: git run -- {started or 'PROGRAM'} {request.operation}"
        hint = hint if started else f"chmod +x {request.operation}, or {hint}"
        raise UsageError(f"'{request.operation}' is neither a Python script nor executable", hint)
    return Operation(path, PROGRAM, (*words, *request.command), cwd)


def module_operation(objects: Objects, name: str, tree: str, cwd: str, words: tuple[str, ...] = ()) -> Operation:
    """Returns the operation `-m name`: a module of the tree, or a package with a `__main__` module. Raises UsageError."""
    operation = located(objects, Operation(f"{AS_MODULE}{name}", SCRIPT, (PYTHON, "-m", name, *words), cwd), tree)
    if not operation.path:
        raise UsageError(f"there is no module '{name}' here", f"git run -- python -m {name} runs any module")
    return operation


def located(objects: Objects, operation: Operation, tree: str) -> Operation:
    """Returns the operation with the path of its module in the tree; with an empty path if the tree has none.

    Other operations stay as they are.
    """
    if operation.kind != SCRIPT or operation.command[1:2] != ("-m",):
        return operation
    paths = module_paths(operation.command[2], operation.cwd)
    return replace(operation, path=next((path for path in paths if is_there(objects, tree, path)), ""))


def program_words(typed: str, mode: str) -> tuple[str, ...] | None:
    """Returns the words that start a program which is not a Python script.

    None if it is not executable and has no known interpreter.
    """
    if mode == EXECUTABLE:
        # without a slash the system would search for it on PATH
        return (typed if "/" in typed else f"./{typed}",)
    interpreter = INTERPRETERS.get(os.path.splitext(typed)[1])
    return (interpreter, typed) if interpreter else None


def definition_of(objects: Objects, tree: str, name: str) -> Definition | None:
    """Returns the entry of that name in the tree's project files, or None. Raises UsageError.

    gitrun.toml is searched before pyproject.toml.
    """
    top = objects.tree(tree)
    for file in (GITRUN, PYPROJECT):
        entry = top.get(file.encode())
        if entry and entry.mode in {FILE, EXECUTABLE}:
            data = require_there(objects, entry.id).data
            found = source.project_file.read_definitions(data or b"", file, name).get(name)
            if found:
                return found
    return None


def entry_operation(objects: Objects, definition: Definition, tree: str, words: tuple[str, ...]) -> Operation:
    """Returns the operation that an entry defines. Raises UsageError.

    It runs at the top of the repository, except a notebook, which runs in its own directory.
    """
    name, kind, command = definition.name, definition.kind, definition.command
    if kind == COMMAND:
        return Operation(name, kind, (*command, *words), "", definition)
    if kind == STEPS:
        if words:
            raise UsageError(f"{name} has steps, which take no arguments: '{words[0]}'", "flags are given as lr=0.1")
        return Operation(name, kind, (), "", definition)
    path = command[0]
    mode = mode_of(objects, tree, path)
    if mode is None:
        raise UsageError(f"there is no '{path}', which operation {name} runs", f"{GITRUN} names it; is it ignored by git?")
    if kind == SCRIPT:
        return Operation(name, kind, (PYTHON, path, *words), "", definition)
    if kind == PROGRAM:
        start = program_words(path, mode)
        if start is None:
            raise UsageError(f"'{path}', which operation {name} runs, is not executable", f"chmod +x {path}")
        return Operation(name, kind, (*start, *words), "", definition)
    return replace(notebook_operation(objects, name, path, tree, words), definition=definition)


def notebook_operation(objects: Objects, name: str, path: str, tree: str, words: tuple[str, ...] = ()) -> Operation:
    """Returns the operation that executes a notebook in its own directory, as Jupyter does. Raises UsageError."""
    if words:
        raise UsageError(f"{name} is a notebook, which takes no arguments: '{words[0]}'", "flags are given as lr=0.1")
    directory, _, file = path.rpartition("/")
    found = notebook_in(objects, path, tree)
    return Operation(name, NOTEBOOK, (PYTHON if found.language == "python" else found.kernel, file), directory)


def notebook_in(objects: Objects, path: str, tree: str) -> Notebook:
    """Reads the notebook at a path of the tree. Raises UsageError, CannotRun."""
    entry = entry_at(objects, tree, os.fsencode(path))
    if entry is None or entry.mode not in {FILE, EXECUTABLE}:
        raise CannotRun(f"there is no '{path}' in this source")
    data = require_there(objects, entry.id).data
    if data is None:
        raise CannotRun(f"'{path}' is too large for a notebook", "clear its outputs")
    return scripts.notebooks.read_notebook(data, path)


def below_top(git: Git, typed: str) -> str:
    """Converts a path typed in the current directory to a path below the top of the working tree.

    Raises UsageError, CannotRun.
    """
    if git.worktree is None:
        raise CannotRun("this repository has no working tree", "runs start from a working tree")
    if os.path.isabs(typed):
        # resolves only the directory: the file itself may be a link that git tracks
        path = os.path.relpath(os.path.realpath(os.path.dirname(typed)), os.path.realpath(git.worktree))
        path = os.path.normpath(os.path.join(path, os.path.basename(typed)))
    else:
        path = os.path.normpath(os.path.join(git.prefix, typed))
    if path.startswith("../") or path == "..":
        raise UsageError(f"'{typed}' lies outside this repository", f"git run -- {typed} runs any program")
    return path


def mode_of(objects: Objects, tree: str, path: str) -> str | None:
    """Returns the mode of the file at a path of the tree, or None. Raises ObjectsGone if a gc removed a tree above it."""
    entry = entry_at(objects, tree, os.fsencode(path))
    return entry.mode if entry and entry.mode in {FILE, EXECUTABLE} else None


def require_there(objects: Objects, name: str) -> Object:
    """Returns the object that a tree names. Raises ObjectsGone if it is not in the repository."""
    found = objects.read(name)
    if found is None:
        raise ObjectsGone(f"git gc took away {name} while it was written", "try again")
    return found


def not_there(git: Git, typed: str, path: str, source: Source) -> UsageError:
    """Returns the error that explains why the snapshot has no such operation, and what to do."""
    top = (git.worktree or git.git_dir).resolve()
    place = top / path
    if place.is_dir():
        return UsageError(f"'{typed}' is a directory", "name a script in it")
    real = place.resolve() if place.exists() else place
    if real != place:
        inside = os.path.relpath(real, top / git.prefix) if real.is_relative_to(top) else ""
        hint = f"git run {inside} runs the file itself" if inside else "it leads out of this repository"
        return UsageError(f"'{typed}' is reached through a symbolic link", hint)
    module = next((above for above in place.parents if above != top and (above / ".git").exists()), None)
    if module and module.is_relative_to(top) and place.exists():
        return UsageError(f"'{typed}' belongs to another repository, '{module.relative_to(top)}'", "start it from there")
    if place.exists():
        reason = next((skipped.reason for skipped in source.skipped if skipped.path == path), "git ignores it")
        hint = f"git run -- {typed if '/' in typed else './' + typed} runs it without recording its code"
        return UsageError(f"'{typed}' is not part of the snapshot: {reason}", hint)
    from gitrun.source.catalog import near_operations

    near = near_operations(git, typed, source.whole)
    hint = f"did you mean {either_text(near)}?" if near else "git run -h lists the verbs; git run -- runs any command"
    return UnknownOperation(f"there is no script, program or verb '{typed}' here", hint, typed, near)


def declared_by(objects: Objects, operation: Operation, tree: str, given: Mapping[str, object] | None = None) -> Declared:
    """Returns the flags that the operation takes in this tree. Raises CannotRun, UsageError."""
    definition = operation.definition
    if definition:
        return declared_by_entry(objects, operation, definition, tree, given)
    if operation.kind == SCRIPT:
        script = script_in(objects, operation.script, tree).chosen(operation.words, given)
        script = with_parameters(objects, operation, script, tree, given)
        return Declared(script.flags, script, script.style)
    if operation.kind == NOTEBOOK and operation.command[0] == PYTHON:
        flags = notebook_in(objects, operation.script, tree).flags
        return Declared(flags, Script(flags, GLOBALS), GLOBALS)
    return Declared()


def declared_by_entry(
    objects: Objects, operation: Operation, definition: Definition, tree: str, given: Mapping[str, object] | None
) -> Declared:
    """Returns the flags of an entry's operation: those of its script, overridden by the entry.

    Raises CannotRun, UsageError.
    """
    style, said = definition.flags_to, definition.flags
    if definition.file:
        found = file_flags(objects, definition, tree)
        return Declared(model.entry.override_flags(found, said), None, style, found)
    if operation.kind == STEPS:
        return Declared(model.entry.override_flags(step_flags(objects, definition, tree), said))
    if operation.kind == SCRIPT:
        script = asked(objects, operation, tree) if definition.asks else script_in(objects, operation.script, tree)
        script = with_parameters(objects, operation, script.chosen(operation.words, given), tree, given)
        if not style or style == script.style:
            return Declared(model.entry.override_flags(script.flags, said), script, script.style)
        return Declared(said or None, None, style)
    if operation.kind == NOTEBOOK and operation.command[0] == PYTHON and style != model.entry.ENV:
        if style == ARGS:
            raise UsageError(f"{operation.name} is a notebook, which takes no arguments", 'flags-to = "globals" is its way')
        flags = notebook_in(objects, operation.script, tree).flags
        return Declared(model.entry.override_flags(flags, said), Script(flags, GLOBALS), GLOBALS)
    return Declared(said or None, None, style)


def step_flags(objects: Objects, definition: Definition, tree: str, above: tuple[str, ...] = ()) -> tuple[Flag, ...]:
    """Returns the flags of all steps, without those that a step sets itself. Raises UsageError if the steps form a cycle.

    A default survives only if all steps agree on it.
    """
    if definition.name in above:
        raise UsageError(f"the steps of {definition.name} lead back to it", " -> ".join((*above, definition.name)))

    found: dict[str, Flag] = {}
    for step in definition.steps:
        operation = step_operation(objects, step.operation, tree)
        inner = operation.definition
        if inner and operation.kind == STEPS:
            flags = model.entry.override_flags(step_flags(objects, inner, tree, (*above, definition.name)), inner.flags)
        else:
            flags = declared_by(objects, operation, tree).flags or ()
        own = {name for name, _ in step.flags}
        for flag in flags:
            known = found.get(flag.name)
            if flag.name not in own:
                agreed = known is None or same_value(known.default, flag.default)
                found[flag.name] = flag if agreed else replace(flag, default=None, required=False)
    return tuple(found.values())


def file_flags(objects: Objects, definition: Definition, tree: str) -> tuple[Flag, ...]:
    """Returns the flags that are values of the entry's file in this tree. Raises UsageError."""
    if mode_of(objects, tree, definition.file) is None:
        raise UsageError(f"there is no '{definition.file}', which has the flags of {definition.name}", "is it ignored by git?")
    data = require_there(objects, f"{tree}:{definition.file}").data

    return source.config_files.read_flags(data or b"", definition.file)


def asked(objects: Objects, operation: Operation, tree: str) -> Script:
    """Runs the program to ask for its flags, as its entry allows. Raises CannotRun."""
    # importing what starts programs takes as long as all else here
    return source.introspect.ask_here(objects.git, tree, operation.script)


def script_in(objects: Objects, path: str, tree: str) -> Script:
    """Reads the flags that a Python script of the tree declares. Raises CannotRun."""
    entry = entry_at(objects, tree, os.fsencode(path))
    if entry is None or entry.mode not in {FILE, EXECUTABLE}:
        raise CannotRun(f"there is no '{path}' in this source")
    found = require_there(objects, entry.id)
    if found.data is None:
        raise CannotRun(f"'{path}' is too long for a script", "git run -- runs it as any program")
    return script_of(objects, tree, path, entry.id, found.data)
