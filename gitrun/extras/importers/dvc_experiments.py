"""The experiments of a DVC project, and the tasks of its queue: refs below `refs/exps/`, and files in `.dvc/tmp/exps`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.extras.importers.foreign_files import read_bytes, scan_directory
from gitrun.extras.importers.imported import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.extras.importers.imported import Context

REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38}|[0-9a-f]{62})/(.+)")
TASK = re.compile(r"(?:commit: )?dvc-exp:([0-9a-f]{40,64}):([0-9a-f]{40,64}):(.*)")
STARTED = re.compile(rb"Reproducing experiment '([^'\n]+)'")
LARGEST = 10 << 20
"""The most bytes of the output of a task."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A commit of DVC: its name, base, author line (name, address, seconds), message, and what it printed if that is known."""

    name: str
    commit: str
    base: str
    author: tuple[str, str]
    time: int
    message: str
    output: bytes = b""
    has_failed: bool = False


def list_experiments(context: Context) -> Iterator[Experiment | LeftOut]:
    """Yields the experiments, then the failed tasks of the queue. A task that waits is left out."""
    git, outputs = context.git, read_outputs(context)
    form = "%(refname)%00%(objectname)%00%(authorname)%00%(authoremail)%00%(authordate:unix)%00%(contents:subject)"
    for line in git.run("for-each-ref", f"--format={form}", "refs/exps/").decode(errors="replace").splitlines():
        ref, commit, author, address, time, subject = (*line.split("\0"), *[""] * 6)[:6]
        if (match := REF.fullmatch(ref)) and time.isdecimal():
            message = "" if subject.startswith("dvc: commit experiment ") else subject
            yield Experiment(
                match[3],
                commit,
                match[1] + match[2],
                (author, address.strip("<>")),
                int(time),
                message,
                outputs.get(match[3], b""),
            )
    for ref, has_failed in (("refs/exps/celery/failed", True), ("refs/exps/celery/stash", False)):
        if not git.run("for-each-ref", "--format=%(refname)", ref).strip():
            continue
        lines = git.run("log", "--walk-reflogs", "--format=%H%x00%an%x00%ae%x00%at%x00%s", ref, "--").decode(errors="replace")
        for line in lines.splitlines():
            commit, author, address, time, subject = (*line.split("\0"), *[""] * 5)[:5]
            match = TASK.fullmatch(subject)
            if match and not has_failed:
                yield LeftOut(match[3] or commit, "it waits in DVC's queue")
            elif match and time.isdecimal():
                yield Experiment(
                    match[3] or commit[:7],
                    commit,
                    match[2],
                    (author, address),
                    int(time),
                    "",
                    outputs.get(match[3], b""),
                    has_failed=True,
                )


def read_outputs(context: Context) -> dict[str, bytes]:
    """Returns what the tasks of the queue printed, by the name of the experiment."""
    contents: dict[str, bytes] = {}
    top = context.git.worktree / ".dvc" / "tmp" / "exps" / "run" if context.git.worktree else context.directory
    for entry in scan_directory(top):
        data = read_bytes(top / entry.name / f"{entry.name}.out", LARGEST) if entry.is_dir(follow_symlinks=False) else None
        if data and (match := STARTED.search(data)):
            contents[match[1].decode(errors="replace")] = data
    return contents
