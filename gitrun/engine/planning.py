"""From words to a plan: which operation, which flags, which source; nothing is written to any ref yet."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.engine.operations import Operation, declared_by, definition_of, entry_operation, find_operation
from gitrun.errors import BadRun, UsageError
from gitrun.model.definitions import ENV
from gitrun.model.flags import Flags, Typed, defaults, same_value, settle
from gitrun.model.params import Params
from gitrun.model.plan import COMMAND, NOTEBOOK, SCRIPT, STEPS, Plan, Source
from gitrun.model.refs import short
from gitrun.model.scripts import ARGS, GLOBALS, constants, placed, require_command, unrecorded, warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gitrun.engine.operations import Declared
    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.basis import Basis
    from gitrun.model.flags import Value
    from gitrun.model.request import Request
    from gitrun.model.run import Attempt, Run

LEAST = {SCRIPT: 2, NOTEBOOK: 2, COMMAND: 1}
"""Words of a command that its kind needs."""
LONGEST = 128 << 10
"""Bytes of one string of an environment that Linux does not take (MAX_ARG_STRLEN, its end included)."""
Bare: TypeAlias = "tuple[Source, Moment, bool]"
"""What of a plan is there before flags are: source, moment, and whether it is staged."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What makes a launch unlike any other: when, and two random values."""

    now: datetime
    nonce: str
    seed: int


@dataclass(frozen=True, slots=True)
class Before:
    """The run that a restart goes on from, and what its last attempt rests on."""

    run: Run
    basis: Basis | None


def plan_start(git: Git, objects: Objects, request: Request, source: Source, moment: Moment) -> Plan:
    """The plan of a new run. Raises UsageError, CannotRun; nothing was written then."""
    operation = find_operation(git, objects, request, source)
    declared = declared_by(objects, operation, source.tree, request.flags)
    given = settle_flags(operation, declared, request, force=bool(request.force_flags))
    flags = Flags(defaults(declared.flags or ())).put(given)
    params = Params(**{"random_seed": moment.seed, **request.given_params()})
    return make_plan(operation, declared, flags, params, (source, moment, request.stage))


def plan_restart(
    objects: Objects, request: Request, before: Before, source: Source, moment: Moment
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of another attempt from `source`, and the names of flags that its source no longer has.

    Raises UsageError, CannotRun; nothing was written then.
    """
    last, basis = before.run.attempt, before.basis
    operation = operation_of(objects, last, basis, source.tree, moved=request.force_sourcecode)
    params = restart_params(last, request)
    flags, declared = chosen_again(objects, operation, source.tree, last.flags, request)
    given = settle_flags(operation, declared, request, force=params.force_flags)
    gone: tuple[str, ...] = ()
    if request.force_sourcecode and declared.flags is not None:
        own = operation_of(objects, last, basis, last.id, moved=False)
        known = declared_by(objects, own, last.id, last.flags)
        flags, gone = moved_flags(flags, known, declared, force=params.force_flags)
    plan = make_plan(operation, declared, flags.put(given), params, (source, moment, request.stage))
    return replace(plan, clean=request.clean, basis=basis), gone


def operation_of(objects: Objects, last: Attempt, basis: Basis | None, tree: str, *, moved: bool) -> Operation:
    """The operation of an attempt as a tree has it; `moved`: the tree is not the attempt's own. Raises UsageError.

    What an entry of another source runs is what it says there, with the arguments that the attempt was given.
    """
    if len(last.command) < LEAST.get(last.kind, 0):
        raise BadRun(f"attempt {short(last.id)} says nothing that could be executed")
    known = Operation(last.operation, last.kind, last.command, last.cwd)
    if not basis or not basis.is_entry:
        return known
    definition = definition_of(objects, tree, last.operation)
    if definition is None:
        raise UsageError(
            f"the project file has no operation '{last.operation}' any more", "without --force-sourcecode the run has its own"
        )
    before = definition_of(objects, last.id, last.operation) if moved else None
    if before is None:
        return replace(known, definition=definition)
    given = last.command[len(entry_operation(objects, before, last.id, ()).command) :]
    return entry_operation(objects, definition, tree, given)


def settle_flags(operation: Operation, declared: Declared, request: Request, *, force: bool) -> dict[str, Value | None]:
    """The flags that were asked for, less the words that name runs of needed operations. Raises UsageError."""
    names = {need.operation for need in operation.definition.needs} if operation.definition else set()
    names -= {flag.name for flag in declared.flags or ()}
    asked = {name: value for name, value in request.flags.items() if name not in names}
    require_command(declared.script, operation.name, operation.command[2:], asked if not force else ())
    partial = bool(declared.script and declared.script.partial)
    as_typed = ("all" if operation.kind == COMMAND else "numbers") if takes_text(operation, declared) else ""
    asked = {name: replace(value, as_typed=as_typed) if isinstance(value, Typed) else value for name, value in asked.items()}
    return settle(declared.flags, asked, operation=operation.name, force=force, partial=partial)


def takes_text(operation: Operation, declared: Declared) -> bool:
    """Whether the program is given as text what nobody declares, not as a value or by a grammar of its own."""
    if declared.script:
        return declared.script.takes_text
    return operation.kind not in {STEPS, NOTEBOOK} and declared.style in {"", ARGS, ENV}


def make_plan(operation: Operation, declared: Declared, flags: Flags, params: Params, bare: Bare) -> Plan:
    """The plan, with how the program is given its flags. Raises UsageError if one that it must have is missing."""
    source, moment, staged = bare
    definition = operation.definition
    must = ((declared.flags or ()) if operation.kind == STEPS else definition.flags) if definition else ()
    missing = [flag.name for flag in must if flag.required and flag.name not in flags]
    if missing:
        raise UsageError(f"{operation.name} needs the flag '{missing[0]}'", f"give it as {missing[0]}=VALUE")
    own = declared.script.flags if declared.script else ()
    start = min(2, len(operation.command))
    added = placed(declared.script or (), flags, operation.command[start:]) if declared.style == ARGS else []
    notices = (
        warning(declared.script, operation.name, flags),
        unrecorded(declared.script, operation.name, flags, operation.command[start:]),
    )
    style = declared.style
    written = values_to_write(flags, declared) if definition and definition.file else {}
    return Plan(
        operation=operation.name, kind=operation.kind, command=operation.command, cwd=operation.cwd,
        flags=flags, params=params, source=source, created=moment.now, nonce=moment.nonce, staged=staged,
        arguments=tuple(word for _, word in added), places=tuple(start + place for place, _ in added),
        notices=tuple(filter(None, notices)),
        constants=constants(own, flags) if style == GLOBALS else {},
        definition=definition, basis=entry_basis() if definition else None,
        written=written,
    )  # fmt: skip


def values_to_write(flags: Flags, declared: Declared) -> dict[str, Value | None]:
    """Those of the flags that the file with the flags does not have so; None: it has one that was taken away."""
    from gitrun.model.configfiles import changed

    return changed(flags, declared.file)


def entry_basis() -> Basis:
    """What a run of an entry rests on before its needs are known."""
    from gitrun.model.basis import Basis

    return Basis(is_entry=True)


def moved_flags(old: Flags, before: Declared, now: Declared, *, force: bool) -> tuple[Flags, tuple[str, ...]]:
    """The flags of an attempt on new source: new ones with their defaults, those that are gone left out and named."""
    names = {flag.name for flag in now.flags or ()}
    known = {flag.name for flag in before.flags or ()}
    fresh = {name: value for name, value in defaults(now.flags or ()).items() if name not in known and name not in old}
    gone = () if force else tuple(name for name in old if name not in names)
    return old.put(fresh).put(dict.fromkeys(gone)), gone


def chosen_again(objects: Objects, operation: Operation, tree: str, old: Flags, request: Request) -> tuple[Flags, Declared]:
    """The flags of the last attempt, and those that the operation takes, after the request chose options of Hydra's groups."""
    declared = declared_by(objects, operation, tree, {**old, **request.flags})
    groups = declared.script.groups if declared.script else ()
    if not any(group.flag in request.flags for group in groups):
        return old, declared
    before = declared_by(objects, operation, tree, old)
    was = defaults(before.flags or ())
    own = {name: value for name, value in old.items() if not same_value(value, was.get(name))}
    now = declared_by(objects, operation, tree, {**own, **request.flags})
    return switched_flags(old, before, now), now


def switched_flags(old: Flags, before: Declared, now: Declared) -> Flags:
    """The flags under other options of groups: what only the old ones brought is gone, the new ones bring their own.

    A value that a person had put over that of an old option stays, if there is such a name under the new one.
    """
    was, will = defaults(before.flags or ()), defaults(now.flags or ())
    names = [flag.name for flag in now.flags or ()]
    gone = {flag.name: None for flag in before.flags or () if flag.name not in names}
    return old.put(gone).put({name: will.get(name) for name in names if same_value(old.get(name), was.get(name))})


def restart_params(last: Attempt, request: Request) -> Params:
    """The run parameters of the last attempt, with those that were asked for put over them."""
    given = request.given_params()
    kept = {name: getattr(last.params, name) for name in Params.__slots__}
    if "gpus" in given:
        kept["no_gpus"] = False
    if given.get("no_gpus"):
        kept["gpus"] = None
    return Params(**{**kept, **given})


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
    """The flags as environment variables `FLAG_<NAME>`; those that no program can be started with are left out."""
    found = {f"FLAG_{re.sub('[^A-Za-z0-9]', '_', name).upper()}": word_for(value) for name, value in flags.items()}
    return {name: value for name, value in found.items() if "\0" not in value and size_of(name, value) < LONGEST}


def size_of(name: str, value: str) -> int:
    """The bytes of an environment variable, without the one at its end."""
    return len(f"{name}={value}".encode(errors="surrogatepass"))
