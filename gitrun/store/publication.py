"""Publishes new commits of runs: makes sure that their objects are on disk, then moves the refs.

Afterwards it looks whether a running gc has removed objects that it had found unreachable a moment before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.errors import ObjectsGone
from gitrun.git.exe import failure_reason
from gitrun.git.gc_lock import is_gc_running
from gitrun.git.objects import fsync
from gitrun.model.run import EMPTY_TREE
from gitrun.store.refs import RefEdit, ref_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object, Objects


def publish(  # noqa: PLR0913 - a move of a ref, and the two readers it needs
    git: Git, objects: Objects, ref: str, new: str, *, expected: str | None, known: str | None, reason: str
) -> None:
    """Moves a run's ref from `expected` (None: it does not exist) to commit `new`. `known` is a commit that is here whole.

    Afterwards all objects of `new` are in the repository and safe from a running gc. Raises StaleRun if the ref was
    elsewhere. Raises ObjectsGone, with the ref moved, if a gc removed objects first.
    """
    # objects before the ref: after a power cut it must not lead to missing ones
    needed = new_objects(git, objects, new, known)
    if git.durable:
        sync_to_disk(git, needed)
    ref_store(git).apply([RefEdit(ref, new, expected, reason)])
    # packed first: objects that are present afterwards are safe from this gc
    protect_from_gc(git, [new], [known])
    require_present(objects, needed)


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


def new_objects(git: Git, objects: Objects, commit_id: str, known: str | None) -> list[str]:
    """Returns the objects of the commit that the tree of `known` (None: empty) lacks. Raises ObjectsGone."""
    done = git.attempt("diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", known or EMPTY_TREE, commit_id)
    # diff-tree -t lists subtrees, but not the tree of the commit itself
    (top,) = objects.infos([f"{commit_id}^{{tree}}".encode()])
    if done.returncode or top is None:
        raise ObjectsGone(f"an object of a new commit is missing: {failure_reason(done.stderr)}", "Try again")
    # :100644 100644 <old id> <new id> M NUL <path> NUL
    fields = (line.split(b" ") for line in done.stdout.split(b"\0")[:-1:2])
    # a deletion (000000) has no new object, and a submodule's commit (160000) is not in this repository
    object_ids = {words[3].decode() for words in fields if words[1] not in {b"000000", b"160000"}}
    return [commit_id, top.id, *sorted(object_ids)]


def sync_to_disk(git: Git, object_ids: Sequence[str]) -> None:
    """Syncs the directory entries of these loose objects. Git has synced their contents (core.fsync)."""
    store = git.common_dir / "objects"
    for start in sorted({object_id[:2] for object_id in object_ids}):
        fsync(store / start)
    fsync(store)


def require_present(objects: Objects, object_ids: Sequence[str]) -> None:
    """Raises ObjectsGone unless all these objects are in the repository."""
    found: list[Object | None] = []
    # rounds of a hundred: the questions must fit into the pipe while git waits for its answers to be read
    for start in range(0, len(object_ids), 100):
        found += objects.infos([object_id.encode() for object_id in object_ids[start : start + 100]])
    gone = [object_id for object_id, info in zip(object_ids, found, strict=True) if info is None]
    if gone:
        raise ObjectsGone(f"git gc deleted {len(gone)} objects while gitrun wrote them, {gone[0]} first", "Try again")


def protect_from_gc(git: Git, heads: Iterable[str | None], known: Iterable[str | None] = ()) -> None:
    """Packs what `heads` need and `known` lack, if a gc is running. Git keeps packs younger than the gc's scan of refs."""
    if is_gc_running(git):
        asked = [*(f"{head}\n" for head in heads if head), *(f"^{other}\n" for other in known if other)]
        place = git.common_dir / "objects" / "pack" / "pack"
        git.attempt("pack-objects", "--revs", "-q", str(place), stdin="".join(asked).encode())
