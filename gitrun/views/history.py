"""Commits with their runs: those of exactly the commit's tree, and those made from it with changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index

FORM = "%H%x00%T%x00%at%x00%aN <%aE>%x00%s"
"""The format of `git rev-list`: id, tree, time, author by .mailmap, subject. No field can hold a line end."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and its runs, newest first. `exact` ran exactly its tree, `changed` ran it with changes."""

    id: str
    author: str
    time: datetime
    subject: str
    exact: tuple[Run, ...]
    changed: tuple[Run, ...]


def is_commit(git: Git, name: str) -> bool:
    """Tells whether git knows the name as a commit or a range of commits."""
    if ".." in name:
        return not git.attempt("rev-list", "--max-count=0", "--end-of-options", name, "--").returncode
    return not git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").returncode


def history(git: Git, index: Index, revisions: str, limit: int | None = None) -> Iterator[Commit]:
    """Yields the commits that `revisions` (a commit or a range) names, newest first, at most `limit`, with their runs."""
    most = () if limit is None else (f"--max-count={limit}",)
    # --end-of-options: a revision that begins with a dash is no option
    words = ("--no-commit-header", "--encoding=UTF-8", f"--format={FORM}", *most, "--end-of-options", revisions, "--")
    for line in git.lines("rev-list", *words):
        commit, tree, stamp, author, subject = line[:-1].decode(errors="replace").split("\0", 4)
        exact = index.made_of(tree)
        # a run of exactly this tree may also be made from this commit
        known = {run.id for run in exact}
        changed = tuple(run for run in index.made_from(commit) if run.id not in known)
        yield Commit(commit, author, moment(stamp), subject, tuple(exact), changed)


def belonging(git: Git, revisions: str) -> Callable[[Run], bool]:
    """Returns a test that tells whether a run was made of, or from, one of the commits in `revisions`. Raises UsageError."""
    if not is_commit(git, revisions):
        raise UsageError(f"git knows no commits '{revisions}'", "for example --for main..HEAD")
    words = ("--no-commit-header", "--format=%H %T", "--end-of-options", revisions, "--")
    pairs = [line.split() for line in git.run("rev-list", *words).decode().splitlines()]
    commits, trees = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return lambda run: run.attempt.base in commits or run.attempt.source in trees


def subject_of(git: Git, commit: str) -> str:
    """Returns the subject of a commit; "" if the repository does not have the commit."""
    words = ("--max-count=1", "--no-commit-header", "--encoding=UTF-8", "--format=%s")
    return git.attempt("rev-list", *words, commit, "--").stdout.decode(errors="replace").rstrip("\n")


def moment(stamp: str) -> datetime:
    """Returns the time of a commit, or 1970-01-01 if it is not a valid time."""
    try:
        return datetime.fromtimestamp(int(stamp), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, timezone.utc)
