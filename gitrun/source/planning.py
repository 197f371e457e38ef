"""Turns a request into a plan: the operation, the flags and the source. Writes no refs."""

from __future__ import annotations

import json
import os
import re
from types import MappingProxyType

from gitrun import model, source
from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import UnknownFlag, UsageError
from gitrun.model.entry import ENV
from gitrun.model.flags import Flags, Typed, default_values, find_declared, hint_for_unknown, resolve_flags, same_value
from gitrun.model.plan import BATCH_PARAMS, Plan, Source
from gitrun.model.run import COMMAND, NOTEBOOK, SCRIPT, STEPS, Params, words_start
from gitrun.scripts.discover import (
    ARGS,
    GLOBALS,
    changed_constants,
    own_options_note,
    place_arguments,
    read_words,
    require_command,
    unchecked_warning,
    unsure_warning,
)
from gitrun.source.declared_flags import resolve_operation, resolve_restart
from gitrun.source.parameters import values_to_write
from gitrun.source.reach import (
    Route,
    environment_note,
    find_host,
    find_lost_flags,
    find_unread_flags,
    flag_variable,
    is_routed,
    require_reach,
    route_flags,
    suggest_other_way,
)
from gitrun.source.typed_paths import below_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from gitrun.git.exe import Git
    from gitrun.model.batch import CommitTree
    from gitrun.model.entry import Definition
    from gitrun.model.flags import Flag, Value
    from gitrun.model.plan import Request
    from gitrun.model.provenance import Basis
    from gitrun.model.run import Attempt
    from gitrun.source.declared_flags import Declaration, Declared
    from gitrun.source.hosted_script import Host
    from gitrun.source.operations import Operation
    from gitrun.source.source_tree import SourceTree

LONGEST = 128 << 10
"""Linux accepts shorter strings in an environment (MAX_ARG_STRLEN in bytes, which counts the final NUL)."""
OPTION_NAMES = {"opt_flags": "--opt-flag"}
RANGE_EXAMPLE = "To search a range: lr=[0.001:0.1]. To try values: lr=[0.1, 0.01]"
NO_FLAGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LaunchStamp:
    """The time of a launch and two random values, which make it unique."""

    now: datetime
    nonce: str
    seed: int


@dataclass(frozen=True, slots=True)
class PlanOrigin:
    """The parts of a plan that do not depend on flags: snapshot, time, and whether the run is only staged.

    `commits` are the sources of the trials, if it is the plan of a batch over several.
    """

    snapshot: Source
    stamp: LaunchStamp
    is_staged: bool
    commits: tuple[CommitTree, ...] = ()


@dataclass(frozen=True, slots=True)
class Previous:
    """The last attempt of the run being restarted, its basis, and the files of its source."""

    attempt: Attempt
    basis: Basis | None
    tree: SourceTree


@dataclass(frozen=True, slots=True)
class FlagInput:
    """The typed flags, the flags of the last attempt, and whether to pass undeclared ones too."""

    typed: Mapping[str, Value | Typed | None]
    old: Mapping[str, Value] = field(default_factory=dict)
    force: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with its declared flags and the values that the user gave.

    `from_words` are the flags found among the words after `--`. `typed` are the typed flags by their declared names. `unsure`
    are flags that the remaining words may set.
    """

    operation: Operation
    declared: Declared
    from_words: dict[str, Value | None]
    typed: dict[str, Value | None]
    unsure: frozenset[str] = frozenset()

    @property
    def given(self) -> tuple[str, ...]:
        """Returns the names of the flags that were typed."""
        return tuple(dict.fromkeys((*self.typed, *self.from_words)))


def plan_start(git: Git, tree: SourceTree, request: Request, origin: PlanOrigin) -> Plan:
    """Plans a new run. `tree` has the files of the snapshot. Writes nothing. Raises UsageError, CannotRun."""
    declaration = resolve_operation(git, tree, request, origin.snapshot)
    script, options = declaration.script, request.options_behind
    note = own_options_note(script, options, declaration.operation.name, request.command) if script and options else ""
    try:
        plan = plan_declared(tree, declaration, request.flags, new_params(git, request, origin.stamp), origin)
    except UsageError as error:
        # an option that is missing may be the one that git run took
        error.detail = error.detail or (f"gitrun: {note}" if note else "")
        raise
    return replace(plan, notices=(note, *plan.notices)) if note else plan


def plan_with_source(git: Git, tree: SourceTree, request: Request, previous: Previous, origin: PlanOrigin) -> Plan:
    """Plans a run like the previous attempt on other source, with the request's flags and that source's defaults.

    `tree` has the files of the snapshot. Writes nothing. Raises UsageError, CannotRun.
    """
    last = previous.attempt
    declaration = resolve_restart(tree, last, previous.basis, previous.tree)
    return plan_declared(tree, declaration, request.flags, restart_params(last, request, path_params(git, request)), origin)


def plan_declared(
    tree: SourceTree, declaration: Declaration, typed: Mapping[str, Value | Typed | None], params: Params, origin: PlanOrigin
) -> Plan:
    """Plans a run of an operation with the typed flags and the defaults of the others. Raises UsageError, CannotRun."""
    call = read_call(tree, declaration, FlagInput(typed, force=bool(params.force_flags)))
    # a restart may contradict its words: the typed flag is the change
    refuse_contradictions(call)
    flags = Flags(default_values(call.declared.flags or ())).put(call.from_words | call.typed)
    lost = find_lost_flags(tree, call.operation, call.declared, flags)
    require_reach(call.operation, call.declared, lost, flags)
    plan = make_plan(tree, call, flags, params, origin)
    return replace(plan, given=call.given)


def may_be_batch(request: Request) -> bool:
    """Returns whether the request may ask for a batch. A quick test: it needs no reading of the operation."""
    return any(
        "[" in value.text if isinstance(value, Typed) else not isinstance(value, str | bool | int | float | None)
        for value in request.flags.values()
    ) or bool(given_batch_options(request) or request.needs_batch)


def given_batch_options(request: Request) -> list[str]:
    """Returns the options of the request that only a batch takes, as a person types them."""
    names = [name for name in BATCH_PARAMS if getattr(request, name) not in {None, ()}]
    return [OPTION_NAMES.get(name, f"--{name.replace('_', '-')}") for name in names]


def require_no_batch_options(request: Request) -> None:
    """Raises UsageError if the request has options of a batch, or must be one."""
    if request.points:
        name = f"@{request.points[0]}"
        raise UsageError(f"{name} makes a batch, and this run is none", f"To make one: git run OPERATION {name}")
    if options := given_batch_options(request):
        raise UsageError(f"{options[0]} needs a flag with several values", RANGE_EXAMPLE)
    if request.needs_batch:
        raise UsageError("a batch needs a flag with several values", RANGE_EXAMPLE)


def plan_restart(
    git: Git, tree: SourceTree, request: Request, previous: Previous, origin: PlanOrigin
) -> tuple[Plan, tuple[str, ...]]:
    """Plans another attempt. `tree` has the files of the snapshot.

    Returns the plan and the names of flags that the source no longer has. Writes nothing. Raises UsageError, CannotRun.
    """
    last, basis = previous.attempt, previous.basis
    own_tree = previous.tree if request.force_sourcecode else None
    declaration = resolve_restart(tree, last, basis, own_tree)
    params = restart_params(last, request, path_params(git, request))
    call = read_call(tree, declaration, FlagInput(request.flags, last.flags, force=params.force_flags))
    # words that were read as flags are gone from the command, and may not choose a sub-command again
    declaration = replace(declaration, operation=call.operation)
    flags, declared = switch_groups(declaration, last.flags.put(call.from_words), request.flags)
    call = replace(call, declared=replace(declared, host=call.declared.host))
    dropped: tuple[str, ...] = ()
    if own_tree and declared.flags is not None:
        # the old source's flags tell which of the new ones are really new
        before = resolve_restart(own_tree, last, basis).with_values(last.flags)
        flags, dropped = move_flags(flags, before, declared, force=params.force_flags)
    flags = flags.put(call.typed)
    lost = find_lost_flags(tree, call.operation, call.declared, flags)
    require_reach(call.operation, call.declared, [name for name in lost if name in call.typed], flags)
    # only typed flags are refused: one of the last attempt that the source no longer reads is dropped
    flags, dropped = flags.put(dict.fromkeys(lost)), (*dropped, *lost)
    plan = make_plan(tree, call, flags, params, origin)
    given = tuple(dict.fromkeys((*call.given, *(name for name in last.given if name in flags))))
    # another attempt of a trial is still that trial
    return replace(plan, clean=request.clean, basis=basis, given=given, batch=last.batch, trial=last.trial), dropped


def read_call(tree: SourceTree, declaration: Declaration, flags: FlagInput) -> Call:
    """Separates flags from the words after `--` and checks all flags against the operation. Raises UsageError."""
    operation, typed, old, force = declaration.operation, flags.typed, flags.old, flags.force
    declared = declaration.with_values({**old, **typed})
    start = words_start(operation.kind, operation.command)
    takes_words = declared.style == ARGS or (declared.script is not None and declared.script.by_words)
    words = operation.command[start:] if operation.kind == SCRIPT and takes_words else ()
    call_flags = read_words(declared.script, words)
    # words after -- selected an option of a Hydra group, which brings flags of its own
    if declared.script and any(group.flag in call_flags.flags for group in declared.script.groups):
        declared = declaration.with_values({**old, **call_flags.flags, **typed})
        call_flags = read_words(declared.script, words)
    if words:
        operation = replace(operation, command=(*operation.command[:start], *call_flags.rest))
    # without a flag to place, find_host reads no script
    names = (*(flag.name for flag in declared.flags or ()), *old, *typed)
    declared = replace(declared, host=find_host(tree, operation, declared, names))
    from_words = check_flags(operation, declared, call_flags.flags, force=force)

    def suggest(name: str) -> str | None:
        return suggest_other_way(tree, operation, declared, name, typed.get(name))

    checked = check_flags(operation, declared, typed, force=force, suggest=suggest)
    both = sorted(call_flags.unsure & checked.keys()) if declared.style == GLOBALS else ()
    if both:
        words_text = " ".join(call_flags.rest)
        raise UsageError(f"flag {both[0]!r} may be set again by the words {words_text}", "To set it: give it after --")
    # of what an attempt before recorded it was sure
    return Call(operation, declared, from_words, checked, call_flags.unsure - checked.keys() - old.keys())


def refuse_contradictions(call: Call) -> None:
    """Raises UsageError if a flag has one value before `--` and another one after it."""
    for name, value in call.from_words.items():
        if name in call.typed and not same_value(value, call.typed[name]):
            raise UsageError(f"flag {name!r} is given twice, before and after --", "Give it once")


def new_params(git: Git, request: Request, stamp: LaunchStamp) -> Params:
    """Returns the run parameters of a new run."""
    return Params(**{"random_seed": stamp.seed, **request.given_params(), **path_params(git, request)})


def with_resources(params: Params, definition: Definition | None) -> Params:
    """Returns the run parameters with the resources that the entry names, under those that were given."""
    if definition is None or not definition.resources:
        return params
    limits = dict(word.partition("=")[::2] for word in params.resources)
    return replace(
        params, resources=tuple(f"{name}={amount}" for name, amount in (dict(definition.resources) | limits).items())
    )


def path_params(git: Git, request: Request) -> dict[str, Any]:
    """Returns the run parameters about files: `no_link`, `in_place`, `link` and `output`, relative to the top.

    Raises UsageError.
    """
    return {
        "no_link": request.no_link,
        "in_place": request.in_place,
        "link": tuple(below_top(git, path) for path in request.links),
        "output": tuple(os.path.normpath(git.prefix + pattern) for pattern in request.outputs),
    }


def complete_request(git: Git, request: Request, last: Attempt) -> Request:
    """Fills in the request of a restart: what it leaves out comes from the last attempt.

    An in-place run stays in place only with `--force-sourcecode`, since the working tree can only run its own code.
    """
    params, top = last.params, git.worktree
    # drops links whose files are gone
    there = (path for path in params.link if top and os.path.lexists(top / path))
    links = request.links or (() if request.no_link else tuple(os.path.relpath(path, git.prefix or ".") for path in there))
    return replace(
        request,
        links=links,
        no_link=request.no_link or (params.no_link and not request.links),
        in_place=request.in_place or (params.in_place and request.force_sourcecode),
        outputs=request.outputs or tuple(os.path.relpath(pattern, git.prefix or ".") for pattern in params.output),
    )


def check_flags(
    operation: Operation,
    declared: Declared,
    flags: Mapping[str, Value | Typed | None],
    *,
    force: bool,
    suggest: Callable[[str], str | None] = lambda _: None,
) -> dict[str, Value | None]:
    """Returns the checked values of the requested flags, without those that select runs of needed operations.

    `suggest` tells how to pass what is no flag (`suggest_other_way`). Raises UsageError.
    """
    # needs are typed like flags, but select runs
    needs = {need.operation for need in operation.definition.needs} if operation.definition else set()
    # a declared flag wins over a needed operation of the same name
    needs -= {flag.name for flag in declared.flags or ()}
    own_flags = {name: value for name, value in flags.items() if name not in needs}
    script, host = declared.script, declared.host
    require_command(script, operation.name, operation.words, own_flags if not force else ())
    is_partial = bool(script and script.partial)
    routed: dict[str, Value | Typed | None] = {}
    if host and declared.flags is None:  # the script's own declarations decide about types
        routed = {name: value for name, value in own_flags.items() if is_routed(host, name, operation.command)}
        own_flags = {name: value for name, value in own_flags.items() if name not in routed}
    checked = check_host_flags(host, routed, force=force, suggest=suggest) if host and routed else {}
    own_flags = mark_as_text(text_kept(operation, declared), own_flags)
    if not force and not is_partial:
        refuse_unreadable(operation, declared, own_flags)
        if declared.flags is not None:
            refuse_undeclared(operation.name, declared.flags, own_flags, suggest)
    return checked | resolve_flags(declared.flags, own_flags, operation=operation.name, force=force, partial=is_partial)


def check_host_flags(
    host: Host, flags: Mapping[str, Value | Typed | None], *, force: bool, suggest: Callable[[str], str | None]
) -> dict[str, Value | None]:
    """Returns the checked values of the flags that go to the script among the words of a command. Raises UsageError."""
    script = host.script
    if not force and not script.partial:
        refuse_undeclared(host.at.path, script.flags, flags, suggest)
    spelled = mark_as_text("numbers" if script.takes_text else "", flags)
    return resolve_flags(script.flags, spelled, operation=host.at.path, force=force, partial=bool(script.partial))


def refuse_unreadable(operation: Operation, declared: Declared, flags: Iterable[str]) -> None:
    """Raises UnknownFlag for an undeclared flag if part of the script's declarations needs something to be read."""
    script = declared.script
    unknown = next((name for name in flags if find_declared(declared.flags or (), name) is None), "")
    if unknown and script and script.advice:
        spelling = hint_for_unknown(declared.flags or (), unknown) if script.style == ARGS else ""
        raise UnknownFlag(f"{operation.name} has no flag {unknown!r}", ". ".join(filter(None, (spelling, script.advice))))


def refuse_undeclared(
    operation: str, declared: Sequence[Flag], names: Iterable[str], suggest: Callable[[str], str | None]
) -> None:
    """Raises UnknownFlag if a flag is not declared and --force-flags would not pass it either.

    `suggest` says how to give it; None if --force-flags passes it.
    """
    for name in names:
        if find_declared(declared, name) is None and (hint := suggest(name)) is not None:
            spelling = hint_for_unknown(declared, name)
            raise UnknownFlag(f"{operation} has no flag {name!r}", ". ".join(filter(None, (spelling, hint))))


def mark_as_text(as_typed: str, flags: Mapping[str, Value | Typed | None]) -> dict[str, Value | Typed | None]:
    """Marks how much of typed values stays text: `all`, `numbers` or nothing."""
    return {name: replace(value, as_typed=as_typed) if isinstance(value, Typed) else value for name, value in flags.items()}


def text_kept(operation: Operation, declared: Declared) -> str:
    """Returns how much of typed values stays text: `all`, `numbers` or nothing."""
    return ("all" if operation.kind == COMMAND else "numbers") if takes_text(operation, declared) else ""


def takes_text(operation: Operation, declared: Declared) -> bool:
    """Returns whether the program gets undeclared flags as text, exactly as typed."""
    if declared.script:
        return declared.script.takes_text
    return operation.kind not in {STEPS, NOTEBOOK} and declared.style in {"", ARGS, ENV}


def make_plan(tree: SourceTree, call: Call, flags: Flags, params: Params, origin: PlanOrigin) -> Plan:
    """Builds the plan, with the words or constants that give the program its flags.

    Raises UsageError if a required flag is missing.
    """
    operation, declared, stamp = call.operation, call.declared, origin.stamp
    definition, style = operation.definition, declared.style
    require_flags(call, flags, force=params.force_flags)
    own = declared.script.flags if declared.script else ()
    start = min(words_start(SCRIPT, operation.command), len(operation.command))
    words = operation.command[start:]
    # a remaining word may set these flags to an unknown value: do not pass them twice, and do not record them
    plain = flags.put({flag.name: flag.default for flag in own if flag.name in call.unsure})
    inserted = (
        tuple((start + at, word) for at, word in place_arguments(declared.script or (), plain, words)) if style == ARGS else ()
    )
    route = route_flags(declared.host, operation, flags) if declared.host else Route(inserted)
    unsure = dict.fromkeys(name for name in call.unsure if name in flags)
    notices = (
        unchecked_warning(declared.script, operation.name, flags),
        unsure_warning(operation.name, unsure, words),
        environment_note(tree, operation, find_unread_flags(tree, operation, declared, call.given)),
    )
    return Plan(
        operation=operation.name, kind=operation.kind, command=operation.command, cwd=operation.cwd,
        flags=flags.put(unsure), params=with_resources(params, definition),
        source=origin.snapshot, created=stamp.now, nonce=stamp.nonce,
        staged=origin.is_staged,
        arguments=tuple(word for _, word in route.inserted), positions=tuple(start for start, _ in route.inserted),
        notices=tuple(filter(None, notices)),
        constants=route.constants or (changed_constants(own, plain) if style == GLOBALS else {}), position=route.position,
        definition=definition, basis=model.provenance.Basis(is_entry=True) if definition else None,
        config_values=values_in_files(flags, declared, definition.file if definition else ""),
    )  # fmt: skip


def require_flags(call: Call, flags: Flags, *, force: bool) -> None:
    """Raises UsageError if a required flag, or an argument of the script, is missing."""
    operation, definition, script = call.operation, call.operation.definition, call.declared.script
    entry_flags = ((call.declared.flags or ()) if operation.kind == STEPS else definition.flags) if definition else ()
    needed = entry_flags
    words = operation.words if script else ()
    if script and not force and call.declared.style == script.style:
        needed = (*needed, *script.required_flags(words))
    missing = [flag.name for flag in needed if flag.required and flag.name not in flags and flag.name not in call.unsure]
    if missing:
        is_of_entry = any(flag.name == missing[0] for flag in entry_flags)
        more = "" if is_of_entry else ". To leave it to the program: --force-flags"
        raise UsageError(f"{operation.name} needs the flag '{missing[0]}'", f"To give it: {missing[0]}=VALUE{more}")
    if script and script.arguments and not words and not force:
        name = script.arguments[0]
        raise UsageError(
            f"{operation.name} needs the argument '{name}'", f"To give it: git run {operation.name} -- {name.upper()}"
        )


def values_in_files(flags: Flags, declared: Declared, file: str) -> dict[str, dict[str, Value | None]]:
    """Returns the flags that differ from the config files, by path. None marks a key to delete."""
    if file:
        values = source.config_files.find_changes(flags, declared.file)
        return {file: values} if values else {}
    if declared.host:  # a command is given only the flags that were typed: the others stay as the file has them
        script = declared.host.script
        script = replace(script, flags=tuple(flag for flag in script.flags if flag.file and flag.name in flags))
        return values_to_write(flags, script)
    return values_to_write(flags, declared.script)


def move_flags(old: Flags, before: Declared, now: Declared, *, force: bool) -> tuple[Flags, tuple[str, ...]]:
    """Adapts the flags of an attempt to new source. Returns them and the names of dropped flags.

    New flags get their defaults. Flags that the source no longer has are dropped, unless `force` is set.
    """
    names = {flag.name for flag in now.flags or ()}
    known_names = {flag.name for flag in before.flags or ()}
    fresh = {
        name: value for name, value in default_values(now.flags or ()).items() if name not in known_names and name not in old
    }
    dropped = () if force else tuple(name for name in old if name not in names)
    return old.put(fresh).put(dict.fromkeys(dropped)), dropped


def switch_groups(declaration: Declaration, old: Flags, typed: Mapping[str, Value | Typed | None]) -> tuple[Flags, Declared]:
    """Returns the last attempt's flags and the declared flags, for the Hydra group options that were typed."""
    declared = declaration.with_values({**old, **typed})
    groups = declared.script.groups if declared.script else ()
    if not any(group.flag in typed for group in groups):
        return old, declared
    before = declaration.with_values(old)
    was = default_values(before.flags or ())
    # defaults that the old option brought were not chosen by the user
    own = {name: value for name, value in old.items() if not same_value(value, was.get(name))}
    now = declaration.with_values({**own, **typed})
    return carry_flags(old, before, now), now


def carry_flags(old: Flags, before: Declared, now: Declared) -> Flags:
    """Returns the flags after other group options were selected: old options take their flags along, new ones bring theirs.

    A value that the user had set stays if the new options have a flag of that name.
    """
    was, will = default_values(before.flags or ()), default_values(now.flags or ())
    names = [flag.name for flag in now.flags or ()]
    dropped = {flag.name: None for flag in before.flags or () if flag.name not in names}
    return old.put(dropped).put({name: will.get(name) for name in names if same_value(old.get(name), was.get(name))})


def restart_params(last: Attempt, request: Request, positions: Mapping[str, Any] = NO_FLAGS) -> Params:
    """Returns the last attempt's run parameters, overridden by the request and by `positions`."""
    params = request.given_params()
    last_params = {name: getattr(last.params, name) for name in Params.__slots__}
    # --gpus and --no-gpus exclude each other: the new one wins
    if "gpus" in params:
        last_params["no_gpus"] = False
    if params.get("no_gpus"):
        last_params["gpus"] = None
    return Params(**{**last_params, **params, **positions})


def recorded_source(attempt: Attempt) -> Source:
    """Returns the source of an attempt."""
    return Source(
        attempt.source, attempt.base, attempt.branch, attempt.dirty, attempt.skipped, attempt.conflicts, attempt.submodules,
        attempt.content,
    )  # fmt: skip


def fill_placeholders(words: Sequence[str], flags: Mapping[str, Value]) -> list[str]:
    """Replaces each `{name}` of a flag in the words by its value. Other braces stay."""
    return [
        # awk '{print $1}' and JSON keep their braces
        re.sub(r"\{([^{}]+)\}", lambda match: format_word(flags[match[1]]) if match[1] in flags else match[0], word)
        for word in words
    ]


def format_word(value: Value) -> str:
    """Formats a value for a program: text unchanged, booleans and lists as JSON, numbers as Python's `repr`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list):
        # true and [1, 2], which other languages read too
        return json.dumps(value)
    return repr(value)


def flag_variables(flags: Mapping[str, Value]) -> dict[str, str]:
    """Returns the flags as environment variables `FLAG_<NAME>`. Leaves out values with a NUL and those too long for Linux."""
    variables = {flag_variable(name): format_word(value) for name, value in flags.items()}
    # execve ends a string at NUL, and fails with E2BIG for a longer one
    return {name: value for name, value in variables.items() if "\0" not in value and variable_size(name, value) < LONGEST}


def variable_size(name: str, value: str) -> int:
    """Returns the bytes of an environment variable without its final NUL."""
    return len(f"{name}={value}".encode(errors="surrogatepass"))
