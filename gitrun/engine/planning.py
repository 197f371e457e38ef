"""From words to a plan: which operation, which flags, which source; nothing is written to any ref yet."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.errors import CannotRun, ObjectsGone, UsageError
from gitrun.git.objects import EXECUTABLE, FILE, Entry, Object, entry_at
from gitrun.model.flags import Flags, defaults, settle
from gitrun.model.plan import COMMAND, PROGRAM, SCRIPT, Plan, Source
from gitrun.model.run import Params
from gitrun.model.scripts import ARGS, Script, arguments, constants, read_script
from gitrun.model.text import is_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.flags import Flag, Value
    from gitrun.model.request import Request
    from gitrun.model.run import Attempt, Run

PYTHON = "{python}"
Bare: TypeAlias = "tuple[Source, Moment, bool]"
"""What of a plan is there before flags are: source, moment, and whether it is staged."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What makes a launch unlike any other: when, and two random values."""

    now: datetime
    nonce: str
    seed: int


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be run: its name for life, its kind, its argv template and the directory it runs in."""

    name: str
    kind: str
    command: tuple[str, ...]
    cwd: str


def plan_start(git: Git, objects: Objects, request: Request, source: Source, moment: Moment) -> Plan:
    """The plan of a new run. Raises UsageError, CannotRun; nothing was written then."""
    operation = find_operation(git, objects, request, source)
    declared = declared_by(objects, operation, source.tree)
    given = settle(flags_of(declared), request.flags, operation=operation.name, force=bool(request.force_flags))
    flags = Flags(defaults(declared.flags) if declared else {}).put(given)
    params = Params(**{"random_seed": moment.seed, **request.given_params()})
    return make_plan(operation, declared, flags, params, (source, moment, request.stage))


def plan_restart(objects: Objects, request: Request, run: Run, source: Source, moment: Moment) -> tuple[Plan, tuple[str, ...]]:
    """The plan of another attempt of `run` from `source`, and the names of flags that its source no longer has.

    Raises UsageError, CannotRun; nothing was written then.
    """
    last = run.attempt
    operation = Operation(last.operation, last.kind, last.command, last.cwd)
    params = restart_params(last, request)
    declared = declared_by(objects, operation, source.tree)
    given = settle(flags_of(declared), request.flags, operation=operation.name, force=params.force_flags)
    flags = last.flags
    gone: tuple[str, ...] = ()
    if request.force_sourcecode and declared:
        before = declared_by(objects, operation, last.id)
        flags, gone = moved_flags(last.flags, before, declared, force=params.force_flags)
    plan = make_plan(operation, declared, flags.put(given), params, (source, moment, request.stage))
    return replace(plan, clean=request.clean), gone


def make_plan(operation: Operation, declared: Script | None, flags: Flags, params: Params, bare: Bare) -> Plan:
    """The plan, with how the program is given its flags."""
    style = declared.style if declared else ""
    source, moment, staged = bare
    return Plan(
        operation=operation.name, kind=operation.kind, command=operation.command, cwd=operation.cwd,
        flags=flags, params=params, source=source, created=moment.now, nonce=moment.nonce, staged=staged,
        arguments=tuple(arguments(declared.flags, flags)) if declared and style == ARGS else (),
        constants=constants(declared.flags, flags) if declared and style != ARGS else {},
    )  # fmt: skip


def moved_flags(old: Flags, before: Script | None, now: Script, *, force: bool) -> tuple[Flags, tuple[str, ...]]:
    """The flags of an attempt on new source: new ones with their defaults, those that are gone left out and named."""
    names = {flag.name for flag in now.flags}
    known = {flag.name for flag in before.flags} if before else set()
    fresh = {name: value for name, value in defaults(now.flags).items() if name not in known and name not in old}
    gone = () if force else tuple(name for name in old if name not in names)
    return old.put(fresh).put(dict.fromkeys(gone)), gone


def restart_params(last: Attempt, request: Request) -> Params:
    """The run parameters of the last attempt, with those that were asked for put over them."""
    given = request.given_params()
    kept = {name: getattr(last.params, name) for name in Params.__slots__}
    if "gpus" in given:
        kept["no_gpus"] = False
    if given.get("no_gpus"):
        kept["gpus"] = None
    return Params(**{**kept, **given})


def find_operation(git: Git, objects: Objects, request: Request, source: Source) -> Operation:
    """The operation that the words name, as it lies in the snapshot. Raises UsageError."""
    cwd = git.prefix.rstrip("/")
    if not request.operation:
        words = request.command
        return Operation(" ".join(words), COMMAND, words, cwd)
    path = below_top(git, request.operation)
    if not is_text(path):
        raise UsageError(f"'{safe_text(path)}' is not UTF-8, and a run records nothing else", "give it another name")
    mode = mode_of(objects, source.tree, path)
    if mode is None:
        raise UsageError(*not_there(git, request.operation, path, source))
    typed = os.path.relpath(path, cwd or ".")
    if path.endswith(".py"):
        return Operation(path, SCRIPT, (PYTHON, typed, *request.command), cwd)
    if mode != EXECUTABLE:
        hint = f"chmod +x {request.operation}, or name its interpreter: git run -- sh {request.operation}"
        raise UsageError(f"'{request.operation}' is neither a Python script nor executable", hint)
    return Operation(path, PROGRAM, (typed if "/" in typed else f"./{typed}", *request.command), cwd)


def below_top(git: Git, typed: str) -> str:
    """The path below the top of the working tree of a file as typed in the current directory. Raises UsageError."""
    if git.worktree is None:
        raise CannotRun("this repository has no working tree", "runs start from a working tree")
    if os.path.isabs(typed):
        path = os.path.relpath(os.path.realpath(os.path.dirname(typed)), os.path.realpath(git.worktree))
        path = os.path.normpath(os.path.join(path, os.path.basename(typed)))
    else:
        path = os.path.normpath(os.path.join(git.prefix, typed))
    if path.startswith("../") or path == "..":
        raise UsageError(f"'{typed}' lies outside this repository", f"git run -- {typed} runs any program")
    return path


def mode_of(objects: Objects, tree: str, path: str) -> str | None:
    """The mode of the file at the path of the tree; None if there is no file. Raises ObjectsGone if a gc took it."""
    entry = entry_at(objects, tree, os.fsencode(path))
    return entry.mode if entry and entry.mode in {FILE, EXECUTABLE} else None


def require_there(objects: Objects, entry: Entry) -> Object:
    """The object that a tree names. Raises ObjectsGone if it is not in the repository."""
    found = objects.read(entry.id)
    if found is None:
        raise ObjectsGone(f"git gc took away {entry.id} while it was written", "try again")
    return found


def not_there(git: Git, typed: str, path: str, source: Source) -> tuple[str, str]:
    """Why there is no such operation in the snapshot, and what to do."""
    top = (git.worktree or git.git_dir).resolve()
    place = top / path
    if place.is_dir():
        return f"'{typed}' is a directory", "name a script in it"
    real = place.resolve() if place.exists() else place
    if real != place:
        inside = os.path.relpath(real, top / git.prefix) if real.is_relative_to(top) else ""
        hint = f"git run {inside} runs the file itself" if inside else "it leads out of this repository"
        return f"'{typed}' is reached through a symbolic link", hint
    module = next((above for above in place.parents if above != top and (above / ".git").exists()), None)
    if module and module.is_relative_to(top) and place.exists():
        return f"'{typed}' belongs to another repository, '{module.relative_to(top)}'", "start it from there"
    if place.exists():
        reason = next((skipped.reason for skipped in source.skipped if skipped.path == path), "git ignores it")
        hint = f"git run -- {typed if '/' in typed else './' + typed} runs it without recording its code"
        return f"'{typed}' is not part of the snapshot: {reason}", hint
    return (
        f"there is no script, program or verb '{typed}' here",
        "git run -h lists the verbs; git run -- runs any command",
    )


def declared_by(objects: Objects, operation: Operation, tree: str) -> Script | None:
    """The flags that the operation declares in this tree; None if it takes every flag. Raises CannotRun."""
    if operation.kind != SCRIPT:
        return None
    entry = entry_at(objects, tree, os.fsencode(operation.name))
    if entry is None or entry.mode not in {FILE, EXECUTABLE}:
        raise CannotRun(f"there is no '{operation.name}' in this source")
    found = require_there(objects, entry)
    if found.data is None:
        raise CannotRun(f"'{operation.name}' is too long for a script", "git run -- runs it as any program")
    return read_script(found.data, operation.name)


def flags_of(declared: Script | None) -> Sequence[Flag] | None:
    """The declared flags; None if every flag is taken."""
    return declared.flags if declared else None


def source_of(attempt: Attempt, tree: str) -> Source:
    """The source of an attempt, for another one of the same source."""
    return Source(
        tree, attempt.base, attempt.branch, attempt.dirty, attempt.skipped, attempt.conflicts, attempt.submodules
    )  # fmt: skip


def fill_in(words: Sequence[str], flags: Mapping[str, Value]) -> list[str]:
    """The words with every `{name}` of a flag replaced by its value; other braces stay."""
    return [
        re.sub(r"\{([^{}]+)\}", lambda found: word_for(flags[found[1]]) if found[1] in flags else found[0], word)
        for word in words
    ]


def word_for(value: Value) -> str:
    """A value as a program is given it: text as it is, `true`, numbers as Python writes them, lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list):
        import json

        return json.dumps(value)
    return repr(value)


def flag_variables(flags: Mapping[str, Value]) -> dict[str, str]:
    """The flags as environment variables `FLAG_<NAME>`; those whose value holds a NUL are left out."""
    found = {f"FLAG_{re.sub('[^A-Za-z0-9]', '_', name).upper()}": word_for(value) for name, value in flags.items()}
    return {name: value for name, value in found.items() if "\0" not in value}
