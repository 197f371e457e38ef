"""Runs of Guild AI: a directory each in `runs/` of a Guild home, with `.guild/attrs`, a manifest, output and event files.

`.guild/attrs/env` holds the whole environment of whoever started the run, secrets included. It is never opened.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.errors import UsageError
from gitrun.extras.importers.event_files import read_event_files
from gitrun.extras.importers.foreign_files import LARGEST_YAML, clean_text, is_directory, parse_yaml, read_bytes, texts_in
from gitrun.extras.importers.guild_files import divide_files, event_files
from gitrun.extras.importers.guild_runs import (
    GUILD,
    ID,
    MICROSECONDS,
    NEVER,
    PROTO,
    GuildRun,
    batch_of,
    ending,
    linked_runs,
    read_attrs,
    read_comments,
    read_machine,
    read_needs,
    read_operation,
    read_params,
    unfinished,
)
from gitrun.extras.importers.guild_words import command_of, flags_of, label_of, number_of
from gitrun.extras.importers.imported import ImportedRun, LeftOut, read_time
from gitrun.model.batch import PLUS
from gitrun.model.run import BATCH, STEPS
from gitrun.model.tree import MemoryTree
from gitrun.source import guild_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.extras.importers.imported import Context

TOOL, MOST_RUNS = "guild", 100_000
# git:407448f6… with a * if files were changed
COMMIT = re.compile(r"git:([0-9a-f]{40}|[0-9a-f]{64})\*?")


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
