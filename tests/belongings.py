"""What of a repository is its user's, byte for byte: for tests that nothing of it changes."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from repository import Repo

OURS = ("refs/runs/", "refs/notes/runs", "gitrun/", "worktrees/", "objects/", "reftable/")
"""What may appear or change below the common directory of git; reftables have all refs in one list of files."""


def belongings(repo: Repo, *more: Repo) -> dict[str, object]:
    """Names, modes, times and contents of the working trees and of all in .git that is not gitrun's."""
    common = repo.path / repo.git("rev-parse", "--git-common-dir")
    found: dict[str, object] = {}
    for each in (repo, *more):
        found |= {f"tree {each.path.name} {path}": seen for path, seen in entries(each.path)}
    for name, seen in entries(common):
        if not name.startswith(OURS) and name not in {"gitrun", "worktrees", "refs/runs", "refs/notes"}:
            found[f"git {name}"] = seen
    ours = ("refs/runs/", "refs/notes/runs")
    refs = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found["refs"] = [ref for ref in refs if not ref.startswith(ours)]
    found["reflogs"] = repo.git("reflog", "show", "--all").splitlines()
    return found


def entries(top: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Every file and directory below, but for .git, with what can be known of it; of directories no times."""
    queue = [top]
    while queue:
        for path in sorted(queue.pop().iterdir()):
            name, status = str(path.relative_to(top)), path.lstat()
            if stat.S_ISDIR(status.st_mode):
                yield name, (status.st_mode,)
                queue += [path] if path.name != ".git" else []
            else:
                yield name, (status.st_mode, status.st_mtime_ns, status.st_ino, digest(path))


def digest(path: Path) -> str:
    """What tells the content of a file, or the target of a link."""
    return str(path.readlink()) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
