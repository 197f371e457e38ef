"""What of a repository is its user's, byte for byte: for tests that nothing of it changes."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repository import Repo

OURS = ("refs/runs/", "refs/notes/runs", "gitrun/", "worktrees/", "objects/")
"""What may appear or change below the common directory of git."""


def belongings(repo: Repo, *more: Repo) -> dict[str, object]:
    """Names, modes, times and contents of the working trees and of all in .git that is not gitrun's."""
    common = repo.path / repo.git("rev-parse", "--git-common-dir")
    found: dict[str, object] = {}
    for each in (repo, *more):
        found |= {f"tree {each.path.name} {os.fsdecode(path)}": seen for path, seen in entries(os.fsencode(each.path))}
    for path, seen in entries(os.fsencode(common)):
        name = os.fsdecode(path)
        if not name.startswith(OURS) and name not in {"gitrun", "worktrees", "refs/runs"}:
            found[f"git {name}"] = seen
    ours = ("refs/runs/", "refs/notes/runs")
    refs = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found["refs"] = [ref for ref in refs if not ref.startswith(ours)]
    found["reflogs"] = repo.git("reflog", "show", "--all").splitlines()
    return found


def entries(top: bytes) -> Iterator[tuple[bytes, tuple[object, ...]]]:
    """Every file and directory below, but for .git, with what can be known of it; of directories no times."""
    queue = [b""]
    while queue:
        at = queue.pop()
        for name in sorted(os.listdir(top + b"/" + at)):
            path = at + b"/" + name if at else name
            status = os.lstat(top + b"/" + path)
            if stat.S_ISDIR(status.st_mode):
                yield path, (status.st_mode,)
                queue += [path] if name != b".git" else []
            else:
                yield path, (status.st_mode, status.st_mtime_ns, status.st_ino, digest(top + b"/" + path))


def digest(path: bytes) -> str:
    """What tells the content of a file, or the target of a link."""
    if os.path.islink(path):
        return os.fsdecode(os.readlink(path))
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
