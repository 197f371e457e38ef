"""What a shell offers where a run, or something that runs have, is expected: a line each, a tab before what it is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.errors import GitrunError
from gitrun.git.exe import open_repository
from gitrun.model.atoms import ATOMS
from gitrun.model.refs import short
from gitrun.model.run import Run
from gitrun.model.status import RUNNING
from gitrun.store.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitrun.git.exe import Git

NEWEST = 100
"""Runs that are looked at: somebody waits at a key."""
WIDEST = 50
"""Characters of what is said about a run."""
TYPED = re.compile(r"[\w./:@%+,=-]+")
"""What a shell takes as it stands."""


def candidates(words: Sequence[str]) -> str:
    """The candidates of a kind, which is the first word, a line each; nothing where nothing can be known."""
    kind, *rest = words or ("",)
    try:
        git = open_repository(Path.cwd(), os.environ)
        found = list(dict.fromkeys(KINDS[kind](git, rest))) if kind in KINDS else []
    except (GitrunError, OSError):
        return ""
    lines = ((word, " ".join(about.split())[:WIDEST]) for word, about in found)
    return "\n".join(f"{word}\t{about}" for word, about in lines if TYPED.fullmatch(word) and about.isprintable())


def newest(git: Git) -> list[Run]:
    """The newest runs; those whose supervisor has died are left for a command that is more than looked at."""
    with Index(git) as index:
        return index.readable_runs(NEWEST)


def described(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """The runs by their short ids."""
    for run in runs:
        yield short(run.id), " ".join(filter(None, (run.notes.label, run.operation, run.attempt.flags_text, run.status)))


def named(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The runs, and behind them the other names by which they can be called."""
    runs = newest(git)
    yield from described(runs)
    yield from ((run.operation, "operation") for run in runs)
    yield from ((run.notes.label, "label") for run in runs if run.notes.label)


def running(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those that can be watched and stopped."""
    return described(run for run in newest(git) if run.status == RUNNING)


def deleted(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those that can be restored or purged."""
    from gitrun.store.trash import deleted_runs

    return described(run for run in deleted_runs(git)[:NEWEST] if isinstance(run, Run))


def operations(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What has been run."""
    return ((run.operation, "operation") for run in newest(git))


def labels(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The labels that runs have."""
    return ((run.notes.label, "label") for run in newest(git) if run.notes.label)


def tags(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The tags that runs have."""
    return ((tag, "tag") for run in newest(git) for tag in run.notes.tags)


def columns(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What runs can be ordered by and compared in."""
    runs = newest(git)
    yield from ((name, "flag") for run in runs for name in run.flags)
    yield from ((name, "metric") for run in runs for name in run.metrics)
    yield from ((name, "property") for name in ATOMS)


def files(git: Git, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The files of the named run, else of the newest."""
    from gitrun.views.contents import contents

    for run in meant(git, names):
        yield from ((content.path, content.part) for content in contents(git, run))


def flags(git: Git, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The flags of the named run, as a restart is given them."""
    return ((f"{name}=", "flag") for run in meant(git, names) for name in run.flags)


def meant(git: Git, names: Sequence[str]) -> list[Run]:
    """The first of the runs that are named, else the newest; none if there is none. Raises UnknownRun."""
    from gitrun.store.finding import find

    with Index(git) as index:
        return [find(index, names[0], git.prefix)] if names else index.readable_runs(1)


KINDS: dict[str, Callable[[Git, Sequence[str]], Iterable[tuple[str, str]]]] = {
    "runs": named,
    "running": running,
    "deleted": deleted,
    "operations": operations,
    "labels": labels,
    "tags": tags,
    "columns": columns,
    "files": files,
    "flags": flags,
}
