"""Files beside the repository: shown beside the slot's worktree, and collected when a program writes there.

Two directories above the slot's worktree stand for the parent and the grandparent of the repository. So `../data` and
`../../shared` mean the same as in the working tree. Each of their entries is a link to the user's own.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from gitrun.git.locks import make_private_directory
from gitrun.lazy import shutil
from gitrun.model.run import PARENT, kept_name
from gitrun.workspace.erase import erase, is_directory
from gitrun.workspace.links import is_cache, make_parents
from gitrun.workspace.worktree_records import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_SIBLINGS = 2_000
"""Entries beside a repository that are shown. If there are more, only directories are."""


VERIFIED = "beside"
"""File in a slot with the stamps of the directories above its worktree whose links were found right, and of those they show."""
TICK = 50_000_000
"""Nanoseconds after a change in which another one may leave the same time."""


def link_siblings(top: Path | None, tree: Path) -> None:
    """Fills the two directories above `tree` with links to what is beside `top` and its parent; None empties them."""
    verified, steady = read_verified(tree), []
    for level, here in enumerate((tree.parent, tree.parent.parent), 1):
        own = os.fsencode((tree if level == 1 else tree.parent).name)
        shown = shown_directory(top, level)
        line, line_above = stamp_directory(os.fsencode(here), shown), stamp_above(shown, own)
        # neither the links nor what they show has changed
        is_same = {line, line_above} <= verified
        links = list_siblings(top, level) if top and not is_same else {}
        if is_same or (not sync_links(os.fsencode(here), own, links, is_verified=line in verified) and line):
            steady += [one for one in (line, line_above) if one]
    if set(steady) != verified and steady:
        # a run that is killed here leaves stamps that fit nothing, and every link is looked at again
        replace_file(os.fsencode(verified_file(tree)), b"\n".join(steady), atomic=False)


def verified_file(tree: Path) -> Path:
    """Returns the file of stamps in the slot of a worktree."""
    return tree.parent.parent.parent / VERIFIED


def read_verified(tree: Path) -> set[bytes]:
    """Returns the stamps of directories in which every link was found right."""
    try:
        # after a power cut the file may be empty, and an empty text stands for a directory that changed a moment ago
        return set(verified_file(tree).read_bytes().split(b"\n")) - {b""}
    except OSError:
        return set()


def stamp_directory(here: bytes, shown: bytes | None) -> bytes:
    """Returns what identifies the entries of a directory, and whose entries they show; empty if it changed a moment ago.

    Every entry that is added, removed or renamed changes the ctime, which no program can set.
    """
    status = os.lstat(here)
    if shown is None or time.time_ns() - status.st_ctime_ns < TICK:
        return b""
    return b"%d %d %d %d %b" % (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, shown)


def stamp_above(shown: bytes | None, own: bytes) -> bytes:
    """Returns what identifies the entries of a directory that is shown without its entry `own`; empty as `stamp_directory`."""
    with suppress(OSError):
        return stamp_directory(os.path.realpath(shown), own) if shown else b""
    return b""


def list_siblings(top: Path, level: int) -> dict[bytes, bytes]:
    """Returns the names to show `level` directories above `top`, each with the target of its link."""
    own = top if level == 1 else top.parent
    above = own.parent
    if above == own:  # the root of the file system has no parent
        return {}
    try:
        with os.scandir(os.fsencode(above)) as entries:
            siblings = list(entries)
    except OSError:
        return {}
    # a repository may be in /tmp or in a directory of data
    if len(siblings) > MAX_SIBLINGS:
        siblings = [entry for entry in siblings if entry.is_dir(follow_symlinks=False)][:MAX_SIBLINGS]
    name = os.fsencode(own.name)
    return {entry.name: entry.path for entry in siblings if entry.name != name}


def sync_links(here: bytes, own: bytes, links: dict[bytes, bytes], *, is_verified: bool = False) -> bool:
    """Makes a directory contain its `own` entry and these links, and nothing else. Returns whether it changed anything.

    If the links there are verified, only their names are compared.
    """
    missing = dict(links)
    # only differences are changed, since most runs of a slot are for the same worktree
    with os.scandir(here) as entries:
        siblings = [entry for entry in entries if entry.name != own]
    wrong = []
    for entry in siblings:
        target = links.get(entry.name)
        if target is not None and (is_verified or (entry.is_symlink() and os.readlink(entry.path) == target)):
            del missing[entry.name]
        else:
            wrong.append(entry.path)
    missing.pop(own, None)
    for path in wrong:
        erase(path)
    for name, target in missing.items():
        os.symlink(target, here + b"/" + name)
    return bool(wrong or missing)


def list_written(top: Path | None, tree: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Yields what a program has written beside `tree`: level, name and path of each entry that gitrun did not link."""
    verified = read_verified(tree)
    for level, here in enumerate((tree.parent, tree.parent.parent), 1):
        own = os.fsencode((tree if level == 1 else tree.parent).name)
        shown = shown_directory(top, level)
        with suppress(OSError):
            if stamp_directory(os.fsencode(here), shown) in verified:
                continue
            with os.scandir(os.fsencode(here)) as entries:
                siblings = sorted(entries, key=lambda entry: entry.name)
            for entry in siblings:
                # a link to a sibling of the repository is gitrun's own, even if the sibling is gone
                is_shown = entry.is_symlink() and os.readlink(entry.path).rpartition(b"/")[:2] == (shown, b"/")
                if not is_shown and entry.name != own and not is_cache(entry.name):
                    yield level, entry.name, entry.path


def shown_directory(top: Path | None, level: int) -> bytes | None:
    """Returns the directory whose entries are shown at this level, without a `/` at its end; None if there is none."""
    if top is None:
        return None
    return os.fsencode(top.parent if level == 1 else top.parent.parent).rstrip(b"/")


def walk_files(directory: bytes) -> Iterator[bytes]:
    """Yields the files and links at and below a path. Does not follow links, skips caches."""
    queue = [directory]
    while queue:
        path = queue.pop()
        with suppress(OSError):
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode):
                queue += [path + b"/" + name for name in os.listdir(path) if not is_cache(name)]
            elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield path


def keep_written(top: Path | None, tree: Path, keep: Path) -> list[str]:
    """Keeps what a program has written beside `tree`. Returns the paths relative to `tree`, such as `../data/x`."""
    files = []
    for level, name, full_path in list_written(top, tree):
        for path in walk_files(full_path):
            inside = name + path[len(full_path) :]
            name_inside = PARENT * level + os.fsdecode(inside)
            target = os.fsencode(kept_name(name_inside))
            make_private_directory(keep)
            make_parents(os.fsencode(keep), target)
            there = os.fsencode(keep) + b"/" + target
            with suppress(FileNotFoundError):
                os.unlink(there)
            try:
                # a hard link costs no space, and the next run of this slot erases only the original name
                os.link(path, there, follow_symlinks=False)
            except OSError:  # some file systems have no hard links
                shutil.copy2(path, there, follow_symlinks=False)
            files.append(name_inside)
    return sorted(files)


def restore_written(earlier: Path, tree: Path) -> None:
    """Restores beside `tree` the files that the previous attempt wrote there."""
    for level, here in enumerate((tree.parent, tree.parent.parent), 1):
        base = os.fsencode(earlier) + b"/" + kept_directory(level)
        if not is_directory(base):
            continue
        for path in walk_files(base):
            inside = path[len(base) + 1 :]
            target = os.fsencode(here) + b"/" + inside
            if not os.path.lexists(target) and make_parents(os.fsencode(here), inside):
                # a copy, because the kept file belongs to the previous attempt and must not change
                shutil.copy2(path, target, follow_symlinks=False)


def list_kept(keep: Path) -> list[bytes]:
    """Returns the kept files that an attempt wrote beside the repository, relative to `keep`."""
    base = os.fsencode(keep)
    return [path[len(base) + 1 :] for level in (1, 2) for path in walk_files(base + b"/" + kept_directory(level))]


def list_kept_names(keep: Path) -> list[str]:
    """Returns the same files relative to the worktree, such as `../data/x`."""
    prefixes = {kept_directory(level) + b"/": PARENT * level for level in (1, 2)}
    return [
        up + os.fsdecode(path[len(prefix) :])
        for path in list_kept(keep)
        for prefix, up in prefixes.items()
        if path.startswith(prefix)
    ]


def kept_directory(level: int) -> bytes:
    """Returns the name of the directory that keeps the files written `level` directories above the tree."""
    return os.fsencode(kept_name(PARENT * level + "x"))[:-2]
