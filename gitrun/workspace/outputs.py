"""Collects what a program left in its worktree: files for the result commit, files kept beside it, and deletions."""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import Entry
from gitrun.git.status import WorktreeStatus, read_status
from gitrun.model.digest import sha256
from gitrun.model.run import DIRECTORY, MAX_DEPTH, File, kept_name
from gitrun.model.tree import EXECUTABLE, FILE, LINK
from gitrun.store.commits import import_blobs, quoted, scratch, write_blobs
from gitrun.workspace import beside
from gitrun.workspace.erase import erase
from gitrun.workspace.links import is_cache, make_parents
from gitrun.workspace.manifest import Manifest, is_untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git

MANY, SMALL = 500, 1 << 20
"""Above the first number of files, those of up to the second size in bytes are written as one pack."""
VERY_MANY, BETWEEN = 10_000, 5.0
"""From the first number of files on, progress is shown; the second number is the seconds between two lines."""


@dataclass(frozen=True, slots=True)
class Produced:
    """New and changed files: changes to the tree (None: deleted), and the list for result.toml.

    `lost` are files that could not be read, and so are neither recorded nor kept.
    """

    changes: dict[bytes, Entry | None]
    files: tuple[File, ...]
    seen: WorktreeStatus
    lost: tuple[bytes, ...] = ()


NOTHING = Produced({}, (), WorktreeStatus(None, None, (), (), (), (), (), (), ()))
"""The result if the worktree is gone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A program's workspace, and the directory that keeps its large and ignored files.

    `apart` are paths that are not the program's: links, and what git ignored there before. `earlier` is where the last
    attempt kept its files. `shared`: files stay where they are, as in the user's working tree. `given` maps files put
    there for the program to mtime and inode; unchanged, they are not recorded. `outputs` are paths, directories and
    patterns that are recorded even if git ignores them. `say` shows progress. `lent` are copies of ignored files. `bare`
    are directories of submodules without files, which git does not search.
    """

    git: Git
    tree: Path
    keep: Path
    apart: frozenset[bytes]
    earlier: Path | None = None
    index: Path | None = None
    shared: bool = False
    given: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _: None
    lent: Manifest = Manifest()  # noqa: RUF009 - it is frozen
    bare: tuple[bytes, ...] = ()


def collect(place: Place, limit: int) -> Produced:
    """Writes what the program produced into the repository. Keeps ignored files and files above `limit` bytes beside it."""
    seen, top = read_status(place.git, place.index, modules="all"), os.fsencode(place.tree)
    if seen.unread and not place.shared:
        # the program removed its own read permissions
        list(expand(top, seen.unread, opens=True))
        seen = read_status(place.git, place.index, modules="all")
    # a link that the program replaced belongs to the program
    linked = place.apart if place.shared else frozenset(path for path in place.apart if os.path.islink(top + b"/" + path))
    gone = {path for path in seen.deleted if ours(path, linked)}
    fresh = (path for path in (*seen.changed, *seen.conflicts, *seen.untracked) if path not in gone and ours(path, linked))
    there = [path for path in fresh if is_file(top + b"/" + path) and not is_given(place, path)]
    below = expand(top, (*seen.ignored, *seen.nested), opens=not place.shared)
    ignored = {path for path in below if ours(path, linked) and not is_given(place, path)}
    there += sorted(path for path in ignored if is_output(place, path))
    # git does not search a submodule's directory; one with a .git is a repository of its own
    bare = (path for path in place.bare if not os.path.lexists(top + b"/" + path + b"/.git"))
    there += sorted(path for path in expand(top, bare, opens=not place.shared) if ours(path, linked))
    cleaned = filters(place.git, there)
    lfs = {path for path, name in cleaned.items() if name == "lfs"}
    apart = {path for path in there if path.count(b"/") > MAX_DEPTH}
    # git-lfs keeps large files out of git's objects
    apart |= {path for path in there if path not in lfs and os.lstat(top + b"/" + path).st_size > limit}
    apart |= ignored.difference(there)
    files: dict[bytes, File] = {}
    lost = []
    progress = Progress(place.say, len({*there, *apart}))
    for path in sorted({*there, *apart}):
        progress.step()
        try:
            files[path] = take(place, path, "local" if path in apart else "lfs" if path in lfs else "git")
        except OSError:
            lost.append(path)
    if not place.shared:  # directories that the system does not open, because they are too deep
        lost += sorted({path.split(b"/")[0] + b"/" for path in seen.unread})
    entries = write(place.git, top, [path for path in files if path not in apart], cleaned.keys() | seen.changed)
    for path in set(files).difference(entries, apart):  # their filter failed, perhaps only on this machine
        files[path] = take(place, path, "local")
    changes: dict[bytes, Entry | None] = {**dict.fromkeys(gone), **entries}
    return Produced(changes, tuple(sorted(files.values(), key=lambda file: file.path)), seen, tuple(lost))


class Progress:
    """Progress lines for very many files: one at the start, more every few seconds."""

    def __init__(self, say: Callable[[str], None], total: int) -> None:
        self._say, self._total, self._done = say, total, 0
        self._next = time.monotonic() + BETWEEN
        if total >= VERY_MANY:
            say(f"recording {total:,} produced files")

    def step(self) -> None:
        """Counts one finished file."""
        self._done += 1
        if self._total >= VERY_MANY and self._done % 100 == 0 and time.monotonic() >= self._next:
            self._next = time.monotonic() + BETWEEN
            self._say(f"recorded {self._done:,} of {self._total:,} files")


def is_given(place: Place, path: bytes) -> bool:
    """Returns whether the file was put there for the program and is unchanged."""
    stamp = place.given.get(path)
    if stamp is None:
        return is_untouched(os.fsencode(place.tree), place.lent, path)
    status = os.lstat(os.fsencode(place.tree) + b"/" + path)
    return (status.st_mtime_ns, status.st_ino) == stamp


def is_output(place: Place, path: bytes) -> bool:
    """Returns whether the operation's entry names the path as an output."""
    return any(matches(os.fsdecode(path), one) for one in place.outputs)


def matches(name: str, output: str) -> bool:
    """Returns whether an output (a path, a directory or a pattern) includes the file."""
    return fnmatchcase(name, output) or name.startswith(output.rstrip("/") + "/")


def outputs_without_files(outputs: Iterable[str], files: Iterable[File], tree: Path) -> list[str]:
    """Returns the outputs that match neither a file of the program nor a file in the worktree."""
    names = [file.path for file in files]
    bare = [one for one in outputs if not any(matches(name, one) for name in names)]
    if not bare:
        return []
    return [one for one in bare if not glob(one, root_dir=tree)]


def take(place: Place, path: bytes, stored: str) -> File:
    """Describes the file for result.toml, and keeps it if its place is beside the repository. Raises OSError."""
    top = os.fsencode(place.tree)
    if not place.shared and not os.path.islink(
        top + b"/" + path
    ):  # a slot belongs to gitrun, so it may make its files readable
        mode = os.stat(top + b"/" + path).st_mode
        if not mode & stat.S_IRUSR:
            os.chmod(top + b"/" + path, mode | stat.S_IRUSR)
    file = describe(top, path, stored)
    if stored == "local":
        keep(place, path, file)
    return file


def is_file(path: bytes) -> bool:
    """Returns whether the path is a regular file or a link. A pipe, for one, would block the reader."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def ours(path: bytes, apart: frozenset[bytes]) -> bool:
    """Returns whether a path belongs to the program: no cache, no record of the run, nothing in `apart`."""
    parts = path.rstrip(b"/").split(b"/")
    above = (b"/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return parts[0] != os.fsencode(DIRECTORY) and not is_cache(path) and not any(name in apart for name in above)


def expand(top: bytes, paths: Iterable[bytes], *, opens: bool = False) -> Iterator[bytes]:
    """Yields the regular files and links at and below the paths, without following links.

    If `opens` is set, gives directories the permissions needed to read them; use it only in a slot.
    """
    queue = [path.rstrip(b"/") for path in paths]
    while queue:
        path = queue.pop()
        try:
            mode = os.lstat(top + b"/" + path).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            with suppress(OSError):
                if opens and mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.chmod(top + b"/" + path, mode | stat.S_IRWXU)
                queue += [path + b"/" + name for name in os.listdir(top + b"/" + path) if not is_cache(name)]
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            yield path


def filters(git: Git, paths: Sequence[bytes]) -> dict[bytes, str]:
    """Returns the name of the configured filter for each of the paths that git passes through one."""
    known = {name.removeprefix("filter.").rpartition(".")[0] for name in git.config if name.startswith("filter.")}
    if not paths or not known:
        return {}
    asked = b"".join(path + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", "filter", stdin=asked).split(b"\0")
    named = ((path, os.fsdecode(value)) for path, value in zip(fields[0::3], fields[2::3], strict=False))
    return {path: name for path, name in named if name in known}


def write(git: Git, top: bytes, paths: Sequence[bytes], cleaned: AbstractSet[bytes]) -> dict[bytes, Entry]:
    """Writes the files into the repository and returns their tree entries. Leaves out files whose filter fails.

    Files in `cleaned` are stored as `git add` would. All others are stored byte for byte, with their line ends.
    """
    files = [path for path in paths if not os.path.islink(top + b"/" + path)]
    found = filtered(git, top, [path for path in files if path in cleaned])
    found |= hashed(git, top, [path for path in files if path not in cleaned], "--no-filters")
    links = {os.fsdecode(path): os.readlink(top + b"/" + path) for path in paths if os.path.islink(top + b"/" + path)}
    if links:
        with scratch(git) as place:
            found |= {path: Entry(LINK, text.id) for path, text in write_blobs(git, place, links).items()}
    return found


def filtered(git: Git, top: bytes, paths: Sequence[bytes]) -> dict[bytes, Entry]:
    """Returns the tree entries of the files; leaves out those that git cannot clean.

    Halves the list after a failure, since git does not say which file failed.
    """
    try:
        return hashed(git, top, paths)
    except GitFailed:
        half = len(paths) // 2
        return filtered(git, top, paths[:half]) | filtered(git, top, paths[half:]) if half else {}


def hashed(git: Git, top: bytes, paths: Sequence[bytes], *words: str) -> dict[bytes, Entry]:
    """Writes the files into the repository and returns their tree entries. Raises GitFailed."""
    if not paths:
        return {}
    if len(paths) > MANY and words:
        # one pack is much faster than thousands of loose objects
        small = [path for path in paths if os.stat(top + b"/" + path).st_size <= SMALL]
        large = [path for path in paths if os.stat(top + b"/" + path).st_size > SMALL]
        ids = import_blobs(git, map(read, (top + b"/" + path for path in small)))
        found = {path: Entry(mode_of(top + b"/" + path), made) for path, made in zip(small, ids, strict=True)}
        return found | hashed(git, top, large, *words)
    asked = b"".join(quoted(path) + b"\n" for path in paths)
    ids = git.run("hash-object", "-w", *words, "--stdin-paths", stdin=asked).decode().split()
    return {path: Entry(mode_of(top + b"/" + path), made) for path, made in zip(paths, ids, strict=True)}


def read(path: bytes) -> bytes:
    """Returns the content of a file."""
    with open(path, "rb") as file:
        return file.read()


def mode_of(path: bytes) -> str:
    """Returns git's mode for a file."""
    return EXECUTABLE if os.stat(path).st_mode & stat.S_IXUSR else FILE


def describe(top: bytes, path: bytes, stored: str) -> File:
    """Describes the file for result.toml; for a link, its target's text."""
    place = top + b"/" + path
    if os.path.islink(place):
        target = os.readlink(place)
        return File(os.fsdecode(path), len(target), sha256(target).hexdigest(), stored)
    found, size = sha256(), 0
    with open(place, "rb") as file:
        while data := file.read(1 << 20):
            found.update(data)
            size += len(data)
    return File(os.fsdecode(path), size, found.hexdigest(), stored)


def keep(place: Place, path: bytes, file: File) -> None:
    """Puts a file of the program into the directory beside the repository.

    In a slot it is hard-linked, since the slot drops its own name later. A file unchanged since the last attempt is
    linked to that attempt's copy. In the user's working tree it is copied.
    """
    source, target = Path(os.fsdecode(os.fsencode(place.tree) + b"/" + path)), place.keep / os.fsdecode(path)
    make_private_directory(place.keep)
    make_parents(os.fsencode(place.keep), path)
    # a killed process may have left it
    target.unlink(missing_ok=True)
    before = place.earlier / os.fsdecode(path) if place.earlier else None
    if source.is_symlink():
        target.symlink_to(source.readlink())
    # an unchanged checkpoint takes no second copy on disk
    elif before and before.is_file() and describe(os.fsencode(place.earlier or ""), path, "local") == file:
        os.link(before, target)
    elif place.shared:
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def restore(earlier: Path, tree: Path, lent: AbstractSet[bytes] = frozenset()) -> list[bytes]:
    """Copies the files that an attempt kept beside the repository into the next attempt's tree. Returns their paths.

    Replaces lent copies. Never replaces anything else, and never writes through a link.
    """
    top, restored = os.fsencode(tree), []
    for path in kept_files(earlier):
        target = top + b"/" + path
        if path in lent:
            erase(target)
        if os.path.lexists(target) or not make_parents(top, path):
            continue
        # a copy: the program may write to it in place, and the kept file must not change
        shutil.copy2(os.fsencode(earlier) + b"/" + path, target, follow_symlinks=False)
        restored.append(path)
    return restored


def hand_on(earlier: Path, later: Path) -> None:
    """Hard-links an earlier attempt's kept files to a later attempt, whose program did not start."""
    for path in (*kept_files(earlier), *beside.list_kept(earlier)):
        make_private_directory(later)
        make_parents(os.fsencode(later), path)
        with suppress(FileExistsError):  # a process that died here had already linked it
            os.link(os.fsencode(earlier) + b"/" + path, os.fsencode(later) + b"/" + path, follow_symlinks=False)


def handed_on(earlier: Path, later: Path) -> tuple[File, ...]:
    """Hands an earlier attempt's kept files on to a later one. Returns their entries for result.toml."""
    hand_on(earlier, later)
    files = [describe(os.fsencode(later), path, "local") for path in kept_files(later)]
    files += [described_beside(later, name) for name in beside.list_kept_names(later)]
    return tuple(sorted(files, key=lambda file: file.path))


def collect_beside(top: Path | None, tree: Path, keep: Path) -> tuple[File, ...]:
    """Keeps what a program wrote outside the repository. Its names are relative to the top: `../out.txt`."""
    return tuple(described_beside(keep, name) for name in beside.keep_written(top, tree, keep))


def described_beside(keep: Path, name: str) -> File:
    """Describes a kept file that was written outside the repository."""
    return replace(describe(os.fsencode(keep), os.fsencode(kept_name(name)), "local"), path=name)


def kept_files(place: Path) -> list[bytes]:
    """Returns the paths of an attempt's files that are kept at `place`."""
    top = os.fsencode(place)
    names = [name for name in os.listdir(top) if name != os.fsencode(DIRECTORY)] if place.is_dir() else []
    return list(expand(top, names))
