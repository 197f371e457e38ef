"""The experiments of a DVC project, and the tasks of its queue: refs below `refs/exps/`, and files in `.dvc/tmp/exps`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.extras.importers.foreign_files import read_bytes, scan_directory
from gitrun.extras.importers.imported import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git

REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38}|[0-9a-f]{62})/(.+)")
TASK = re.compile(r"(?:commit: )?dvc-exp:([0-9a-f]{40,64}):([0-9a-f]{40,64}):(.*)")
STARTED = re.compile(rb"Reproducing experiment '([^'\n]+)'")
REFS_FORM = "%(objectname)%00%(authorname)%00%(authoremail:trim)%00%(authordate:unix)%00%(contents:subject)%00%(refname)"
LOG_FORM = "%H%x00%an%x00%ae%x00%at%x00%s"
TEMPORARY = "tmp"
FAILED, STASH = "refs/exps/celery/failed", "refs/exps/celery/stash"
LARGEST = 10 << 20
"""The most bytes of the output of a task."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A commit of DVC: its name, base, author (name, address), time in seconds, message, and what it printed if known."""

    name: str
    commit: str
    base: str
    author: tuple[str, str]
    time: int
    message: str
    output: bytes = b""
    has_failed: bool = False


def list_experiments(git: Git, dvc: Path) -> Iterator[Experiment | LeftOut]:
    """Yields the experiments, then the failed tasks of the queue. A waiting task is left out. `dvc` is the directory .dvc."""
    outputs = read_outputs(dvc)
    for commit, author, address, time, subject, ref in read_rows(git, 6, "for-each-ref", f"--format={REFS_FORM}", "refs/exps/"):
        if (match := REF.fullmatch(ref)) and time.isdecimal():
            message = "" if subject.startswith("dvc: commit experiment ") else subject
            output = outputs.get(match[3], b"")
            yield Experiment(match[3], commit, match[1] + match[2], (author, address), int(time), message, output)
    yield from list_tasks(git, outputs)


def list_tasks(git: Git, outputs: Mapping[str, bytes]) -> Iterator[Experiment | LeftOut]:
    """Yields the failed tasks of the queue, and what of it waits."""
    for ref in (FAILED, STASH):
        if not git.run("for-each-ref", "--format=%(refname)", ref).strip():
            continue
        for commit, author, address, time, subject in read_rows(git, 5, "log", "-g", f"--format={LOG_FORM}", ref, "--"):
            match = TASK.fullmatch(subject)
            if match and ref == STASH:
                yield LeftOut(match[3] or commit, "it waits in DVC's queue")
            elif match and time.isdecimal():
                name, output = match[3] or commit[:7], outputs.get(match[3], b"")
                yield Experiment(name, commit, match[2], (author, address), int(time), "", output, has_failed=True)


def read_rows(git: Git, count: int, *words: str) -> Iterator[list[str]]:
    """Yields the rows that git prints, each of `count` fields."""
    for line in git.run(*words).decode(errors="replace").splitlines():
        if len(fields := line.split("\0")) == count:
            yield fields


def read_outputs(dvc: Path) -> dict[str, bytes]:
    """Returns what the tasks of the queue printed, by the name of the experiment."""
    contents: dict[str, bytes] = {}
    top = dvc / TEMPORARY / "exps" / "run"
    for entry in scan_directory(top):
        data = read_bytes(top / entry.name / f"{entry.name}.out", LARGEST) if entry.is_dir(follow_symlinks=False) else None
        if data and (match := STARTED.search(data)):
            contents[match[1].decode(errors="replace")] = data
    return contents
