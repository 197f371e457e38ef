"""Refs on a remote about runs that a worker executes: what they have written so far, and who asked to stop them.

`refs/gitrun/progress/<run id>` is a commit without parents: the end of the output in `output`, and in `progress.json` its
attempt and where it begins. The worker replaces it now and then, and removes it with the result.
`refs/gitrun/stop/<run id>` points to the attempt that somebody wants to end.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.objects import Objects
from gitrun.model.run import is_id, short_id
from gitrun.sharing.remotes import PUSH, failure_text, mirror_off

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git

PROGRESS, STOP = "refs/gitrun/progress/", "refs/gitrun/stop/"
LONGEST = 1 << 16
"""Bytes at the end of the output that one report holds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A report about a run: its attempt, and the end of its output, which begins at byte `start`."""

    attempt: str
    start: int
    output: bytes


def read_end(path: Path, attempt_id: str) -> Progress:
    """Returns a report about the output in a file. Raises OSError."""
    with path.open("rb") as output:
        size = output.seek(0, 2)
        start = max(size - LONGEST, 0)
        output.seek(start)
        return Progress(attempt_id, start, output.read(LONGEST))


def publish_progress(git: Git, remote: str, run_id: str, progress: Progress) -> None:
    """Replaces the report about a run on the remote. Raises GitFailed."""
    about = json.dumps({"attempt": progress.attempt, "start": progress.start}).encode()
    files = {"output": write_blob(git, progress.output), "progress.json": write_blob(git, about)}
    commit = commit_files(git, files, f"progress of run {short_id(run_id)}")
    push_specs(git, remote, f"+{commit}:{PROGRESS}{run_id}")


def commit_files(git: Git, blobs: Mapping[str, str], subject: str) -> str:
    """Commits blobs (name -> id, names in order) without parents. Equal ones give equal ids. Returns the id."""
    # 100644 blob <id>\t<name>
    entries = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in blobs.items())
    tree = git.run("mktree", stdin=entries.encode()).decode()
    who = "gitrun <gitrun@localhost> 0 +0000"
    text = f"tree {tree.strip()}\nauthor {who}\ncommitter {who}\n\n{subject}\n"
    return git.run("hash-object", "-w", "-t", "commit", "--stdin", stdin=text.encode()).decode().strip()


def write_blob(git: Git, data: bytes) -> str:
    """Writes a blob. Returns its id."""
    return git.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()


def push_specs(git: Git, remote: str, *specs: str) -> None:
    """Pushes refspecs to a remote. Raises GitFailed."""
    answer = git.run_remote(*mirror_off(git, remote), "push", *PUSH, "--no-progress", "--", remote, *specs, progress=False)
    if answer.status:
        raise GitFailed(*failure_text(answer, f"cannot push to {remote}"))


def fetch_progress(git: Git, remote: str, run_id: str) -> Progress | None:
    """Fetches the report about a run. Returns None if there is none. Writes no ref. Raises GitFailed."""
    commit = ask_ref(git, remote, f"{PROGRESS}{run_id}")
    if commit is None:
        return None
    if not fetch_ref(git, remote, f"{PROGRESS}{run_id}"):
        # the run has ended in between, and its report is gone
        return None
    with Objects(git) as objects:
        about, output = objects.read_many([f"{commit}:progress.json", f"{commit}:output"])
    if about is None or output is None:
        return None
    with suppress(ValueError, TypeError, KeyError):
        values = json.loads(about.data or b"")
        return Progress(str(values["attempt"]), int(values["start"]), output.data or b"")
    return None


def fetch_ref(git: Git, remote: str, ref: str) -> bool:
    """Fetches the objects of a ref of the remote, and writes no ref. Returns whether that was possible."""
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--refmap=", "--", remote, ref)
    return not git.run_remote(*words, progress=False).status


def ask_ref(git: Git, remote: str, ref: str) -> str | None:
    """Returns the id that a ref of the remote points to; None without it. Raises GitFailed."""
    answer = git.run_remote("ls-remote", "--quiet", "--", remote, ref, progress=False)
    if answer.status:
        raise GitFailed(*failure_text(answer, f"cannot ask {remote}"))
    lines = (line.split("\t") for line in answer.data.decode(errors="replace").splitlines())
    # ls-remote also matches the end of longer names
    return next((line[0] for line in lines if line[-1] == ref and is_id(line[0])), None)


def ask_to_stop(git: Git, remote: str, run_id: str, attempt_id: str) -> None:
    """Asks the worker of an attempt to stop it. Raises GitFailed."""
    push_specs(git, remote, f"+{attempt_id}:{STOP}{run_id}")


def is_asked_to_stop(git: Git, remote: str, run_id: str, attempt_id: str) -> bool:
    """Returns whether somebody asked to stop this attempt. Raises GitFailed."""
    return ask_ref(git, remote, f"{STOP}{run_id}") == attempt_id


def remove_reports(git: Git, remote: str, run_id: str) -> None:
    """Removes the report about a run, and the request to stop it, from the remote. Raises GitFailed."""
    push_specs(git, remote, f":{PROGRESS}{run_id}", f":{STOP}{run_id}")
