"""Refs on a remote with inputs of runs that are handed out, for workers that do not have the files.

`refs/gitrun/inputs/<sha256>` is a commit without parents whose tree has the file as `content`. The name says what the file must
be, so nobody needs to trust the remote. The refs stay until somebody deletes them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed
from gitrun.git.objects import Objects
from gitrun.sharing.progress import ask_ref, commit_files, fetch_ref, push_specs
from gitrun.sharing.remotes import failure_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git

INPUTS = "refs/gitrun/inputs/"
LARGEST = 100_000_000
"""Bytes of the largest file that is pushed as an input. GitHub refuses larger ones."""


def publish_inputs(git: Git, remote: str, files: Mapping[str, Path]) -> int:
    """Pushes files (SHA-256 -> path) that the remote lacks, in one push. Returns their number. Raises GitFailed."""
    answer = git.run_remote("ls-remote", "--quiet", "--", remote, f"{INPUTS}*", progress=False)
    if answer.status:
        raise GitFailed(*failure_text(answer, f"cannot ask {remote}"))
    there = {line.rpartition(b"/")[2].decode(errors="replace") for line in answer.data.splitlines()}
    specs = []
    for sha256 in files.keys() - there:
        blob = git.run("hash-object", "-w", "--no-filters", "--", str(files[sha256])).decode().strip()
        specs.append(f"{commit_files(git, {'content': blob}, f'input {sha256}')}:{INPUTS}{sha256}")
    if specs:
        push_specs(git, remote, *specs)
    return len(specs)


def fetch_input(git: Git, remote: str, sha256: str) -> bytes | None:
    """Fetches the file with this SHA-256. Returns None if the remote has none, or another one. Raises GitFailed."""
    commit = ask_ref(git, remote, f"{INPUTS}{sha256}")
    if commit is None or not fetch_ref(git, remote, f"{INPUTS}{sha256}"):
        return None
    with Objects(git) as objects:
        content = objects.read(f"{commit}:content", limit=LARGEST)
    data = content.data if content else None
    return data if data is not None and hashlib.sha256(data).hexdigest() == sha256 else None
