"""Remembers the tips of runs that a remote had when gitrun last pushed there or fetched from there.

A file `.git/gitrun/pushed` with a commit a line, which is only appended to. It is a cache: without it, runs that a remote has
count as not pushed until the next push or fetch.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.git.locks import make_shared_directory
from gitrun.model.run import RUNS
from gitrun.store.live import live_runs
from gitrun.store.refs import list_refs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitrun.git.exe import Git

NAME = "pushed"


def record_pushed(git: Git, commits: Iterable[str]) -> None:
    """Records commits that a remote has. Ignores failures: the push itself has succeeded."""
    names = set(commits)
    fresh = sorted(names - pushed_commits(git.state)) if names else []
    if not fresh:
        return
    # a line end first: the file may end in a line that a full disk cut short
    text = "\n" + "".join(f"{commit}\n" for commit in fresh)
    with suppress(OSError):
        make_shared_directory(git.state)
        # O_APPEND: processes that write at the same time do not overwrite each other
        descriptor = os.open(git.state / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())


def pushed_commits(state: Path) -> frozenset[str]:
    """Returns the commits that some remote has, as far as gitrun knows."""
    try:
        return frozenset((state / NAME).read_text("ascii", "replace").split("\n"))
    except OSError:
        return frozenset()


def count_unpushed(git: Git) -> int:
    """Returns the number of runs that are not running and whose tip no remote has, as far as gitrun knows.

    Archived runs are left out: they have no refs of their own.
    """
    known, running = pushed_commits(git.state), live_runs(git.state)
    runs = {ref.removeprefix(RUNS): tip for ref, tip in list_refs(git, RUNS).items()}
    return sum(tip not in known for run_id, tip in runs.items() if run_id not in running)
