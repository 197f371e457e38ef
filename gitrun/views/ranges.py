"""The commits that a review covers, and the commit that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import UsageError

if TYPE_CHECKING:
    from gitrun.git.exe import Git

HEAD = "HEAD"
NAMES = (
    "refs/remotes/origin/HEAD",
    "refs/heads/main",
    "refs/heads/master",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
)
"""The refs that usually hold the work of others."""


@dataclass(frozen=True, slots=True)
class Range:
    """Commits as `git rev-list` takes them, with the id of the last one.

    `base` is the id of the commit to compare with, if any.
    """

    revisions: str
    head: str
    base: str | None


def commit_of(git: Git, name: str) -> str | None:
    """Returns the id of the commit that git knows by this name; None if there is none."""
    done = git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return done.stdout.decode().strip() or None


def tree_of(git: Git, commit: str) -> str:
    """Returns the id of a commit's tree."""
    return git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()


def read_range(git: Git, words: str | None) -> Range:
    """Returns the range for `BASE..HEAD`, for a commit, or for nothing (HEAD). Raises UsageError."""
    left, dots, right = (words or HEAD).partition("...") if "..." in (words or "") else (words or HEAD).partition("..")
    head = commit_of(git, (right if dots else left) or HEAD)
    if head is None:
        raise UsageError(f"git knows no commits '{words}'" if words else "there is no commit yet", "for example main..HEAD")
    if not dots:
        base = usual_base(git, head)
        return Range(f"{base}..{head}" if base else head, head, base)
    start = commit_of(git, left or HEAD)
    if start is None:
        raise UsageError(f"git knows no commits '{words}'", "for example main..HEAD")
    # as with three dots in git diff, the common ancestor is the base
    return Range(f"{start}..{head}", head, meeting(git, start, head))


def usual_base(git: Git, head: str) -> str | None:
    """Returns the commit where `head` left its upstream or the main branch; else its parent, if it has one."""
    for name in (*upstream(git), *NAMES):
        base = meeting(git, name, head)
        # on the main branch itself there is nothing to compare
        if base and base != head:
            return base
    return commit_of(git, f"{head}^")


def upstream(git: Git) -> tuple[str, ...]:
    """Returns the branch into which the current one is to be merged: its upstream, unless that has the branch's own name."""
    branch = git.attempt("symbolic-ref", "--quiet", "--short", HEAD).stdout.decode(errors="surrogateescape").strip()
    done = git.attempt("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "@{upstream}")
    found = done.stdout.decode(errors="surrogateescape").strip()
    # an upstream of the same name is where the branch is pushed to, not where it is merged
    return () if not found or found.endswith(f"/{branch}") else (found,)


def meeting(git: Git, one: str, other: str) -> str | None:
    """Returns the best common ancestor of two commits; None if they have none, or if one is missing."""
    return git.attempt("merge-base", "--end-of-options", one, other).stdout.decode().strip() or None
