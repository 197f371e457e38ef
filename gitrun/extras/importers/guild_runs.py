"""The directory of one run of Guild AI: its attributes in `.guild/attrs`, as values of a run here.

`.guild/attrs/env` holds the whole environment of whoever started the run, secrets included. It is never opened.
"""

from __future__ import annotations

import os
import re
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.extras.importers.foreign_files import clean_text, is_directory, read_text, read_yaml, table_in, texts_in
from gitrun.extras.importers.guild_words import number_of, space_of
from gitrun.extras.importers.imported import ImportedNeed, read_environment, read_time
from gitrun.model.batch import PLUS, BatchDefinition, Objective
from gitrun.model.run import COMPLETED, ERROR, SCRIPT, TERMINATED, Comment, Params

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GUILD, PROTO = ".guild", "proto"
ID = re.compile(r"[0-9a-f]{32}")
MICROSECONDS = 1_000_000
PLAIN_ATTRS = (
    "cmd", "comments", "deps", "exit_status", "flags", "host", "initialized", "label", "marked", "max_trials", "objective",
    "op", "pip_freeze", "platform", "random_seed", "run_params", "started", "steps", "stopped", "tags", "user",
    "user_flags", "vcs_commit",
)  # fmt: skip
"""The attributes that are read. `env` is not among them: it holds secrets."""
PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})==([A-Za-z0-9.+!_-]{1,99})")
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


def unfinished(guild: Path) -> str:
    """Returns the reason to leave out a run that has not ended; empty if it has."""
    if os.path.lexists(guild / "PENDING") or os.path.lexists(guild / "STAGED"):
        return "it was never started"
    if os.path.lexists(guild / "LOCK.remote"):
        return "it is running"
    lock = read_text(guild / "LOCK", 100)
    is_running = lock.strip().isdecimal() and Path("/proc", str(int(lock))).exists()
    return "it is running" if is_running and not os.path.lexists(guild / "attrs" / "exit_status") else ""


def linked_runs(run: GuildRun) -> list[str]:
    """Returns the keys of runs to which symbolic links at the top of a run lead, without opening them."""
    links = (entry for entry in sorted(os.scandir(run.directory), key=lambda entry: entry.name) if entry.is_symlink())
    # prepare -> ../5c2d565e25c243889307bad0c2323287
    names = (Path(entry.path).readlink().name for entry in links)
    return [name for name in dict.fromkeys(names) if ID.fullmatch(name) and name != run.key]


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
