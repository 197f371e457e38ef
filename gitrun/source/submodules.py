"""Records submodules in a snapshot: their files become trees of this repository, and their repositories stay unchanged.

A submodule is recorded like the working tree: through a private index, by the same rules. Its repository is only read.
New objects go to a temporary directory. From there they are copied to this repository, with the submodule's own objects
that the tree needs.
"""

from __future__ import annotations

import os
import re
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed, NotARepository, NotRecorded
from gitrun.git.exe import open_repository
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import Entry, TreeMaker, edit_tree, entry_at, fsync
from gitrun.git.status import read_status
from gitrun.model.run import Skipped
from gitrun.model.text import size_text
from gitrun.model.tree import COMMIT, TREE
from gitrun.source.snapshot import (
    Snapshot,
    add_to_index,
    clear_skip_worktree,
    find_outside,
    is_declined,
    list_submodule_commits,
    select_untracked,
    snapshot_warnings,
    warn_of_submodules,
)
from gitrun.store.commits import scratch_directory
from gitrun.store.submodules import SubmoduleCache, add_to_cache, read_submodule_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.git.status import WorktreeStatus
    from gitrun.model.plan import Source
    from gitrun.model.settings import Settings
    from gitrun.source.snapshot import SnapshotOptions

FILES = "files"
MOST, MUCH = 20_000, 256 << 20
"""The most files and bytes of a submodule that are recorded; a larger one is linked."""
FEW = 100
"""From this number of objects on a pack stays a pack; fewer become loose objects, as git does after a fetch."""
# *.bin filter=lfs diff=lfs merge=lfs -text
FILTER = re.compile(rb"\sfilter=(\S+)")


@dataclass(frozen=True, slots=True)
class Module:
    """A submodule of the working tree: its path, its commit, and the tree of its files (empty: only the commit is recorded).

    All paths are relative to the top. `outside` and `linked` mean the same as in Snapshot.
    """

    path: bytes
    commit: str
    tree: str = ""
    is_dirty: bool = False
    skipped: tuple[Skipped, ...] = ()
    outside: tuple[bytes, ...] = ()
    linked: tuple[bytes, ...] = ()
    words: tuple[str, ...] = ()
    nested: tuple[Module, ...] = ()

    @property
    def all(self) -> tuple[Module, ...]:
        """Returns the submodule and all submodules inside it."""
        return (self, *(one for inner in self.nested for one in inner.all))


@dataclass(frozen=True, slots=True)
class View:
    """A submodule's repository with a private index, a temporary place for new objects, and the submodule's path."""

    git: Git
    index: Path
    scratch: Path
    path: bytes


def add_submodule_files(
    git: Git, objects: Objects, snapshot: Snapshot, choice: SnapshotOptions, index: Path | None = None
) -> Snapshot | None:
    """Adds the files of submodules to a snapshot of the working tree. Returns None if the user declines to record so many.

    Adds them to the private `index` too, if there is one: it later shows what a program changed in the working tree.
    """
    modules: list[Module] = []
    for path, commit in snapshot.source.submodules:
        entry = record_submodule(git, objects, choice, os.fsencode(path), commit)
        if entry is None:
            return None
        modules.append(entry)
    files = {module.path: Entry(TREE, module.tree) for module in modules if module.tree}
    content = snapshot.source.tree
    if files:
        with TreeMaker(git) as maker:
            # trees replace the commits of submodules: a run needs no other repository
            content = edit_tree(objects, maker, content, files)
        if index:
            write_into_index(git, index, files)
    every = [one for module in modules for one in module.all]
    source = replace(
        snapshot.source,
        dirty=snapshot.source.dirty or any(one.is_dirty for one in every),
        skipped=(*snapshot.source.skipped, *(skipped for one in every for skipped in one.skipped)),
        submodules=tuple((os.fsdecode(one.path), one.commit) for one in every),
        content=content if files else "",
    )
    return Snapshot(
        source,
        (*snapshot.outside, *(path for one in every for path in one.outside)),
        (*snapshot.linked, *(path for one in every for path in one.linked)),
        (*snapshot.words, *(word for one in every for word in one.words)),
        tuple(one.path for one in every if not one.tree),
    )


def write_into_index(git: Git, index: Path, files: Mapping[bytes, Entry]) -> None:
    """Replaces the commits of submodules in an index by the files of their trees."""
    git.run("update-index", "--force-remove", "-z", "--stdin", stdin=b"".join(path + b"\0" for path in files), index=index)
    for path, entry in files.items():
        git.run("read-tree", f"--prefix={os.fsdecode(path)}/", entry.id, index=index)


def record_submodule(git: Git, objects: Objects, choice: SnapshotOptions, path: bytes, commit_id: str) -> Module | None:
    """Records the submodule at a path below the top. Returns None if the user declines to record so many files.

    A submodule that cannot be recorded is only named, to be linked; its `words` warn about it and give the reason.
    """
    if not is_populated(git, path):
        return Module(path, commit_id, linked=(path,) if is_filled_directory(git, path) else ())
    own = replace(choice, apart=paths_below(path, choice.apart))
    try:
        with open_submodule(git, path) as view:
            return record_files(git, objects, own, view, commit_id)
    except (NotRecorded, GitFailed, NotARepository) as error:
        reason = error.message
    effect = "Your program sees your files through a link" if choice.lent else "Your program does not see its files"
    return Module(
        path, commit_id, linked=(path,), words=(f"warning: submodule {os.fsdecode(path)} is not recorded: {reason}. {effect}",)
    )


def record_files(git: Git, objects: Objects, choice: SnapshotOptions, view: View, commit_id: str) -> Module | None:
    """Records the files of a submodule and of those inside it. Returns None like `record_submodule`.

    Raises GitFailed, NotRecorded.
    """
    module, cache = view.git, read_submodule_cache(git)
    output = module.run("ls-files", "-v", "-s", "-z", index=view.index)
    # checked first, because scanning a large submodule takes long
    if output.count(b"\0") > MOST:
        raise NotRecorded(f"it has more than {MOST:,} files")
    links = clear_skip_worktree(module, view.index, output)
    status = read_status(module, view.index)
    included, skipped, weight = select_untracked(module, status.untracked, choice.settings, choice.apart)
    if len(included) > MOST or weight > MUCH:
        raise NotRecorded(f"it has more than {MOST:,} files or {size_text(MUCH)}")
    if name := find_filter(module, (*(entry.partition(b"\t")[2] for entry in output.split(b"\0")), *included)):
        raise NotRecorded(f"its files need the filter {name}, which this repository does not apply to them")
    if is_declined(choice, included, weight):
        return None
    skipped += add_to_index(module, view.index, status, included)
    skipped += [Skipped(os.fsdecode(path.rstrip(b"/")), 0, "cannot be read") for path in status.unread]
    tree = module.run("write-tree", index=view.index).decode().strip()
    # remembered, since a commit's tree never changes
    clean = cache.trees.get(commit_id) or module.run("rev-parse", "--verify", f"{commit_id}^{{tree}}").decode().strip()
    require_small(git, view, cache, tree)
    copy_trees(git, objects, view, (clean, tree), cache)
    add_to_cache(git, SubmoduleCache((tree, clean), {}, {commit_id: clean}))
    nested: list[Module] = []
    for inner, head in list_submodule_commits(module, view.index, links):
        entry = record_submodule(git, objects, options_above(choice, view.path), view.path + b"/" + os.fsencode(inner), head)
        if entry is None:
            return None
        nested.append(entry)
    files = {one.path[len(view.path) + 1 :]: Entry(TREE, one.tree) for one in nested if one.tree}
    with TreeMaker(git) as maker:
        whole = edit_tree(objects, maker, tree, files) if files else tree
    apart = (*status.ignored, *status.nested, *(os.fsencode(one.path) for one in skipped))
    left_out = [replace(one, path=f"{os.fsdecode(view.path)}/{one.path}") for one in skipped]
    return Module(
        view.path, commit_id, "" if whole == git.object_format.empty_tree else whole, tree != clean, tuple(left_out),
        paths_above(view.path, apart), (),
        snapshot_warnings(status_above(status, view.path), left_out, lent=choice.lent), tuple(nested),
    )  # fmt: skip


def options_above(choice: SnapshotOptions, path: bytes) -> SnapshotOptions:
    """Converts the paths of a submodule's choice to paths below the top."""
    return replace(choice, apart=paths_above(path, choice.apart))


def status_above(status: WorktreeStatus, path: bytes) -> WorktreeStatus:
    """Converts the paths that warnings mention to paths below the top."""
    return replace(status, conflicts=paths_above(path, status.conflicts), nested=paths_above(path, status.nested))


def paths_above(path: bytes, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Converts paths in a submodule to paths below the top."""
    return tuple(path + b"/" + inner for inner in paths)


def paths_below(path: bytes, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Converts paths below the top to paths in a submodule; drops those outside it."""
    return tuple(inner[len(path) + 1 :] for inner in paths if inner.startswith(path + b"/"))


def absolute_path(git: Git, path: bytes) -> bytes:
    """Returns the absolute path of a path below the top."""
    return os.fsencode(git.worktree or ".") + b"/" + path


def is_populated(git: Git, path: bytes) -> bool:
    """Returns whether a submodule is checked out at the path."""
    return os.path.lexists(absolute_path(git, path) + b"/.git")


def is_filled_directory(git: Git, path: bytes) -> bool:
    """Returns whether the path is a directory that is not empty."""
    full_path = absolute_path(git, path)
    return os.path.isdir(full_path) and bool(os.listdir(full_path))


@contextmanager
def open_submodule(git: Git, path: bytes) -> Iterator[View]:
    """Opens the submodule at the path for reading; a context manager.

    git writes objects and the index to a temporary directory, which is removed on exit. Raises NotARepository if the path
    is not the top of a repository.
    """
    full_path = Path(os.fsdecode(absolute_path(git, path)))
    module = open_repository(full_path, git.environ)
    if module.worktree is None or not module.worktree.samefile(full_path):
        raise NotARepository("its .git does not lead to a repository")
    with scratch_directory(git) as own:
        store, index = own / "objects", own / "index"
        (store / "info").mkdir(parents=True)
        others = (os.fsencode(one.common_dir / "objects") + b"\n" for one in (module, git))
        # git reads objects of both repositories, and writes only here
        (store / "info" / "alternates").write_bytes(b"".join(others))
        if (module.git_dir / "index").exists():
            shutil.copy2(module.git_dir / "index", index)  # copy2 keeps the time: git compares it with those of the files
        environ = {**module.environ, "GIT_OBJECT_DIRECTORY": str(store)}
        # objects here are temporary; `copy_trees` syncs those that stay
        config = {**module.config, "gitrun.fsync": ("false",)}
        yield View(replace(module, environ=environ, config=config, held_files=git.held_files), index, own, path)


def find_filter(module: Git, paths: Iterable[bytes]) -> str:
    """Returns the name of a filter that changes the submodule's files on checkout; empty if there is none.

    This repository would need the filter's settings and its data, such as the files of git-lfs.
    """
    drivers = {
        key[7:].rpartition(".")[0]
        for key in module.config
        if key.startswith("filter.") and key.endswith((".smudge", ".process"))
    }
    if not drivers:
        return ""
    top = os.fsencode(module.worktree or ".")
    attributes = [os.path.join(top, path) for path in paths if path.endswith(b".gitattributes")]
    for path in (*attributes, os.fsencode(module.common_dir / "info" / "attributes")):
        try:
            with open(path, "rb") as file:
                names = {os.fsdecode(name) for name in FILTER.findall(file.read(1 << 20))}
        except OSError:
            continue
        if used := sorted(names & drivers):
            return used[0]
    return ""


def require_small(git: Git, view: View, cache: SubmoduleCache, tree_id: str) -> None:
    """Raises NotRecorded if the tree has too many files or bytes. Trees that were copied before are not checked."""
    if tree_id in cache.copied:
        return
    count, weight = 0, cache.large.get(tree_id, 0)
    if weight > MUCH:
        raise NotRecorded(f"it has {size_text(weight)} of files, more than {size_text(MUCH)}")
    for line in view.git.lines("ls-tree", "-r", "-l", "-z", tree_id, end=b"\0"):
        # 100644 blob <id>     123\ta.txt; the size of a commit is `-`
        size = line.partition(b"\t")[0].split()[3]
        count, weight = count + 1, weight + (int(size) if size.isdigit() else 0)
        if count > MOST:
            raise NotRecorded(f"it has more than {MOST:,} files")
    if weight > MUCH:
        add_to_cache(git, SubmoduleCache(large={tree_id: weight}))
        raise NotRecorded(f"it has {size_text(weight)} of files, more than {size_text(MUCH)}")


def copy_trees(git: Git, objects: Objects, view: View, trees: Sequence[str], cache: SubmoduleCache) -> None:
    """Copies trees of a submodule, with all their objects, into this repository. Raises GitFailed.

    A tree appears here after all its objects, so that a kill leaves no tree incomplete.
    """
    there = [tree for tree in cache.copied[:FEW] if objects.infos([tree.encode()])[0]]
    missing = [tree for tree in dict.fromkeys(trees) if tree not in there]
    if not missing:
        return
    try:
        pack = write_pack(git, view, missing, there)
    except GitFailed:  # a gc may have removed one of the trees already here
        pack = write_pack(git, view, missing, ())
    with pack.open("rb") as file:
        # a pack begins with PACK, its version and the number of objects, 4 bytes each
        count = int.from_bytes(file.read(12)[8:], "big")
    if count >= FEW:
        move_pack(git, pack)
    elif count:
        move_objects(git, pack, missing)


def write_pack(git: Git, view: View, object_ids: Sequence[str], there: Sequence[str]) -> Path:
    """Writes a pack and its index: the objects of the wanted trees that no tree of `there` has. Raises GitFailed."""
    wanted_lines = "".join(f"{tree}\n" for tree in object_ids) + "".join(f"^{tree}\n" for tree in there)
    # the pack stays in this repository, so its own fsync setting applies
    reader = replace(view.git, config={**view.git.config, "gitrun.fsync": git.config.get("gitrun.fsync", ("true",))})
    name = (
        reader.run("pack-objects", "--revs", "-q", str(view.scratch / "copied"), stdin=wanted_lines.encode()).decode().strip()
    )
    return view.scratch / f"copied-{name}.pack"


def move_pack(git: Git, pack: Path) -> None:
    """Moves a pack into the repository. Its index comes last, because git ignores a pack without one."""
    target = git.common_dir / "objects" / "pack"
    make_shared_directory(target)
    for part in (pack, *pack.parent.glob(f"{pack.stem}.rev"), pack.with_suffix(".idx")):
        part.replace(target / f"pack-{part.name.removeprefix('copied-')}")
    if git.durable:
        fsync(target)


def move_objects(git: Git, pack: Path, last: Sequence[str]) -> None:
    """Unpacks a small pack into the repository: blobs first, inner trees next, the trees of `last` at the end."""
    fresh = pack.with_name("fresh")
    fresh.mkdir()
    replace(git, environ={**git.environ, "GIT_OBJECT_DIRECTORY": str(fresh)}).run(
        "unpack-objects", "-q", stdin=pack.read_bytes()
    )

    def order(path: Path) -> tuple[bool, bool]:
        # a loose object begins with its type and size: tree 123\0
        is_tree = zlib.decompressobj().decompress(path.read_bytes(), 8).startswith(b"tree")
        return path.parent.name + path.name in last, is_tree

    store = git.common_dir / "objects"
    for path in sorted(fresh.glob("??/*"), key=order):
        target = store / path.parent.name / path.name
        make_shared_directory(target.parent)
        path.replace(target)
        if git.durable:
            fsync(target.parent)


def add_lent_files(git: Git, objects: Objects, snapshot: Snapshot, modules: Sequence[bytes], settings: Settings) -> Snapshot:
    """Adds to a snapshot of another source the files to link from the submodules checked out at these paths.

    Of a submodule whose files the source holds, only ignored files are linked.
    """
    lent = [find_lent_files(git, objects, snapshot.source, settings, path) for path in modules]
    outside = (*snapshot.outside, *(path for one in lent for path in one.outside))
    paths = (*snapshot.linked, *(path for one in lent for path in one.linked))
    return replace(
        snapshot, outside=outside, linked=paths, words=warn_of_submodules(git, list_linked_modules(objects, snapshot.source))
    )


def find_lent_files(git: Git, objects: Objects, source: Source, settings: Settings, path: bytes) -> Snapshot:
    """Returns what to link from the submodule at a path for a run of this source."""
    entry = entry_at(objects, source.whole, path)
    if entry is None or entry.mode != TREE:
        return Snapshot(source, (), (path,) if is_populated(git, path) or is_filled_directory(git, path) else (), ())
    if not is_populated(git, path):
        return Snapshot(source, (), (), ())
    try:
        module = open_repository(Path(os.fsdecode(absolute_path(git, path))), git.environ)
        outside, files, nested = find_outside(module, settings, ())
    except (GitFailed, NotARepository):
        return Snapshot(source, (), (), ())
    inner = [find_lent_files(git, objects, source, settings, one) for one in paths_above(path, nested)]
    return Snapshot(
        source,
        (*paths_above(path, outside), *(one for lent in inner for one in lent.outside)),
        (*paths_above(path, files), *(one for lent in inner for one in lent.linked)),
        (),
    )


def list_linked_modules(objects: Objects, source: Source) -> list[tuple[str, str]]:
    """Returns path and commit of the submodules recorded by commit only: a run sees those of the working tree."""
    entries = ((path, commit, entry_at(objects, source.whole, os.fsencode(path))) for path, commit in source.submodules)
    return [(path, commit) for path, commit, entry in entries if entry and entry.mode == COMMIT]
