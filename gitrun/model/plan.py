"""What is going to run, and what came of it: the values between the words of a call and the commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.model.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gitrun.model.flags import Flags
    from gitrun.model.run import File, Params, Skipped

SCRIPT, PROGRAM, COMMAND = "script", "program", "command"
"""Kinds of operation: a Python script, another executable file of the tree, words after `--`."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt: `tree` is the snapshot without `.gitrun`, `base` the commit it was made from."""

    tree: str
    base: str | None
    branch: str | None
    dirty: bool = False
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[str, ...] = ()
    submodules: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before anything is written; `--dry-run` prints it.

    `command` is the argv template: `{python}` stands for the interpreter, `{name}` for a flag. `constants` are the
    module-level names that the launcher sets; `arguments` what follows the script's own words. `patterns` are the
    operation's own rules for metrics in its output: name and regular expression.
    """

    operation: str
    kind: str
    command: tuple[str, ...]
    cwd: str
    flags: Flags
    params: Params
    source: Source
    created: datetime
    nonce: str
    arguments: tuple[str, ...] = ()
    constants: Mapping[str, object] = field(default_factory=dict)
    staged: bool = False
    clean: bool = False
    carried: tuple[str, ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; times in UTC, duration in seconds, exit_status 0, more, or minus a signal's number."""

    status: str
    exit_status: int
    started: datetime
    stopped: datetime
    duration: float
    reason: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    files: tuple[File, ...] = ()
    linked: tuple[str, ...] = ()
