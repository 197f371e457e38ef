"""Decides how each flag reaches its program. Refuses flags that do not reach it: a recorded flag must have had an effect."""

from __future__ import annotations

import os
import re

from gitrun import scripts, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import UnknownFlag, UsageError
from gitrun.lazy import shlex
from gitrun.model.flags import Flags, Typed, default_values, format_value, same_value
from gitrun.model.run import COMMAND, NOTEBOOK, PROGRAM, STEPS
from gitrun.scripts.discover import ARGS, GLOBALS, place_arguments, read_words
from gitrun.source.declared_flags import merge_step_flags
from gitrun.source.operations import PYTHON
from gitrun.source.parameters import read_parameters, with_parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gitrun.model.flags import Value
    from gitrun.scripts.discover import Script
    from gitrun.source.declared_flags import Declared
    from gitrun.source.hosted_script import Host
    from gitrun.source.operations import Operation
    from gitrun.source.source_tree import SourceTree

MAKES = frozenset({"make", "gmake"})
READS_WORDS = (b"argv", b"argparse", b"getopt")
"""Parts of the source of a Python script that reads the words after `--`."""
IN_ENVIRONMENT = rb"""(?:environ|getenv)\b[^\n]{0,9}["']%s["']|\$\{?%s\b"""
"""A pattern for code in Python or a shell that reads the environment variable of a name."""
INLINE_METADATA = b"# /// script"
"""The header that `uv run` reads in a script (PEP 723). uv would not find it in another file."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way of flags to a command: words to add, each with its position, or constants to set in the script at `position`."""

    inserted: tuple[tuple[int, str], ...] = ()
    constants: Mapping[str, Value | None] | None = None
    position: int = 0


def flag_variable(name: str) -> str:
    """Returns the environment variable that holds the value of a flag."""
    # names of shell variables have only letters, digits and underscores
    return f"FLAG_{''.join(char if char.isascii() and char.isalnum() else '_' for char in name).upper()}"


def is_mentioned(name: str, words: Iterable[str]) -> bool:
    """Returns whether a word has `{name}` or the flag's environment variable."""
    return any(f"{{{name}}}" in word or flag_variable(name) in word for word in words)


def reads_variable(code: bytes, name: str) -> bool:
    """Returns whether code names the flag's environment variable, or builds such names."""
    # os.environ["FLAG_" + name] builds the name
    return flag_variable(name).encode() in code or re.search(rb"FLAG_(?![A-Z0-9_])", code) is not None


def takes_only_variables(operation: Operation, declared: Declared) -> bool:
    """Returns whether the program gets its flags only through the environment and `{name}` in its words."""
    return operation.kind in {COMMAND, PROGRAM} and declared.style == ""


def find_host(tree: SourceTree, operation: Operation, declared: Declared, names: Collection[str]) -> Host | None:
    """Returns the Python script that a command starts, if a flag is not already used by the command's words."""
    if operation.kind != COMMAND or not takes_only_variables(operation, declared):
        return None
    # the command itself says where its flags go
    if all(is_mentioned(name, operation.command) for name in names):
        return None
    at = source.hosted_script.find_hosted(tree, operation.command, operation.cwd)
    content = tree.read(at.path) if at else None
    if at is None or content is None:
        return None
    script = tree.script(at.path, content).chosen(operation.command[at.position + 1 :])
    script = with_parameters(script, read_parameters(tree, replace(operation, path=at.path), script))
    host = source.hosted_script.Host(at, script, content)
    # searching the tree starts a git process, so it is done only for names that nothing else explains
    unknown = [name for name in names if not host.takes(name) and not is_mentioned(name, operation.command)]
    elsewhere = frozenset(name for name in unknown if is_variable_read(tree, content, name))
    return replace(host, read_elsewhere=elsewhere)


def is_routed(host: Host, name: str, words: Sequence[str]) -> bool:
    """Returns whether the flag goes to the script, and not only to a word or the environment."""
    return not is_mentioned(name, words) and (host.takes(name) or name not in host.read_elsewhere)


def find_lost_flags(tree: SourceTree, operation: Operation, declared: Declared, flags: Mapping[str, Value]) -> list[str]:
    """Returns the names of the flags that do not reach the program."""
    if operation.kind == STEPS:
        definition = operation.definition
        known_names = {flag.name for flag in merge_step_flags(tree, definition)} if definition else set()
        return [name for name in flags if name not in known_names]
    if operation.kind in {COMMAND, PROGRAM}:
        host = declared.host
        names = [name for name in flags if host and not host.takes(name) and is_routed(host, name, operation.command)]
        return [name for name in names if host and not reaches_script(tree, host.script, host.source, name, flags[name])]
    script = declared.script
    if operation.kind == NOTEBOOK and script is None and declared.style == "":
        code = read_code(tree, operation)
        return [name for name in flags if not is_variable_read(tree, code, name)]
    if script is None or declared.style not in {ARGS, GLOBALS}:
        return []
    # declared flags reach their script by definition; only the others are looked for in its code
    known_names = {flag.name for flag in script.flags}
    unknown = [name for name in flags if name not in known_names]
    code = read_code(tree, operation) if unknown else b""
    return [name for name in unknown if not reaches_script(tree, script, code, name, flags[name])]


def reaches_script(tree: SourceTree, script: Script, code: bytes, name: str, value: Value) -> bool:
    """Returns whether an undeclared flag reaches the script: as a word, as a name that it reads, or in the environment."""
    if script.style == ARGS:
        defaults = Flags(default_values(script.flags))
        # an undeclared flag may still be a word that the parser passes through, except a switch that is off
        has_words = place_arguments(script, defaults.put({name: value})) != place_arguments(script, defaults)
        return has_words or is_variable_read(tree, code, name)

    return scripts.usage.sees_global(code, name) or is_variable_read(tree, code, name)


def is_variable_read(tree: SourceTree, code: bytes, name: str) -> bool:
    """Returns whether the code, or a file of the tree, names the flag's environment variable."""
    return reads_variable(code, name) or tree.contains(flag_variable(name))


def read_code(tree: SourceTree, operation: Operation) -> bytes:
    """Returns the source of a script, or of a notebook's cells after its flags; empty if it cannot be read."""
    data = (tree.read(operation.script) or b"") if source.hosted_script.is_tree_file(tree, operation.script) else b""
    if operation.kind != NOTEBOOK:
        return data

    return scripts.notebooks.read_code_after_flags(data, operation.script, is_python=operation.command[0] == PYTHON)


def require_reach(operation: Operation, declared: Declared, lost: Collection[str], flags: Mapping[str, Value]) -> None:
    """Raises UsageError if a flag does not reach the program. The hint names a way that works."""
    for name in lost:
        what = "its notebook" if operation.kind == NOTEBOOK else "its steps" if operation.kind == STEPS else "its program"
        setter = find_step_that_sets(operation, name)
        why = f"the step {setter} gives it a value" if setter else "nothing there reads it"
        message = f"flag {name!r} of {operation.name} would not reach {what}: {why}"
        raise UsageError(message, suggest_way(operation, declared, name, format_value(flags[name])))


def find_step_that_sets(operation: Operation, name: str) -> str:
    """Returns the step that has the flag among its own, as in `train lr=0.1`; "" if there is none."""
    steps = operation.definition.steps if operation.definition else ()
    return next((step.operation for step in steps if any(name == one for one, _ in step.flags)), "")


def suggest_way(operation: Operation, declared: Declared, name: str, value: str) -> str:
    """Returns how to give the program a value for which it has no flag."""
    if setter := find_step_that_sets(operation, name):
        return f"To pass it on: write that step as {setter}"
    if operation.kind == STEPS:
        return f"To use it: a step of {operation.name} must have a flag of this name"
    if operation.definition and any(flag.name == name for flag in operation.definition.flags):
        return 'To pass it: set flags-to = "args" or "env" in its entry'
    if operation.kind == NOTEBOOK:
        return f"To make it a flag: assign {name} a literal in the first cell, or in the cell tagged parameters"
    option = f"--{name} {shlex.quote(value)}"
    if declared.host:
        return f"To pass it as words: git run -- {shlex.join(operation.command)} {option}"
    return f"To pass it as words: git run {operation.name} -- {option}"


def suggest_other_way(
    tree: SourceTree, operation: Operation, declared: Declared, name: str, value: Value | Typed | None
) -> str | None:
    """Returns how to give the program a value that would not reach it as a flag; empty if there is no way.

    None if --force-flags passes it.
    """
    text = value.text if isinstance(value, Typed) else "" if value is None else format_value(value)
    if not find_lost_flags(tree, operation, declared, {name: text}):
        return None
    code = declared.host.source if declared.host else read_code(tree, operation) if declared.script else b""
    if reads_environment(code, name):
        return f"To set the environment variable: {command_with_variable(operation, name, text)}"
    if (declared.script or declared.host) and not any(word in code for word in READS_WORDS):
        return ""
    return suggest_way(operation, declared, name, text)


def reads_environment(code: bytes, name: str) -> bool:
    """Returns whether code reads the environment variable that has the flag's own name."""
    spelled = re.escape(name.encode())
    return re.search(IN_ENVIRONMENT % (spelled, spelled), code) is not None


def command_with_variable(operation: Operation, name: str, value: str) -> str:
    """Returns a call of git run that records a flag and passes it as the environment variable of that name."""
    # many machines have no `python`
    words = ["python3" if word == PYTHON else word for word in operation.command]
    return f"git run {shlex.quote(f'{name}={value}')} -- env '{name}={{{name}}}' {shlex.join(words)}"


def find_unread_flags(tree: SourceTree, operation: Operation, declared: Declared, names: Iterable[str]) -> list[str]:
    """Returns the flags that a command or program gets only in the environment and that none of its files reads."""
    if not takes_only_variables(operation, declared) or declared.host:
        return []
    unread = [name for name in names if not is_mentioned(name, operation.command)]
    contents = source.hosted_script.read_named_files(tree, operation.command, operation.cwd) if unread else []
    return [name for name in unread if not any(reads_variable(content, name) for content in contents)]


def environment_note(tree: SourceTree, operation: Operation, names: Sequence[str]) -> str:
    """Returns a note about flags that are only passed in the environment; empty if there are none."""
    if not names:
        return ""
    name, variables = names[0], ", ".join(map(flag_variable, names))
    note = f"note: {', '.join(names)}: passed only in the environment, as {variables}"
    words = f"'{{{name}}}'"
    if os.path.basename(operation.command[0]) in MAKES:
        words = f"'{name}={{{name}}}'"
    elif any(
        reads_environment(content, name)
        for content in source.hosted_script.read_named_files(tree, operation.command, operation.cwd)
    ):
        return f"{note}. To pass {name}: {command_with_variable(operation, name, 'VALUE')}"
    hint = f"git run {name}=VALUE -- {shlex.join(operation.command)} {words}"
    if operation.kind == PROGRAM or operation.definition:
        hint = f"git run {operation.name} -- WORDS"
    return f"{note}. To pass words: {hint}"


def route_flags(host: Host, operation: Operation, flags: Flags) -> Route:
    """Returns how the script among the words of a command gets its own flags. Raises UsageError."""
    words, at = operation.command, host.at
    own = {name: value for name, value in flags.items() if is_routed(host, name, words) and not host.has_in_file(name)}
    # words before the script belong to the program that starts it
    behind = words[at.position + 1 :]
    if host.script.style == ARGS:
        typed = read_words(host.script, behind)
        twice = next((name for name in own if name in typed.flags or name in typed.unsure), "")
        if twice:
            raise UsageError(f"flag {twice!r} is also in the command", "Give it once")
        # flags that are not set get no words
        values = Flags(default_values(host.script.flags) | own)
        return Route(tuple((at.position + 1 + start, word) for start, word in place_arguments(host.script, values, behind)))
    before = {flag.name: flag.default for flag in host.script.flags}
    changed = {name: value for name, value in own.items() if name not in before or not is_exactly(value, before[name])}
    if changed and (reason := why_not_launched(host)):
        raise UnknownFlag(
            f"flag {next(iter(changed))!r} cannot be set in {at.path} here: {reason}", f"To set it: git run {at.path}"
        )
    return Route((), changed, at.position)


def is_exactly(value: Value, other: Value | None) -> bool:
    """Returns whether the program would see no difference: same type and same value."""
    return type(value) is type(other) and same_value(value, other)


def why_not_launched(host: Host) -> str:
    """Returns the reason why constants of the script cannot be set; empty if they can."""
    if host.at.position == 0:
        return "the command starts it as a program"
    if host.at.host.endswith("uv") and INLINE_METADATA in host.source:
        return "uv reads its dependencies in the script itself"
    return ""
