"""What a program left in its worktree: what goes into the result commit, what is kept beside it, what was changed."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.links import is_cache, make_parents
from gitrun.engine.snapshot import scan
from gitrun.git.objects import EXECUTABLE, FILE, LINK, Entry
from gitrun.model.record import DIRECTORY
from gitrun.model.run import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.engine.snapshot import Seen
    from gitrun.git.exe import Git

DEEPEST = 100
"""Directories above a file that a tree gets; what lies deeper is kept beside the repository."""


@dataclass(frozen=True, slots=True)
class Produced:
    """New and changed files: tree changes for the result (None: the program deleted it), and the list for result.toml.

    `lost` could be neither recorded nor kept: the system does not let us read them.
    """

    changes: dict[bytes, Entry | None]
    files: tuple[File, ...]
    seen: Seen
    lost: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program ran and where its large and ignored files are to be kept.

    `apart` are paths that are not the program's: what was linked in, what git ignored there before. `earlier` is where
    the attempt before kept its files. `shared`: the files stay where they are, as in the user's working tree.
    """

    git: Git
    tree: Path
    keep: Path
    apart: frozenset[bytes]
    earlier: Path | None = None
    index: Path | None = None
    shared: bool = False


def collect(place: Place, limit: int) -> Produced:
    """Writes what the program produced into the repository, or beside it if git ignores it or it is over `limit` bytes."""
    seen = scan(place.git, place.index, modules=False)
    top = os.fsencode(place.tree)
    fresh = [path for path in (*seen.changed, *seen.conflicts, *seen.untracked) if ours(path, place.apart)]
    gone = {path for path in fresh if not os.path.lexists(top + b"/" + path)}
    there = [path for path in fresh if is_file(top + b"/" + path)]
    lfs = lfs_paths(place.git, there)
    apart = {path for path in there if path.count(b"/") > DEEPEST}
    apart |= {path for path in there if path not in lfs and os.lstat(top + b"/" + path).st_size > limit}
    apart |= {path for path in expand(top, (*seen.ignored, *seen.nested)) if ours(path, place.apart)}
    files: dict[bytes, File] = {}
    lost = []
    for path in sorted({*there, *apart}):
        try:
            files[path] = take(place, path, "local" if path in apart else "lfs" if path in lfs else "git")
        except OSError:
            lost.append(path)
    changes: dict[bytes, Entry | None] = dict.fromkeys(gone.intersection(seen.changed))
    changes.update(write(place.git, top, [path for path in files if path not in apart]))
    return Produced(changes, tuple(sorted(files.values(), key=lambda file: file.path)), seen, tuple(lost))


def take(place: Place, path: bytes, stored: str) -> File:
    """The file as result.toml lists it, kept beside the repository if it is not stored in it. Raises OSError."""
    top = os.fsencode(place.tree)
    if not place.shared and not os.path.islink(top + b"/" + path):  # what a program left in a slot is ours to read
        mode = os.stat(top + b"/" + path).st_mode
        if not mode & stat.S_IRUSR:
            os.chmod(top + b"/" + path, mode | stat.S_IRUSR)
    file = describe(top, path, stored)
    if stored == "local":
        keep(place, path, file)
    return file


def is_file(path: bytes) -> bool:
    """Whether a file or a link lies there."""
    return os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path))


def ours(path: bytes, apart: frozenset[bytes]) -> bool:
    """Whether a path is the program's: no cache, no record of the run, nothing that was there before."""
    parts = path.rstrip(b"/").split(b"/")
    above = (b"/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return parts[0] != os.fsencode(DIRECTORY) and not is_cache(path) and not any(name in apart for name in above)


def expand(top: bytes, paths: Iterable[bytes]) -> Iterator[bytes]:
    """The files at and below the paths, without going through links; nothing but files and links."""
    queue = [path.rstrip(b"/") for path in paths]
    while queue:
        path = queue.pop()
        try:
            mode = os.lstat(top + b"/" + path).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            with suppress(OSError):
                queue += [path + b"/" + name for name in os.listdir(top + b"/" + path) if not is_cache(name)]
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            yield path


def lfs_paths(git: Git, paths: Sequence[bytes]) -> frozenset[bytes]:
    """Those of the paths that git hands to LFS."""
    if not paths or "filter.lfs.clean" not in git.config:
        return frozenset()
    asked = b"".join(path + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", "filter", stdin=asked).split(b"\0")
    return frozenset(path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value == b"lfs")


def write(git: Git, top: bytes, paths: Sequence[bytes]) -> dict[bytes, Entry]:
    """The tree entries of the files, whose content, through the filters of git, is then in the repository."""
    links = [path for path in paths if os.path.islink(top + b"/" + path)]
    files = [path for path in paths if not os.path.islink(top + b"/" + path)]
    found: dict[bytes, Entry] = {}
    if files:
        asked = b"".join(quoted(path) + b"\n" for path in files)
        ids = git.run("hash-object", "-w", "--stdin-paths", stdin=asked).decode().split()
        found = {path: Entry(mode_of(top + b"/" + path), made) for path, made in zip(files, ids, strict=True)}
    for path in links:
        made = git.run("hash-object", "-w", "--stdin", stdin=os.readlink(top + b"/" + path)).decode().strip()
        found[path] = Entry(LINK, made)
    return found


def mode_of(path: bytes) -> str:
    """The mode that git gives a file."""
    return EXECUTABLE if os.stat(path).st_mode & stat.S_IXUSR else FILE


def quoted(path: bytes) -> bytes:
    """A path as git reads it from a line: in C's way if it holds a line end or begins with a quote."""
    if b"\n" not in path and not path.startswith(b'"'):
        return path
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def describe(top: bytes, path: bytes, stored: str) -> File:
    """The file as result.toml lists it; of a link, that of its target's text."""
    import hashlib

    place = top + b"/" + path
    if os.path.islink(place):
        target = os.readlink(place)
        return File(os.fsdecode(path), len(target), hashlib.sha256(target).hexdigest(), stored)
    found, size = hashlib.sha256(), 0
    with open(place, "rb") as file:
        while data := file.read(1 << 20):
            found.update(data)
            size += len(data)
    return File(os.fsdecode(path), size, found.hexdigest(), stored)


def keep(place: Place, path: bytes, file: File) -> None:
    """Puts a file of the program beside the repository's objects.

    In a slot this is a second name for the file, which the slot then gives up; one that the program found there and
    did not change is the file that the attempt before keeps.
    """
    source, target = Path(os.fsdecode(os.fsencode(place.tree) + b"/" + path)), place.keep / os.fsdecode(path)
    place.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_parents(os.fsencode(place.keep), path)
    target.unlink(missing_ok=True)
    before = place.earlier / os.fsdecode(path) if place.earlier else None
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif before and before.is_file() and describe(os.fsencode(place.earlier or ""), path, "local") == file:
        os.link(before, target)
    elif place.shared:
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def restore(earlier: Path, tree: Path) -> list[bytes]:
    """Copies what an attempt kept beside the repository into the tree of the next one; returns the paths."""
    top = os.fsencode(earlier)
    names = [name for name in os.listdir(top) if name != b".gitrun"] if earlier.is_dir() else []
    paths = list(expand(top, names))
    restored = []
    for path in paths:
        target = tree / os.fsdecode(path)
        if os.path.lexists(target) or not make_parents(os.fsencode(tree), path):
            continue
        shutil.copy2(earlier / os.fsdecode(path), target, follow_symlinks=False)
        restored.append(path)
    return restored
