"""Completion of verbs and options. Imports nothing slow.

The options are read from a shipped file, because asking the verbs would import click.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import git, source, store, views
from gitrun.commands.verbs import TOPICS, VERBS
from gitrun.errors import GitrunError
from gitrun.model.run import RUNNING, Run, short_id
from gitrun.views.formats import ATOMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitrun.git.exe import Git


NEWEST = 100
"""Runs that are considered, so that completion stays fast."""
WIDEST = 50
"""Characters of a description."""
TYPED = re.compile(r"[\w./:@%+,=-]+")
"""Words that need no quoting in a shell. Others are not offered."""

OPTIONS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "share", "completion", "options")  # noqa: PTH118, PTH120


def complete_flags(words: list[str]) -> str:
    """Returns operations, or the flags of the operation in `words`, as lines; empty if it is unknown."""
    try:
        completions = list(
            source.catalog.complete_operation(git.exe.open_repository(Path.cwd(), os.environ), words[0] if words else None)
        )
    except (GitrunError, OSError):
        # a message would appear in the middle of the line that the user is typing
        return ""
    # a flag's help with control characters would reach the terminal through the shell
    return "\n".join(line for line in completions if line.isprintable())


def complete_words(verb: str) -> str:
    """Returns the words that may follow the verb, like `git <command> --git-completion-helper`.

    For `run` also verbs, for `help` verbs and topics.
    """
    if verb == "help":
        return " ".join([*VERBS, *TOPICS])
    # a line of the file: watch --latest
    with open(OPTIONS, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes as long to import as all else here
        words_known = dict(line.rstrip("\n").split(" ", 1) for line in file if " " in line)
    words = words_known.get(verb, "").strip()
    # both a verb and an option may follow `git run`
    return " ".join([*VERBS, words]) if verb == "run" else words


def complete_values(words: Sequence[str]) -> str:
    """Returns the values of a kind, the first word, as lines; empty if it is unknown or there is no repository."""
    kind, *rest = words or ("",)
    try:
        repository = git.exe.open_repository(Path.cwd(), os.environ)
        # many runs share an operation or a tag: each is offered once, in the order of the runs
        values = list(dict.fromkeys(KINDS[kind](repository, rest))) if kind in KINDS else []
    except (GitrunError, OSError):
        return ""
    lines = ((word, " ".join(about.split())[:WIDEST]) for word, about in values)
    # one candidate a line: the word, a tab, its description
    return "\n".join(f"{word}\t{about}" for word, about in lines if TYPED.fullmatch(word) and about.isprintable())


def list_newest(git: Git) -> list[Run]:
    """Returns the newest readable runs. Does not recover dead ones: completion must have no effects."""
    with store.index.Index(git) as index:
        return index.readable_runs(NEWEST)


def describe_runs(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """Yields the short id and a description of each run."""
    for run in runs:
        attempt = run.attempt
        words = (run.notes.label, run.operation, attempt.flags_text, attempt.shown_status)
        yield short_id(run.id), " ".join(filter(None, words))


def name_runs(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the names of runs: ids, operations and labels."""
    runs = list_newest(git)
    yield from describe_runs(runs)
    yield from ((run.operation, "operation") for run in runs)
    yield from ((run.notes.label, "label") for run in runs if run.notes.label)


def list_running(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields running runs, for `watch` and `stop`."""
    # a run that died without being recovered is offered too: recovery would write
    return describe_runs(run for run in list_newest(git) if run.status == RUNNING)


def list_deleted(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields deleted runs, for `restore` and `purge`."""
    # an unreadable run has no operation or status to show
    return describe_runs(run for run in store.trash.deleted_runs(git)[:NEWEST] if isinstance(run, Run))


def list_operations(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the operations of runs."""
    return ((run.operation, "operation") for run in list_newest(git))


def list_labels(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the labels of runs."""
    return ((run.notes.label, "label") for run in list_newest(git) if run.notes.label)


def list_tags(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the tags of runs."""
    return ((tag, "tag") for run in list_newest(git) for tag in run.notes.tags)


def list_columns(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the names that runs can be sorted by: flags, metrics and properties."""
    runs = list_newest(git)
    yield from ((name, "flag") for run in runs for name in run.flags)
    yield from ((name, "metric") for run in runs for name in run.metrics)
    yield from ((name, "property") for name in ATOMS)


def list_metrics(git: Git, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the metrics of runs, for `plot`."""
    return ((name, "metric") for run in list_newest(git) for name in run.metrics)


def list_files(git: Git, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the files of the named run, or of the newest."""
    for run in find_named(git, names):
        yield from ((content.path, content.part) for content in views.contents.list_files(git, run))


def list_flags(git: Git, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the flags of the named run, or of the newest, as `name=`."""
    return ((f"{name}=", "flag") for run in find_named(git, names) for name in run.flags)


def find_named(git: Git, names: Sequence[str]) -> list[Run]:
    """Returns the run with the first name, or the newest; empty if there are no runs. Raises UnknownRun."""
    with store.index.Index(git) as index:
        return [store.resolve.find_run(index, names[0], git.prefix)] if names else index.readable_runs(1)


KINDS: dict[str, Callable[[Git, Sequence[str]], Iterable[tuple[str, str]]]] = {
    "runs": name_runs,
    "running": list_running,
    "deleted": list_deleted,
    "operations": list_operations,
    "labels": list_labels,
    "tags": list_tags,
    "columns": list_columns,
    "metrics": list_metrics,
    "files": list_files,
    "flags": list_flags,
}
