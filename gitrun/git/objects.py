"""Reads and writes git objects through the git executable, with one process for many of them."""

from __future__ import annotations

import os
import re
import stat
import zlib
from contextlib import suppress

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed, GitrunError, ObjectsGone
from gitrun.git.exe import Coprocess
from gitrun.lazy import Protocol, lazy_pattern
from gitrun.model.tree import COMMIT, TREE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path
    from typing import IO

    from gitrun.git.exe import Git

ENTRY = rb"([0-7]+) ([^\0]+)\0(.{%d})"
"""An entry in the bytes of a tree object; in place of %d, the bytes of an id."""
TREE_LINE = lazy_pattern(rb"tree ([0-9a-f]+)\n")


KINDS = frozenset({b"commit", b"tree", b"blob", b"tag"})
ROUND = 1_000
"""Objects that git is asked for at a time."""
LARGEST_KEPT, MOST_KEPT = 1 << 16, 256
"""Bytes of an object, and number of objects, that a process which executes attempts keeps in memory."""
FEW = 20
"""Objects above which git reads faster than this process."""
SMALL_WINDOW = 12
"""Base 2 logarithm of the bytes that zlib looks back in a small object."""
HEADER = 1 << 12
"""Bytes of a loose object's file that hold at least its kind and size."""


@dataclass(frozen=True, slots=True)
class Object:
    """A git object: full id, kind (commit, tree, blob, tag), size in bytes, content (None if not read)."""

    id: str
    kind: str
    size: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A tree entry: mode as git writes it, and object id."""

    mode: str
    id: str


ABSENT = Object("", "", 0, None)
"""Stands for an object that there is not."""


def known(objects: list[Object | None]) -> list[Object | None]:
    """Returns the objects with None in place of ABSENT."""
    return [None if one is ABSENT else one for one in objects]


class ObjectReader(Protocol):
    """A reader of objects by id: git's executable (Objects, BulkObjects for very many), or libgit2 (odb.Odb)."""

    def read(self, name: str, limit: int = ...) -> Object | None:
        """Returns the object with this id; without content above `limit` bytes. None if there is none."""

    def read_many(self, names: Iterable[str], limit: int = ...) -> list[Object | None]:
        """Returns the objects of these names, in order; without content above `limit` bytes.

        A name is a full id, or `<commit or tree>:<path>`.
        """

    def look(self, name: str, limit: int) -> tuple[str, int, bytes | None] | None:
        """Returns kind, size and content of the object with this id, as `read` does."""


class ObjectMemory:
    """Small objects that this process has read or written lately. Their ids say what is in them, so they never change.

    It does not tell whether an object is still in the repository.
    """

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}

    def keep(self, one: Object) -> None:
        """Remembers an object, in place of the one that was kept longest."""
        if one.data is None or one.size > LARGEST_KEPT:
            return
        self._objects[one.id] = one
        if len(self._objects) > MOST_KEPT:
            del self._objects[next(iter(self._objects))]

    def get(self, name: str | bytes, limit: int) -> Object | None:
        """Returns the object that a full id, or `<full id>^{tree}`, names; without content above `limit` bytes."""
        if isinstance(name, bytes):
            return None
        object_id = name.removesuffix("^{tree}")
        content = self._objects.get(object_id)
        if content and content.kind == "commit" and object_id != name:
            content = self._objects.get(tree_of_commit(content.data or b""))
        if content is None or (object_id != name and content.kind != "tree"):
            return None
        # what is read again and again stays
        self._objects[content.id] = self._objects.pop(content.id)
        return content if content.size <= limit else Object(content.id, content.kind, content.size, None)


def object_memory(git: Git) -> ObjectMemory | None:
    """Returns the memory beside the kept processes; None if none are kept."""
    memory = git.processes.objects.setdefault(ObjectMemory, ObjectMemory()) if git.processes else None
    return memory if isinstance(memory, ObjectMemory) else None


class Objects(Coprocess):
    """Reads objects from memory, from loose files, or through one `git cat-file`. Use it in a `with`."""

    def __init__(self, git: Git) -> None:
        super().__init__(git, "cat-file", "--batch-command", "--buffer")
        self._memory = object_memory(git)
        self._loose = os.path.join(git.common_dir, "objects", "")

    @property
    def git(self) -> Git:
        """Returns the repository of the objects."""
        return self._git

    def read(self, name: str | bytes, limit: int = 1 << 26) -> Object | None:
        """Returns the object that `name` (without line ends) resolves to; None if there is none."""
        return self.read_many((name,), limit)[0]

    def read_many(self, names: Iterable[str | bytes], limit: int = 1 << 21) -> list[Object | None]:
        """Returns the objects of `names`, in order; without content above `limit` bytes. Raises ObjectsGone.

        An object in memory need not be in the repository any more; `infos` asks git for each.
        """
        names_asked = list(names)
        contents = [self._read_here(name, limit, loose=len(names_asked) <= FEW) for name in names_asked]
        if None not in contents:
            return known(contents)
        rest = self._read_many([name for name, one in zip(names_asked, contents, strict=True) if one is None], limit)
        if self._memory:
            for one in filter(None, rest):
                self._memory.keep(one)
        missing = iter(rest)
        return known([one or next(missing) for one in contents])

    def _read_here(self, name: str | bytes, limit: int, *, loose: bool) -> Object | None:
        """Returns an object that is in memory or, if `loose`, in a file of its own; None if git has to look for it."""
        if self._memory and (one := self._memory.get(name, limit)):
            return one
        if isinstance(name, bytes) or not loose or (self._process and not self._memory):  # a git that runs answers faster
            return None
        base, _, path = name.partition(":")
        object_id = base.removesuffix("^{tree}")
        if base == object_id and not path:
            return self._read_loose(object_id, limit)
        # not from memory: who names a path may ask whether it is still there
        one = self._read_loose(object_id)
        if one and one.kind == "commit":
            object_id = tree_of_commit(one.data or b"")
        for part in path.split("/") if path else ():
            tree = self._read_loose(object_id)
            if tree is None or tree.kind != "tree" or tree.data is None:
                return None
            object_id = parse_tree_ids(tree.data, self.git.object_format.size).get(os.fsencode(part), "")
            if not object_id:
                return ABSENT
        one = self._read_loose(object_id, limit)
        return one if path or (one and one.kind == "tree") else None

    def _read_loose(self, object_id: str, limit: int = 1 << 26) -> Object | None:
        """Returns the object with this full id if it is loose. Remembers it."""
        if len(object_id) != self.git.object_format.digits or object_id.strip("0123456789abcdef"):
            return None
        one = read_loose_object(self._loose, object_id, limit)
        if one and self._memory:
            self._memory.keep(one)
        return one

    def _read_many(self, names: Iterable[str | bytes], limit: int) -> list[Object | None]:
        encoded = [os.fsencode(name) for name in names]
        objects: list[Object | None] = []
        for start in range(0, len(encoded), ROUND):
            infos = self.infos(encoded[start : start + ROUND])
            small = [info.id.encode() for info in infos if info and info.size <= limit]
            # sizes first, so that a huge blob is never loaded
            contents = self._ask(b"contents", small)
            if None in contents:
                raise ObjectsGone(f"git gc deleted {small[contents.index(None)].decode()} while gitrun read it", "Try again")
            rest = iter(contents)
            objects += [next(rest) if info and info.size <= limit else info for info in infos]
        return objects

    def infos(self, names: list[bytes]) -> list[Object | None]:
        """Returns the objects of these names, without content."""
        return self._ask(b"info", names)

    def look(self, name: str, limit: int) -> tuple[str, int, bytes | None] | None:
        """Returns kind, size and content as `read` does."""
        one = self.read(name, limit)
        return (one.kind, one.size, one.data) if one else None

    def tree(self, name: str) -> dict[bytes, Entry]:
        """Returns the entries of a tree, or of a commit's tree, by name. Raises GitFailed if there is none."""
        tree = self.read(name if ":" in name or "^" in name else name + "^{tree}")
        if tree is None or tree.data is None or tree.kind != "tree":
            raise GitFailed(f"tree {name} is missing", "To check the repository: git fsck")
        return dict(parse_tree(tree.data, self.git.object_format.size))

    def _ask(self, verb: bytes, names: list[bytes]) -> list[Object | None]:
        lines = [name for name in names if b"\n" not in name]  # the protocol has one name a line; entry_at finds such paths
        if not lines:
            return [None] * len(names)
        # git answers all at once, and reads all questions before that: no pipe fills up
        answers = self.ask(b"".join(verb + b" " + name + b"\n" for name in lines) + b"flush\n")
        return [None if b"\n" in name else read_object_answer(answers, content=verb == b"contents") for name in names]


def read_loose_object(place: str, object_id: str, limit: int) -> Object | None:
    """Returns a loose object below `place`; without content above `limit` bytes. None if it is not loose, or damaged."""
    try:
        with open(f"{place}{object_id[:2]}/{object_id[2:]}", "rb") as file:
            unpacker, data = zlib.decompressobj(), file.read(HEADER)
            head, _, start = unpacker.decompress(data, HEADER).partition(b"\0")
            kind, size = head.split(b" ")
            if kind not in KINDS:
                return None
            if int(size) > limit or len(start) > int(size):
                return Object(object_id, kind.decode(), int(size), None)
            rest = unpacker.unconsumed_tail + file.read()
            content = start + unpacker.decompress(rest, int(size) - len(start) + 1) if rest else start
    except (OSError, ValueError, zlib.error):
        return None
    return Object(object_id, kind.decode(), len(content), content) if len(content) == int(size) and unpacker.eof else None


class BulkObjects(Objects):
    """Reads very many objects, as libgit2 does where it can: an object that git cannot read is None."""

    def read_many(self, names: Iterable[str | bytes], limit: int = 1 << 21) -> list[Object | None]:
        """Returns the objects of `names`, in order; without content above `limit` bytes."""
        names_asked = list(names)
        try:
            return super().read_many(names_asked, limit)
        except GitrunError:
            # a truncated object kills git, and with it the answers for the others
            self.end()
        if len(names_asked) < 2:
            return [None] * len(names_asked)
        half = len(names_asked) // 2
        return [*self.read_many(names_asked[:half], limit), *self.read_many(names_asked[half:], limit)]


def require_object(objects: Objects, name: str) -> Object:
    """Returns the object that a commit or tree names. Raises ObjectsGone if it is not in the repository."""
    content = objects.read(name)
    if content is None:
        raise ObjectsGone(f"git gc deleted {name} while gitrun wrote it", "Try again")
    return content


def entry_at(objects: Objects, tree_id: str, path: bytes) -> Entry | None:
    """Returns the entry at `path` of a tree or commit, whatever bytes its name has; None if there is none."""
    entry: Entry | None = Entry(TREE, tree_id)
    for name in path.split(b"/"):
        if entry is None or entry.mode != TREE:
            return None
        entry = objects.tree(entry.id).get(name)
    return entry


def read_object_answer(answers: IO[bytes], *, content: bool) -> Object | None:
    """Reads the next answer of `git cat-file`; None for a missing object. Raises ObjectsGone if git died."""
    header = answers.readline()
    if not header:
        raise cat_file_died()
    # a missing object is answered by `<name> missing`, and a name may contain blanks
    fields = header[:-1].rsplit(b" ", 2)
    if len(fields) < 3 or fields[1] not in KINDS or not fields[2].isdigit():
        return None
    size = int(fields[2])
    data = None
    if content:
        # git prints the size before it reads the object, and dies if a gc removes it in between
        data = answers.read(size + 1)
        if len(data) != size + 1:
            raise cat_file_died()
        data = data[:-1]
    return Object(fields[0].decode(), fields[1].decode(), size, data)


def cat_file_died() -> ObjectsGone:
    """Makes the error for a `git cat-file` that died while it read an object."""
    return ObjectsGone("git cat-file ended early", "To check the repository: git fsck")


def parse_tree(data: bytes, id_size: int) -> Iterable[tuple[bytes, Entry]]:
    """Yields name and entry for each entry in a tree object's bytes, where an id takes `id_size` bytes."""
    start = 0
    while start < len(data):
        end = data.index(b"\0", start)
        mode, name = data[start:end].split(b" ", 1)
        start = end + 1 + id_size
        yield name, Entry(mode.decode(), data[end + 1 : start].hex())


class TreeWriter(Protocol):
    """A writer of trees: git's executable (TreeMaker), or this process (Loose)."""

    def make(self, tree: Mapping[bytes, Entry]) -> str:
        """Writes the tree with these entries and returns its id. Objects need not exist. Raises GitFailed, OSError."""


class TreeMaker(Coprocess):
    """Writes trees through one `git mktree`. Use it in a `with`."""

    def __init__(self, git: Git) -> None:
        # --missing: entries are not looked up, and may be absent in a partial clone
        super().__init__(git, "mktree", "-z", "--missing", "--batch")
        self._objects, self._digits = git.common_dir / "objects", git.object_format.digits
        self._durable = bool(git.durable)

    def make(self, tree: Mapping[bytes, Entry]) -> str:
        """Writes the tree with these entries and returns its id. Objects need not exist. Raises GitFailed."""
        lines = (
            entry.mode.encode() + b" " + object_kind(entry.mode) + b" " + entry.id.encode() + b"\t" + name + b"\0"
            for name, entry in tree.items()
        )
        object_id = self.ask(b"".join(lines) + b"\0").readline().strip().decode()
        if len(object_id) != self._digits:
            raise GitFailed("git mktree refused a tree", "To check the repository: git fsck")
        if self._durable:
            # git 2.39: mktree reads no settings and never fsyncs
            fsync(self._objects / object_id[:2] / object_id[2:])
        return object_id


class Loose:
    """Writes loose objects without a process, as durable as git's own. Can stand in for a TreeMaker.

    `ids` are the objects so far, also those that existed. `packed` are those that `finish` has written as one pack.
    """

    def __init__(self, git: Git) -> None:
        self.git = git
        self._place = os.fsencode(git.common_dir) + b"/objects"
        self._mode = stat.S_IMODE(os.stat(self._place).st_mode)
        self._durable = bool(git.durable)
        self._memory = object_memory(git)
        self.ids: list[str] = []
        self.packed: Collection[str] = ()

    def make(self, tree: Mapping[bytes, Entry]) -> str:
        """Writes the tree with these entries and returns its id. Raises OSError."""
        # git sorts directories as if their names ended in `/`
        ordered = sorted(tree.items(), key=lambda pair: pair[0] + b"/" if pair[1].mode == TREE else pair[0])
        lines = (entry.mode.encode() + b" " + name + b"\0" + bytes.fromhex(entry.id) for name, entry in ordered)
        return self.write("tree", b"".join(lines))

    def write(self, kind: str, data: bytes) -> str:
        """Writes an object of this kind atomically and returns its id. Raises OSError."""
        whole = b"%s %d\0" % (kind.encode(), len(data)) + data
        object_id: str = self.git.object_format.hash(whole).hexdigest()
        self.ids.append(object_id)
        self._write_whole(object_id, whole)
        if self._memory:
            self._memory.keep(Object(object_id, kind, len(data), data))
        return object_id

    def finish(self) -> None:
        """Writes the objects that wait in memory."""

    def is_there(self) -> bool:
        """Returns whether the objects of `packed` are still in the repository."""
        return True

    def _write_whole(self, object_id: str, whole: bytes) -> None:
        """Writes an object with its header, unless it is there."""
        directory = self._place + b"/" + object_id[:2].encode()
        path = directory + b"/" + object_id[2:].encode()
        with suppress(OSError):
            if os.stat(path).st_size:  # a power cut can leave an object empty
                os.utime(path)  # git prune spares young objects; somebody else's is written again, as git does
                return
        # git gc removes forgotten files of this name
        fresh = directory + b"/tmp_obj_" + os.urandom(6).hex().encode()
        descriptor = self._create(directory, fresh)
        try:
            try:
                rest = memoryview(deflate(whole))
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if self._durable:
                    # the ref that leads here is written after this: an empty object would stop git gc
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(fresh, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(fresh)
            raise

    def _create(self, directory: bytes, path: bytes) -> int:
        """Creates a file that the other writers of this repository can read, and its directory. Returns its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(FileNotFoundError):
            return os.open(path, flags, 0o444 & self._mode)
        with suppress(FileExistsError):  # another process may be as far
            os.mkdir(directory)
        os.chmod(directory, self._mode)  # in a shared repository, new directories have the mode of the one above
        return os.open(path, flags, 0o444 & self._mode)


class SmallPacks:
    """The packs of a process that writes many runs, as `git.pack.GeometricPacks` keeps them.

    `synced` are loose objects of earlier runs whose names are on disk.
    """

    def __init__(self) -> None:
        self.synced: set[str] = set()

    def open_writer(self, git: Git) -> Loose:
        """Returns a writer of the next pack."""
        return Loose(git)


def small_packs(git: Git) -> SmallPacks | None:
    """Returns the packs that this process writes runs to; None if it writes loose objects."""
    packs = git.processes.objects.get(SmallPacks) if git.processes else None
    return packs if isinstance(packs, SmallPacks) else None


def deflate(data: bytes) -> bytes:
    """Returns the data compressed with level 1, git's default for loose objects."""
    if len(data) > 1 << SMALL_WINDOW:
        return zlib.compress(data, 1)
    # for a window of 32 KiB, zlib allocates and clears more than it takes to compress so little
    packer = zlib.compressobj(1, zlib.DEFLATED, SMALL_WINDOW, 4)
    return packer.compress(data) + packer.flush()


def object_kind(mode: str) -> bytes:
    """Returns the kind of object that a tree entry's mode implies."""
    return {TREE: b"tree", COMMIT: b"commit"}.get(mode, b"blob")


def fsync(path: str | os.PathLike[str]) -> None:
    """Syncs the file or directory at `path` to disk. Does nothing if it is absent, as packed objects are. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # os.fsync is given no path, but the message must name one
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


def sync_tables(git: Git, directory: Path) -> None:
    """Syncs the reftables in a directory, but those that this process synced before, and their names. Raises OSError.

    Git 2.45 to 2.52 syncs a table before it writes the footer. If one lacks its footer, no ref of the repository can be read.
    Does nothing with refs in files, or if the repository is not durable.
    """
    if not (git.has_reftables and git.durable):
        return
    kept: dict[object, object] = git.processes.objects if git.processes else {}
    synced, tables = kept.get(directory), frozenset((directory / "tables.list").read_text().split())
    for name in tables - synced if isinstance(synced, frozenset) else tables:
        fsync(directory / name)
    fsync(directory)
    kept[directory] = tables


def edit_tree(objects: Objects, maker: TreeWriter, tree_id: str | None, changes: Mapping[bytes, Entry | None]) -> str:
    """Returns the id of `tree_id` (None: empty) with `changes` applied: path -> entry, or None to remove it.

    A new path replaces what is in its way. Directories that become empty are dropped.
    """
    return edit_or_drop(objects, maker, tree_id, changes) or maker.make({})


def edit_or_drop(objects: Objects, maker: TreeWriter, tree_id: str | None, changes: Mapping[bytes, Entry | None]) -> str | None:
    """Edits as `edit_tree`, but returns None for an empty tree."""
    entries = objects.tree(tree_id) if tree_id else {}
    below: dict[bytes, dict[bytes, Entry | None]] = {}
    for path, entry in changes.items():
        first, _, rest = path.partition(b"/")
        if rest:
            below.setdefault(first, {})[rest] = entry
        elif entry:
            entries[first] = entry
        else:
            entries.pop(first, None)
    for name, inner in below.items():
        old = entries.get(name)
        entry_id = edit_or_drop(objects, maker, old.id if old and old.mode == TREE else None, inner)
        if entry_id:
            entries[name] = Entry(TREE, entry_id)
        elif old and old.mode == TREE:
            del entries[name]
    return maker.make(entries) if entries else None


def tree_of_commit(data: bytes) -> str:
    """Returns the tree id in the content of a commit; empty if its first line has none."""
    match = TREE_LINE.match(data)
    return match[1].decode() if match else ""


def find_entries(tree: bytes, id_size: int) -> list[tuple[bytes, bytes, bytes]]:
    """Returns mode, name and id, each as bytes, of the entries in a tree object's bytes. An id takes `id_size` bytes."""
    return re.findall(ENTRY % id_size, tree, re.DOTALL)


def parse_tree_ids(tree: bytes, id_size: int) -> dict[bytes, str]:
    """Returns the ids in a tree object's bytes, by name. An id takes `id_size` bytes."""
    return {name: object_id.hex() for _, name, object_id in find_entries(tree, id_size)}
