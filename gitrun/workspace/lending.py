"""Ignored files that a run gets, inspected before the run: some as copies of its own, others as links.

Only names and stats are read, and of large directories only the beginning. Contents are read once, for the digest.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections import deque
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import islice

from gitrun import model, workspace
from gitrun.dataclass import dataclass, field
from gitrun.model.digest import sha256
from gitrun.model.secrets import is_secret_file
from gitrun.workspace.links import choose_links, is_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.model.lent import Lent
    from gitrun.model.settings import Settings

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""mtime and ctime in nanoseconds, inode, size in bytes, mode. A file with another stamp may have other content."""
ENVIRONMENTS = frozenset({b"pyvenv.cfg", b"conda-meta"})
"""Names that mark an environment, in which tools write absolute paths."""
NODE_MODULES = b"node_modules"
MAX_HASHED = 10 << 20
"""Bytes of a file up to which its content is part of the digest."""
MAX_CACHED = 50_000
"""Hashes that are cached for files that a run does not use."""
RACY = 50_000_000
"""Nanoseconds for which a file system's clock may stand still. A stamp this young may hide a second change."""


@dataclass(frozen=True, slots=True)
class Lending:
    """Everything that a run gets from the directory `top`: paths to copy, paths to link, directories to create.

    `entries` describe the same for lent.toml. `environments` are the links to environments.
    """

    top: bytes
    copies: Mapping[bytes, Stamp] = field(default_factory=dict)
    links: tuple[bytes, ...] = ()
    directories: tuple[bytes, ...] = ()
    entries: tuple[Lent, ...] = ()
    environments: frozenset[bytes] = frozenset()
    exact: bool = False
    """True if the files of the snapshot must have their bytes of the working tree."""
    bare: tuple[bytes, ...] = ()
    """Submodules of which the source records only the commit: empty directories, or links."""
    is_full: bool = False
    """True if all files of the source are there, whatever the user's sparse checkout leaves out."""
    left_out: int = 0
    """Number of ignored files that are not lent, because there are too many."""


NO_LENDING = Lending(b"")


@dataclass(frozen=True, slots=True)
class LendingRequest:
    """A request for lending: ignored paths, paths to link in any case, and patterns of outputs, which are not lent."""

    ignored: tuple[bytes, ...]
    linked: tuple[bytes, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(slots=True)
class Part:
    """The findings at one ignored path, while it is being inspected."""

    path: bytes
    copies: dict[bytes, Stamp] = field(default_factory=dict)
    links: list[bytes] = field(default_factory=list)
    directories: list[bytes] = field(default_factory=list)
    environments: set[bytes] = field(default_factory=set)


def survey_ignored(top: Path, request: LendingRequest, settings: Settings, state: Path) -> Lending:
    """Decides what to copy and what to link. Reads the working tree at `top`; writes only the cache of digests."""
    directory = os.fsencode(top)
    paths, left_out = choose_links(request.ignored, request.linked)
    look = LendingSurvey(directory, os.lstat(directory).st_dev, request, settings)
    # a path that git ignores and a setting links comes as `data/` and as `data`
    parts = list({part.path: part for path in paths if (part := look.at(path))}.values())
    link_crowded(parts, settings.lend_max_entries)
    link_largest(parts, settings, state)
    with Digests(directory, state, settings.secrets) as digests:
        entries = tuple(describe_part(directory, part, digests) for part in parts)
    return Lending(
        directory,
        copies={path: stamp for part in parts for path, stamp in part.copies.items()},
        links=tuple(path for part in parts for path in part.links),
        directories=tuple(path for part in parts for path in part.directories),
        entries=entries,
        environments=frozenset(path for part in parts for path in part.environments),
        left_out=left_out,
    )


def lent_changes(top: Path, recorded: Sequence[Lent], settings: Settings, state: Path) -> tuple[str, ...]:
    """Returns a sentence for each path lent to an attempt that has changed since. Inspects only these paths."""
    if not recorded:
        return ()
    directory = os.fsencode(top)
    paths = tuple(path for path in (os.fsencode(one.path) for one in recorded) if not leads_through_link(directory, path))
    now = survey_ignored(top, LendingRequest(paths), settings, state).entries
    return model.lent.describe_changes(recorded, {one.path: one for one in now})


def leads_through_link(top: bytes, path: bytes) -> bool:
    """Returns whether a directory above `path` is a link: git names nothing behind one, a record from elsewhere may."""
    parts = path.rstrip(b"/").split(b"/")
    return any(os.path.islink(b"/".join((top, *parts[:count]))) for count in range(1, len(parts)))


@dataclass(frozen=True, slots=True)
class LendingSurvey:
    """The rules that decide whether a path is copied or linked."""

    top: bytes
    device: int
    request: LendingRequest
    settings: Settings

    def at(self, paths: bytes) -> Part | None:
        """Returns the findings at an ignored path; None if nothing there can be lent."""
        # git ends ignored directories with a slash
        path = paths.rstrip(b"/")
        try:
            status = os.lstat(self.top + b"/" + path)
        except OSError:
            return None
        is_directory = stat.S_ISDIR(status.st_mode)
        part = Part(path + b"/" if is_directory else path)
        # another file system may be a network mount, which is never copied
        if self.is_linked(path) or stat.S_ISLNK(status.st_mode) or status.st_dev != self.device:
            part.links.append(path)
        elif is_directory:
            self.walk(part, path)
        elif stat.S_ISREG(status.st_mode):
            self.file(part, path, stamp_of(status))
        else:
            return None
        return part

    def walk(self, part: Part, path: bytes) -> None:
        """Inspects an ignored directory. If it has too many entries below it, each directory in it becomes a link."""
        limit, entries_seen = self.settings.lend_max_entries, 0
        listing: list[tuple[bytes, list[os.DirEntry[bytes]]]] = []
        queue = deque([path])
        while queue:
            directory = queue.popleft()
            is_whole = names_path(self.settings.lend_paths, directory)
            entries = self.entries(directory)
            entries_seen += 0 if is_whole else len(entries or ())
            if is_environment(directory, entries):
                part.environments.add(directory)
            # environments contain absolute paths, so a copy would not work
            if entries is None or directory in part.environments or (len(entries) > limit and not is_whole):
                part.links.append(directory)
            elif entries_seen > limit and listing:
                return self.flatten(part, path, listing[0][1])
            else:
                listing.append((directory, entries))
                queue.extend(self.directories_in(part, directory, entries))
            if entries_seen > 2 * limit and listing:
                return self.flatten(part, path, listing[0][1])
        for directory, entries in listing:
            self.files_in(part, directory, entries)
        return None

    def flatten(self, part: Part, path: bytes, entries: list[os.DirEntry[bytes]]) -> None:
        """Lends an ignored directory one level deep: its own files as copies, the directories in it as links."""
        part.links.clear()
        part.links += self.directories_in(part, path, entries)
        self.files_in(part, path, entries)

    def directories_in(self, part: Part, path: bytes, entries: list[os.DirEntry[bytes]]) -> list[bytes]:
        """Returns the directories to inspect next. Links those on another file system or named by the user."""
        directories = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False) or is_cache(entry.name):
                continue
            below = path + b"/" + entry.name
            with suppress(OSError):
                if self.is_linked(below) or entry.stat(follow_symlinks=False).st_dev != self.device:
                    part.links.append(below)
                else:
                    directories.append(below)
        return directories

    def files_in(self, part: Part, path: bytes, entries: list[os.DirEntry[bytes]]) -> None:
        """Adds the entries of a directory that are no directories to the part."""
        part.directories.append(path)
        for entry in entries:
            below = path + b"/" + entry.name
            if entry.is_dir(follow_symlinks=False) or is_cache(entry.name):
                continue
            if self.is_linked(below):
                part.links.append(below)
                continue
            with suppress(OSError):
                stamp = stamp_of(entry.stat(follow_symlinks=False))
                if stat.S_ISLNK(stamp[4]):
                    self.link(part, below, stamp)
                elif stat.S_ISREG(stamp[4]):
                    self.file(part, below, stamp)

    def entries(self, directory: bytes) -> list[os.DirEntry[bytes]] | None:
        """Returns the entries of a directory, at most one more than the limit.

        None if it cannot be read or is a repository. Paths that a setting names have no limit.
        """
        limit = None if names_path(self.settings.lend_paths, directory) else self.settings.lend_max_entries + 1
        try:
            with os.scandir(self.top + b"/" + directory) as opened:
                entries = list(islice(opened, limit))
        except OSError:
            return None
        # a nested repository is linked as a whole
        return None if any(entry.name == b".git" for entry in entries) else entries

    def file(self, part: Part, path: bytes, stamp: Stamp) -> None:
        """Adds a regular file: as a copy, or as a link if it is too large."""
        if self.is_output(path):
            return
        if stamp[3] > self.settings.lend_max_file and not names_path(self.settings.lend_paths, path):
            part.links.append(path)
        else:
            part.copies[path] = stamp

    def link(self, part: Part, path: bytes, stamp: Stamp) -> None:
        """Adds a symbolic link: unchanged if its target is in the tree, else as a link to it."""
        target = os.readlink(self.top + b"/" + path)
        inside = os.path.normpath(os.path.join(path.rpartition(b"/")[0], target))
        if os.path.isabs(target) or inside.startswith(b"../") or inside == b"..":
            part.links.append(path)
        else:
            part.copies[path] = stamp

    def is_linked(self, path: bytes) -> bool:
        """Returns whether the user asked for a link to the path or to a directory above it."""
        return names_path(self.settings.link_paths, path) or any(
            path == one or path.startswith(one + b"/") for one in self.request.linked
        )

    def is_output(self, path: bytes) -> bool:
        """Returns whether the operation names it as an output, which every run creates itself."""
        name = os.fsdecode(path)
        return any(fnmatchcase(name, one) or name.startswith(one.rstrip("/") + "/") for one in self.request.outputs)


def is_environment(path: bytes, entries: list[os.DirEntry[bytes]] | None) -> bool:
    """Returns whether a directory holds an environment, judged by its name and its entries."""
    return path.rpartition(b"/")[2] == NODE_MODULES or any(entry.name in ENVIRONMENTS for entry in entries or ())


def names_path(patterns: Sequence[str], path: bytes) -> bool:
    """Returns whether a path or pattern of a setting matches this path or a directory above it."""
    if not patterns:
        return False
    name = os.fsdecode(path)
    return any(
        name == one or name.startswith(one + "/") or fnmatchcase(name, one) for one in (each.rstrip("/") for each in patterns)
    )


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns the stamp that reveals a change of a file."""
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size, status.st_mode)


def link_crowded(parts: Iterable[Part], limit: int) -> None:
    """Turns copies into links where more than `limit` files of one directory are ignored one by one."""
    crowds: dict[bytes, list[Part]] = {}
    for part in parts:
        if part.path in part.copies:
            # with `*.npy` in .gitignore git lists each file of a directory
            crowds.setdefault(part.path.rpartition(b"/")[0], []).append(part)
    for crowd in crowds.values():
        for part in crowd if len(crowd) > limit else ():
            part.links += part.copies
            part.copies.clear()


def link_largest(parts: Sequence[Part], settings: Settings, state: Path) -> None:
    """Turns the largest copies into links until the rest fits the limit of a run.

    Does nothing where copies share their blocks (reflinks), because they take no space.
    """
    total = sum(stamp[3] for part in parts for stamp in part.copies.values())
    if total <= settings.lend_max_total:
        return

    if workspace.reflink.try_sharing_blocks(state):
        return
    sized = [(stamp[3], path, part) for part in parts for path, stamp in part.copies.items()]
    for size, path, part in sorted(sized, key=lambda one: (-one[0], one[1])):
        if names_path(settings.lend_paths, path):
            continue
        del part.copies[path]
        part.links.append(path)
        total -= size
        if total <= settings.lend_max_total:
            return


def describe_part(top: bytes, part: Part, digests: Digests) -> Lent:
    """Returns the entry of lent.toml for one part."""
    path = os.fsdecode(part.path)
    if part.links == [part.path.rstrip(b"/")]:
        return model.lent.Lent(path, model.lent.LINK, *target_size(top + b"/" + part.path))
    size = sum(stamp[3] for stamp in part.copies.values() if stat.S_ISREG(stamp[4]))
    return model.lent.Lent(path, model.lent.COPY, len(part.copies), size, digests.of(part), len(part.links))


def target_size(path: bytes) -> tuple[int, int]:
    """Returns (files, bytes) of a link's target. Directories and missing targets count as none."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return (1, status.st_size) if stat.S_ISREG(status.st_mode) else (0, 0)


class Digests:
    """Digests of lent copies. Hashes are cached by stat, and the cache is written when the `with` ends."""

    def __init__(self, top: bytes, state: Path, secrets: Sequence[str]) -> None:
        self._top, self._file = top, state / "lent.json"
        self._secrets = secrets
        self._known: dict[str, list[object]] | None = None
        self._used: dict[str, list[object]] = {}
        self._fresh = False

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, *_: object) -> None:
        # an unchanged cache is not written again
        if self._fresh:
            digests = self._known if self._known and len(self._known) < MAX_CACHED else {}
            with suppress(OSError):
                fresh = self._file.with_name(f"lent.{os.getpid()}.{os.urandom(4).hex()}")
                fresh.write_text(json.dumps({**digests, **self._used}))
                fresh.replace(self._file)

    def of(self, part: Part) -> str:
        """Returns a digest of the names, sizes and contents of a part's copies; empty if the part is a single secret."""
        if len(part.copies) == 1 and part.path in part.copies and self.is_secret(part.path):
            return ""
        whole = sha256()
        for path in sorted(part.copies):
            stamp = part.copies[path]
            content = self.content(path, stamp)
            # NUL separates the parts, since no path contains it
            whole.update(b"%s\0%d\0%s\0" % (path, stamp[3], content))
        return whole.hexdigest()

    def is_secret(self, path: bytes) -> bool:
        """Returns whether the name looks like a secret. Not even a hash of its content is recorded."""
        return is_secret_file(os.fsdecode(path), self._secrets)

    def content(self, path: bytes, stamp: Stamp) -> bytes:
        """Returns a hash of a file's content, or a link's target; empty for secrets and for large files."""
        if stat.S_ISLNK(stamp[4]):
            return os.readlink(self._top + b"/" + path)
        if not 0 < stamp[3] <= MAX_HASHED or self.is_secret(path):
            return b""
        if self._known is None:
            self._known = self.read()
        key = os.fsdecode(self._top + b"/" + path)
        digest = self._known.get(key)
        if digest is None or digest[:4] != list(stamp[:4]) or len(digest) != 5:
            digest = [*stamp[:4], sha256_of(self._top + b"/" + path)]
            # too young to cache: a write in the same clock tick keeps the stamp
            if time.time_ns() - max(stamp[:2]) <= RACY:
                return str(digest[4]).encode()
            self._fresh = True
        self._used[key] = digest
        return str(digest[4]).encode()

    def read(self) -> dict[str, list[object]]:
        """Returns the cached hashes; empty if the cache is missing or damaged."""
        try:
            digests = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return digests if isinstance(digests, dict) and all(isinstance(one, list) for one in digests.values()) else {}


def sha256_of(path: bytes) -> str:
    """Returns the SHA-256 of a file in hex; empty if it cannot be read."""
    whole = sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                whole.update(piece)
    except OSError:
        return ""
    return whole.hexdigest()
