"""Commits with their runs: those of exactly the commit's tree, and those made from it with changes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index


HEAD = "HEAD"
# the remote's own choice comes first, then the usual names
NAMES = (
    "refs/remotes/origin/HEAD",
    "refs/heads/main",
    "refs/heads/master",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
)
"""The refs that usually hold the work of others."""

FORM = "%H%x00%T%x00%at%x00%aN <%aE>%x00%s"
"""The format of `git rev-list`: id, tree, time, author by .mailmap, subject. No field can hold a line end."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and its runs, newest first: `exact` of its very tree, `changed` of it with changes; `more` counts the others."""

    id: str
    author: str
    time: datetime
    subject: str
    exact: tuple[Run, ...] = ()
    changed: tuple[Run, ...] = ()
    more: int = 0
    tree: str = ""


def is_commit(git: Git, name: str) -> bool:
    """Returns whether git knows the name as a commit or a range of commits."""
    if ".." in name:
        # --max-count=0: git reads the range without walking it
        return not git.attempt("rev-list", "--max-count=0", "--end-of-options", name, "--").returncode
    return not git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").returncode


def read_history(git: Git, index: Index, revisions: str, limit: int | None = None, *, most_runs: int = -1) -> Iterator[Commit]:
    """Yields the commits that `revisions` (a commit or a range) names, newest first, at most `limit`, with their runs.

    Of each commit, at most `most_runs` runs are read (-1: all), those of exactly its tree first.
    """
    most = () if limit is None else (f"--max-count={limit}",)
    # --end-of-options: a revision that begins with a dash is no option
    words = ("--no-commit-header", "--encoding=UTF-8", f"--format={FORM}", *most, "--end-of-options", revisions, "--")
    for line in git.lines("rev-list", *words):
        commit, tree = parse_commit(line)
        exact = index.made_of(tree, most_runs)
        # a run of exactly this tree may also be made from this commit
        changed = index.made_from(commit.id, tree, most_runs if most_runs < 0 else most_runs - len(exact))
        shown = len(exact) + len(changed)
        more = index.count_made_of(tree) + index.count_made_from(commit.id, tree) - shown if shown == most_runs else 0
        yield replace(commit, exact=tuple(exact), changed=tuple(changed), more=more, tree=tree)


def parse_commit(line: bytes) -> tuple[Commit, str]:
    """Returns the commit, without runs, and its tree, of a line in the format FORM."""
    commit, tree, stamp, author, subject = line.removesuffix(b"\n").decode(errors="replace").split("\0", 4)
    return Commit(commit, author, commit_time(stamp), subject), tree


def read_commit(git: Git, commit: str) -> Commit | None:
    """Returns a commit without its runs; None if the repository does not have it."""
    words = ("--max-count=1", "--no-commit-header", "--encoding=UTF-8", f"--format={FORM}", "--end-of-options")
    line = git.attempt("rev-list", *words, commit, "--").stdout
    return parse_commit(line)[0] if line else None


def membership_test(git: Git, revisions: str) -> Callable[[Run], bool]:
    """Returns a test that tells whether a run was made of, or from, one of the commits in `revisions`. Raises UsageError."""
    if not is_commit(git, revisions):
        raise UsageError(f"git finds no commits '{revisions}'", "For example: --for main..HEAD")
    words = ("--no-commit-header", "--format=%H %T", "--end-of-options", revisions, "--")
    # <commit> <tree>
    pairs = [line.split() for line in git.run("rev-list", *words).decode().splitlines()]
    commits, trees = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return lambda run: run.attempt.base in commits or run.attempt.source in trees


def commit_subject(git: Git, commit: str) -> str:
    """Returns the subject of a commit; "" if the repository does not have the commit."""
    words = ("--max-count=1", "--no-commit-header", "--encoding=UTF-8", "--format=%s")
    return git.attempt("rev-list", *words, commit, "--").stdout.decode(errors="replace").rstrip("\n")


def commit_time(stamp: str) -> datetime:
    """Returns the time of a commit, or 1970-01-01 if it is not a valid time."""
    try:
        # a malformed commit can have an empty time, or one too large for a date
        return datetime.fromtimestamp(int(stamp), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True, slots=True)
class Range:
    """Commits as `git rev-list` takes them, with the id of the last one.

    `base` is the id of the commit to compare with, if any.
    """

    revisions: str
    head: str
    base: str | None


def resolve_commit(git: Git, name: str) -> str | None:
    """Returns the id of the commit that git knows by this name; None if there is none."""
    peeled = f"{name}^{{commit}}"
    if name.startswith(":/"):
        # the text to search for goes to the end of the name
        peeled = git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", name).stdout.decode().strip()
    result = git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", peeled)
    words = result.stdout.decode().split()
    # of a range, git prints both ends in spite of --verify
    return words[0] if len(words) == 1 else None


def tree_of_commit(git: Git, commit: str) -> str:
    """Returns the id of a commit's tree."""
    return git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()


def read_range(git: Git, words: str | None) -> Range:
    """Returns the range for `BASE..HEAD`, for a commit, or for nothing (HEAD). Raises UsageError."""
    # three dots first, since they contain two
    left, dots, right = (words or HEAD).partition("...") if "..." in (words or "") else (words or HEAD).partition("..")
    head = resolve_commit(git, (right if dots else left) or HEAD)
    if head is None:
        raise UsageError(
            f"git finds no commits '{words}'" if words else "no commits yet",
            "For example: main..HEAD" if words else "To list the runs: git run list",
        )
    if not dots:
        base = usual_base(git, head)
        return Range(f"{base}..{head}" if base else head, head, base)
    start = resolve_commit(git, left or HEAD)
    if start is None:
        raise UsageError(f"git finds no commits '{words}'", "For example: main..HEAD")
    # as with three dots in git diff, the common ancestor is the base
    return Range(f"{start}..{head}", head, merge_base(git, start, head))


def usual_base(git: Git, head: str) -> str | None:
    """Returns the commit where `head` left its upstream or the main branch; else its parent, if it has one."""
    for name in (*merge_target(git), *NAMES):
        base = merge_base(git, name, head)
        # on the main branch itself there is nothing to compare
        if base and base != head:
            return base
    return resolve_commit(git, f"{head}^")


def merge_target(git: Git) -> tuple[str, ...]:
    """Returns the branch into which the current one is to be merged: its upstream, unless that has the branch's own name."""
    branch = git.attempt("symbolic-ref", "--quiet", "--short", HEAD).stdout.decode(errors="surrogateescape").strip()
    result = git.attempt("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "@{upstream}")
    ref = result.stdout.decode(errors="surrogateescape").strip()
    # an upstream of the same name is where the branch is pushed to, not where it is merged
    return () if not ref or ref.endswith(f"/{branch}") else (ref,)


def merge_base(git: Git, one: str, other: str) -> str | None:
    """Returns the best common ancestor of two commits; None if they have none, or if one is missing."""
    return git.attempt("merge-base", "--end-of-options", one, other).stdout.decode().strip() or None
