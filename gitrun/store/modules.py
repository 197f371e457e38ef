"""What this repository knows of submodules, and how sources that have their files compare with those that do not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.git.objects import COMMIT, TREE, Entry, Objects, TreeMaker, edit_tree, entry_at
from gitrun.model.modules import parents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt

KEPT = 200
"""Trees, and commits, that are remembered."""


@dataclass(frozen=True, slots=True)
class Known:
    """A cache; losing it costs time alone.

    `copied` are trees of submodules whose objects were all copied here, newest first, `large` those that are too large
    for that with their bytes. `trees` has the tree of a submodule's commit, which itself is not in this repository.
    """

    copied: tuple[str, ...] = ()
    large: Mapping[str, int] = field(default_factory=dict)
    trees: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sources that are compared: its tree, and the commits of its submodules by path."""

    tree: str
    modules: Mapping[str, str] = field(default_factory=dict)


def side_of(attempt: Attempt, tree: str) -> Side:
    """Returns the source of an attempt, whose whole tree this is, for a comparison."""
    return Side(tree, dict(attempt.submodules))


def cache_of(git: Git) -> Path:
    """Returns the path of the cache."""
    return git.state / "modules.json"


def read_known(git: Git) -> Known:
    """Reads the cache; an unreadable one is empty."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        found = Known(**json.loads(cache_of(git).read_bytes()))
        return Known(tuple(found.copied), dict(found.large), dict(found.trees))
    return Known()


def remember(git: Git, fresh: Known) -> None:
    """Adds to the cache, all or nothing; what is oldest goes."""
    old = read_known(git)
    whole = Known(
        tuple(islice(dict.fromkeys((*fresh.copied, *old.copied)), KEPT)),
        dict(islice({**fresh.large, **old.large}.items(), KEPT)),
        dict(islice({**fresh.trees, **old.trees}.items(), KEPT)),
    )
    if whole == old:
        return
    path = cache_of(git).with_name(f"modules.{os.urandom(8).hex()}")
    path.write_text(json.dumps(asdict(whole)))
    path.replace(cache_of(git))


def forget(git: Git) -> None:
    """Removes the cache: an object that it takes for granted may be gone."""
    cache_of(git).unlink(missing_ok=True)


def tree_of_commit(git: Git, path: str, commit: str) -> str:
    """Returns the id of the tree of a submodule's commit, from the cache or the submodule at the path; empty if unknown."""
    if tree := read_known(git).trees.get(commit):
        return tree
    place = (git.worktree or git.git_dir) / path
    if path.startswith("/") or ".." in path.split("/") or not os.path.lexists(place / ".git"):
        return ""
    done = git.at(place, place / ".git", {}).attempt("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
    return done.stdout.decode().strip()


def aligned(git: Git, old: Side, new: Side) -> tuple[str, str]:
    """Returns the trees of two sides, comparable also where one has the files of a submodule and the other its commit."""
    if not (old.modules or new.modules):
        return old.tree, new.tree
    with Objects(git) as objects, TreeMaker(git) as maker:
        return comparable(objects, maker, old, new)


def comparable(objects: Objects, maker: TreeMaker, old: Side, new: Side) -> tuple[str, str]:
    """Returns the two trees, changed where one has the files of a submodule and the other its commit.

    Both have files if the commit's tree is here. Otherwise both have a commit, and it differs if the files may.
    """
    before, after = old.tree, new.tree
    for path in sorted({*old.modules, *new.modules}, key=lambda path: (path.count("/"), path)):
        name = os.fsencode(path)
        was, now = entry_at(objects, before, name), entry_at(objects, after, name)
        if was is None or now is None or {was.mode, now.mode} != {TREE, COMMIT}:
            continue
        link = was if was.mode == COMMIT else now
        tree = tree_of_commit(objects.git, path, link.id)
        files = Entry(TREE, tree) if tree and objects.infos([tree.encode()])[0] else None
        if was.mode == COMMIT:
            before, after = (
                (edit_tree(objects, maker, before, {name: files}), after)
                if files
                else (before, edit_tree(objects, maker, after, {name: commit_at(objects, maker, new, path)}))
            )
        else:
            before, after = (
                (before, edit_tree(objects, maker, after, {name: files}))
                if files
                else (edit_tree(objects, maker, before, {name: commit_at(objects, maker, old, path)}), after)
            )
    return before, after


def commit_at(objects: Objects, maker: TreeMaker, side: Side, path: str) -> Entry:
    """Returns the entry of a submodule as a commit: its own if the files are that commit's, else an id made of theirs."""
    found = entry_at(objects, side.tree, os.fsencode(path))
    if found is None or found.mode != TREE:
        return found or Entry(COMMIT, "")
    nested = [inner for inner in side.modules if path in parents(inner)]
    nearest = [inner for inner in nested if not any(above in nested for above in parents(inner))]
    links = {os.fsencode(inner[len(path) + 1 :]): commit_at(objects, maker, side, inner) for inner in nearest}
    bare = edit_tree(objects, maker, found.id, links) if links else found.id
    commit = side.modules.get(path, "")
    is_clean = commit and tree_of_commit(objects.git, path, commit) == bare
    # no commit has this id; that of the tree itself git does not take for a commit
    if is_clean:
        return Entry(COMMIT, commit)
    import hashlib  # 3 ms that a look at an ordinary run need not wait

    return Entry(COMMIT, hashlib.sha1(bare.encode(), usedforsecurity=False).hexdigest())
