"""Publishes new commits of runs: makes sure that their objects are on disk, then moves the refs.

Afterwards it looks whether a running gc has removed objects that it had found unreachable a moment before.
"""

from __future__ import annotations

import os

from gitrun.dataclass import dataclass, replace
from gitrun.errors import ObjectsGone
from gitrun.git.exe import failure_reason
from gitrun.git.gc_lock import is_gc_running
from gitrun.git.objects import Objects, find_entries, fsync, small_packs
from gitrun.model.tree import COMMIT, TREE
from gitrun.store.refs import RefEdit, ref_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.git.objects import Loose, Object

MOST_TREES = 200
"""Trees above which git compares two commits."""
MOST_SYNCED = 10_000
"""Loose objects that a batch keeps in mind as synced, such as the changed files of its source."""


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a run's ref to a new commit. `base` is a commit that is here whole; None if nothing is."""

    edit: RefEdit
    base: str | None


def publish(git: Git, objects: Objects, *moves: Move, writer: Loose | None = None) -> None:
    """Moves the refs of runs to new commits, all or none.

    `writer` has written the new objects, or still has them in memory. Afterwards all objects of the commits are in the
    repository and safe from a running gc. Raises StaleRun if a ref was elsewhere. Raises ObjectsGone, with the refs moved,
    if a gc removed objects first.
    """
    # objects before the refs: after a power cut these must not lead to missing ones
    if writer:
        writer.finish()
    needed = [one for move in moves if move.edit.new for one in new_objects(git, objects, move.edit.new, move.base)]
    if git.durable:
        sync_new(git, [one for one in needed if not (writer and one in writer.packed)])
    ref_store(git).apply([move.edit for move in moves])
    # packed first: objects that are present afterwards are safe from this gc
    protect_from_gc(git, [move.edit.new for move in moves], [move.base for move in moves])
    require_written(objects, writer, needed)


def publish_many(git: Git, objects: Objects, edits: Sequence[RefEdit], needed: Sequence[str]) -> None:
    """Moves the refs of many runs in one transaction, each as `publish` does. `needed` lists all new objects.

    Raises StaleRun if one ref was elsewhere; none has moved. Raises ObjectsGone, with the refs moved, if a gc removed
    objects first.
    """
    if git.durable:
        sync_to_disk(git, needed)
    ref_store(git).apply(edits)
    protect_from_gc(git, [edit.new for edit in edits], [edit.expected for edit in edits])
    require_present(objects, needed)


def new_objects(git: Git, objects: Objects, commit_id: str, base: str | None) -> list[str]:
    """Returns the objects of the commit that the tree of `base` (None: empty) lacks. Raises ObjectsGone."""
    objects_found = compare_trees(objects, commit_id, base) if base else None
    if objects_found is not None:
        return [commit_id, *objects_found]
    result = git.attempt(
        "diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", base or git.object_format.empty_tree, commit_id
    )
    # diff-tree -t lists subtrees, but not the tree of the commit itself
    (top,) = objects.infos([f"{commit_id}^{{tree}}".encode()])
    if result.returncode or top is None:
        raise ObjectsGone(f"an object of a new commit is missing: {failure_reason(result.stderr)}", "Try again")
    # :100644 100644 <old id> <new id> M NUL <path> NUL
    fields = (line.split(b" ") for line in result.stdout.split(b"\0")[:-1:2])
    # a deletion (000000) has no new object, and a submodule's commit (160000) is not in this repository
    object_ids = {words[3].decode() for words in fields if words[1] not in {b"000000", b"160000"}}
    return [commit_id, top.id, *sorted(object_ids)]


def compare_trees(objects: Objects, commit_id: str, base: str) -> list[str] | None:
    """Returns the trees and blobs of the commit that `base` lacks at the same path; None if git has to compare them.

    Reads few trees, where a git process would take longer to start than to compare. Raises ObjectsGone.
    """
    id_size = objects.git.object_format.size
    pairs, objects_found, count = [(f"{commit_id}^{{tree}}", f"{base}^{{tree}}")], dict[str, None](), 0
    while pairs:
        count += len(pairs)
        if count > MOST_TREES:
            return None
        news, olds = (objects.read_many([pair[side] for pair in pairs if pair[side]]) for side in (0, 1))
        if None in news:
            raise ObjectsGone(f"an object of a new commit is missing: {pairs[news.index(None)][0]}", "Try again")
        contents = {name: (one.data, one.id) for name, one in zip((old for _, old in pairs if old), olds, strict=True) if one}
        below = []
        for new, (_, old_name) in zip(news, pairs, strict=True):
            old_data = contents.get(old_name, (b"", ""))[0]
            if new is None or new.data is None or old_data is None:
                return None
            objects_found[new.id] = None
            below += list_changes(new.data, old_data, id_size)
        objects_found |= {new: None for mode, new, _ in below if mode not in {TREE, COMMIT}}
        pairs = list({(new, old): None for mode, new, old in below if mode == TREE})
    return list(objects_found)


def list_changes(new: bytes, old: bytes, id_size: int) -> list[tuple[str, str, str]]:
    """Returns mode and id of the entries of a tree object that differ from `old`, and the id of the tree there, or empty.

    An id takes `id_size` bytes in them.
    """
    before = {entry[1]: entry for entry in find_entries(old, id_size)}
    changed = [entry for entry in find_entries(new, id_size) if before.get(entry[1]) != entry]
    return [
        (mode.decode(), object_id.hex(), was[2].hex() if (was := before.get(name)) and was[0].decode() == TREE else "")
        for mode, name, object_id in changed
    ]


def sync_new(git: Git, object_ids: Sequence[str]) -> None:
    """Syncs as `sync_to_disk`, but not again what this process has synced for another trial of a batch."""
    packs = small_packs(git)
    new = [one for one in object_ids if packs is None or one not in packs.synced]
    if new:
        sync_to_disk(git, new)
    if packs:
        if len(packs.synced) > MOST_SYNCED:
            packs.synced.clear()
        packs.synced.update(new)


def sync_to_disk(git: Git, object_ids: Sequence[str]) -> None:
    """Syncs the directory entries of these loose objects. Git has synced their contents (core.fsync)."""
    store = os.fspath(git.common_dir) + "/objects"
    for start in sorted({object_id[:2] for object_id in object_ids}):
        fsync(f"{store}/{start}")
    fsync(store)


def require_written(objects: Objects, writer: Loose | None, object_ids: Sequence[str]) -> None:
    """Raises ObjectsGone unless all these objects are in the repository, many of them in the pack of the writer."""
    is_there = writer is not None and writer.is_there()
    require_present(objects, [one for one in object_ids if not (is_there and writer and one in writer.packed)])


def require_present(objects: Objects, object_ids: Sequence[str]) -> None:
    """Raises ObjectsGone unless all these objects are in the repository."""
    directory = os.fsencode(objects.git.common_dir) + b"/objects/"
    # most are new, and therefore loose
    packed = [one for one in object_ids if not os.path.exists(directory + f"{one[:2]}/{one[2:]}".encode())]
    if not packed:
        return
    infos: list[Object | None] = []
    # a git that read a pack before still sees what is in it after a gc has deleted the pack
    with Objects(replace(objects.git, processes=None)) as fresh:
        # rounds of a hundred: the questions must fit into the pipe while git waits for its answers to be read
        for start in range(0, len(packed), 100):
            infos += fresh.infos([object_id.encode() for object_id in packed[start : start + 100]])
    missing = [object_id for object_id, info in zip(packed, infos, strict=True) if info is None]
    if missing:
        raise ObjectsGone(f"git gc deleted {len(missing)} objects while gitrun wrote them, {missing[0]} first", "Try again")


def protect_from_gc(git: Git, heads: Iterable[str | None], published: Iterable[str | None] = ()) -> None:
    """Packs what `heads` need and `published` lack, if a gc is running. Git keeps packs younger than the gc's scan of refs."""
    if is_gc_running(git):
        revisions = [*(f"{head}\n" for head in heads if head), *(f"^{other}\n" for other in published if other)]
        path = git.common_dir / "objects" / "pack" / "pack"
        git.attempt("pack-objects", "--revs", "-q", str(path), stdin="".join(revisions).encode())


def protect_moved(git: Git, heads: Iterable[str]) -> None:
    """Packs runs that move between refs if a gc is running: it may have scanned their new place already."""
    if is_gc_running(git):
        # what branches, tags and remotes reach is safe from the gc without a pack
        elsewhere = git.run("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags", "refs/remotes")
        protect_from_gc(git, heads, elsewhere.decode().split())
