"""Produced files back into the working tree, never over a file that was changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.git.objects import EXECUTABLE, LINK, Objects
from gitrun.store.results import kept

if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.run import Run


def bring(git: Git, run: Run) -> tuple[list[str], list[str]]:
    """Copies what the run produced into the working tree; the paths copied, and those left as they are.

    That is what the last attempt left, also of what it found from the attempt before and wrote again as it was.
    A file that is there is only written over if it is as the attempt found it.
    """
    done: list[str] = []
    left: list[str] = []
    beside = kept(git, run.id, run.attempt.id)
    with Objects(git) as objects:
        for path, stored in {**dict.fromkeys(carried(git, run), "git"), **stored_as(run)}.items():
            fits = put(git, objects, run, path, beside / path if stored == "local" else None)
            (done if fits else left).append(path)
    return done, left


def stored_as(run: Run) -> dict[str, str]:
    """The paths that the last attempt wrote, with how each is stored."""
    return {file.path: file.stored for file in run.attempt.files}


def carried(git: Git, run: Run) -> list[str]:
    """The files that the last attempt has from the one before, as far as they are still there."""
    if not run.attempt.carried:
        return []
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", run.tip, "--", *run.attempt.carried)
    return [os.fsdecode(path) for path in listed.split(b"\0")[:-1]]


def put(git: Git, objects: Objects, run: Run, path: str, beside: Path | None) -> bool:
    """Whether the file is in the working tree as the run left it; false if something of the user's is in its way."""
    top = Path(git.worktree or ".")
    target = top / path
    if any((top / parent).is_symlink() for parent in Path(path).parents) or ".." in Path(path).parts:
        return False
    if os.path.lexists(target) and not is_as_found(git, objects, run, target, path):
        return False
    entry = entry_at(objects, run.tip, path)
    if beside is None and entry is None:
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    fresh = target.with_name(f".{target.name}.gitrun")
    if beside is not None:
        copy(beside, fresh)
    elif entry is not None:
        write(git, path, entry, fresh)
    fresh.replace(target)
    return True


def is_as_found(git: Git, objects: Objects, run: Run, target: Path, path: str) -> bool:
    """Whether the file in the working tree is the one of the run's source, or the one that the run left."""
    if target.is_dir() or target.is_symlink():
        return False
    mine = git.run("hash-object", "--path", path, "--stdin", stdin=target.read_bytes()).decode().strip()
    known = (entry_at(objects, commit, path) for commit in (run.attempt.id, run.tip))
    return any(entry is not None and entry.id == mine for entry in known)


def entry_at(objects: Objects, commit: str, path: str) -> Entry | None:
    """What a commit has at a path."""
    directory, _, name = path.rpartition("/")
    if objects.read(f"{commit}:{path}", limit=0) is None:
        return None
    return objects.tree(f"{commit}:{directory}").get(os.fsencode(name))


def copy(source: Path, target: Path) -> None:
    """Copies a file, or a link as a link."""
    import shutil

    shutil.copy2(source, target, follow_symlinks=False)


def write(git: Git, path: str, entry: Entry, target: Path) -> None:
    """Writes a file as git would check it out at `path`."""
    if entry.mode == LINK:
        target.symlink_to(os.fsdecode(git.run("cat-file", "blob", entry.id)))
        return
    target.write_bytes(git.run("cat-file", "--filters", f"--path={path}", entry.id))
    target.chmod(0o777 & ~umask() if entry.mode == EXECUTABLE else 0o666 & ~umask())


def umask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
