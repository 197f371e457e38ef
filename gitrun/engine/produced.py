"""What a program left in its worktree: what goes into the result commit, what is kept beside it, what was changed."""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine import beside
from gitrun.engine.erasing import erase
from gitrun.engine.links import is_cache, make_parents
from gitrun.engine.manifest import Manifest, is_untouched
from gitrun.engine.snapshot import Seen, scan
from gitrun.errors import GitFailed
from gitrun.git.objects import EXECUTABLE, FILE, LINK, Entry
from gitrun.model.files import File, kept_name
from gitrun.model.record import DIRECTORY
from gitrun.store.commits import import_blobs, scratch, write_blobs
from gitrun.store.places import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git

MANY, SMALL = 500, 1 << 20
"""Produced files from which on those of up to 1 MiB are written as one pack."""
VERY_MANY, BETWEEN = 10_000, 5.0
"""Produced files from which on it is told how far we are, and the seconds between two lines."""
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


NOTHING = Produced({}, (), Seen(None, None, (), (), (), (), (), (), ()))
"""What is found where there is no worktree any more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program ran and where its large and ignored files are to be kept.

    `apart` are paths that are not the program's: what was linked in, what git ignored there before. `earlier` is where
    the attempt before kept its files. `shared`: the files stay where they are, as in the user's working tree. `given` are
    files that were put there, with their mtime and inode: unchanged, they are not the program's. `outputs` are paths,
    directories and patterns of what goes into the repository even if git ignores it. `say` tells of the progress with
    very many files. `lent` are copies of ignored files. `bare` are directories of submodules
    without files, into which git does not look.
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
    """Writes what the program produced into the repository, or beside it if git ignores it or it is over `limit` bytes."""
    seen, top = scan(place.git, place.index, modules="all"), os.fsencode(place.tree)
    if seen.unread and not place.shared:
        list(expand(top, seen.unread, opens=True))
        seen = scan(place.git, place.index, modules="all")
    # a link that the program has put something else in place of is no longer ours
    linked = place.apart if place.shared else frozenset(path for path in place.apart if os.path.islink(top + b"/" + path))
    gone = {path for path in seen.deleted if ours(path, linked)}
    fresh = (path for path in (*seen.changed, *seen.conflicts, *seen.untracked) if path not in gone and ours(path, linked))
    there = [path for path in fresh if is_file(top + b"/" + path) and not is_given(place, path)]
    below = expand(top, (*seen.ignored, *seen.nested), opens=not place.shared)
    ignored = {path for path in below if ours(path, linked) and not is_given(place, path)}
    there += sorted(path for path in ignored if is_output(place, path))
    bare = (path for path in place.bare if not os.path.lexists(top + b"/" + path + b"/.git"))
    there += sorted(path for path in expand(top, bare, opens=not place.shared) if ours(path, linked))
    cleaned = filters(place.git, there)
    lfs = {path for path, name in cleaned.items() if name == "lfs"}
    apart = {path for path in there if path.count(b"/") > DEEPEST}
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
    if not place.shared:  # directories so deep that the system does not open them
        lost += sorted({path.split(b"/")[0] + b"/" for path in seen.unread})
    entries = write(place.git, top, [path for path in files if path not in apart], cleaned.keys() | seen.changed)
    for path in set(files).difference(entries, apart):  # its filter fails, which may be only here
        files[path] = take(place, path, "local")
    changes: dict[bytes, Entry | None] = {**dict.fromkeys(gone), **entries}
    return Produced(changes, tuple(sorted(files.values(), key=lambda file: file.path)), seen, tuple(lost))


class Progress:
    """Tells how many of very many files are recorded: at the start, and then every few seconds."""

    def __init__(self, say: Callable[[str], None], total: int) -> None:
        self._say, self._total, self._done = say, total, 0
        self._next = time.monotonic() + BETWEEN
        if total >= VERY_MANY:
            say(f"recording {total:,} produced files")

    def step(self) -> None:
        """One more file is done."""
        self._done += 1
        if self._total >= VERY_MANY and self._done % 100 == 0 and time.monotonic() >= self._next:
            self._next = time.monotonic() + BETWEEN
            self._say(f"recorded {self._done:,} of {self._total:,} files")


def is_given(place: Place, path: bytes) -> bool:
    """Tells whether the file was put there for the program, which has not changed it."""
    stamp = place.given.get(path)
    if stamp is None:
        return is_untouched(os.fsencode(place.tree), place.lent, path)
    status = os.lstat(os.fsencode(place.tree) + b"/" + path)
    return (status.st_mtime_ns, status.st_ino) == stamp


def is_output(place: Place, path: bytes) -> bool:
    """Whether the operation's entry names the path as one of its outputs."""
    return any(matches(os.fsdecode(path), one) for one in place.outputs)


def matches(name: str, output: str) -> bool:
    """Whether an output, a path, a directory or a pattern, means the file of this name."""
    return fnmatchcase(name, output) or name.startswith(output.rstrip("/") + "/")


def outputs_without_files(outputs: Iterable[str], files: Iterable[File], tree: Path) -> list[str]:
    """Returns the outputs for which the program made no file, and that were not there already."""
    names = [file.path for file in files]
    bare = [one for one in outputs if not any(matches(name, one) for name in names)]
    if not bare:
        return []
    from glob import glob

    return [one for one in bare if not glob(one, root_dir=tree)]


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
    """Whether a file or a link lies there: no pipe, from which a reader never comes back."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def ours(path: bytes, apart: frozenset[bytes]) -> bool:
    """Whether a path is the program's: no cache, no record of the run, nothing that was there before."""
    parts = path.rstrip(b"/").split(b"/")
    above = (b"/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return parts[0] != os.fsencode(DIRECTORY) and not is_cache(path) and not any(name in apart for name in above)


def expand(top: bytes, paths: Iterable[bytes], *, opens: bool = False) -> Iterator[bytes]:
    """The files at and below the paths, without going through links; nothing but files and links.

    If it `opens`, directories get the permissions without which we could not look: those in a slot are ours to read.
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
    """Those of the paths that git hands to a program before it stores them, with the name of the filter."""
    known = {name.removeprefix("filter.").rpartition(".")[0] for name in git.config if name.startswith("filter.")}
    if not paths or not known:
        return {}
    asked = b"".join(path + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", "filter", stdin=asked).split(b"\0")
    named = ((path, os.fsdecode(value)) for path, value in zip(fields[0::3], fields[2::3], strict=False))
    return {path: name for path, name in named if name in known}


def write(git: Git, top: bytes, paths: Sequence[bytes], cleaned: AbstractSet[bytes]) -> dict[bytes, Entry]:
    """The tree entries of the files, whose content is then in the repository; none of a file whose filter fails.

    Of those in `cleaned` it is what `git add` would store; of what a program made new, every byte, line ends too.
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
    """The tree entries of those of these files that git can clean."""
    try:
        return hashed(git, top, paths)
    except GitFailed:
        half = len(paths) // 2
        return filtered(git, top, paths[:half]) | filtered(git, top, paths[half:]) if half else {}


def hashed(git: Git, top: bytes, paths: Sequence[bytes], *words: str) -> dict[bytes, Entry]:
    """The tree entries of these files."""
    if not paths:
        return {}
    if len(paths) > MANY and words:
        small = [path for path in paths if os.stat(top + b"/" + path).st_size <= SMALL]
        large = [path for path in paths if os.stat(top + b"/" + path).st_size > SMALL]
        ids = import_blobs(git, map(read, (top + b"/" + path for path in small)))
        found = {path: Entry(mode_of(top + b"/" + path), made) for path, made in zip(small, ids, strict=True)}
        return found | hashed(git, top, large, *words)
    asked = b"".join(quoted(path) + b"\n" for path in paths)
    ids = git.run("hash-object", "-w", *words, "--stdin-paths", stdin=asked).decode().split()
    return {path: Entry(mode_of(top + b"/" + path), made) for path, made in zip(paths, ids, strict=True)}


def read(path: bytes) -> bytes:
    """The content of a file."""
    with open(path, "rb") as file:
        return file.read()


def mode_of(path: bytes) -> str:
    """The mode that git gives a file."""
    return EXECUTABLE if os.stat(path).st_mode & stat.S_IXUSR else FILE


def quoted(path: bytes) -> bytes:
    """A path as git reads it from a line: in C's way if it holds a line end, of whatever kind, or begins with a quote."""
    if b"\n" not in path and b"\r" not in path and not path.startswith(b'"'):
        return path
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\r", b"\\r")
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
    make_private(place.keep)
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


def restore(earlier: Path, tree: Path, lent: AbstractSet[bytes] = frozenset()) -> list[bytes]:
    """Copies what an attempt kept beside the repository into the tree of the next one; returns the paths.

    Goes over lent copies, but never over, nor through a link into, anything else that is there.
    """
    top, restored = os.fsencode(tree), []
    for path in kept_files(earlier):
        target = top + b"/" + path
        if path in lent:
            erase(target)
        if os.path.lexists(target) or not make_parents(top, path):
            continue
        shutil.copy2(os.fsencode(earlier) + b"/" + path, target, follow_symlinks=False)
        restored.append(path)
    return restored


def hand_on(earlier: Path, later: Path) -> None:
    """Keeps what an earlier attempt kept for a later one too, whose program has not been started."""
    for path in (*kept_files(earlier), *beside.kept_files(earlier)):
        make_private(later)
        make_parents(os.fsencode(later), path)
        with suppress(FileExistsError):  # who died over it has been here before
            os.link(os.fsencode(earlier) + b"/" + path, os.fsencode(later) + b"/" + path, follow_symlinks=False)


def handed_on(earlier: Path, later: Path) -> tuple[File, ...]:
    """What an earlier attempt kept, kept for a later one too and as its result.toml lists it."""
    hand_on(earlier, later)
    files = [describe(os.fsencode(later), path, "local") for path in kept_files(later)]
    files += [described_beside(later, name) for name in beside.names_kept(later)]
    return tuple(sorted(files, key=lambda file: file.path))


def collect_beside(top: Path | None, tree: Path, keep: Path) -> tuple[File, ...]:
    """Keeps what a program wrote beside the repository, named as seen from its top: `../out.txt`."""
    return tuple(described_beside(keep, name) for name in beside.collect(top, tree, keep))


def described_beside(keep: Path, name: str) -> File:
    """Describes a file that is kept and was written beside the repository."""
    return replace(describe(os.fsencode(keep), os.fsencode(kept_name(name)), "local"), path=name)


def kept_files(place: Path) -> list[bytes]:
    """The files that an attempt produced and that are kept at `place`."""
    top = os.fsencode(place)
    names = [name for name in os.listdir(top) if name != os.fsencode(DIRECTORY)] if place.is_dir() else []
    return list(expand(top, names))
