"""Produced files as the program left them: read, and copied back into the working tree, never over a changed file."""

from __future__ import annotations

import hashlib
import os
import shutil
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.produced import describe
from gitrun.git.objects import EXECUTABLE, LINK, Objects, entry_at
from gitrun.model.record import DIRECTORY
from gitrun.model.run import File
from gitrun.store.results import kept

if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.model.run import Run


def bring(git: Git, run: Run) -> tuple[list[str], list[str]]:
    """Copies what the run produced into the working tree; the paths copied, and those left as they are.

    That is what the last attempt left, also of what it found from the attempt before and wrote again as it was.
    A file that is there is only written over if it is as the attempt found it.
    """
    done: list[str] = []
    left: list[str] = []
    with Objects(git) as objects:
        for file in {file.path: file for file in (*carried(git, run), *run.attempt.files)}.values():
            fits = is_safe(file.path) and put(git, objects, run, file)
            (done if fits else left).append(file.path)
    return done, left


def carried(git: Git, run: Run) -> list[File]:
    """The files that the last attempt has from the one before, as far as they are still there; size and sha256 not known."""
    if not run.attempt.carried:
        return []
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", run.tip, "--", *run.attempt.carried)
    return [File(os.fsdecode(path), -1, "", "git") for path in listed.split(b"\0")[:-1]]


def is_safe(path: str) -> bool:
    """Whether a path that a run names stays in the working tree and out of what is git's and ours."""
    parts = path.split("/")
    plain = ["".join(char for char in part if unicodedata.category(char) != "Cf").lower() for part in parts]
    return not {"", ".", "..", ".git", "git~1"} & set(plain) and plain[0] != DIRECTORY


def put(git: Git, objects: Objects, run: Run, file: File) -> bool:
    """Whether the file is in the working tree as the run left it; false if something of the user's is in its way."""
    top = Path(git.worktree or ".")
    target = top / file.path
    if any(parent.is_symlink() for parent in target.parents if parent != top and parent.is_relative_to(top)):
        return False
    if is_file(target) and describe(os.fsencode(top), os.fsencode(file.path), file.stored) == file:
        return True
    if os.path.lexists(target) and not is_as_found(git, objects, run, target, file.path):
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    fresh = target.with_name(f".{target.name[:200]}.gitrun")
    if not (copy(git, run, file, fresh) if file.stored == "local" else write(git, objects, run, file, fresh)):
        return False
    fresh.replace(target)
    return True


def is_file(target: Path) -> bool:
    """Whether a file or a link is there."""
    return target.is_symlink() or target.is_file()


def is_as_found(git: Git, objects: Objects, run: Run, target: Path, path: str) -> bool:
    """Whether the file in the working tree is the one that the attempt found, or the one that the run left."""
    if target.is_dir() or target.is_symlink():
        return False
    entries = (entry_at(objects, commit, os.fsencode(path)) for commit in (run.attempt.id, run.tip))
    known = {entry.id for entry in entries if entry}
    ways = (("--path", path), ("--no-filters",))  # as git adds files, and as we store those that a program made
    return any(git.run("hash-object", *way, "--stdin", stdin=target.read_bytes()).decode().strip() in known for way in ways)


def copy(git: Git, run: Run, file: File, target: Path) -> bool:
    """Copies a file that is kept beside the repository, a link as a link; false if it is not there any more."""
    source = kept(git, run.id, run.attempt.id) / file.path
    if not is_file(source):
        return False
    shutil.copy2(source, target, follow_symlinks=False)
    return True


def write(git: Git, objects: Objects, run: Run, file: File, target: Path) -> bool:
    """Writes a file that is in the repository as the run left it; false if it is not there."""
    entry = entry_at(objects, run.tip, os.fsencode(file.path))
    data = content(git, run.tip, file) if entry else None
    if entry is None or data is None:
        return False
    if entry.mode == LINK:
        target.symlink_to(os.fsdecode(data))
        return True
    target.write_bytes(data)
    target.chmod(0o777 & ~umask() if entry.mode == EXECUTABLE else 0o666 & ~umask())
    return True


def content(git: Git, commit: str, file: File) -> bytes | None:
    """The bytes of a produced file that is in the repository, as the program left them; None if it is not there."""
    stored = git.attempt("cat-file", "blob", f"{commit}:{file.path}")
    if stored.returncode or hashlib.sha256(stored.stdout).hexdigest() == file.sha256:
        return None if stored.returncode else stored.stdout
    return git.run("cat-file", "--filters", f"{commit}:{file.path}")


def umask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
