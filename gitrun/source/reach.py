"""Decides how each flag reaches its program. Refuses flags that do not reach it: a recorded flag must have had an effect."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitrun import scripts
from gitrun.errors import UsageError
from gitrun.model.flags import Flags, Typed, default_values, format_value, same_value
from gitrun.model.run import COMMAND, NOTEBOOK, PROGRAM, STEPS
from gitrun.scripts.discover import ARGS, GLOBALS, placed, read_words
from gitrun.source.flag_cache import script_of
from gitrun.source.hosted_script import Hosted, blob_at, files_named, hosted_by
from gitrun.source.operations import PYTHON, step_flags
from gitrun.source.parameters import with_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gitrun.git.objects import Objects
    from gitrun.model.flags import Value
    from gitrun.scripts.discover import Script
    from gitrun.source.operations import Declared, Operation

READS_WORDS = (b"argv", b"argparse", b"getopt")
"""What the source of a Python script has that looks at the words behind `--`."""
INLINE_METADATA = b"# /// script"
"""The header that `uv run` reads in a script (PEP 723). uv would not find it in another file."""


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


@dataclass(frozen=True, slots=True)
class Route:
    """The way of flags to a command: words to add, each with its position, or constants to set in the script at `place`."""

    added: tuple[tuple[int, str], ...] = ()
    constants: Mapping[str, Value | None] | None = None
    place: int = 0


def variable_of(name: str) -> str:
    """Returns the environment variable that holds the value of a flag."""
    return f"FLAG_{re.sub('[^A-Za-z0-9]', '_', name).upper()}"


def is_mentioned(name: str, words: Iterable[str]) -> bool:
    """Returns whether a word has `{name}` or the flag's environment variable."""
    return any(f"{{{name}}}" in word or variable_of(name) in word for word in words)


def reads_variable(source: bytes, name: str) -> bool:
    """Returns whether a source names the flag's environment variable, or builds such names."""
    return variable_of(name).encode() in source or re.search(rb"FLAG_(?![A-Z0-9_])", source) is not None


def is_open(operation: Operation, declared: Declared) -> bool:
    """Returns whether the program gets its flags only through the environment and `{name}` in its words."""
    return operation.kind in {COMMAND, PROGRAM} and declared.style == ""


def host_of(objects: Objects, operation: Operation, declared: Declared, tree: str, names: Collection[str]) -> Host | None:
    """Returns the Python script that a command starts, if a flag is not already used by the command's words."""
    if operation.kind != COMMAND or not is_open(operation, declared):
        return None
    if all(is_mentioned(name, operation.command) for name in names):
        return None
    at = hosted_by(objects, tree, operation.command, operation.cwd)
    found = objects.read(blob_at(objects, tree, at.path)) if at else None
    if at is None or found is None or found.data is None:
        return None
    script = script_of(objects, tree, at.path, found.id, found.data).chosen(operation.command[at.place + 1 :])
    script = with_parameters(objects, replace(operation, path=at.path), script, tree, None)
    host = Host(at, script, found.data)
    unknown = [name for name in names if not host.takes(name) and not is_mentioned(name, operation.command)]
    elsewhere = frozenset(name for name in unknown if is_variable_read(objects, found.data, tree, name))
    return replace(host, read_elsewhere=elsewhere)


def is_routed(host: Host, name: str, words: Sequence[str]) -> bool:
    """Returns whether the flag goes to the script, and not only to a word or the environment."""
    return not is_mentioned(name, words) and (host.takes(name) or name not in host.read_elsewhere)


def lost_flags(objects: Objects, operation: Operation, declared: Declared, tree: str, flags: Mapping[str, Value]) -> list[str]:
    """Returns the names of the flags that do not reach the program."""
    if operation.kind == STEPS:
        definition = operation.definition
        known = {flag.name for flag in step_flags(objects, definition, tree)} if definition else set()
        return [name for name in flags if name not in known]
    if operation.kind in {COMMAND, PROGRAM}:
        host = declared.host
        names = [name for name in flags if host and not host.takes(name) and is_routed(host, name, operation.command)]
        return [name for name in names if host and not reaches(objects, host.script, host.source, tree, (name, flags[name]))]
    script = declared.script
    if operation.kind == NOTEBOOK and script is None and declared.style == "":
        source = source_of(objects, operation, tree)
        return [name for name in flags if not is_variable_read(objects, source, tree, name)]
    if script is None or declared.style not in {ARGS, GLOBALS}:
        return []
    known = {flag.name for flag in script.flags}
    unknown = [name for name in flags if name not in known]
    source = source_of(objects, operation, tree) if unknown else b""
    return [name for name in unknown if not reaches(objects, script, source, tree, (name, flags[name]))]


def reaches(objects: Objects, script: Script, source: bytes, tree: str, flag: tuple[str, Value]) -> bool:
    """Returns whether an undeclared flag reaches the script: as a word, as a name that it reads, or in the environment."""
    name, value = flag
    if script.style == ARGS:
        known = Flags(default_values(script.flags))
        has_words = placed(script, known.put({name: value})) != placed(script, known)
        return has_words or is_variable_read(objects, source, tree, name)

    return scripts.usage.sees(source, name) or is_variable_read(objects, source, tree, name)


def is_variable_read(objects: Objects, source: bytes, tree: str, name: str) -> bool:
    """Returns whether the source, or another file of the tree, names the flag's environment variable."""
    if reads_variable(source, name):
        return True
    return objects.git.attempt("grep", "-q", "-F", "-e", variable_of(name), tree, "--").returncode == 0


def source_of(objects: Objects, operation: Operation, tree: str) -> bytes:
    """Returns the source of a script, or of a notebook's cells after its flags."""
    found = objects.read(blob_at(objects, tree, operation.script))
    data = (found.data or b"") if found else b""
    if operation.kind != NOTEBOOK:
        return data

    return scripts.notebooks.code_after_flags(data, operation.script, is_python=operation.command[0] == PYTHON)


def require_reach(operation: Operation, declared: Declared, lost: Collection[str], flags: Mapping[str, Value]) -> None:
    """Raises UsageError if a flag does not reach the program. The hint names a way that works."""
    for name in lost:
        what = "its notebook" if operation.kind == NOTEBOOK else "its steps" if operation.kind == STEPS else "its program"
        message = f"flag {name!r} of {operation.name} would not reach {what}: nothing there reads it"
        raise UsageError(message, way_for(operation, declared, name, format_value(flags[name])))


def way_for(operation: Operation, declared: Declared, name: str, value: str) -> str:
    """Returns how to give the program a value for which it has no flag."""
    if operation.kind == STEPS:
        return f"give a step of {operation.name} a flag of this name"
    if operation.definition and any(flag.name == name for flag in operation.definition.flags):
        return 'set flags-to = "args" or "env" in its entry, or delete the flag there'
    if operation.kind == NOTEBOOK:
        return f"assign {name} a literal in its first cell, or in the cell that is tagged parameters"
    option = f"--{name} {shlex.quote(value)}"
    if declared.host:
        return f"to pass it as words: git run -- {shlex.join(operation.command)} {option}"
    return f"to pass it as words, leave out {name}={value}: git run {operation.name} -- {option}"


def other_way(
    objects: Objects, operation: Operation, declared: Declared, tree: str, flag: tuple[str, Value | Typed | None]
) -> str | None:
    """Returns how to give the program a value that would not reach it as a flag; empty if there is no way.

    None if --force-flags passes it.
    """
    name, given = flag
    text = given.text if isinstance(given, Typed) else "" if given is None else format_value(given)
    if not lost_flags(objects, operation, declared, tree, {name: text}):
        return None
    source = declared.host.source if declared.host else source_of(objects, operation, tree) if declared.script else b""
    if (declared.script or declared.host) and not any(word in source for word in READS_WORDS):
        return ""
    return way_for(operation, declared, name, text)


def unread(objects: Objects, operation: Operation, declared: Declared, tree: str, names: Iterable[str]) -> list[str]:
    """Returns the flags that a command or program gets only in the environment and that none of its files reads."""
    if not is_open(operation, declared) or declared.host:
        return []
    left = [name for name in names if not is_mentioned(name, operation.command)]
    sources = files_named(objects, tree, operation.command, operation.cwd) if left else []
    return [name for name in left if not any(reads_variable(source, name) for source in sources)]


def environment_note(operation: Operation, names: Sequence[str]) -> str:
    """Returns a note about flags that are only passed in the environment; empty if there are none."""
    if not names:
        return ""
    variables = ", ".join(map(variable_of, names))
    words = f"'{{{names[0]}}}'"
    hint = f"git run {names[0]}=VALUE -- {shlex.join(operation.command)} {words}"
    if operation.kind == PROGRAM or operation.definition:
        hint = f"git run {operation.name} -- WORDS"
    return f"note: {', '.join(names)}: passed only in the environment, as {variables}. To pass words: {hint}"


def route_of(host: Host, operation: Operation, flags: Flags) -> Route:
    """Returns how the script among the words of a command gets its own flags. Raises UsageError."""
    words, at = operation.command, host.at
    own = {name: value for name, value in flags.items() if is_routed(host, name, words) and not host.has_in_file(name)}
    behind = words[at.place + 1 :]
    if host.script.style == ARGS:
        typed = read_words(host.script, behind)
        twice = next((name for name in own if name in typed.flags or name in typed.unsure), "")
        if twice:
            raise UsageError(f"flag {twice!r} is also among the words of the command", "give it once")
        # flags that are not set get no words
        known = Flags(default_values(host.script.flags) | own)
        return Route(tuple((at.place + 1 + place, word) for place, word in placed(host.script, known, behind)))
    before = {flag.name: flag.default for flag in host.script.flags}
    changed = {name: value for name, value in own.items() if name not in before or not is_exactly(value, before[name])}
    if changed and (reason := no_launcher(host)):
        raise UsageError(
            f"flag {next(iter(changed))!r} cannot be set in {at.path} here: {reason}", f"git run {at.path} sets it"
        )
    return Route((), changed, at.place)


def is_exactly(one: Value, other: Value | None) -> bool:
    """Returns whether the program would see no difference: same type and same value."""
    return type(one) is type(other) and same_value(one, other)


def no_launcher(host: Host) -> str:
    """Returns the reason why constants of the script cannot be set; empty if they can."""
    if host.at.place == 0:
        return "the command starts it as a program"
    if host.at.host.endswith("uv") and INLINE_METADATA in host.source:
        return "uv reads its dependencies in the script itself"
    return ""
