"""Finds the flags that an operation takes: those that its script declares, and those of its project file entry."""

from __future__ import annotations

from gitrun import model, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, UsageError
from gitrun.model.flags import same_value
from gitrun.model.run import NOTEBOOK, SCRIPT, STEPS
from gitrun.model.tree import is_regular_file
from gitrun.scripts.discover import ARGS, GLOBALS, Script
from gitrun.source.operations import PYTHON, find_operation, read_notebook_at, restarted_operation, step_operation
from gitrun.source.parameters import read_parameters, with_parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git
    from gitrun.model.entry import Definition
    from gitrun.model.flags import Flag
    from gitrun.model.plan import Request
    from gitrun.model.plan import Source as Snapshot
    from gitrun.model.provenance import Basis
    from gitrun.model.run import Attempt
    from gitrun.source.hosted_script import Host
    from gitrun.source.operations import Operation
    from gitrun.source.parameters import ParameterValues
    from gitrun.source.source_tree import SourceTree


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


ANY_FLAGS = Declared()


@dataclass(frozen=True, slots=True)
class Declaration:
    """An operation, and everything that its source says about its flags. All reading is done.

    `script` has the flags of every sub-command and group, and `parameters` the values of the files that it loads. Without a
    script the flags do not depend on values, and are `fixed`.
    """

    operation: Operation
    fixed: Declared = ANY_FLAGS
    script: Script | None = None
    parameters: tuple[ParameterValues, ...] = ()

    def with_values(self, flags: Mapping[str, object] | None = None) -> Declared:
        """Returns the flags for given values, which can choose sub-commands and groups with flags of their own."""
        if self.script is None:
            return self.fixed
        script = with_parameters(self.script.chosen(self.operation.words, flags), self.parameters, flags)
        definition = self.operation.definition
        if definition is None:
            return Declared(script.flags, script, script.style)
        # the entry passes flags another way, so what the script declares does not receive them
        if definition.flags_to and definition.flags_to != script.style:
            return self.fixed
        return Declared(model.entry.override_flags(script.flags, definition.flags), script, script.style)


def resolve_operation(git: Git, tree: SourceTree, request: Request, snapshot: Snapshot) -> Declaration:
    """Returns the operation that the request names, with what the tree of the snapshot says about its flags.

    Raises CannotRun, UsageError.
    """
    return read_declaration(tree, find_operation(git, tree, request, snapshot))


def resolve_restart(tree: SourceTree, attempt: Attempt, basis: Basis | None, own_tree: SourceTree | None = None) -> Declaration:
    """Returns the operation of an attempt as a tree defines it, with what the tree says about its flags.

    `own_tree` is the attempt's own source if `tree` is another one. Raises CannotRun, UsageError, BadRun.
    """
    return read_declaration(tree, restarted_operation(tree, attempt, basis, own_tree))


def read_declaration(tree: SourceTree, operation: Operation) -> Declaration:
    """Reads what the tree says about the flags of an operation. Raises CannotRun, UsageError."""
    definition = operation.definition
    entry_flags = definition.flags if definition else ()
    style = definition.flags_to if definition else ""
    # the values of the file are the flags, whatever the script declares
    if definition and definition.file:
        flags = read_entry_file(tree, definition)
        return Declaration(operation, Declared(model.entry.override_flags(flags, entry_flags), None, style, flags))
    if definition and operation.kind == STEPS:
        return Declaration(operation, Declared(model.entry.override_flags(merge_step_flags(tree, definition), entry_flags)))
    if operation.kind == SCRIPT:
        # an entry with flags = "import" allows that the script is executed to read its flags
        is_asked = definition is not None and definition.asks
        script = tree.ask(operation.script) if is_asked else read_script_at(tree, operation.script)
        return Declaration(
            operation, Declared(entry_flags or None, None, style), script, read_parameters(tree, operation, script)
        )
    # the first cell of a Python notebook has its flags; kernels of other languages read the environment
    if operation.kind == NOTEBOOK and operation.command[0] == PYTHON and style != model.entry.ENV:
        if style == ARGS:
            raise UsageError(
                f"{operation.name} is a notebook, which takes no arguments", 'To pass flags to it: flags-to = "globals"'
            )
        flags = read_notebook_at(tree, operation.script).flags
        over = model.entry.override_flags(flags, entry_flags) if definition else flags
        return Declaration(operation, Declared(over, Script(flags, GLOBALS), GLOBALS))
    return Declaration(operation, Declared(entry_flags or None, None, style))


def merge_step_flags(tree: SourceTree, definition: Definition, above: tuple[str, ...] = ()) -> tuple[Flag, ...]:
    """Returns the flags of all steps, without those that a step sets itself. Raises UsageError if the steps form a cycle.

    A default survives only if all steps agree on it.
    """
    # an entry can name itself through its steps, and reading them would not end
    if definition.name in above:
        raise UsageError(f"the steps of {definition.name} form a circle: {' -> '.join((*above, definition.name))}")

    merged: dict[str, Flag] = {}
    for step in definition.steps:
        operation = step_operation(tree, step.operation)
        inner = operation.definition
        if inner and operation.kind == STEPS:
            flags = model.entry.override_flags(merge_step_flags(tree, inner, (*above, definition.name)), inner.flags)
        else:
            flags = read_declaration(tree, operation).with_values().flags or ()
        # a flag that the step sets is not for the user to choose
        own = {name for name, _ in step.flags}
        for flag in flags:
            before = merged.get(flag.name)
            if flag.name not in own:
                agreed = before is None or same_value(before.default, flag.default)
                # without a common default each step uses its own
                merged[flag.name] = flag if agreed else replace(flag, default=None, required=False)
    return tuple(merged.values())


def read_entry_file(tree: SourceTree, definition: Definition) -> tuple[Flag, ...]:
    """Returns the flags that are values of the entry's file in this tree. Raises UsageError."""
    if not is_regular_file(tree, definition.file):
        raise UsageError(f"no '{definition.file}', which holds the flags of {definition.name}", "is it ignored by git?")
    return source.config_files.read_flags(tree.read(definition.file) or b"", definition.file)


def read_script_at(tree: SourceTree, path: str) -> Script:
    """Reads the flags that a Python script of the tree declares. Raises CannotRun."""
    if not is_regular_file(tree, path):
        raise CannotRun(f"no '{path}' in the source of the run")
    content = tree.read(path)
    # read returns None for more than 64 MiB
    if content is None:
        raise CannotRun(f"'{path}' is too long for a script", "To run it as any program: git run --")
    return tree.script(path, content)
