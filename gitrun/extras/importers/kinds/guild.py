"""Runs of Guild AI: a directory each in `runs/` of a Guild home, with `.guild/attrs`, a manifest, output and event files.

`.guild/attrs/env` holds the whole environment of whoever started the run, secrets included. It is never opened.
"""

from __future__ import annotations

import os
import re
import shlex
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError
from gitrun.extras.importers.event_files import read_event_files
from gitrun.extras.importers.foreign_files import (
    LARGEST_YAML,
    Listing,
    clean_text,
    is_directory,
    list_files,
    parse_yaml,
    read_bytes,
    read_text,
    read_yaml,
    table_in,
    texts_in,
)
from gitrun.extras.importers.guild_words import command_of, flags_of, label_of, number_of, space_of
from gitrun.extras.importers.imported import (
    ImportedFile,
    ImportedNeed,
    ImportedRun,
    LeftOut,
    read_environment,
    read_time,
)
from gitrun.model.batch import PLUS, BatchDefinition, Objective
from gitrun.model.run import BATCH, COMPLETED, ERROR, SCRIPT, STEPS, TERMINATED, Comment, Params
from gitrun.model.tree import MemoryTree
from gitrun.source import guild_file
from gitrun.workspace.tensorboard import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.extras.importers.imported import Context

TOOL, GUILD, PROTO = "guild", ".guild", "proto"
ID = re.compile(r"[0-9a-f]{32}")
MOST_RUNS, MICROSECONDS = 100_000, 1_000_000
PLAIN_ATTRS = (
    "cmd", "comments", "deps", "exit_status", "flags", "host", "initialized", "label", "marked", "max_trials", "objective",
    "op", "pip_freeze", "platform", "random_seed", "run_params", "started", "steps", "stopped", "tags", "user",
    "user_flags", "vcs_commit",
)  # fmt: skip
"""The attributes that are read. `env` is not among them: it holds secrets."""
# git:407448f6… with a * if files were changed
COMMIT = re.compile(r"git:([0-9a-f]{40}|[0-9a-f]{64})\*?")
PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})==([A-Za-z0-9.+!_-]{1,99})")
# s train.py 93026f77… train.py: kind, path in the run, sha1, path in the project
SOURCE, DEPENDENCY = "s", "d"
LARGEST_MANIFEST, QUOTES = 4 << 20, frozenset("'\"\\")
NEVER = datetime.fromtimestamp(0, timezone.utc)
"""Time of a run of which Guild recorded none."""
KILLED = -9
"""Exit status of a run of which Guild recorded none."""


@dataclass(frozen=True, slots=True)
class GuildRun:
    """The directory of a run, its attributes, and operation: `m:train`, or `train.py` for a script."""

    key: str
    directory: Path
    attrs: Mapping[str, Any]
    operation: str

    @property
    def is_batch(self) -> bool:
        """Returns whether the run is that of a batch, which keeps a prototype of its trials."""
        return is_directory(self.directory, GUILD, PROTO, GUILD, "attrs")


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of a Guild home. Raises UsageError if there is none, MissingPackage without PyYAML."""
    top = find_runs(context)
    names = sorted(entry.name for entry in top.iterdir() if ID.fullmatch(entry.name))
    runs: dict[str, GuildRun] = {}
    for name in names[:MOST_RUNS]:
        directory = top / name
        if not is_directory(top, name, GUILD, "attrs"):
            yield LeftOut(name, "its directory has no attributes of a run")
        elif reason := unfinished(directory / GUILD):
            yield LeftOut(name, reason)
        else:
            runs[name] = GuildRun(name, directory, read_attrs(directory), read_operation(directory))
    trials, parents = trials_of_batches(runs), parents_of_steps(runs)
    for run in runs.values():
        try:
            imported = read_run(context, run, runs)
        except (OSError, ValueError, UsageError) as error:
            yield LeftOut(run.key, f"it cannot be read: {error}")
            continue
        batch, number = trials.get(run.key, ("", None))
        parent = parents.get(run.key, "")
        # a restarted pipeline tells its steps by their needs whose files to take, which only entries understand
        is_entry = bool(parent and imported.needs) and is_defined(imported)
        yield replace(imported, batch=batch, trial=number, parent=parent, is_entry=is_entry)


def is_defined(run: ImportedRun) -> bool:
    """Returns whether a guild.yml among the source of a run defines its operation."""
    contents = (file.content for file in run.source if file.path in guild_file.NAMES)
    texts = (one if isinstance(one, bytes) else read_bytes(one, LARGEST_YAML) for one in contents)
    return any(defines(text, run.operation) for text in texts if text)


@lru_cache(maxsize=64)
def defines(data: bytes, operation: str) -> bool:
    """Returns whether a guild.yml defines an operation. Most runs of a home share one."""
    # within the budgets for files of anybody, before it is read as a file of the user
    if parse_yaml(data) is None:
        return False
    try:
        return guild_file.guild_definition(MemoryTree({guild_file.NAMES[0]: data}), operation) is not None
    except UsageError:
        return False


def find_runs(context: Context) -> Path:
    """Returns the directory with the runs of a Guild home, found as Guild 0.9 finds it. Raises UsageError.

    A source can be a home, a project that has one, or a directory that `guild export` has written.
    """
    if context.source:
        typed = context.locate(context.source)
        locations = [typed / "runs", typed / ".guild" / "runs", typed]
    else:
        environ = context.environ
        named = [Path(environ["GUILD_HOME"])] if environ.get("GUILD_HOME") else []
        active = [Path(environ[name], ".guild") for name in ("CONDA_PREFIX", "VIRTUAL_ENV") if environ.get(name)]
        above = [directory / ".guild" for directory in (context.directory, *context.directory.parents)]
        homes = named or [*active, *above, Path("~/.guild")]
        locations = [context.locate(os.fspath(home)) / "runs" for home in homes]
    for location in locations:
        if location.name == "runs" and location.is_dir():
            return location
        if location.is_dir() and any(ID.fullmatch(entry.name) for entry in location.iterdir()):
            return location
    shown = context.source or context.environ.get("GUILD_HOME") or "~/.guild"
    raise UsageError(f"{shown} is no Guild home: it has no directory runs", "For example: git run import guild ~/.guild")


def unfinished(guild: Path) -> str:
    """Returns the reason to leave out a run that has not ended; empty if it has."""
    if os.path.lexists(guild / "PENDING") or os.path.lexists(guild / "STAGED"):
        return "it was never started"
    if os.path.lexists(guild / "LOCK.remote"):
        return "it is running"
    lock = read_text(guild / "LOCK", 100)
    is_running = lock.strip().isdecimal() and Path("/proc", str(int(lock))).exists()
    return "it is running" if is_running and not os.path.lexists(guild / "attrs" / "exit_status") else ""


def read_attrs(directory: Path) -> dict[str, Any]:
    """Returns the attributes of a run that are read, by name. One that is not valid is missing."""
    values = {name: read_yaml(directory / GUILD / "attrs" / name) for name in PLAIN_ATTRS}
    return {name: value for name, value in values.items() if value is not None}


def read_operation(directory: Path) -> str:
    """Returns the operation of a run as Guild shows it; empty if its opref is not valid."""
    # guildfile:/home/ann/p/guild.yml 3a62030… m train    script:/home/ann/p '' '' train.py
    try:
        words = shlex.split(read_text(directory / GUILD / "opref", 10_000))
    except ValueError:
        return ""
    if len(words) < 4:
        return ""
    model, operation = clean_text(words[2], 200), clean_text(words[3], 200)
    return f"{model}:{operation}" if model else operation


def trials_of_batches(runs: Mapping[str, GuildRun]) -> dict[str, tuple[str, int]]:
    """Returns batch and number of each trial. A batch has a symbolic link of each trial's name, which is not followed."""
    trials: dict[str, tuple[str, int]] = {}
    for run in runs.values():
        if not run.is_batch:
            continue
        keys = [key for key in linked_runs(run) if key in runs and key not in trials and not runs[key].is_batch]
        keys.sort(key=lambda key: (number_of(runs[key].attrs.get("started")) or 0, key))
        trials |= {key: (run.key, number) for number, key in enumerate(keys, 1)}
    return trials


def parents_of_steps(runs: Mapping[str, GuildRun]) -> dict[str, str]:
    """Returns the pipeline of each run that is a step of one."""
    return {key: run.key for run in runs.values() if "steps" in run.attrs for key in linked_runs(run) if key in runs}


def linked_runs(run: GuildRun) -> list[str]:
    """Returns the keys of runs to which symbolic links at the top of a run lead, without opening them."""
    links = (entry for entry in sorted(os.scandir(run.directory), key=lambda entry: entry.name) if entry.is_symlink())
    # prepare -> ../5c2d565e25c243889307bad0c2323287
    names = (Path(entry.path).readlink().name for entry in links)
    return [name for name in dict.fromkeys(names) if ID.fullmatch(name) and name != run.key]


def read_run(context: Context, run: GuildRun, runs: Mapping[str, GuildRun]) -> ImportedRun:
    """Returns one run. Raises OSError."""
    attrs, guild = run.attrs, run.directory / GUILD
    # what a batch runs is in its prototype
    about = replace(run, directory=guild / PROTO, attrs=read_attrs(guild / PROTO)) if run.is_batch else run
    operation = f"{read_operation(about.directory)}{PLUS}" if run.is_batch else run.operation
    files = divide_files(about)
    flags, deps = flags_of(about.attrs), attrs.get("deps")
    kind, command = command_of(about.attrs, {file.path for file in files.source}, flags)
    steps = tuple(key for key in linked_runs(run) if key in runs) if "steps" in attrs else ()
    if steps and not files.source:
        # Guild records no source of a pipeline: its steps have the guild.yml that says what they are
        files = replace(files, source=divide_files(runs[steps[0]]).source)
    definition = batch_of(run, about, flags, kind) if run.is_batch else None
    started = read_time(attrs.get("started"), MICROSECONDS)
    # the trials of a batch all have the `initialized` of their prototype, and lists are in the order of this time
    created = started or read_time(attrs.get("initialized"), MICROSECONDS) or NEVER
    status, exit_status, reason = ending(attrs.get("exit_status"))
    fixed = {name: value for name, value in flags.items() if not definition or name not in definition.space}
    host, user = clean_text(attrs.get("host"), 100), clean_text(attrs.get("user"), 100)
    commit = COMMIT.fullmatch(clean_text(attrs.get("vcs_commit"), 100))
    return ImportedRun(
        key=run.key, tool=TOOL, operation=operation or (command[-1] if command else TOOL),
        kind=BATCH if run.is_batch else STEPS if "steps" in attrs else kind,
        command=() if "steps" in attrs else command, created=created,
        flags=fixed, given=tuple(name for name in flags_of(about.attrs, "user_flags") if name in fixed),
        params=read_params(attrs), source=files.source, base=commit[1] if commit else None,
        environment=read_machine(attrs),
        status=status, exit_status=exit_status, reason=reason,
        started=started, stopped=read_time(attrs.get("stopped"), MICROSECONDS),
        output=guild / "output" if (guild / "output").is_file() and not (guild / "output").is_symlink() else b"",
        # a restart leaves the event files of earlier times in place
        points=partial(read_event_files, () if run.is_batch or steps else event_files(run), (started or NEVER).timestamp()),
        produced=() if run.is_batch else files.produced,
        label=label_of(attrs, flags), tags=texts_in(attrs.get("tags")), comments=read_comments(attrs, context.with_authors),
        marked=attrs.get("marked") is True, needs=tuple(read_needs(deps, runs)), steps=steps, batch_definition=definition,
        author=(user or host, f"{user}@{host}") if context.with_authors and (user or host) else None,
        left_out=tuple(dict.fromkeys(files.left_out)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Division:
    """The files of a run: its source with what it depended on, what it produced, and reasons why others were left out."""

    source: tuple[ImportedFile, ...]
    produced: tuple[ImportedFile, ...]
    left_out: tuple[str, ...]


def divide_files(run: GuildRun) -> Division:
    """Divides the files of a run by its manifest. Files of older Guilds are below `.guild/sourcecode`."""
    listing = list_files(run.directory, without=frozenset({GUILD}))
    inner = list_files(run.directory / GUILD / "sourcecode")
    locations = {file.path: file for file in listing.files}
    locations |= {f"{GUILD}/sourcecode/{file.path}": file for file in inner.files}
    own: dict[str, str] = {}
    left_out = list(reasons_of(run, listing))
    for kind, path, name in read_manifest(run.directory / GUILD / "manifest"):
        if kind in {SOURCE, DEPENDENCY} and path in locations:
            # the source of older Guilds is recorded where it was in the project
            own[path] = path.removeprefix(f"{GUILD}/sourcecode/") if kind == SOURCE else path
        elif kind == DEPENDENCY:
            left_out.append("a file that it needed is not in the run's directory")
        elif kind == SOURCE:
            left_out.append(f"source file {clean_text(name, 100)} is not in the run's directory")
    source = [ImportedFile(name, locations[path].location, locations[path].is_executable) for path, name in own.items()]
    return Division(tuple(source) if own else inner.imported(), listing.imported(own), tuple(left_out))


def reasons_of(run: GuildRun, listing: Listing) -> Iterator[str]:
    """Yields the reasons why files of the directory are left out."""
    for path in listing.links:
        # the links of a batch and a pipeline lead to their runs, which are imported
        if not ID.fullmatch((run.directory / path).readlink().name):
            yield "a symbolic link"
    yield from (reason for _, reason in listing.left_out)


def read_manifest(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yields kind, path in the run, and path in the project of each file that Guild put into a run."""
    data = read_bytes(path, LARGEST_MANIFEST) or b""
    for line in data.decode(errors="surrogateescape").split("\n"):
        try:
            # shlex takes a microsecond for each character, and hardly any path has a quote
            words = shlex.split(line) if QUOTES.intersection(line) else line.split()
        except ValueError:
            continue
        if len(words) >= 3:
            yield words[0], words[1], words[3] if len(words) > 3 else words[1]


def event_files(run: GuildRun) -> Sequence[tuple[str, Path]]:
    """Returns the event files of a run, each with the prefix of its tags: its directory, unless Guild itself wrote it.

    Those that Guild wrote before the run was restarted are left out. Their events have no times, but their names have.
    """
    started = int((read_time(run.attrs.get("started"), MICROSECONDS) or NEVER).timestamp())
    named = [file for file in list_files(run.directory / GUILD).files if file.path.startswith(PREFIX)]
    own = [("", file.location) for file in named if file_time(file.path) >= started]
    others = (file for file in list_files(run.directory, without=frozenset({GUILD})).files)
    programs = ((os.path.split(file.path), file.location) for file in others)
    return [
        *own,
        *((f"{above}/" if above else "", location) for (above, name), location in programs if name.startswith(PREFIX)),
    ]


def file_time(name: str) -> int:
    """Returns the time in the name of an event file, in seconds since 1970; 0 if it has none."""
    # events.out.tfevents.1795976898.vm.15544.0
    digits = name.removeprefix(PREFIX).partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else 0


def ending(value: object) -> tuple[str, int, str]:
    """Returns status, exit status, and a word about an ending that was not recorded."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 31:
        return TERMINATED, KILLED, "Guild recorded no exit status"
    return (COMPLETED if not value else ERROR if value > 0 else TERMINATED), value, ""


def read_params(attrs: Mapping[str, Any]) -> Params:
    """Returns the parameters that a restart uses again."""
    params = table_in(attrs, "run_params")
    seed = number_of(attrs.get("random_seed"))
    most = number_of(params.get("max_trials"))
    return Params(
        force_flags=params.get("force_flags") is True, no_gpus=params.get("no_gpus") is True,
        gpus=clean_text(params.get("gpus"), 100) or None,
        minimize=clean_text(params.get("minimize"), 200) or None, maximize=clean_text(params.get("maximize"), 200) or None,
        optimizer=clean_text(params.get("optimizer"), 100) or None, opt_flags=texts_in(params.get("opt_flags")),
        max_trials=int(most) if most and 0 < most < 1 << 31 else None,
        random_seed=int(seed) if seed is not None and abs(seed) < 1 << 63 else None,
    )  # fmt: skip


def read_machine(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns system, Python and packages. The name of the machine, which Guild records with the system, is left out."""
    facts = table_in(attrs, "platform")
    # Linux vm 6.18 …: the second word is the machine's name
    system = (clean_text(facts.get("uname"), 300).split() or [""])[0]
    version = (clean_text(facts.get("python_version"), 300).split() or [""])[0]
    # git+https://TOKEN@host/… can hold secrets: only plain versions are kept
    matches = (PACKAGE.fullmatch(word) for word in texts_in(attrs.get("pip_freeze"), 5_000))
    return read_environment(system, version, {match[1].lower(): match[2] for match in matches if match})


def read_comments(attrs: Mapping[str, Any], with_authors: bool) -> tuple[Comment, ...]:  # noqa: FBT001 - a plain function of two values
    """Returns the comments of a run, with their authors if these may be recorded."""
    comments = attrs.get("comments")
    tables = [one for one in map(table_in, comments) if one] if isinstance(comments, list) else []
    users = (clean_text(one.get("user"), 100) if with_authors else "" for one in tables)
    return tuple(
        Comment(clean_text(one.get("body"), 4_000), user, read_time(one.get("time"), MICROSECONDS))
        for one, user in zip(tables, users, strict=True)
    )


def read_needs(deps: object, runs: Mapping[str, GuildRun]) -> Iterator[ImportedNeed]:
    """Yields the runs whose files a run used, as its attribute `deps` names them."""
    for source in (table_in(one) for resource in table_in(deps).values() for one in table_in(resource).values()):
        key = clean_text(source.get("config"), 64)
        uri = clean_text(source.get("uri"), 200)
        if not ID.fullmatch(key) or not uri.startswith("operation:"):
            continue
        # ../9ce582f93cfe409d9004726d746630b7/data.txt
        paths = (path.removeprefix(f"../{key}/") for path in texts_in(source.get("paths")) if path.startswith(f"../{key}/"))
        operation = runs[key].operation if key in runs else uri.removeprefix("operation:")
        yield ImportedNeed(key, operation, tuple(paths))


def batch_of(run: GuildRun, about: GuildRun, flags: Mapping[str, Any], kind: str) -> BatchDefinition:
    """Returns what a batch searched for: its lists and ranges, its optimizer, and the metric that it was after."""
    optimizer = run.operation.rpartition(":")[2]
    objective, minimize = run.attrs.get("objective"), True
    if isinstance(objective, dict):
        minimize, objective = "maximize" not in objective, next(iter(objective.values()), "")
    metric = clean_text(objective, 200)
    if metric.startswith("-"):
        metric, minimize = metric[1:], False
    is_grid = optimizer == PLUS
    most = number_of(run.attrs.get("max_trials"))
    seed = number_of(run.attrs.get("random_seed"))
    return BatchDefinition(
        sampler="grid" if is_grid else optimizer or "random",
        space=space_of(flags),
        # Guild writes its default, loss, also for grids, which search for nothing
        objectives=(Objective(metric, minimize),) if metric and not is_grid else (),
        max_trials=int(most) if most and 0 < most < 1 << 31 else None,
        seed=int(seed) if seed is not None and abs(seed) < 1 << 63 else 0,
        kind=kind if about.attrs else SCRIPT,
    )
